"""Peers beside us: as plain data, and as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dijkwacht_lab.peers.peer import Peer
from dijkwacht_lab.scoreboard import summary

_MOST_NAMED: Final = 20
_OURS: Final = "dijkwacht"


def compared(peers: Sequence[Peer]) -> dict[str, Any]:
    """Peer → what `summary` says of it, what it is, and its classes that none of ours is for."""
    told: dict[str, Any] = {}
    for peer in peers:
        name, number = peer.name, 2
        while name in told:
            name, number = f"{peer.name}-{number}", number + 1
        result = summary(peer.judged)
        kept = {key: result[key] for key in ("classes", "benign", "others")}
        caught = {
            line["file"]: line["detect_seconds"]
            for line in result["files"]
            if line["status"] == "caught"
        }
        told[name] = {
            **peer.about, **kept, "caught_files": caught, "unmapped": peer.unmapped, "lines": peer.lines
        }  # fmt: skip
    return told


def comparison_table(ours: Mapping[str, Any], peers: Mapping[str, Any]) -> str:
    """Ratios by class, us first, then what each peer is; begins with a blank line, and is empty without a peer.

    Files that a peer was not asked about do not count.
    """
    if not peers:
        return ""
    columns = {_OURS: ours, **peers}
    width = {name: max(len(name), 9) + 2 for name in columns}

    def row(head: str, cells: Sequence[str]) -> str:
        filled = (f"{cell:>{size}}" for cell, size in zip(cells, width.values(), strict=True))
        return f"{head:<13}{''.join(filled)}"

    lines = ["\n", row("beside us", list(columns))]
    for class_ in ours["classes"]:
        told = [_of(each["classes"].get(class_)) for each in columns.values()]
        lines.append(row(class_, told))
    benign = [each["benign"] for each in columns.values()]
    if ours["benign"]["files"]:
        false = [f"{b['files_with_false_incidents']}/{b['files']}" for b in benign]
        lines.append(row("false files", false))
        rates = [b["false_per_site_week"] for b in benign]
        lines.append(row("a site-week", ["–" if r is None else f"{r:.1f}" for r in rates]))
    for name, peer in peers.items():
        lines += [f"{name:<12} {line}" for line in peer["lines"]]
        unmapped = list(peer["unmapped"].items())
        lines += [f"not mapped   {count:,} × {words}" for words, count in unmapped[:_MOST_NAMED]]
        if (more := len(unmapped) - _MOST_NAMED) > 0:
            lines.append(f"not mapped   … and {more} more kinds")
    return "\n".join(lines)


def _of(class_: Mapping[str, Any] | None) -> str:
    return f"{class_['caught']}/{class_['files']}" if class_ and class_["files"] else "–"
