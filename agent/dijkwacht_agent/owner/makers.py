"""Who made a network card, by the list of the IEEE that the system has, if it has one: none is shipped."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

LISTS: Final = (
    Path("/usr/lib/udev/hwdb.d/20-OUI.hwdb"),
    Path("/usr/share/ieee-data/oui.txt"),
    Path("/usr/share/nmap/nmap-mac-prefixes"),
    Path("/usr/share/wireshark/manuf"),
)
_HWDB: Final = re.compile(r"OUI:([0-9A-F]{6})\*\n\s+ID_OUI_FROM_DATABASE=([^\n]+)")
_LINES: Final = re.compile(
    r"^([0-9A-F]{2})[:-]?([0-9A-F]{2})[:-]?([0-9A-F]{2})\s+(?:\(base 16\)\s+)?([^\n]+)$",
    re.MULTILINE,
)
_LOCAL_OR_GROUP: Final = 0b11 << 40
_LONGEST: Final = 40


def maker_of(mac: int) -> int | None:
    """The maker's 24 bits; ``None`` for an address that a device drew by chance, or of a group."""
    return None if mac & _LOCAL_OR_GROUP else mac >> 24


def find_makers(wanted: Collection[int], lists: Sequence[Path] = LISTS) -> dict[int, str]:
    """The names of those makers (24 bits each) that the first list there is knows."""
    path = next((one for one in lists if one.is_file()), None)
    if path is None or not wanted:
        return {}
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return {}
    found: dict[int, str] = {}
    for match in (_HWDB if path.suffix == ".hwdb" else _LINES).finditer(text):
        *digits, name = match.groups()
        number = int("".join(digits), 16)
        if number in wanted:
            found[number] = "".join(c for c in name if c.isprintable()).strip()[:_LONGEST]
    return found
