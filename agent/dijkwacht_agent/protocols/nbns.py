"""NetBIOS names (RFC 1002) over UDP: who looks for which name, who claims one, and who answers."""

from __future__ import annotations

from struct import Struct
from typing import Final

from dijkwacht_agent.protocols.dns import Message
from dijkwacht_agent.protocols.printable import printable
from dijkwacht_records.tables import MAX_TEXT_BYTES

PORT: Final = 137
NB: Final = 32
NBSTAT: Final = 33
_NULL: Final = 10  # what a refusal carries instead of a record
_RESPONSE: Final = 0x8000
_OPCODES: Final = frozenset({0, 5, 8, 9, 15})
"""Query, registration, refresh (two numbers are in use), registration of a host with several addresses."""
_MAX_RECORDS: Final = 16
_HALVES: Final = 32
_SUFFIX: Final = 15
"""Where in a name of 16 bytes its kind stands, which is left out here."""
_MAX_LABELS: Final = 8

_header = Struct(">HHHHHH").unpack_from
_type = Struct(">H").unpack_from


def read_message(data: bytes) -> Message | None:
    """Read a message of the name service; ``None`` for what is none, or says nothing of who is called what.

    A registration or refresh is a question, as an update of DNS is. ``query`` is the name in lower case,
    without its kind and padding, and its scope behind a dot. What an answer holds is counted, not read.
    """
    if len(data) < 12:
        return None
    _, flags, questions, answers, _, _ = _header(data)
    response = bool(flags & _RESPONSE)
    if flags >> 11 & 15 not in _OPCODES or max(questions, answers) > _MAX_RECORDS:
        return None
    name = _read_name(data) if questions or response else None
    if name is None or name[1] + 2 > len(data):
        return None
    query, at = name
    (qtype,) = _type(data, at)
    if qtype == _NULL and response:
        qtype = NB
    if qtype not in {NB, NBSTAT}:
        return None
    return Message(response, query, qtype, flags & 15, answers, at + 4)


def _read_name(data: bytes) -> tuple[str, int] | None:
    """The first name, which no other stands before to point back to, and the place after it."""
    if data[12:13] != bytes([_HALVES]) or len(data) < 14 + _HALVES:
        return None
    halves = [half - 0x41 for half in data[13 : 13 + _HALVES]]
    if not all(0 <= half < 16 for half in halves):
        return None
    raw = bytes(high << 4 | low for high, low in zip(halves[::2], halves[1::2], strict=True))
    own = raw[:_SUFFIX].rstrip(b" \x00") or raw[:1]
    labels, at = [_label(own)], 13 + _HALVES
    while at < len(data) and data[at]:
        length = data[at]
        if length > 63 or len(labels) == _MAX_LABELS:
            return None
        labels.append(_label(data[at + 1 : at + 1 + length]))
        at += 1 + length
    return ".".join(labels)[:MAX_TEXT_BYTES], at + 1


def _label(raw: bytes) -> str:
    # A dot inside a label is no separator, and must not look like one.
    return printable(raw.lower()).replace(".", "\\x2e")
