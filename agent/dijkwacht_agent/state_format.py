"""Which format the state folder has: an older agent does not touch what a newer one wrote."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from dijkwacht_agent.error_words import worded
from dijkwacht_agent.settings import write_private
from dijkwacht_records.errors import SettingsError

FORMAT: Final = 1
"""Raised when what is in the folder changes so that an older agent would misread it."""
FORMAT_FILE: Final = "format"
"""A number. The package's preinst reads it, too, and refuses to put an older agent on top."""


def claim(state: Path) -> None:
    """Note that ``state`` has this format now. Raises `SettingsError` for that of a newer agent.

    A disk that takes nothing is no reason not to watch: then it is noted another time.
    """
    path = state / FORMAT_FILE
    found = 0
    with contextlib.suppress(OSError, ValueError):
        found = int(path.read_text("ascii"))
    if found > FORMAT:
        raise worded(SettingsError, "state_newer", path=str(state))
    if found < FORMAT:
        with contextlib.suppress(OSError):
            write_private(path, f"{FORMAT}\n".encode())
