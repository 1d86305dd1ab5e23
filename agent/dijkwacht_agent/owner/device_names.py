"""What the owner calls his devices; it stays on this machine, in one private file of the state folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_agent.join import NAMES_FILE
from dijkwacht_agent.settings import write_private

MOST_NAMES: Final = 4_096
LONGEST: Final = 60


def read_names(state: Path) -> dict[str, str]:
    """Hardware address, or address where that is not known, as text → what the owner calls it."""
    try:
        return msgspec.json.decode((state / NAMES_FILE).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def write_name(state: Path, device: str, name: str) -> None:
    """Call ``device`` so from now on; an empty name forgets it. Raises ``OSError`` naming the file."""
    names = read_names(state)
    names.pop(device, None)
    said = "".join(c for c in name if c.isprintable()).strip()[:LONGEST]
    if said:
        names[device] = said
    kept = dict(list(names.items())[-MOST_NAMES:])
    write_private(state / NAMES_FILE, msgspec.json.encode(kept) + b"\n")
