"""Draws docs/images/install-PLACE.LANGUAGE.svg: where an owner may put the agent, and what it sees there.

`make docs` runs it; tests/docs/test_install.py fails when a picture is not what this would draw. What the
agent sees is blue, what it does not is grey.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

IMAGES = Path(__file__).resolve().parent / "images"
_WIDTH, _HEIGHT = 790, 320
_SEEN, _UNSEEN, _INK, _PAPER, _OURS = "#1268b3", "#b4bec8", "#22313f", "#ffffff", "#fff1c9"
_FONT: Final = 'font-family="system-ui, sans-serif" font-size="15" text-anchor="middle"'

TITLES: Final = {
    "mirror": ("At a mirror port", "Aan een spiegelpoort"),
    "bridge": ("In between, as a bridge", "Ertussen, als brug"),
    "router": ("The router tells it", "De router vertelt het"),
    "machine": ("This machine only", "Alleen deze computer"),
}
WORDS: Final = {
    "internet": ("Internet", "internet"),
    "router": ("router", "router"),
    "switch": ("switch", "switch"),
    "agent": ("the agent", "de agent"),
    "till": ("till", "kassa"),
    "laptop": ("laptop", "laptop"),
    "camera": ("camera", "camera"),
    "copy": ("a copy of everything", "een kopie van alles"),
    "notes": ("a note of each connection", "een briefje per verbinding"),
    "seen": ("seen by the agent", "ziet de agent"),
    "unseen": ("not seen", "ziet hij niet"),
}
_DEVICES: Final = (("till", 60), ("laptop", 130), ("camera", 200))
_PICTURES: Final = {
    "till": '<rect x="-16" y="-15" width="32" height="18" rx="2"/><path d="M-22 12h44v-9h-44z"/>',
    "laptop": '<rect x="-16" y="-15" width="32" height="21" rx="2"/><path d="M-24 12h48l-6-6h-36z"/>',
    "camera": '<rect x="-20" y="-10" width="28" height="20" rx="3"/><path d="M8 0l14-9v18z"/>',
    "router": '<rect x="-26" y="-8" width="52" height="20" rx="4"/><path d="M-16-8v-14M16-8v-14"/>',
    "switch": '<rect x="-30" y="-11" width="60" height="22" rx="3"/>'
    '<path d="M-22 3h6M-11 3h6M0 3h6M11 3h6M22 3h2"/>',
    "internet": '<path d="M-24 12a13 13 0 0 1 2-25 17 17 0 0 1 31-4 14 14 0 0 1 13 29z"/>',
    "agent": '<rect x="-24" y="-20" width="48" height="40" rx="6"/>'
    '<path d="M-13 0q13-14 26 0q-13 14-26 0z"/><circle r="4"/>',
}


def draw(place: str, language: int) -> str:
    """The picture of ``place``, a key of `TITLES`, in English (0) or Dutch (1), as SVG."""
    size = f'width="{_WIDTH}" height="{_HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {size} {_FONT}>',
        f"<title>{TITLES[place][language]}</title>",
        f'<rect {size} fill="{_PAPER}"/>',
        *_PLACES[place](language),
        *_legend(language),
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _mirror(language: int) -> list[str]:
    agent = _line(420, 145, 420, 225, seen=True, arrow=True)
    word = f'<text x="335" y="190" fill="{_SEEN}">{WORDS["copy"][language]}</text>'
    return [*_cables(seen_inside=True, seen_outside=True), agent, word, *_network(language),
            _device("agent", 420, 240, language, beside=True)]  # fmt: skip


def _bridge(language: int) -> list[str]:
    return [*_cables(seen_inside=True, seen_outside=True, between=True), *_network(language),
            *_crossing(), _device("agent", 330, 130, language, above=True)]  # fmt: skip


def _router(language: int) -> list[str]:
    arrow = _line(240, 150, 240, 225, seen=True, arrow=True)
    word = f'<text x="345" y="190" fill="{_SEEN}">{WORDS["notes"][language]}</text>'
    return [*_cables(seen_inside=True, seen_outside=True), arrow, word, *_network(language),
            *_crossing(), _device("agent", 240, 240, language, beside=True)]  # fmt: skip


def _machine(language: int) -> list[str]:
    own = [_line(450, 130, 610, 60, seen=True), _line(100, 130, 390, 130, seen=True)]
    devices = _network(language)
    badge = f'<circle cx="650" cy="38" r="13" fill="{_OURS}" stroke="{_SEEN}" stroke-width="2"/>'
    eye = f'<circle cx="650" cy="38" r="4" fill="{_SEEN}"/>'
    return [*_cables(seen_inside=False, seen_outside=True), *own, *devices, badge, eye]


def _cables(*, seen_inside: bool, seen_outside: bool, between: bool = False) -> list[str]:
    inside = [_line(450, 130, 610, y, seen=seen_inside) for _, y in _DEVICES]
    ends = (300, 360) if between else (390, 390)
    lines = [
        _line(100, 130, 215, 130, seen=seen_outside),
        _line(265, 130, ends[0], 130, seen=seen_outside),
    ]
    return [*inside, *lines, *([_line(ends[1], 130, 390, 130, seen=True)] if between else [])]


def _crossing() -> list[str]:
    """What two devices say to each other, past the agent."""
    path = "M672 62q44 33 0 66"
    return [
        f'<path d="{path}" fill="none" stroke="{_UNSEEN}" stroke-width="5" stroke-dasharray="9 6"/>'
    ]


def _network(language: int) -> list[str]:
    devices = [_device(name, 640, y, language, beside=True) for name, y in _DEVICES]
    return [
        _device("internet", 75, 130, language),
        _device("router", 240, 130, language, above=True),
        _device("switch", 420, 130, language, above=True),
        *devices,
    ]


def _device(  # a picture, its place, its word, and where that stands
    name: str, x: int, y: int, language: int, *, above: bool = False, beside: bool = False
) -> str:
    fill = _OURS if name == "agent" else _PAPER
    at = (62 if x > 600 else 40, 5) if beside else (0, -34) if above else (0, 38)
    anchor = ' text-anchor="start"' if beside else ""
    word = f'<text x="{at[0]}" y="{at[1]}" fill="{_INK}"{anchor}>{WORDS[name][language]}</text>'
    drawn = f'<g fill="{fill}" stroke="{_INK}" stroke-width="2">{_PICTURES[name]}</g>'
    return f'<g transform="translate({x},{y})">{drawn}{word}</g>'


def _line(  # two ends and how it looks
    x1: int, y1: int, x2: int, y2: int, *, seen: bool, arrow: bool = False
) -> str:
    color = _SEEN if seen else _UNSEEN
    dashed = "" if seen else ' stroke-dasharray="9 6"'
    line = f'<path d="M{x1} {y1}L{x2} {y2}" stroke="{color}" stroke-width="5" fill="none"{dashed}/>'
    head = f'<path d="M{x2 - 9} {y2 - 14}l9 16l9-16z" fill="{color}"/>' if arrow else ""
    return line + head


def _legend(language: int) -> list[str]:
    rows = ((_SEEN, "seen", "", 284), (_UNSEEN, "unseen", ' stroke-dasharray="9 6"', 307))
    return [
        f'<path d="M24 {y}h44" stroke="{color}" stroke-width="5"{dashed}/>'
        f'<text x="78" y="{y + 5}" fill="{_INK}" text-anchor="start">{WORDS[word][language]}</text>'
        for color, word, dashed, y in rows
    ]


_PLACES: Final = {"mirror": _mirror, "bridge": _bridge, "router": _router, "machine": _machine}


def pictures() -> dict[Path, str]:
    """Every file, and what is in it."""
    return {
        IMAGES / f"install-{place}.{name}.svg": draw(place, language)
        for place in TITLES
        for language, name in enumerate(("en", "nl"))
    }


if __name__ == "__main__":
    for path, text in pictures().items():
        path.write_text(text, "utf-8")
