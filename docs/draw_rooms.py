"""Draws docs/images/rooms.svg and the table in docs/architecture.md from the imports of the collector.

`make docs` runs it; tests/docs/test_architecture.py fails when either is not what this would draw.
The rows are those of the contract in pyproject.toml that import-linter holds, so the picture shows
what is enforced: every mark lies right of the shaded diagonal, which is to say below.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs/images/rooms.svg"
PAGE = ROOT / "docs/architecture.md"
PACKAGE = "dijkwacht_collector"
BEGIN, END = "<!-- rooms: drawn by docs/draw_rooms.py -->", "<!-- rooms: end -->"

_LEFT, _HEAD, _CELL, _MARGIN = 660, 90, 28, 12
_SPILL = 48  # the last column's slanted name

Arrows = dict[str, dict[str, int]]


def layers() -> list[list[str]]:
    """The rows of rooms, uppermost first, as import-linter holds them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    [contract] = [c for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    return [row.replace(" ", "").split("|") for row in contract["layers"]]


def arrows() -> Arrows:
    """Room → room that it imports from → number of imports."""
    graph = grimp.build_graph(PACKAGE)
    found: Arrows = defaultdict(lambda: defaultdict(int))
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            here, there = _room(importer), _room(imported)
            if here and there and here != there:
                found[here][there] += 1
    return {room: dict(sorted(others.items())) for room, others in sorted(found.items())}


def modules() -> dict[str, list[str]]:
    """Room → the modules in it; a room of one module has none."""
    found: dict[str, list[str]] = defaultdict(list)
    for module in grimp.build_graph(PACKAGE).modules:
        parts = module.split(".")
        if len(parts) == 3:
            found[parts[1]].append(parts[2])
    return {room: sorted(names) for room, names in found.items()}


def draw() -> str:
    """The picture, as SVG: a row a room, in layers; a mark where it imports from the room of a column."""
    rows, inside, found = layers(), modules(), arrows()
    rooms = [room for row in rows for room in row]
    column = {room: _LEFT + at * _CELL + _CELL / 2 for at, room in enumerate(rooms)}
    width, height = _LEFT + len(rooms) * _CELL + _SPILL, _HEAD + len(rooms) * _CELL + _MARGIN
    font = 'font-family="system-ui, sans-serif" font-size="12"'
    size = f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {font} viewBox="0 0 {width} {height}" {size}>',
        "<title>The rooms of the collector, and what each imports from</title>",
        f'<rect {size} fill="#ffffff"/>',
    ]
    parts += [
        f'<text transform="translate({column[room] + 4:g},{_HEAD - 8}) rotate(-50)" '
        f'fill="#41576b">{room}</text>'
        for room in rooms
    ]
    at = 0
    for number, row in enumerate(rows):
        top, size = _HEAD + at * _CELL, len(row) * _CELL
        shade = "#eef4f8" if number % 2 == 0 else "#f8fafc"
        parts.append(
            f'<rect x="{_MARGIN}" y="{top}" width="{width - _MARGIN - _SPILL}" height="{size}" fill="{shade}"/>'
        )
        for room in row:
            parts.append(_row(room, _HEAD + at * _CELL, inside.get(room, []), column, found))
            at += 1
    return "\n".join([*parts, "</svg>", ""])


def _row(room: str, top: float, names: list[str], column: dict[str, float], found: Arrows) -> str:
    middle = top + _CELL / 2
    cell = (
        f'<rect x="{column[room] - _CELL / 2:g}" y="{top:g}" width="{_CELL}" height="{_CELL}" '
        'fill="#c9d8e3"/>'
    )
    label = (
        f'<text x="{_MARGIN + 8}" y="{middle + 4:g}" font-size="14" font-weight="600" '
        f'fill="#12263a">{room}</text>'
        f'<text x="{_MARGIN + 126}" y="{middle + 4:g}" fill="#41576b">{" ".join(names)}</text>'
    )
    marks = [
        f'<circle cx="{column[other]:g}" cy="{middle:g}" r="9.5" fill="#1f5f8b"/>'
        f'<text x="{column[other]:g}" y="{middle + 4:g}" text-anchor="middle" fill="#ffffff" '
        f'font-size="11">{count}</text>'
        for other, count in found.get(room, {}).items()
    ]
    return "".join([cell, label, *marks])


def table() -> str:
    """Every room with what it imports from, and how often, in Markdown."""
    found = arrows()
    lines = ["| room | imports from |", "|---|---|"]
    for row in layers():
        for room in row:
            others = found.get(room, {})
            shown = ", ".join(f"{other} ({count})" for other, count in others.items()) or "–"
            lines.append(f"| `{room}` | {shown} |")
    count = sum(len(others) for others in found.values())
    return f"{count} arrows between rooms, none of them upward:\n\n" + "\n".join(lines) + "\n"


def page() -> str:
    """The page with its table drawn anew."""
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}{END}{rest.split(END)[1]}"


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def main() -> None:
    """Write the picture and the table."""
    PICTURE.write_text(draw(), "utf-8")
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
