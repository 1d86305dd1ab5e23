"""Who opened which pseudonym, when and by which way: a line each, in the state folder, bounded."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from dijkwacht_agent.pacing import wall_clock
from dijkwacht_agent.settings import open_private

LOG_FILE: Final = "unmasked.log"
MAX_LOG_BYTES: Final = 256 * 1024
_MOST: Final = 200
"""Pseudonyms of one opening that are named; of the others it is noted how many there were."""
Way = Literal["who", "sentence", "page", "list"]
"""The command with pseudonyms, the command with a sentence, the page, and the page's list of devices."""


class Opened(msgspec.Struct, frozen=True):
    """One opening: ``what`` are the pseudonyms as they were given; ``uid`` is the user who asked.

    ``time``: µs UTC. By way of the page, ``uid`` is the page's own; ``client`` the address that asked.
    """

    time: int
    way: Way
    what: list[str]
    uid: int
    client: str = ""


def note_opened(state: Path, way: Way, what: Iterable[str], client: str = "") -> None:
    """Write that ``what`` was opened. Raises ``OSError`` where it cannot be written.

    With sudo, the user is the one who asked for it.
    """
    path, said = state / LOG_FILE, os.environ.get("SUDO_UID", "")
    uid = int(said) if os.geteuid() == 0 and said.isdecimal() else os.getuid()
    named = list(what)
    if (more := len(named) - _MOST) > 0:
        named[_MOST:] = [f"+{more}"]
    entry = Opened(wall_clock(), way, named, uid, client)
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
    with open_private(path) as file:
        file.write(msgspec.json.encode(entry) + b"\n")


def read_log(state: Path) -> Iterator[Opened]:
    """What was opened, oldest first; a line that was cut short is left out."""
    path = state / LOG_FILE
    for part in (path.with_suffix(".log.1"), path):
        content = part.read_bytes() if part.exists() else b""
        for line in content.splitlines():
            with contextlib.suppress(msgspec.MsgspecError):
                yield msgspec.json.decode(line, type=Opened)
