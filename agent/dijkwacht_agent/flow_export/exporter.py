"""One exporter: its templates, its clock, its sequence numbers, all within bounds.

The bytes are read by `netflume`, which is installed with ``dijkwacht[flowexport]`` and imported when
the first exporter is heard. It trusts more than we do: an own store of templates refuses what would
make a small datagram dear, and whatever it raises is a malformed datagram.
"""

from __future__ import annotations

import importlib
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Any, Final, NamedTuple

from dijkwacht_agent.error_words import worded
from dijkwacht_agent.flow_export.elements import ExportedFlow, Unusable, read_flow
from dijkwacht_records.errors import SettingsError

VERSIONS: Final = frozenset({5, 9, 10})
MAX_TEMPLATES: Final = 64
"""Of one exporter; the longest unused is forgotten first."""
MAX_FIELDS: Final = 128
MAX_DOMAINS: Final = 16
"""Observation domains of one exporter whose sequence is followed."""
_SECOND: Final = 1_000_000
_ENDS: Final = frozenset({"src_addr", "dst_addr"})

_header = {5: Struct(">HHIII4xB").unpack_from, 9: Struct(">HHII").unpack_from}
_Field = tuple[str, str, int]


def library() -> Any:
    """The library. Raises `SettingsError` that says how to install it."""
    try:
        return importlib.import_module("netflume")
    except ImportError:
        raise worded(SettingsError, "flow_export_library") from None


class Malformed(Exception):  # as the house names errors
    """A datagram that is not what its first bytes claim. ``short``: it ends in its header."""

    def __init__(self, *, short: bool = False) -> None:
        super().__init__()
        self.short = short


class Templates:
    """A store of templates as the library asks for one: at most `MAX_TEMPLATES`, of `MAX_FIELDS`.

    A field without bytes is refused: of such a template, a datagram holds records without end. So is
    one that tells of no two ends. ``unread`` counts sets of data whose template is not there.
    """

    def __init__(self) -> None:
        self.unread = 0
        self.refused = 0
        self._held: OrderedDict[tuple[int, int], tuple[list[_Field] | None, bool]] = OrderedDict()

    def put(
        self,
        _exporter: object,
        domain: int,
        number: int,
        fields: list[_Field],
        options: bool = False,
    ) -> bool:
        """Keep a template, or the knowledge that it is of no use."""
        names = {name for name, _, _ in fields}
        fine = len(fields) <= MAX_FIELDS and all(length for _, _, length in fields)
        if not fine or not (options or names >= _ENDS):
            self.refused += 1
            fields = []
        key = domain, number
        self._held[key] = fields, options
        self._held.move_to_end(key)
        if len(self._held) > MAX_TEMPLATES:
            self._held.popitem(last=False)
        return True

    def get(self, _exporter: object, domain: int, number: int) -> tuple[list[_Field] | None, bool]:
        """The fields of a template and whether it is of options; ``None`` if it is not there."""
        held = self._held.get((domain, number))
        if held is None:
            self.unread += 1
            return None, False
        self._held.move_to_end((domain, number))
        return held

    def __len__(self) -> int:
        return len(self._held)


class Told(NamedTuple):
    """What one datagram told: its flows, records that tell of none, datagrams missing before it."""

    flows: list[ExportedFlow]
    unusable: int
    missing: int
    exported: int
    """µs UTC by the exporter's clock."""


class Exporter:
    """Reads the datagrams of one exporter in the order in which they came."""

    def __init__(self) -> None:
        found = library()
        self.templates = Templates()
        self.sampling = 1
        """It looks at one packet in this many."""
        self._parse_v5, self._parse, self._rate = (
            found.parse_v5,
            found.parse_v9_or_ipfix,
            found.sampling_rate,
        )
        self._sequence = found.SequenceWatch(max_streams=MAX_DOMAINS)
        self._booted: int | None = None
        self._began: dict[int, int] = {}

    def read(self, data: bytes) -> Told:
        """Read one datagram of a known version. Raises `Malformed`."""
        unread = self.templates.unread
        stats: Counter[str] = Counter()
        version = data[0] << 8 | data[1]
        try:
            if version == 5:
                header, records, options = self._parse_v5(data, "", stats)
            else:
                header, records, options = self._parse(data, "", self.templates, stats)
            if header is not None:
                exported, booted = self._clock(version, header, data)
                self._learn(header["domain"], options)
                missing = self._missing(header, len(records), len(options), unread)
        except Exception:  # noqa: BLE001  # a stranger's bytes, in a library that is not ours
            raise Malformed from None
        if header is None or (stats["truncated"] and not records):
            raise Malformed(short=True)
        flows = list(self._flows(records, exported, booted))
        return Told(flows, len(records) - len(flows), missing, exported)

    def _flows(
        self, records: list[Mapping[str, object]], exported: int, booted: int | None
    ) -> Iterator[ExportedFlow]:
        for fields in records:
            try:
                yield read_flow(fields, exported, booted)
            except Unusable:
                continue

    def _clock(
        self, version: int, header: Mapping[str, Any], data: bytes
    ) -> tuple[int, int | None]:
        """When it sent this and when it began, µs UTC by its clock.

        Version 9 tells whole seconds, and ms since it began: each datagram bounds the beginning to a
        second, and the latest of these bounds is the closest.
        """
        seconds = header["unix_secs"] * _SECOND
        if version == 10:
            return seconds, self._began.get(header["domain"])
        uptime = header["sys_uptime"] * 1000
        if version == 5:
            exported = seconds + min(int.from_bytes(data[12:16], "big") // 1000, _SECOND - 1)
            return exported, exported - uptime
        earliest, known = seconds - uptime, self._booted
        if known is None or not earliest - _SECOND <= known < earliest + _SECOND:
            known = earliest
        self._booted = max(known, earliest)
        return self._booted + uptime, self._booted

    def _learn(self, domain: int, options: list[Mapping[str, Any]]) -> None:
        for record in options:
            rate = self._rate(record)
            if rate is not None:
                self.sampling = min(rate, 1 << 32)
            began = record.get("system_init_time_ms")
            if isinstance(began, int) and began < 1 << 48 and len(self._began) < MAX_DOMAINS:
                self._began[domain] = began * 1000

    def _missing(self, header: Mapping[str, Any], records: int, options: int, unread: int) -> int:
        """Datagrams that were sent before this one and never came."""
        name = "", header["domain"], header["version"]
        if self.templates.unread > unread:
            self._sequence.streams.pop(name, None)  # how many records it had is not known
            return 0
        lost: int = self._sequence.observe(*name, header["sequence"], records, options)
        self._sequence.take_events()
        state = self._sequence.streams[name]
        if lost and state["mode"] == "records":
            return -(-lost // max(records + options, 1))
        return lost
