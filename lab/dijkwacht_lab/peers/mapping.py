"""Whose class is whose: a small TOML file that the reader can see and change."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from dijkwacht_lab.labels import ACCEPTED
from dijkwacht_records.errors import SettingsError

SHIPPED: Final = Path(str(files("dijkwacht_lab.peers") / "mapping.toml"))
IGNORED: Final = "ignored"
"""Class of alerts that interrupt nobody."""
CLASSES: Final = frozenset(ACCEPTED).union(*ACCEPTED.values(), {IGNORED})
TOOLS: Final = ("suricata", "zeek", "slips")


@dataclass(frozen=True, slots=True)
class ClassMapping:
    """Tool → (text in the alert's words, lower case; class) in the order of the file."""

    rules: Mapping[str, list[tuple[str, str]]]

    def class_of(self, tool: str, words: str) -> str | None:
        """The class of an alert of ``tool`` with these ``words``; None if no line knows it.

        >>> read_mapping().class_of("zeek", "Scan::Port_Scan")
        'scan'
        """
        lower = words.lower()
        return next((kind for text, kind in self.rules.get(tool, ()) if text in lower), None)


def read_mapping(path: Path = SHIPPED) -> ClassMapping:
    """Read it. Raises `SettingsError` that says what is wrong where."""
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"--mapping {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"--mapping {path}: not TOML: {error}") from None
    rules = {}
    for tool, table in told.items():
        if tool not in TOOLS or not isinstance(table, dict):
            raise SettingsError(f"--mapping {path}: [{tool}]: one of {_listed(TOOLS)}")
        for text, kind in table.items():
            if not isinstance(kind, str) or kind not in CLASSES:
                raise SettingsError(
                    f"--mapping {path}: [{tool}] {text!r} = {kind!r}: one of {_listed(CLASSES)}"
                )
        rules[tool] = [(text.lower(), kind) for text, kind in table.items()]
    return ClassMapping(rules)


def _listed(words: Iterable[str]) -> str:
    return " ".join(sorted(words))
