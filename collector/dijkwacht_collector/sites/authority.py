"""The collector's own certificate authority: its roots, the collector's certificate, those of agents.

The folder holds ``root-1.pem``, while it is being replaced ``root-2.pem`` too, and so on: key and
certificate each. All of them are trusted; the newest signs what agents get, the oldest the collector's
own certificate, which so is known to agents that have not heard of a newer one. ``server.pem`` is
that one, with its key.

Whether a certificate's time has come or is over is not judged by TLS but by who asks for whom it
speaks: what is over must be refused by a word that its agent understands, and may still be renewed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import logging
import os
import secrets
import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dijkwacht_collector.journal import replace_file
from dijkwacht_collector.settings import DAY_US
from dijkwacht_collector.sites.certificates import Leaf
from dijkwacht_collector.sites.speaker import Speaker
from dijkwacht_records.enrolment import COLLECTOR_NAME
from dijkwacht_records.errors import DijkwachtError, MalformedBatch

log: Final = logging.getLogger(__name__)

ROOT_DAYS: Final = 3650
SERVER_DAYS: Final = 90
AGENT_DAYS: Final = 30
SETTLED_S: Final = 3600.0
"""A machine that woke with a wrong clock has so long to set it right before anything ends by it."""
BACK_DAYS: Final = 1
"""Certificates begin so long before they were made: a clock may be a little behind."""
ROTATE_DAYS: Final = 730
"""A root that ends within so many days is replaced by itself: two years for every agent to notice."""
NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python has no name for."""
_ALWAYS: Final = (COLLECTOR_NAME, "localhost", "127.0.0.1", "::1")
_PEM: Final = serialization.Encoding.PEM


class ServerContext(ssl.SSLContext):
    """What the collector shows and asks: TLS 1.3 alone, an agent's certificate if it has one.

    ``fingerprint``: SHA-256 of the certificate that is shown.
    """

    fingerprint: bytes = b""


class _Signer(NamedTuple):
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def name(self) -> str:
        """What a root is called in the table of certificates: 16 hexadecimal digits of its fingerprint."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()[:16]

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(_PEM)


class RootRow(NamedTuple):
    """A root, for people: ``number`` in its file's name, SHA-256, µs UTC of its end, what it is used for."""

    number: int
    name: str
    fingerprint: str
    expires: int
    issues: bool
    serves: bool


class Authority:
    """That of the folder ``path``, for a collector of these ``names`` and addresses. ``clock``: µs UTC.

    The constructor is inert. Methods block, save for `context`.
    """

    def __init__(self, path: Path, names: Iterable[str], clock: Callable[[], int]) -> None:
        self.path: Final = path
        self._names = list(dict.fromkeys((*_ALWAYS, *names)))
        self._clock = clock
        self._roots: dict[int, _Signer] = {}
        self._context: ServerContext | None = None
        self._seen: object = None
        self._opened = 0.0
        self._renew_at = 0

    def open(self) -> None:
        """Read the roots, or make the first one. Raises ``OSError``, `DijkwachtError` for what is none."""
        self.path.mkdir(0o700, parents=True, exist_ok=True)
        if not self._files():
            self._write("root-1.pem", _make_root(self._clock()))
        self.read()
        self._serve()
        self._opened = time.monotonic()

    def read(self) -> None:
        """Read the roots, for who only wants to see or change them. Raises as `open`."""
        seen = self._files()
        roots = {n: _read_signer(self.path / f"root-{n}.pem") for n in sorted(seen)}
        if not roots:
            raise DijkwachtError(f"{self.path}: the authority's roots are gone; put them back")
        self._roots, self._seen = roots, seen

    @property
    def context(self) -> ServerContext:
        """For a connection that is made now."""
        assert self._context is not None, "not open"
        return self._context

    @property
    def bundle(self) -> str:
        """Every root that may be trusted, PEM."""
        return b"".join(root.pem for root in self._roots.values()).decode()

    @property
    def rotating(self) -> bool:
        """A newer root issues, and the oldest is trusted until nobody needs it."""
        return len(self._roots) > 1

    @property
    def settled(self) -> bool:
        """It has been open for so long that the clock can be relied on."""
        return time.monotonic() - self._opened >= SETTLED_S

    @property
    def oldest(self) -> str:
        """The name of the root that the collector's own certificate is of."""
        return self._roots[min(self._roots)].name

    def refresh(self) -> bool:
        """Take over what another process did to the folder, and renew what is due: did anything change?

        Opens what is not open yet.
        """
        if not self._roots:
            self.open()
        changed = self._files() != self._seen
        if changed:
            try:
                self.read()
            except DijkwachtError as error:  # half written, or gone: what was read goes on serving
                log.warning("the authority's files cannot be used", extra={"why": str(error)})
                return False
        left = self._ends(max(self._roots)) - self._clock()
        if left < ROTATE_DAYS * DAY_US and self.settled and not self.rotating:
            self.rotate()
            changed = True
        if changed or self._clock() >= self._renew_at:
            self._serve()
        return changed

    def rotate(self) -> None:
        """Make the next root: from now on it issues. Raises `DijkwachtError` while a rotation is under way."""
        if self.rotating:
            raise DijkwachtError("the authority is being rotated already")
        self._write(f"root-{max(self._roots) + 1}.pem", _make_root(self._clock()))
        self.read()

    def drop_oldest(self) -> None:
        """End a rotation: the oldest root is trusted no more, and its key is gone."""
        if self.rotating:
            (self.path / f"root-{min(self._roots)}.pem").unlink()
            self.read()
            if self._context is not None:
                self._serve()

    def roots(self) -> list[RootRow]:
        """For people, the oldest first."""
        return [
            RootRow(
                number,
                root.name,
                root.certificate.fingerprint(hashes.SHA256()).hex(),
                self._ends(number),
                number == max(self._roots),
                number == min(self._roots),
            )
            for number, root in sorted(self._roots.items())
        ]

    def issue(self, request: bytes, to: Speaker, now: int) -> Leaf:
        """A certificate for the key of ``request`` (PKCS #10, DER); whatever else it asks is ignored.

        Raises `MalformedBatch` for what is no request, is not signed by its key, or has another kind of key.
        """
        public = _asked(request)
        root = self._roots[max(self._roots)]
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

    def _ends(self, number: int) -> int:
        return _us(self._roots[number].certificate.not_valid_after_utc)

    def _files(self) -> dict[int, tuple[int, int]]:
        """Number of each root → what shows that its file is another one."""
        found = {}
        for path in self.path.glob("root-*.pem"):
            number = path.stem.removeprefix("root-")
            if number.isdecimal():
                stat = path.stat()
                found[int(number)] = (stat.st_ino, stat.st_mtime_ns)
        return found

    def _serve(self) -> None:
        """Make the collector's certificate if there is none that will do, and the context that shows it."""
        root, path, now = self._roots[min(self._roots)], self.path / "server.pem", self._clock()
        try:
            own = _read_signer(path)
            good = self._will_do(own.certificate, root, now)
        except (OSError, DijkwachtError):
            good = False
        if not good:
            own = _make_server(root, self._names, now)
            self._write(path.name, own)
        context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(path)
        context.load_verify_locations(cadata=self.bundle)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= NO_CHECK_TIME
        context.num_tickets = (
            0  # agents keep their connection; who comes back shows its certificate
        )
        context.fingerprint = own.certificate.fingerprint(hashes.SHA256())
        ends = _us(own.certificate.not_valid_after_utc)
        self._context, self._renew_at = context, ends - SERVER_DAYS * DAY_US // 2

    def _will_do(self, certificate: x509.Certificate, root: _Signer, now: int) -> bool:
        ends = _us(certificate.not_valid_after_utc)
        begins = _us(certificate.not_valid_before_utc)
        if not begins <= now < ends - SERVER_DAYS * DAY_US // 2:
            return False
        try:
            certificate.verify_directly_issued_by(root.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return set(held) == set(map(_general_name, self._names))

    def _write(self, name: str, signer: _Signer) -> None:
        key = signer.key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        replace_file(self.path / name, key + signer.pem)
        if os.geteuid() == 0:  # `dijkwacht authority` may be run by root, the collector as another
            owner = self.path.parent.stat()
            for path in (self.path, self.path / name):
                os.chown(path, owner.st_uid, owner.st_gid)


def key_digest(public: ec.EllipticCurvePublicKey) -> bytes:
    """SHA-256 of a public key (SubjectPublicKeyInfo, DER)."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(public.public_bytes(serialization.Encoding.DER, form)).digest()


def requested_key(request: bytes) -> bytes:
    """`key_digest` of the key that a request is for. Raises as `Authority.issue`."""
    return key_digest(_asked(request))


def _asked(request: bytes) -> ec.EllipticCurvePublicKey:
    try:
        asked = x509.load_der_x509_csr(request)
        public = asked.public_key()
        signed = asked.is_signature_valid
    except Exception as error:  # noqa: BLE001  a stranger's bytes: the library raises what it likes
        raise MalformedBatch(f"no request for a certificate: {type(error).__name__}") from None
    if not signed:
        raise MalformedBatch("the request is not signed by its key")
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise MalformedBatch("the key is not one of P-256")
    return public


def _make_root(now: int) -> _Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"Dijkwacht authority {secrets.token_hex(4)}")]
    )
    certificate = (
        _builder(name, name, key.public_key(), now, ROOT_DAYS, ca=True)
        .add_extension(_usage(ca=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _Signer(key, certificate)


def _make_server(root: _Signer, names: Iterable[str], now: int) -> _Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COLLECTOR_NAME)])
    certificate = (
        _builder(name, root.certificate.subject, key.public_key(), now, SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(), critical=True)
        .add_extension(_issuer(root), critical=False)
        .sign(root.key, hashes.SHA256())
    )
    return _Signer(key, certificate)


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


def _issuer(root: _Signer) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())


def _read_signer(path: Path) -> _Signer:
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
    return _Signer(key, certificate)


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _serial(certificate: x509.Certificate) -> str:
    """As the ssl module writes it."""
    return f"{certificate.serial_number:032X}"


def _us(then: dt.datetime) -> int:
    return int(then.timestamp()) * 1_000_000
