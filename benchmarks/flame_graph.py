"""Where an engine's time goes, as a picture: ``docs/images/engine-flame.svg``.

    pip install py-spy
    python benchmarks/flame_graph.py

py-spy samples ``dijkwacht bench engine`` from outside, compiled kernels included. Only what lies below a step of the engine
is drawn: making the input is no part of it, nor is compiling. Width is the share of samples, depth who called whom; the figures are
in docs/performance.md.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Final

PICTURE: Final = Path(__file__).resolve().parent.parent / "docs/images/engine-flame.svg"
STEP: Final = "Engine.step"
COMPILING: Final = "_compile_for_args"
"""numba's, at a kernel's first call: no part of what a row costs."""
STOPWATCHES: Final = "Stopwatches."
"""The benchmark's own, in between the engine's calls."""
_WIDTH, _ROW, _LETTER, _MARGIN = 1600, 18, 6.3, 10
_NARROWEST: Final = 0.003
"""Of the whole: what is narrower is not drawn."""
_PLACE: Final = re.compile(r"^(?P<name>.+?) \((?P<file>[^)]*?)(:\d+)?\)$")
_SAMPLES: Final = 250


@dataclass
class Frame:
    """A function as one caller calls it: samples in it and below."""

    name: str
    room: str = ""
    samples: int = 0
    calls: dict[str, Frame] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--stacks", type=Path, help="py-spy's raw output of an earlier run")
    parser.add_argument("--to", type=Path, default=PICTURE)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        stacks = given.stacks or _measured(Path(folder) / "stacks")
        root = folded(stacks.read_text("utf-8").splitlines())
    given.to.write_text(drawn(root), "utf-8")
    sys.stdout.write(f"{root.samples} samples in {given.to.name}\n")


def _measured(to: Path) -> Path:
    bench = [sys.executable, "-m", "dijkwacht.cli", "bench", "engine", "--batch-rows", "100"]
    command = [
        *("py-spy", "record", "--native", "--rate", str(_SAMPLES), "--format", "raw"),
        *("--output", str(to), "--", *bench, "--sites", "1000", "--inputs", "mixed", "--json"),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # our own words
    return to


def folded(stacks: Iterable[str]) -> Frame:
    """The tree below `STEP` of stacks as py-spy writes them: ``caller;called;... samples``.

    >>> tree = folded(["main (a.py:1);Engine.step (engine.py:3);score (detectors/c2.py:7) 4", "main (a.py:1) 9"])
    >>> tree.name, tree.samples, [(f.name, f.room) for f in tree.calls.values()]
    ('Engine.step', 4, [('score', 'c2')])
    """
    root = Frame(STEP)
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = [frame for frame in stack.split(";") if frame]
        below = [n for n, frame in enumerate(frames) if frame.startswith(f"{STEP} ")]
        if not below or COMPILING in stack:
            continue
        here = root
        here.samples += int(count)
        for name, room in _named(frames[below[0] + 1 :]):
            here = here.calls.setdefault(name, Frame(name, room))
            here.samples += int(count)
    return root


def _named(frames: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(function, its file's name) of those that a reader knows: Python's, and the kernels."""
    for frame in frames:
        found = _PLACE.match(frame)
        if found is None or found["name"].startswith(STOPWATCHES):
            continue
        name, file = found["name"], Path(found["file"])
        if file.suffix == ".py" or name.startswith("dijkwacht"):
            yield name.split("::")[0], file.stem if file.suffix == ".py" else "kernel"


def drawn(root: Frame) -> str:
    """The picture of a tree, as SVG."""
    boxes: list[str] = []
    deepest = _draw(root, 0.0, 0, root.samples, boxes)
    width, height = _WIDTH + 2 * _MARGIN, (deepest + 1) * _ROW + 2 * _MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="monospace" font-size="10.5">\n'
        f'<rect width="{width}" height="{height}" fill="#fffdf8"/>\n'
    )
    return head + "\n".join(boxes) + "\n</svg>\n"


def _draw(frame: Frame, left: float, depth: int, whole: int, boxes: list[str]) -> int:
    width = frame.samples / whole * _WIDTH
    x, y = left + _MARGIN, depth * _ROW + _MARGIN
    said = f"{frame.name} ({frame.room})" if frame.room else frame.name
    share = f"{100 * frame.samples / whole:.1f} %"
    room = int((width - 6) / _LETTER)
    text = said if len(said) <= room else frame.name[:room] if room > 3 else ""
    boxes.append(
        f'<g><title>{escape(said)}: {share}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" '
        f'height="{_ROW - 1}" rx="2" fill="{_colour(frame)}"/>'
        f'<text x="{x + 3:.1f}" y="{y + 12}">{escape(text)}</text></g>'
    )
    deepest = depth
    for called in sorted(frame.calls.values(), key=lambda f: f.name):
        if called.samples >= whole * _NARROWEST:
            deepest = max(deepest, _draw(called, left, depth + 1, whole, boxes))
        left += called.samples / whole * _WIDTH
    return deepest


def _colour(frame: Frame) -> str:
    """One hue a file, warm as flames are; what is compiled is blue."""
    if frame.room == "kernel":
        return "#a9c8e8"
    return f"hsl({sum(map(ord, frame.room)) * 7 % 50 + 10}, 85%, 72%)"


if __name__ == "__main__":
    main()
