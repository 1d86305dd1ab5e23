"""How many accounts a machine tries: a number, told by hashes under a key that dies with the process."""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import Final

HOUR_US: Final = 3_600_000_000
MAX_ACCOUNTS: Final = 64
"""More than so many are not told apart."""
MAX_SOURCES: Final = 1024

Source = tuple[bytes, int]
"""Address and `AuthService`."""


class AccountsTried:
    """Distinct accounts that each source tried within the last hour."""

    def __init__(self, limit: int = MAX_SOURCES) -> None:
        self._key = secrets.token_bytes(16)
        self._limit = limit
        self._tried: dict[Source, dict[bytes, int]] = {}

    def count(self, time: int, orig: bytes, service: int, account: bytes = b"") -> int:
        """How many there are at ``time`` (µs), ``account`` among them unless it is empty."""
        source = orig, service
        tried = self._tried.pop(source, None)
        if tried is None:
            if not account:
                return 0
            if len(self._tried) >= self._limit:
                del self._tried[next(iter(self._tried))]
            tried = {}
        self._tried[source] = tried
        if account:
            digest = blake2b(account, digest_size=8, key=self._key).digest()
            tried.pop(digest, None)
            if len(tried) < MAX_ACCOUNTS or self._forget(tried, time):
                tried[digest] = time
        self._forget(tried, time)
        return len(tried)

    def _forget(self, tried: dict[bytes, int], time: int) -> bool:
        """Drop what is older than an hour: is there room now?"""
        for digest in [d for d, seen in tried.items() if abs(time - seen) >= HOUR_US]:
            del tried[digest]
        return len(tried) < MAX_ACCOUNTS
