"""JA4: the fingerprint of a TLS client by its hello, as FoxIO describes it.

Only the client's: its siblings are under another licence.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final

SERVER_NAME: Final = 0
ALPN: Final = 16
GREASE: Final = frozenset(range(0x0A0A, 0x10000, 0x1010))
"""Values that stand for nothing and keep servers tolerant (RFC 8701); they are left out everywhere."""
_VERSIONS: Final = {
    0x0304: "13",
    0x0303: "12",
    0x0302: "11",
    0x0301: "10",
    0x0300: "s3",
    0x0002: "s2",
}
_NOTHING: Final = "0" * 12
_MOST: Final = 99
_REMEMBERED: Final = 128


def words(data: bytes) -> list[int]:
    """The 16-bit numbers that ``data`` holds, GREASE left out."""
    values = (data[at] << 8 | data[at + 1] for at in range(0, len(data) - 1, 2))
    return [value for value in values if value not in GREASE]


@lru_cache(_REMEMBERED)
def fingerprint(
    transport: str,
    version: int,
    ciphers: bytes,
    extensions: tuple[int, ...],
    signatures: bytes,
    protocol: bytes,
) -> str:
    """The JA4 of a hello.

    ``transport``: ``t`` for TCP, ``q`` for QUIC; ``version``: the highest offered; ``ciphers`` and
    ``signatures``: as they are on the wire, two bytes each; ``extensions``: their types in ascending
    order, GREASE left out; ``protocol``: the first that ALPN offers.
    """
    suites = sorted(words(ciphers))
    named = "d" if SERVER_NAME in extensions else "i"
    counts = f"{min(len(suites), _MOST):02}{min(len(extensions), _MOST):02}"
    told = _joined([kind for kind in extensions if kind not in {SERVER_NAME, ALPN}])
    algorithms = words(signatures)
    if algorithms:
        told += "_" + _joined(algorithms)
    head = f"{transport}{_VERSIONS.get(version, '00')}{named}{counts}{_ends(protocol)}"
    return f"{head}_{_digest(_joined(suites))}_{_digest(told) if extensions else _NOTHING}"


def _joined(values: Sequence[int]) -> str:
    return ",".join([f"{value:04x}" for value in values])


def _digest(text: str) -> str:
    return sha256(text.encode("ascii")).hexdigest()[:12] if text else _NOTHING


def _ends(protocol: bytes) -> str:
    """First and last character of ``protocol``, or of its bytes in hexadecimal if one is no letter or digit."""
    if not protocol:
        return "00"
    first, last = protocol[:1], protocol[-1:]
    if first.isalnum() and last.isalnum():
        return (first + last).decode("ascii")
    digits = protocol.hex()
    return digits[0] + digits[-1]
