"""DNS messages: the question, and how it was answered."""

from __future__ import annotations

from struct import Struct
from struct import error as struct_error
from typing import Final, NamedTuple

from dijkwacht_agent.protocols.printable import printable
from dijkwacht_records.tables import MAX_TEXT_BYTES

UNICAST_PORT: Final = 53
PORTS: Final = frozenset({UNICAST_PORT, 5353, 5355})
_RESPONSE: Final = 0x8000
_OPCODES: Final = frozenset({0, 4, 5})  # query, notify, update
_MAX_NAME: Final = 255
_MAX_JUMPS: Final = 16
_MAX_NAMES: Final = 32
_MAX_SECTION: Final = 1024
_MAX_QUESTIONS: Final = 64
"""In one message; over multicast some ask twenty at a time."""

_MAX_ADDRESSES: Final = 64
_ADDRESSES: Final = {1: 4, 28: 16}

_header = Struct(">HHHHHH").unpack_from
_type = Struct(">H").unpack_from
_record = Struct(">HH4xH").unpack_from


class Message(NamedTuple):
    """Fields of a DNS message. ``rcode`` and ``answers`` mean nothing in a question."""

    response: bool
    query: str
    qtype: int
    rcode: int
    answers: int
    end: int
    """Place after the first question, or of the first record where there is none."""


def read_message(data: bytes) -> Message | None:
    """Read one DNS message; ``None`` for what is none. The end of ``data`` may be cut off.

    >>> read_message(bytes.fromhex("000101000001000000000000" "0141026e6c00" "00010001"))
    Message(response=False, query='a.nl', qtype=1, rcode=0, answers=0, end=22)
    """
    if len(data) < 12:
        return None
    _, flags, questions, answers, authorities, additional = _header(data)
    if flags >> 11 & 15 not in _OPCODES or max(authorities, additional) > _MAX_SECTION:
        return None
    response = bool(flags & _RESPONSE)
    if questions > _MAX_QUESTIONS or answers > _MAX_SECTION or not (questions or response):
        return None
    query, qtype, end = "", 0, 12
    if questions or answers:  # multicast answers repeat no question: their first record names them
        name = _read_name(data, 12)
        if name is None:
            return None
        query, at = name
        if at + 2 <= len(data):
            (qtype,) = _type(data, at)
        if questions:
            end = at + 4
    return Message(response, query, qtype, flags & 15, answers, end)


def read_addresses(data: bytes, at: int) -> list[bytes]:
    """Addresses that a response gives, of A (4 bytes) and AAAA records (16), as far as it goes.

    ``at``: where `read_message` ended.

    >>> head, question = "0001818000010001" "00000000", "0141026e6c00" "00010001"
    >>> read_addresses(bytes.fromhex(head + question + "c00c000100010000003c0004c0000201"), 22).pop().hex()
    'c0000201'
    """
    _, _, questions, answers, _, _ = _header(data)
    found = []
    try:
        for _ in range(questions - 1):
            at = _skip_name(data, at) + 4
        for _ in range(min(answers, _MAX_ADDRESSES)):
            at = at + 2 if data[at] >= 0xC0 else _skip_name(data, at)
            kind, family, length = _record(data, at)
            at += 10 + length
            if at <= len(data) and family & 0x7FFF == 1 and _ADDRESSES.get(kind) == length:
                found.append(data[at - length : at])
    except (IndexError, struct_error):
        pass  # cut short, or no record: what was read stands
    return found


def _skip_name(data: bytes, at: int) -> int:
    """The place after the name at ``at``; raises ``IndexError`` where there is no end to it."""
    while length := data[at]:
        if length >= 0xC0:
            return at + 2
        at += 1 + length
    return at + 1


def read_names(data: bytes) -> list[str]:
    """The names that ``data`` holds one after the other, up to the first that is none, 32 at most.

    They may point back into ``data``, as in the search list of DHCP (RFC 3397).

    >>> read_names(bytes.fromhex("0141026e6c00" "0142c002"))
    ['a.nl', 'b.nl']
    """
    names: list[str] = []
    at = 0
    while (
        at < len(data) and len(names) < _MAX_NAMES and (found := _read_name(data, at)) is not None
    ):
        name, at = found
        names.append(name)
    return names


def _read_name(data: bytes, at: int) -> tuple[str, int] | None:
    """The name at ``at`` in lower case and the place after it; ``None`` if it is no name."""
    labels: list[str] = []
    total = jumps = 0
    after = 0
    while True:
        if at >= len(data):
            return None
        length = data[at]
        if length >= 0xC0:
            if at + 1 >= len(data) or jumps >= _MAX_JUMPS:
                return None
            after = after or at + 2
            at = (length & 0x3F) << 8 | data[at + 1]
            jumps += 1
            continue
        if length >= 0x40:
            return None
        at += 1
        if not length:
            break
        total += length + 1
        label = data[at : at + length]
        if total > _MAX_NAME or len(label) < length:
            return None
        # A dot inside a label is no separator, and must not look like one.
        labels.append(printable(label.lower()).replace(".", "\\x2e"))
        at += length
    return ".".join(labels)[:MAX_TEXT_BYTES], after or at
