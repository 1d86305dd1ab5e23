"""Ground truth of labelled captures: the list ``LABELS.csv`` and what its rules mean.

This is the one place that reads label columns. Nothing from here reaches the engine.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_records.addresses import pack_address
from dijkwacht_records.errors import UnreadableInput
from dijkwacht_records.gzipped import open_plain

ACCEPTED: Final[dict[str, frozenset[str]]] = {
    "scan": frozenset({"scan", "arp", "lateral"}),
    "bruteforce": frozenset({"bruteforce"}),
    "c2": frozenset({"c2", "exfil", "dns"}),
    "dns": frozenset({"dns"}),
    "dos": frozenset({"dos"}),
    "exfil": frozenset({"exfil", "c2", "dns"}),
    "iot": frozenset({"iot", "scan", "c2", "dos", "bruteforce"}),
    "arp": frozenset({"arp"}),
    "dhcp": frozenset({"dhcp"}),
    "lateral": frozenset({"lateral", "scan", "bruteforce", "c2", "policy"}),
}
"""Class of a file → classes of incident that count as right."""

_SOURCE: Final = re.compile(
    r"\bsrc ([0-9a-fA-F.:]+[0-9a-fA-F])(?: <-> ([0-9a-fA-F.:]+[0-9a-fA-F]))?"
)
_MAC: Final = re.compile(r"\bMAC ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})", re.IGNORECASE)
_ORIGINATOR: Final = re.compile(r"\boriginated by ([0-9a-fA-F.:]+[0-9a-fA-F])")
_PORT: Final = re.compile(r"^flows to (\d+)/tcp malicious")
_MALICIOUS: Final = re.compile(rb"\bmalicious\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Labelled:
    """One file of the list. ``size`` is packets or rows, 0 if the list does not say."""

    kind: str
    file: str
    path: Path
    rule: str
    note: str
    size: int

    @property
    def class_(self) -> str:
        """The first part of the kind: ``scan.vertical`` → ``scan``."""
        return self.kind.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Attackers:
    """Who attacks in a file. ``anybody`` means that everything in it is the attack."""

    anybody: bool = False
    addresses: frozenset[bytes] = field(default_factory=frozenset)
    macs: frozenset[int] = field(default_factory=frozenset)

    def include(self, address: bytes, mac: int) -> bool:
        """Is this source one of them?"""
        return self.anybody or address in self.addresses or mac in self.macs


def read_lists(paths: Iterable[Path]) -> tuple[list[Labelled], list[Labelled]]:
    """All files of several lists, and those that were listed before with the same kind.

    A file counts once. Where two folders have a file of one name, the folder's name tells them apart.
    Raises `UnreadableInput`.
    """
    listed: dict[tuple[str, Path], Labelled] = {}
    again: list[Labelled] = []
    for path in paths:
        for labelled in read_labels(path):
            key = labelled.kind, labelled.path.resolve()
            if key in listed:
                again.append(labelled)
            else:
                listed[key] = labelled
    places: dict[str, set[Path]] = {}
    for (_, place), labelled in listed.items():
        places.setdefault(labelled.file, set()).add(place)
    return [
        replace(labelled, file=str(labelled.path)) if len(places[labelled.file]) > 1 else labelled
        for labelled in listed.values()
    ], again


def read_labels(path: Path) -> list[Labelled]:
    """The list, in its order; files lie beside it. Raises `UnreadableInput`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            needed = {"kind", "file", "label_rule"}
            if not needed <= set(table.fieldnames or ()):
                raise UnreadableInput(str(path), "line 1", "columns kind, file, label_rule, n")
            return [
                Labelled(
                    row["kind"],
                    row["file"],
                    path.parent / row["file"],
                    row["label_rule"] or "",
                    row.get("note") or "",
                    int(n) if (n := row.get("n") or "").isdecimal() else 0,
                )
                for row in table
            ]
    except OSError as error:
        raise UnreadableInput(
            str(path), "start", f"a file that can be opened ({error.strerror})"
        ) from None
    except (ValueError, csv.Error, KeyError) as error:
        raise UnreadableInput(str(path), "a row", f"a list of labelled files ({error})") from None


def attackers(labelled: Labelled) -> Attackers:
    """Read the rule of one file, and its label column or ports where the rule points there.

    Raises `UnreadableInput` for a rule that this module does not understand.
    """
    rule = labelled.rule
    if labelled.class_ not in ACCEPTED and "label column" not in rule:
        return Attackers()
    if macs := _MAC.findall(rule):
        return Attackers(macs=frozenset(int(mac.replace(":", ""), 16) for mac in macs))
    named = [text for found in _SOURCE.findall(rule) for text in found if text]
    if named := named or _ORIGINATOR.findall(rule):
        return Attackers(addresses=frozenset(pack_address(text) for text in named))
    if "label column" in rule:
        return Attackers(addresses=frozenset(_labelled_sources(labelled.path)))
    if port := _PORT.match(rule):
        return Attackers(addresses=frozenset(_sources_to(labelled.path, int(port[1]))))
    if rule.startswith(("all", "file-level")):
        return Attackers(anybody=True)
    raise UnreadableInput(labelled.file, "label_rule", f"a known rule; this is {rule!r}")


def _labelled_sources(path: Path) -> Iterator[bytes]:
    """Originators of the flows of a Zeek or Argus log that a label column calls malicious."""
    for fields, line in _lines(path):
        if _MALICIOUS.search(line) or "botnet" in fields.get("Label", "").lower():
            yield pack_address(fields.get("id.orig_h") or fields["SrcAddr"])


def _sources_to(path: Path, port: int) -> Iterator[bytes]:
    for fields, _ in _lines(path):
        if fields["id.resp_p"] == str(port) and fields["proto"] == "tcp":
            yield pack_address(fields["id.orig_h"])


def _lines(path: Path) -> Iterator[tuple[dict[str, str], bytes]]:
    """Every row of a Zeek or Argus log with all its columns, and the line as it stands."""
    names: list[str] = []
    separator = "\t"
    with io.BufferedReader(open_plain(path)) as file:
        for line in file:
            if line.startswith(b"#fields"):
                names = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")[1:]
            elif line.startswith(b"StartTime,"):
                names, separator = line.decode("utf-8", "replace").rstrip("\r\n").split(","), ","
            elif line.startswith(b"{"):
                values = msgspec.json.decode(line, type=dict[str, object])
                yield {name: str(value) for name, value in values.items()}, line
            elif names and not line.startswith(b"#"):
                values_text = line.decode("utf-8", "replace").rstrip("\r\n").split(separator)
                yield dict(zip(names, values_text, strict=False)), line
