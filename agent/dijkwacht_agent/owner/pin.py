"""The PIN of the owner's page: kept stretched, and guarded against trying.

A PIN is short: what keeps it is that nobody can try often. A wrong one costs its client a pause that
doubles with each, and after `MOST_OF_ALL` within an hour, from wherever, all wait. The file holds a
salted scrypt of it (16 MiB, some 50 ms), for whoever reads the file and still must try them one by one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_agent.error_words import worded
from dijkwacht_agent.settings import write_private
from dijkwacht_records.errors import SettingsError

PIN_FILE: Final = "page.pin"
LEAST: Final = 6
LONGEST: Final = 64
FREE_TRIES: Final = 3
"""Wrong ones of a client before it has to wait."""
LONGEST_WAIT_S: Final = 900.0
MOST_OF_ALL: Final = 30
"""Wrong ones of all clients within `WINDOW_S`; past it everybody waits."""
WINDOW_S: Final = 3600.0
_MOST_CLIENTS: Final = 1024
_COST: Final = 1 << 14
_BLOCK: Final = 8


class Stretched(msgspec.Struct, frozen=True):
    """The file, in JSON: what scrypt made of the PIN, and with what."""

    salt: str
    hash: str
    cost: int = _COST


def set_pin(state: Path, pin: str) -> None:
    """Keep ``pin``. Raises `SettingsError` for one that is too short, ``OSError`` naming the file."""
    if not LEAST <= len(pin) <= LONGEST or len(set(pin)) < 2:
        raise worded(SettingsError, "pin_short", least=LEAST)
    salt = secrets.token_bytes(16)
    kept = Stretched(salt.hex(), _stretch(pin, salt, _COST).hex())
    write_private(state / PIN_FILE, msgspec.json.encode(kept) + b"\n")


def read_pin(state: Path) -> Stretched:
    """What is kept. Raises `SettingsError` where there is none."""
    try:
        return msgspec.json.decode((state / PIN_FILE).read_bytes(), type=Stretched)
    except (FileNotFoundError, msgspec.MsgspecError):
        raise worded(SettingsError, "pin_none") from None


class Guard:
    """Lets a PIN be tried, each client and all of them so often only. ``clock`` gives seconds, never back."""

    def __init__(self, kept: Callable[[], Stretched], clock: Callable[[], float]) -> None:
        self._kept, self._clock = kept, clock
        self._lock = threading.Lock()
        self._wrong: dict[str, tuple[int, float]] = {}
        """Client → wrong tries in a row, and until when it has to wait."""
        self._all: list[float] = []

    def wait_s(self, client: str) -> float:
        """For how long ``client`` has to wait before it may try; 0 if it may now."""
        with self._lock:
            return self._wait(client)

    def allows(self, client: str, pin: str) -> bool:
        """Whether ``pin`` is right; of one that has to wait none is, and it is not looked at."""
        # One at a time: trying many at once gains nothing, and takes no more memory.
        with self._lock:
            if self._wait(client) > 0:
                return False
            kept = self._kept()
            made = _stretch(pin[:LONGEST], bytes.fromhex(kept.salt), kept.cost)
            if hmac.compare_digest(made, bytes.fromhex(kept.hash)):
                self._wrong.pop(client, None)
                return True
            now, count = self._clock(), self._wrong.pop(client, (0, 0.0))[0] + 1
            pause = 2.0 ** (count - FREE_TRIES) if count > FREE_TRIES else 0.0
            self._wrong[client] = count, now + min(pause, LONGEST_WAIT_S)
            if len(self._wrong) > _MOST_CLIENTS:
                del self._wrong[next(iter(self._wrong))]
            self._all.append(now)
            return False

    def _wait(self, client: str) -> float:
        now = self._clock()
        self._all = [one for one in self._all if now - one < WINDOW_S]
        of_all = 0.0
        if len(self._all) >= MOST_OF_ALL:
            of_all = self._all[-1] + LONGEST_WAIT_S - now
        return max(0.0, of_all, self._wrong.get(client, (0, 0.0))[1] - now)


def _stretch(pin: str, salt: bytes, cost: int) -> bytes:
    memory = 128 * cost * _BLOCK + (1 << 20)
    return hashlib.scrypt(pin.encode(), salt=salt, n=cost, r=_BLOCK, p=1, maxmem=memory, dklen=32)
