"""Names as text: whatever is on the wire becomes printable and bounded."""

from __future__ import annotations

from typing import Final

from dijkwacht_records.tables import MAX_TEXT_BYTES

_PLAIN: Final = [chr(n) if 0x21 <= n <= 0x7E and n != 0x5C else f"\\x{n:02x}" for n in range(256)]


def printable(raw: bytes, limit: int = MAX_TEXT_BYTES) -> str:
    r"""``raw`` as ASCII, everything else escaped, at most ``limit`` characters.

    >>> printable(b"print\xe9r 1")
    'print\\xe9r\\x201'
    """
    if raw.isalnum():
        return raw[:limit].decode("ascii")
    return "".join([_PLAIN[n] for n in raw[:limit]])[:limit]
