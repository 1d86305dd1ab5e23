"""Files of the state folder that change together: all of them or none, and by one process at a time.

What comes is written beside what is there, as ``NAME.joined``. Once ``joined.json`` says that all of it
is there it is put in place, by whoever finds it: that takes renaming alone, so a disk that is full, or a
process that is killed, stops it before that, or has it finished by the next start.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_agent.error_words import worded
from dijkwacht_agent.settings import read_private, sync_folder, write_private
from dijkwacht_records.errors import SettingsError

AGREED_FILE: Final = "joined.json"
WAIT_S: Final = 60.0
"""Longer than a join or a renewal takes; a collector that drips, or a Ctrl-Z, makes it for ever."""
_LOOK_S: Final = 0.1
_FRESH: Final = ".joined"
_LEFT: Final = (
    f"*{_FRESH}", f"*{_FRESH}.new", "join*.json.new", "join.probe*", ".privacy.key-*", "*.pem.new",
    "token.new", "agent.toml.new", "privacy.key.new", "contracts.json.new", "leaving.json.new",
)  # fmt: skip
"""What one that was cut short may have left; there may be a key in it."""


class _Agreed(msgspec.Struct, frozen=True):
    """Names of the files that come, and of those that go."""

    comes: list[str]
    goes: list[str]


@contextlib.contextmanager
def alone(state: Path, limit_s: float = WAIT_S) -> Iterator[None]:
    """Change who the agent of ``state`` is while no other process does: waits for one that does.

    Raises ``OSError``, `FileNotFoundError` among them, and `SettingsError` for one that takes longer.
    """
    handle = _locked(state, time.monotonic() + limit_s)
    try:
        yield
    finally:
        os.close(handle)


def _locked(state: Path, end: float) -> int:
    while True:
        handle = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Who had it may have failed, and taken away the folder that it had made.
            if _lock(handle) and os.path.samestat(os.fstat(handle), state.stat()):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if time.monotonic() >= end:
            raise worded(SettingsError, "state_busy", path=str(state))
        time.sleep(_LOOK_S)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system may have no locks of folders, as some servers' have none
        pass
    return True


def replace_together(state: Path, comes: Mapping[str, bytes], goes: Iterable[str]) -> None:
    """Replace the files ``comes`` by these contents, and remove ``goes``. Only `alone`.

    Raises ``OSError``: then all is as it was, or as soon as the disk allows will be as it is to be.
    """
    try:
        for name, content in comes.items():
            write_private(state / (name + _FRESH), content)
        write_private(state / AGREED_FILE, msgspec.json.encode(_Agreed(list(comes), list(goes))))
    except OSError:
        if not (state / AGREED_FILE).exists():
            _sweep(state)
            raise
        # It stands, though perhaps not after a power cut.
    finish_together(state)


def finish_together(state: Path) -> None:
    """Put in place what was agreed on and cut short; clear away what was not. Only `alone`.

    Raises ``OSError``.
    """
    try:
        agreed = msgspec.json.decode(read_private(state / AGREED_FILE), type=_Agreed)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        agreed = None
    if agreed is not None and all(map(_is_plain, agreed.comes + agreed.goes)):
        for name in agreed.comes:
            with contextlib.suppress(FileNotFoundError):  # it is in place already
                (state / (name + _FRESH)).replace(state / name)
        for name in agreed.goes:
            (state / name).unlink(missing_ok=True)
        sync_folder(state)
    (state / AGREED_FILE).unlink(missing_ok=True)
    _sweep(state)


def _is_plain(name: str) -> bool:
    """It leads nowhere else: root may be doing this in a folder of somebody else's."""
    return name not in {"", ".", ".."} and not {"/", "\0"} & set(name)


def _sweep(state: Path) -> None:
    with contextlib.suppress(OSError):  # another time
        for pattern in _LEFT:
            for left in state.glob(pattern):
                left.unlink(missing_ok=True)
        for left in state.glob(".trying-*"):
            shutil.rmtree(left, ignore_errors=True)
