"""What the connections of the benchmark's office say: TLS handshakes and work on a file server."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Segment = tuple[bool, bytes]
"""Whether the client sends it, and its payload."""

_SEGMENT: Final = 1400
_SMB2_READ: Final = 8


def handshake(rng: random.Random, name: bytes) -> Iterator[Segment]:
    """A client that asks for ``name``; two servers of three answer in TLS 1.3, the others show a certificate."""
    yield True, _record(_hello(name))
    modern = rng.random() < 2 / 3
    flight = _record(_server_hello(modern=modern))
    flight += b"\x14\x03\x03\x00\x01\x01" if modern else _record(_certificate())
    flight += b"\x17\x03\x03\x08\x00" + bytes(2048)
    for at in range(0, len(flight), _SEGMENT):
        yield False, flight[at : at + _SEGMENT]
    yield True, b"\x14\x03\x03\x00\x01\x01" + b"\x17\x03\x03\x00\x35" + bytes(0x35)


def file_work(rng: random.Random) -> Iterator[Segment]:
    """A client that reads a file from a share, some kilobytes at a time."""
    for number in range(rng.randrange(4, 40)):
        yield True, _smb2(number, bytes(49), answers=False)
        answer = _smb2(number, bytes(16 + rng.choice((512, 4096, 8192))), answers=True)
        for at in range(0, len(answer), _SEGMENT):
            yield False, answer[at : at + _SEGMENT]


def _smb2(number: int, body: bytes, *, answers: bool) -> bytes:
    head = struct.pack(
        "<4sHHIHHIIQIIQ16s",
        b"\xfeSMB",
        64,
        1,
        0,
        _SMB2_READ,
        1,
        int(answers),
        0,
        number,
        0,
        1,
        1,
        b"",
    )
    return struct.pack(">I", len(head) + len(body)) + head + body


def _record(message: bytes) -> bytes:
    return b"\x16\x03\x03" + struct.pack(">H", len(message)) + message


def _message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def _extension(kind: int, body: bytes) -> bytes:
    return struct.pack(">HH", kind, len(body)) + body


def _hello(name: bytes) -> bytes:
    server = struct.pack(">HBH", len(name) + 3, 0, len(name)) + name
    extensions = b"".join(
        (
            _extension(0, server),
            _extension(16, b"\x00\x0c\x02h2\x08http/1.1"),
            _extension(13, b"\x00\x04\x04\x03\x08\x04"),
            _extension(43, b"\x04\x03\x04\x03\x03"),
            _extension(51, b"\x00\x24\x00\x1d\x00\x20" + bytes(32)),
        )
    )
    suites = b"\x13\x01\x13\x02\xc0\x2b\xc0\x2f"
    rest = b"\x03\x03" + bytes(32) + b"\x00" + struct.pack(">H", len(suites)) + suites + b"\x01\x00"
    return _message(1, rest + struct.pack(">H", len(extensions)) + extensions)


def _server_hello(*, modern: bool) -> bytes:
    extensions = _extension(16, b"\x00\x03\x02h2")
    if modern:
        share = _extension(51, b"\x00\x1d\x00\x20" + bytes(32))
        extensions = _extension(43, b"\x03\x04") + share
    suite = b"\x13\x01" if modern else b"\xc0\x2f"
    rest = b"\x03\x03" + bytes(32) + b"\x00" + suite + b"\x00"
    return _message(2, rest + struct.pack(">H", len(extensions)) + extensions)


@cache
def _certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.org")])
    begins = datetime(2023, 10, 1, tzinfo=UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.example.org")]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    entry = len(built).to_bytes(3, "big") + built
    return _message(11, len(entry).to_bytes(3, "big") + entry)
