"""A server's certificate: how old it is, for how long it is valid, and whom it names. None of it is kept.

X.509 is read by a walk over DER of a few steps: the fields wanted stand in fixed places, and whatever
is not where it belongs ends the walk with what was found.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from dijkwacht_agent.protocols.printable import printable
from dijkwacht_records.vocabulary import CertFlag

DAY_US: Final = 86_400_000_000
_MICROSECOND: Final = timedelta(microseconds=1)
_INTEGER: Final = 0x02
_UTC_TIME: Final = 0x17
_GENERAL_TIME: Final = 0x18
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_DNS_NAME: Final = 0x82
_IP_ADDRESS: Final = 0x87
_COMMON_NAME: Final = b"\x55\x04\x03"
_ALTERNATIVE_NAMES: Final = b"\x55\x1d\x11"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Certificate(NamedTuple):
    """What the columns of ``tls`` hold of it: days, days, `CertFlag`."""

    days: int
    age: int
    flags: int


class _Element(NamedTuple):
    """A tag, and where its content begins and ends; ``whole``: all of it is there."""

    tag: int
    begin: int
    end: int
    whole: bool


def read_certificate(der: bytes, time: int, server_name: str) -> Certificate:
    """Read a certificate, which may be cut at its end, as it was seen at ``time`` (µs).

    ``server_name``: what the client asked for, lower case; empty if it named none.
    """
    held = _read(der)
    if held is None:
        return Certificate(0, 0, int(CertFlag.SEEN))
    flags, begin, end, names = held
    if time < begin:
        flags |= CertFlag.NOT_YET
    if time > end:
        flags |= CertFlag.EXPIRED
    if server_name and names is not None and not _holds(names, server_name):
        flags |= CertFlag.OTHER_NAME
    return Certificate((end - begin) // DAY_US, (time - begin) // DAY_US, int(flags))


@lru_cache(maxsize=64)  # most servers are called again and again
def _read(der: bytes) -> tuple[int, int, int, list[tuple[int, bytes]] | None] | None:
    """Flags, begin and end of the validity in µs, and names as far as they go; ``None`` without a validity."""
    flags = int(CertFlag.SEEN)
    try:
        fields = list(_fields(der))
        issuer, validity, subject = fields[:3]
        begin, end = (_time(der, part) for part in _children(der, validity))
    except (ValueError, IndexError):
        return None
    if subject.begin == subject.end:
        flags |= CertFlag.EMPTY_SUBJECT
    if der[issuer.begin : issuer.end] == der[subject.begin : subject.end]:
        flags |= CertFlag.SELF_SIGNED
    names = _alternative_names(der, fields[3:])
    if names is not None and not names:
        flags |= CertFlag.NO_ALTERNATIVE
        names = [(_DNS_NAME, name) for name in _common_names(der, subject)]
    return int(flags), begin, end, names


def _element(der: bytes, at: int, limit: int) -> _Element:
    """The element at ``at``; raises ``IndexError`` or ``ValueError`` where there is none."""
    if at + 2 > limit:
        raise ValueError("no element")
    tag, length = der[at], der[at + 1]
    at += 2
    if length & 0x80:
        octets = length & 0x7F
        if not 0 < octets <= 3 or at + octets > limit:
            raise ValueError("no length")
        length = int.from_bytes(der[at : at + octets], "big")
        at += octets
    return _Element(tag, at, min(at + length, limit), at + length <= limit)


def _children(der: bytes, parent: _Element) -> Iterator[_Element]:
    at = parent.begin
    while at < parent.end:
        child = _element(der, at, parent.end)
        yield child
        at = child.end


def _fields(der: bytes) -> Iterator[_Element]:
    """Issuer, validity, subject, then what follows them, as far as it is there."""
    outer = _element(der, 0, len(der))
    fields = _children(der, _element(der, outer.begin, outer.end))
    first = next(fields, None)
    if first is not None and first.tag == _VERSION:
        first = next(fields, None)
    if first is None or first.tag != _INTEGER:
        raise ValueError("no serial number")
    for wanted in (False, True, True, True):  # algorithm, issuer, validity, subject
        field = next(fields, None)
        if field is None or field.tag != _SEQUENCE or not field.whole:
            raise ValueError("not a certificate")
        if wanted:
            yield field
    with suppress(ValueError):  # cut between two of them
        yield from fields


def _time(der: bytes, part: _Element) -> int:
    """A moment of the validity, in µs."""
    text = der[part.begin : part.end].decode("ascii")
    if part.tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif part.tag != _GENERAL_TIME:
        raise ValueError("no time")
    year, month, day, hour, minute = (int(text[at : at + 2]) for at in (2, 4, 6, 8, 10))
    second = int(text[12:14]) if text[12:14].isdigit() else 0
    moment = datetime(int(text[:2]) * 100 + year, month, day, hour, minute, second, tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def _alternative_names(der: bytes, fields: list[_Element]) -> list[tuple[int, bytes]] | None:
    """Tag and value of each alternative name; ``None`` if they cannot be read, or may have been cut off."""
    for field in fields:
        if field.tag == _EXTENSIONS:
            try:
                return _names_among(der, field)
            except (ValueError, IndexError):
                return None
    return [] if _element(der, 0, len(der)).whole else None


def _names_among(der: bytes, extensions: _Element) -> list[tuple[int, bytes]] | None:
    (sequence,) = _children(der, extensions)
    for extension in _children(der, sequence):
        parts = list(_children(der, extension))
        if der[parts[0].begin : parts[0].end] == _ALTERNATIVE_NAMES:
            if not parts[-1].whole:
                return None
            (names,) = _children(der, parts[-1])
            return [(name.tag, der[name.begin : name.end]) for name in _children(der, names)]
    return [] if extensions.whole else None


def _common_names(der: bytes, subject: _Element) -> Iterator[bytes]:
    try:
        for part in _children(der, subject):
            for attribute in _children(der, part):
                kind, value = _children(der, attribute)
                if der[kind.begin : kind.end] == _COMMON_NAME:
                    yield der[value.begin : value.end]
    except ValueError:
        return


def _holds(names: list[tuple[int, bytes]], server_name: str) -> bool:
    """Whether one of ``names`` is ``server_name``, by RFC 6125: a wildcard stands for one first label."""
    try:
        address = ipaddress.ip_address(server_name.strip("[]")).packed
    except ValueError:
        address = None
    wanted = server_name.rstrip(".")
    _, _, parent = wanted.partition(".")
    for tag, value in names:
        if tag == _IP_ADDRESS:
            if value == address:
                return True
        elif tag == _DNS_NAME:
            name = printable(value.lower()).rstrip(".")
            if name == wanted or (parent and not address and name == f"*.{parent}"):
                return True
    return False
