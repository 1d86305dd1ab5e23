"""As much DNS as an office needs: questions and answers as bytes."""

from __future__ import annotations

import ipaddress
import struct

NO_SUCH_NAME = 3
_RESPONSE, _RECURSION = 0x8180, 0x0100
_A, _IN = 1, 1


def question(number: int, name: str, qtype: int = _A) -> bytes:
    """A question for ``name``, with recursion desired."""
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return (
        struct.pack("!6H", number, _RECURSION, 1, 0, 0, 0)
        + labels
        + struct.pack("!BHH", 0, qtype, _IN)
    )


def asked(message: bytes) -> tuple[str, int, int]:
    """(name in lower case, type, where the question ends). Raises ``ValueError`` if it holds none."""
    labels, at = [], 12
    try:
        while length := message[at]:
            if length > 63:
                raise ValueError("a compressed name in a question")
            labels.append(message[at + 1 : at + 1 + length].decode("latin-1").lower())
            at += 1 + length
        return ".".join(labels), int.from_bytes(message[at + 1 : at + 3], "big"), at + 5
    except IndexError as error:
        raise ValueError("no question") from error


def answer(message: bytes, address: str | None) -> bytes:
    """The answer to ``message``: one A record, none for another type, or no such name."""
    _, qtype, end = asked(message)
    found = address is not None and qtype == _A
    flags = _RESPONSE | (NO_SUCH_NAME if address is None else 0)
    head = message[:2] + struct.pack("!5H", flags, 1, int(found), 0, 0)
    body = b""
    if address is not None and found:
        packed = ipaddress.IPv4Address(address).packed
        body = struct.pack("!HHHIH", 0xC00C, _A, _IN, 60, 4) + packed
    return head + message[12:end] + body


def told(message: bytes) -> str | None:
    """The address in an answer of ours; ``None`` when it holds none."""
    if len(message) < 16 or not int.from_bytes(message[6:8], "big"):
        return None
    return str(ipaddress.IPv4Address(message[-4:]))
