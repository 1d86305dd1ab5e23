"""Certificates for the agents of a benchmark, made before its collector starts."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dijkwacht_collector.sites import Sites, Speaker
from dijkwacht_collector.sites.authority import Authority

_PEM = serialization.Encoding.PEM


class Certified(NamedTuple):
    """What an agent shows who it is with, by site, and what whoever only asks trusts."""

    agents: dict[str, ssl.SSLContext]
    asker: ssl.SSLContext


def certify(state: Path, names: Iterable[str]) -> Certified:
    """Certificates for the ``agent-1`` of sites that are in the state already."""
    authority = Authority(state / "authority", ["127.0.0.1"], lambda: time.time_ns() // 1000)
    authority.open()
    roots = state / "roots.pem"
    roots.write_text(authority.bundle)
    sites = Sites(state / "sites.db")
    sites.open()
    agents = {name: _certified(state, roots, authority, sites, name) for name in names}
    sites.close()
    return Certified(agents, ssl.create_default_context(cafile=roots))


def _certified(
    state: Path, roots: Path, authority: Authority, sites: Sites, name: str
) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = asked.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    to = Speaker(name, "agent-1")
    leaf = authority.issue(request, to, time.time_ns() // 1000)
    sites.give_certificate(to, leaf)
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    own = state / "shown.pem"
    own.write_bytes(key.private_bytes(_PEM, *plain) + leaf.pem.encode())
    context = ssl.create_default_context(cafile=roots)
    context.load_cert_chain(own)
    own.unlink()
    return context
