"""How many accounts a machine tries, by hashes under a key that dies with the reader: a number is all that is left."""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import Final

_HOUR_US: Final = 3_600_000_000
_MOST: Final = 64


class AccountsTried:
    """Distinct accounts that each machine tried at each service within the last hour of its log."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._tried: dict[tuple[bytes, int], dict[bytes, int]] = {}

    def count(self, time: int, orig_h: bytes, service: int, account: str) -> int:
        """How many there are at ``time``, µs, ``account`` among them unless it is empty; at most 64."""
        tried = self._tried.setdefault((orig_h, service), {})
        if account:
            name = account.lower().encode("utf-8", "replace")
            tried[blake2b(name, digest_size=8, key=self._key).digest()] = time
        for digest in [d for d, seen in tried.items() if not abs(time - seen) < _HOUR_US]:
            del tried[digest]
        while len(tried) > _MOST:
            del tried[next(iter(tried))]
        return len(tried)
