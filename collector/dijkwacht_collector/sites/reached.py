"""Where agents reach the collector, as it noted when it started: what join codes lead to by default."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_collector.journal import replace_file

_FILE: Final = "reached.json"


class Reached(msgspec.Struct, frozen=True):
    """``url``: None where it was not told and is not known; ``encrypted``: whether it speaks TLS itself."""

    url: str | None = None
    encrypted: bool = False


def write_reached(state: Path, reached: Reached) -> None:
    """Note it in the state folder. Raises ``OSError``."""
    if read_reached(state) != reached:
        replace_file(state / _FILE, msgspec.json.encode(reached))


def read_reached(state: Path) -> Reached | None:
    """What was noted; None before the first start."""
    try:
        return msgspec.json.decode((state / _FILE).read_bytes(), type=Reached)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
