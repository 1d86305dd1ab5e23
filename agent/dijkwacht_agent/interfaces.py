"""Which interface an agent listens on when none is set, and what there is to choose from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psutil

from dijkwacht_agent.error_words import worded
from dijkwacht_records.errors import CaptureError

FLOW_EXPORT: Final = "flow export"
"""What an agent that listens to a router, and to no interface, calls it."""
_CLASS: Final = Path("/sys/class/net")
_KINDS: Final = {
    1: "ethernet",
    772: "loopback",
    512: "point-to-point",
    65534: "tunnel",
    801: "wireless",
}
"""ARPHRD numbers → what they are."""
_ROUTES: Final = Path("/proc/net/route")
_ROUTES_V6: Final = Path("/proc/net/ipv6_route")


def default_interface(routes: Path = _ROUTES, routes_v6: Path = _ROUTES_V6) -> str:
    """The interface of the default route, IPv4 first; else the only one that is up.

    Raises `CaptureError` that names the choice there is.
    """
    for path, destination, name in ((routes, 1, 0), (routes_v6, 0, 9)):
        try:
            lines = [line.split() for line in path.read_text().splitlines()]
        except OSError:
            continue
        for fields in lines:
            if len(fields) > 9 or (path is routes and len(fields) > 7):
                bare = set(fields[destination]) == {"0"} and fields[name] != "lo"
                if bare and (path is routes or fields[1] == "00"):
                    return fields[name]
    up = [name for name, card in psutil.net_if_stats().items() if card.isup and name != "lo"]
    if len(up) == 1:
        return up[0]
    there = ", ".join(sorted(psutil.net_if_stats())) or "none"
    raise worded(CaptureError, "interface_which", there=there)


def interface_kind(name: str, known: Path = _CLASS) -> str:
    """What kind of interface ``name`` is, in a word that names nobody; what is none stays itself."""
    if name.startswith(FLOW_EXPORT):
        return FLOW_EXPORT
    if name == "recording":
        return name
    for folder, kind in (("wireless", "wireless"), ("bridge", "bridge")):
        if name and (known / name / folder).is_dir():
            return kind
    try:
        return _KINDS.get(int((known / name / "type").read_text()), "other")
    except (OSError, ValueError):
        return "unknown"
