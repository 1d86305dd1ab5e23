"""Files of export datagrams laid end to end: IPFIX files (RFC 5655), and NetFlow v5 and v9 as it was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct
from typing import Final

from dijkwacht_agent.flow_export.export_meter import ExportMeter
from dijkwacht_agent.frames import Block
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.sources.export_socket import export_block
from dijkwacht_records.addresses import UNSPECIFIED
from dijkwacht_records.errors import UnreadableInput
from dijkwacht_records.gzipped import open_plain
from dijkwacht_records.tables import FLOWS, Row

_CHUNK: Final = 1 << 20
HOLD: Final = 60_000_000
"""µs for which a record waits for its other direction."""
_FIRST_FLOW: Final = 1 << 33
"""Beyond the flows of captures and logs in the same recording."""
_LOST: Final = (
    ("export_unread", "sets of records, whose template is not in it before them"),
    ("dropped_malformed", "export datagrams that can be read"),
    ("dropped_truncated", "export datagrams that are whole"),
)
"""Counters of what was not read, and what each counts."""
_FLOW_ID: Final = FLOWS.index("flow_id")
_TIME: Final = FLOWS.index("time")
_V5, _V9, _IPFIX = 5, 9, 10
_V5_HEADER, _V5_RECORD, _V9_HEADER, _IPFIX_HEADER = 24, 48, 20, 16
_u16 = Struct(">H").unpack_from
_u32 = Struct(">I").unpack_from
_set = Struct(">HH").unpack_from


def read_exports(
    path: Path, inside: LocalNetworks, note: Callable[[UnreadableInput], None]
) -> list[tuple[int, Row]]:
    """All rows of a file, sorted by time, as (table number, row).

    Damage ends the reading and is told to ``note``. Raises `UnreadableInput` for a file that cannot be
    opened, `SettingsError` without the library.
    """
    meter = ExportMeter(inside, hold=HOLD, live=False)
    rows: list[tuple[int, Row]] = []
    for block in _blocks(path, note):
        meter.feed(block)
        rows += meter.take().rows()
    meter.finish()
    rows += meter.take().rows()
    found = meter.counters
    for name, what in _LOST:
        if found[name]:
            note(UnreadableInput(str(path), "all of it", f"no {found[name]} {what}"))
    if not rows and not any(found[name] for name, _ in _LOST):
        note(UnreadableInput(str(path), "all of it", "a record that tells of a flow"))
    rows = [(table, _renumbered(row)) for table, row in rows]
    return sorted(rows, key=lambda numbered: numbered[1][_TIME])


def _renumbered(row: Row) -> Row:
    number = row[_FLOW_ID]
    assert isinstance(number, int)
    return (*row[:_FLOW_ID], number + _FIRST_FLOW, *row[_FLOW_ID + 1 :])


def _blocks(path: Path, note: Callable[[UnreadableInput], None]) -> Iterator[Block]:
    """Yield the datagrams one by one, at the times of their export."""
    data, at = _read(path, note), 0
    while at < len(data):
        size = _length(data, at)
        if not size or at + size > len(data):
            note(UnreadableInput(str(path), f"byte {at}", "an export datagram"))
            return
        datagram = data[at : at + size]
        yield export_block([UNSPECIFIED + datagram], [_exported(datagram) - HOLD], [16 + size])
        at += size


def _read(path: Path, note: Callable[[UnreadableInput], None]) -> bytes:
    """What ``path`` holds, unpacked if it is gzip; a stream that breaks off gives what came before."""
    parts: list[bytes] = []
    try:
        with open_plain(path) as file:
            while part := file.read(_CHUNK):
                parts.append(part)
    except OSError as error:
        problem = UnreadableInput(str(path), "end", error.strerror or "a file that can be read")
        if not parts:
            raise problem from None
        note(problem)
    return b"".join(parts)


def _length(data: bytes, at: int) -> int:
    """Bytes of the datagram at ``at``; 0 if there is none."""
    if len(data) - at < _IPFIX_HEADER:
        return 0
    version, second = _set(data, at)
    if version == _V5:
        return _V5_HEADER + int(second) * _V5_RECORD
    if version == _IPFIX:
        size = int(second)
        return size if size >= _IPFIX_HEADER else 0
    return _length_of_v9(data, at) if version == _V9 else 0


def _length_of_v9(data: bytes, at: int) -> int:
    """It does not say: it ends where no set begins. No set has the number of a version."""
    end = at + _V9_HEADER
    while end + 4 <= len(data):
        number, size = _set(data, end)
        if number in {_V5, _V9, _IPFIX}:
            break
        if size < 4 or 1 < number < 256:
            return 0
        end += size
    return end - at


def _exported(datagram: bytes) -> int:
    """µs UTC at which it says it was sent, to the second."""
    seconds: int = _u32(datagram, 4 if datagram[1] == _IPFIX else 8)[0]
    return seconds * 1_000_000
