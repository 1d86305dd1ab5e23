"""Alerts as other tools write them: Suricata's EVE, Zeek's notice.log (tabs, JSON), Slips' alerts.json.

Of EVE the events of type ``alert`` are read. Its source is that of the packet that matched, which for a
rule on an answer is the server; who began the flow is named as well where the event has it. Slips writes
evidence (``Status`` ``Event``), which is for its own sums, and alerts of what has added up (``Incident``): a
machine is named once for each class that the evidence has by which it was called.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from dijkwacht_lab.peers.mapping import IGNORED, ClassMapping
from dijkwacht_lab.peers.peer import Said
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.errors import UnreadableInput
from dijkwacht_records.gzipped import open_plain

WANTED: Final = "Suricata EVE, Zeek notice.log (tabs or JSON) or Slips alerts.json"
_VARIES: Final = re.compile(r"\b(?:[0-9a-fA-F]{1,4}:+){2,}[0-9a-fA-F]{0,4}(?!\w)|\d[\d.]*\b|\d+")
"""Addresses and numbers, which differ from one alert of a kind to the next."""
_LONGEST: Final = 80
_FIRST: Final = 20
_Line = dict[str, Any]


@dataclass(slots=True)
class AlertsRead:
    """What some files of one run hold.

    ``tool``: by name, "" if nothing was written. ``unmapped``: the tool's own words → alerts that no line of
    the mapping knows. ``ignored``: alerts that interrupt nobody. ``damaged``: lines that cannot be read.
    """

    said: list[Said] = field(default_factory=list)
    tool: str = ""
    unmapped: Counter[str] = field(default_factory=Counter)
    ignored: int = 0
    damaged: int = 0


def read_alerts(paths: Iterable[Path], mapping: ClassMapping) -> AlertsRead:
    """Read the alerts of one labelled file. Raises `UnreadableInput` for what is none of the three."""
    read = AlertsRead()
    for path in paths:
        lines = list(_of_one_tool(path, read))
        if lines:
            for told in _ALERTS[read.tool](lines):
                try:
                    _take(read, mapping, *told)
                except (TypeError, ValueError):
                    read.damaged += 1
    return read


def _of_one_tool(path: Path, read: AlertsRead) -> Iterator[_Line]:
    for number, line in _lines(path):
        if line is None:
            read.damaged += 1
            continue
        tool = _tool_of(line)
        if not tool or (read.tool and tool != read.tool):
            expected = f"alerts of {read.tool}, as in what came before" if read.tool else WANTED
            raise UnreadableInput(str(path), f"line {number}", expected)
        read.tool = tool
        if line.get("event_type", "alert") == "alert":  # most of an EVE file is something else
            yield line


def is_alerts(path: Path) -> bool:
    """Does one of its first lines look like one of the three, or has it none, as when nothing was said?"""
    try:
        first = [line for _, line in islice(_lines(path), _FIRST)]
    except UnreadableInput:
        return False
    return not first or any(line and _tool_of(line) for line in first)


def _take(
    read: AlertsRead, mapping: ClassMapping, when: object, sources: Iterable[str], words: str
) -> None:
    kind = mapping.class_of(read.tool, words)
    if kind == IGNORED:
        read.ignored += 1
        return
    if kind is None:
        kind = _VARIES.sub("…", words)[:_LONGEST]
        read.unmapped[kind] += 1
    packed = tuple(dict.fromkeys(pack_address(text) for text in sources))
    read.said.append(Said(_moment(when), packed, kind))


def _lines(path: Path) -> Iterator[tuple[int, _Line | None]]:
    """Lines by number as mappings, None for one that cannot be read; a Zeek log's head is taken in."""
    names: list[str] = []
    try:
        with io.BufferedReader(open_plain(path)) as file:
            for number, line in enumerate(file, 1):
                text = line.decode("utf-8", "replace").rstrip("\r\n")
                if text.startswith("#"):
                    if text.startswith("#fields\t"):
                        names = text.split("\t")[1:]
                elif names:
                    values = zip(names, text.split("\t"), strict=False)
                    yield number, {name: value for name, value in values if value not in {"-", ""}}
                elif text.strip():
                    yield number, _object(text)
    except OSError as error:
        why = error.strerror or str(error)
        raise UnreadableInput(str(path), "start", f"a file that can be read ({why})") from None


def _object(text: str) -> _Line | None:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return None


def _tool_of(line: _Line) -> str:
    if "event_type" in line:
        return "suricata"
    if "note" in line and "ts" in line:
        return "zeek"
    if "Status" in line and "Analyzer" in line:
        return "slips"
    return ""


_Told = tuple[object, list[str], str]
"""When, who, and in what words."""


def _suricata(lines: Iterable[_Line]) -> Iterator[_Told]:
    for line in lines:
        alert, flow = _table(line.get("alert")), _table(line.get("flow"))
        first = _table(alert.get("source")).get("ip") or line.get("src_ip")
        named = [str(who) for who in (first, flow.get("src_ip")) if who]
        words = f"{alert.get('signature', '')} | {alert.get('category', '')}"
        yield line.get("timestamp"), named, words


def _zeek(lines: Iterable[_Line]) -> Iterator[_Told]:
    for line in lines:
        who = line.get("src") or line.get("id.orig_h")
        yield line["ts"], [str(who)] if who else [], str(line["note"])


def _slips(lines: Iterable[_Line]) -> Iterator[_Told]:
    evidence = {str(line.get("ID")): line for line in lines if line["Status"] == "Event"}
    for line in lines:
        if line["Status"] != "Incident":
            continue
        whos = [_table(who).get("IP") for who in _list(line.get("Source"))]
        named = [str(who) for who in whos if who]
        parts = [evidence[str(k)] for k in _list(line.get("CorrelID")) if str(k) in evidence]
        # An alert is told when the last of the evidence that called it came in.
        when = max((str(part.get("StartTime")) for part in parts), default=line.get("StartTime"))
        for part in parts or [line]:
            yield when, named, str(part.get("Description") or "an alert without evidence")


_ALERTS: Final[Mapping[str, Callable[[list[_Line]], Iterator[_Told]]]] = {
    "suricata": _suricata,
    "zeek": _zeek,
    "slips": _slips,
}


def _table(value: object) -> _Line:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _moment(told: object) -> int:
    """Seconds since 1970, or ISO 8601 (UTC where it names no zone) → µs UTC. Raises ``ValueError``."""
    try:
        return round(float(str(told)) * 1e6)
    except ValueError:
        moment = datetime.fromisoformat(str(told).replace("/", "-"))
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)
