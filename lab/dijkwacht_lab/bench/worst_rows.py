"""Rows that no shortcut of the engine helps with: each an office's mixed rows, changed in one way.

``uploads``: every flow that leaves the office carries so much, and more each time, that models must judge it.
``churn``: every flow is between a machine of the office and an address outside that nobody has spoken to.
``fresh``: what names who and whom is new in every row: each is an entity that no table has seen.
``in turn``: no two rows after one another are of one table, as far as there are rows of others.
``one table``: look-ups alone, which have nothing to share with what reads flows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dijkwacht_lab.bench.arriving import RowsOfSite
from dijkwacht_lab.bench.mixed_rows import mixed_rows
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.tables import DNS, FLOWS, HARDWARE_ADDRESSES, TABLES, Row

_FLOWS: Final = TABLES.index(FLOWS)
_DNS: Final = TABLES.index(DNS)
_SENT, _PACKETS = FLOWS.index("orig_bytes"), FLOWS.index("orig_pkts")
_CALLED, _ASKED = FLOWS.index("resp_h"), FLOWS.index("local_resp")
_CALLER = FLOWS.index("local_orig")
_NAMES: Final = frozenset({"query", "server_name"})
_MANY_BYTES: Final = 50_000_000
_SEGMENT: Final = 1_400
_MOST_WAITING: Final = 64
"""Rows of a table that wait for their turn."""
NumberedRow = tuple[int, Row]


def _changed(row: Row, places: Mapping[int, Any]) -> Row:
    values = list(row)
    for place, value in places.items():
        values[place] = value
    return tuple(values)


def _outside(number: int) -> bytes:
    """A public address, another for each ``number`` below 2^28."""
    return V4_PREFIX + (0x20000000 + number * 2_654_435_761 % (1 << 28)).to_bytes(4, "big")


def _leaves(number: int, row: Row) -> bool:
    return number == _FLOWS and bool(row[_CALLER]) and not row[_ASKED]


def uploads(site: int) -> Iterator[NumberedRow]:
    """Flows that leave the office carry 50 MB, and each a little more than the one before."""
    size = _MANY_BYTES
    for number, row in mixed_rows(site):
        if _leaves(number, row):
            size += _SEGMENT
            row = _changed(row, {_SENT: size, _PACKETS: size // _SEGMENT})  # noqa: PLW2901
        yield number, row


def churn(site: int) -> Iterator[NumberedRow]:
    """Whoever is called is outside, and was never called before."""
    for count, (number, row) in enumerate(mixed_rows(site)):
        if number == _FLOWS:
            row = _changed(row, {_CALLED: _outside(count), _ASKED: 0})  # noqa: PLW2901
        yield number, row


def fresh(site: int) -> Iterator[NumberedRow]:
    """Every address, hardware address and name is a new one: the first address inside, the others outside."""
    for count, (number, row) in enumerate(mixed_rows(site)):
        new: dict[int, Any] = {_ASKED: 0} if number == _FLOWS else {}
        inside = V4_PREFIX + b"\x0a" + (count % (1 << 24)).to_bytes(3, "big")
        for place, column in enumerate(TABLES[number].columns):
            if column.kind == "addr":
                new[place], inside = inside, _outside(count)
            elif column.name in HARDWARE_ADDRESSES:
                new[place] = 0x020000000000 + count
            elif column.name in _NAMES:
                new[place] = f"n{count}.example.org"
        yield number, _changed(row, new)


def in_turn(site: int) -> Iterator[NumberedRow]:
    """Rows in turns of the tables, a flow where none of another waits; times are those of the turns.

    Beside so many of other tables most flows are left out.
    """
    waiting: dict[int, deque[Row]] = {}
    for number, row in mixed_rows(site):
        queue = waiting.setdefault(number, deque(maxlen=_MOST_WAITING))
        queue.append(row)
        if number != _FLOWS:
            time = row[0]
            for table in sorted(waiting):
                if waiting[table]:
                    yield table, _changed(waiting[table].popleft(), {0: time})


def one_table(site: int) -> Iterator[NumberedRow]:
    """Look-ups alone."""
    return (one for one in mixed_rows(site) if one[0] == _DNS)


INPUTS: Final[Mapping[str, RowsOfSite]] = {
    "mixed": mixed_rows, "uploads": uploads, "churn": churn, "fresh": fresh, "in turn": in_turn,
    "one table": one_table,
}  # fmt: skip
"""Name → rows of a site; the first is the ordinary one."""
ONE_SITE: Final = "one site"
"""Mixed rows of one site that sends all there is."""
