"""What people see of a terminal: its width, its colours, and nothing that data could make it do."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TextIO

import msgspec

Style = Literal["bold", "faint", "red", "yellow", "cyan"]

NARROWEST: Final = 20
WIDEST: Final = 100
"""Longer lines are hard to read, however wide the window is."""
_CODES: Final[dict[Style, str]] = {
    "bold": "1",
    "faint": "2",
    "red": "1;31",
    "yellow": "1;33",
    "cyan": "36",
}


@dataclass(frozen=True, slots=True)
class Screen:
    """How text is laid out: columns of a line, and whether it may have colours."""

    columns: int = 80
    colours: bool = False

    @classmethod
    def of(cls, stream: TextIO, environ: Mapping[str, str] = os.environ) -> Screen:
        """The screen behind ``stream``; no colours without a terminal, on a dumb one, or with NO_COLOR."""
        colours = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        columns = shutil.get_terminal_size().columns
        return cls(max(NARROWEST, min(columns, WIDEST)), colours)

    def paint(self, text: str, style: Style) -> str:
        """``text`` in a style, if there are colours."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.colours else text

    def wrapped(self, text: str, indent: str = "", style: Style | None = None) -> str:
        r"""``text`` in lines that fit, each after ``indent``; what it holds stays text.

        >>> print(Screen(24).wrapped("a name that rings: \x07.example.org", "  "))
          a name that rings:
          \x07.example.org
        """
        shown = plain(text)
        width = self.columns - len(indent)
        if any(unicodedata.east_asian_width(one) in "WF" for one in shown):
            width //= 2  # each of these takes two columns
        lines = textwrap.wrap(shown, width, break_on_hyphens=False) or [""]
        return "\n".join(indent + (self.paint(line, style) if style else line) for line in lines)


def plain(text: str) -> str:
    r"""``text`` with everything escaped that is not printed but obeyed: controls, marks of direction.

    >>> print(plain("\x1b[2J all is well \u202e of Zoë → 例"))
    \x1b[2J all is well \u202e of Zoë → 例
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(one: str) -> str:
    if unicodedata.category(one) == "Zs":  # a space of another width
        return " "
    return one.encode("unicode_escape").decode()


def json_line(value: object) -> bytes:
    r"""``value`` as a line of JSON that a terminal may show.

    >>> json_line({"name": "\x1b\x9b\u202e"})
    b'{"name":"\\u001b\\u009b\\u202e"}\n'
    """
    line = msgspec.json.encode(value)
    if not line.isascii() or b"\x7f" in line:
        escaped = (one if one.isprintable() else json.dumps(one)[1:-1] for one in line.decode())
        line = "".join(escaped).encode()
    return line + b"\n"


def add_output(parser: argparse.ArgumentParser, blocks: str, beside: str = "") -> None:
    """Declare ``--json`` and ``--text``; `for_people` says which it is.

    ``blocks`` is what people get, ``beside`` what else ``--json`` does.
    """
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--json", action="store_true", help=f"JSON lines, as where no terminal is{beside}"
    )
    either.add_argument("--text", action="store_true", help=f"{blocks}, as on a terminal")


def for_people(args: argparse.Namespace) -> bool:
    """Is standard output to be read by people, not programs?"""
    return bool(args.text or (sys.stdout.isatty() and not args.json))


def write_text(text: str) -> None:
    """Write to standard output; what its encoding does not have is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()
