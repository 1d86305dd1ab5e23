"""Certificates as they are made: a root, the collector's, an agent's; all with keys of P-256."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dijkwacht_collector.settings import DAY_US
from dijkwacht_collector.sites.certificates import Leaf
from dijkwacht_collector.sites.speaker import Speaker
from dijkwacht_records.enrolment import COLLECTOR_NAME
from dijkwacht_records.errors import DijkwachtError, MalformedBatch

ROOT_DAYS: Final = 3650
SERVER_DAYS: Final = 90
AGENT_DAYS: Final = 30
BACK_DAYS: Final = 1
"""Certificates begin so long before they were made: a clock may be a little behind."""
_PEM: Final = serialization.Encoding.PEM


class Signer(NamedTuple):
    """A key with its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def name(self) -> str:
        """What a root is called in the table of certificates: 16 hexadecimal digits of its fingerprint."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()[:16]

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(_PEM)

    @property
    def whole(self) -> bytes:
        """Key and certificate, PEM."""
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.key.private_bytes(_PEM, *form) + self.pem


def make_leaf(root: Signer, request: bytes, to: Speaker, now: int) -> Leaf:
    """A certificate for the key of ``request`` (PKCS #10, DER); whatever else it asks is ignored.

    Raises `MalformedBatch` for what is no request, is not signed by its key, or has another kind of key.
    """
    public = _asked(request)
    expires = now + AGENT_DAYS * DAY_US
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, to.site),
            x509.NameAttribute(NameOID.COMMON_NAME, to.agent),
        ]
    )
    uri = x509.UniformResourceIdentifier(f"urn:dijkwacht:site:{to.site}:agent:{to.agent}")
    builder = _builder(name, root.certificate.subject, public, now, AGENT_DAYS)
    certificate = (
        builder.add_extension(x509.SubjectAlternativeName([uri]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(_usage(), critical=True)
        .add_extension(_issuer(root), critical=False)
        .sign(root.key, hashes.SHA256())
    )
    pem = certificate.public_bytes(_PEM).decode()
    return Leaf(_serial(certificate), pem, now, expires, key_digest(public), root.name)


def key_digest(public: ec.EllipticCurvePublicKey) -> bytes:
    """SHA-256 of a public key (SubjectPublicKeyInfo, DER)."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(public.public_bytes(serialization.Encoding.DER, form)).digest()


def _asked(request: bytes) -> ec.EllipticCurvePublicKey:
    try:
        asked = x509.load_der_x509_csr(request)
        public = asked.public_key()
        signed = asked.is_signature_valid
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise MalformedBatch(f"no request for a certificate: {type(error).__name__}") from None
    if not signed:
        raise MalformedBatch("the request is not signed by its key")
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise MalformedBatch("the key is not one of P-256")
    return public


def make_root(now: int) -> Signer:
    """A new one, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"Dijkwacht authority {secrets.token_hex(4)}")]
    )
    certificate = (
        _builder(name, name, key.public_key(), now, ROOT_DAYS, ca=True)
        .add_extension(_usage(ca=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Signer(key, certificate)


def make_server(root: Signer, names: Iterable[str], now: int) -> Signer:
    """The collector's own, for these names and addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COLLECTOR_NAME)])
    certificate = (
        _builder(name, root.certificate.subject, key.public_key(), now, SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName(map(general_name, names)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(), critical=True)
        .add_extension(_issuer(root), critical=False)
        .sign(root.key, hashes.SHA256())
    )
    return Signer(key, certificate)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: int,
    days: int,
    *,
    ca: bool = False,
) -> x509.CertificateBuilder:
    begins = dt.datetime.fromtimestamp(now // 1_000_000, dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        # Of one length, so that it is written in one way only.
        .serial_number(
            int.from_bytes(bytes([0x40 | secrets.randbits(6)]) + secrets.token_bytes(15), "big")
        )
        .not_valid_before(begins - dt.timedelta(days=BACK_DAYS))
        .not_valid_after(begins + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, ca: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _issuer(root: Signer) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())


def read_signer(path: Path) -> Signer:
    """Raises ``OSError``, or `DijkwachtError` naming what is no key with its certificate."""
    content = path.read_bytes()
    try:
        key = serialization.load_pem_private_key(content, None)
        certificate = x509.load_pem_x509_certificate(content)
    except (ValueError, TypeError) as error:
        raise DijkwachtError(f"{path}: no key with its certificate: {error}") from None
    if (
        not isinstance(key, ec.EllipticCurvePrivateKey)
        or key.public_key() != certificate.public_key()
    ):
        raise DijkwachtError(f"{path}: the key is not the certificate's")
    return Signer(key, certificate)


def general_name(text: str) -> x509.GeneralName:
    """A name or an address, as certificates hold it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _serial(certificate: x509.Certificate) -> str:
    """As the ssl module writes it."""
    return f"{certificate.serial_number:032X}"


def microseconds(then: dt.datetime) -> int:
    """µs UTC."""
    return int(then.timestamp()) * 1_000_000
