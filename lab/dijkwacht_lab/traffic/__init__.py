"""Ordinary office traffic as record rows, from a seed: for benchmarks, calibration and long tests.

    >>> rows = office_rows(seed=7, hosts=6, start_us=WORKING_MORNING, duration_us=60_000_000)
    >>> number, row = next(iter(rows))

What an office does all week and no detector should mind: people browse in bursts with a look-up
before each connection (destinations follow Zipf's law, names are cached), mail is polled, files are
opened and printed, devices renew leases and ask the time, updaters and clouds are called as
regularly as any beacon, antivirus asks look-ups with hashes for names, calls run for half an hour,
backups leave at night, and a few per cent of everything fails. Days have a shape; weekends are
quiet. Half of the offices of eight and more are a Windows domain. Nothing here knows how a detector
works, and there is no attack in it. Who had been told an address, how turns and accounts are told and
which metrics there are is the agent's own code or in its words.

That is a kind office. Of the habits that look like something else (`dijkwacht_lab.traffic.habits`) it
takes up some of those it is given, by chance.

Rows come in the order an agent would have made them: a part of a flow when it is exported, which
for a datagram flow's end is a time-out later than the row's own time.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final

from dijkwacht_lab.traffic.authors import Authors
from dijkwacht_lab.traffic.cast import Cast
from dijkwacht_lab.traffic.devices import furnish
from dijkwacht_lab.traffic.habit import Habit
from dijkwacht_lab.traffic.habits import take_up
from dijkwacht_lab.traffic.ledger import SECOND, Ledger
from dijkwacht_records.tables import DEFAULTS, Row

WORKING_MORNING: Final = 1_773_651_600_000_000
"""A Monday, 09:00 UTC, µs: a good moment to start."""

_SLICE_US: Final = 120 * SECOND


def office_rows(
    seed: int,
    hosts: int,
    start_us: int,
    duration_us: int,
    rate: float = 1.0,
    heartbeat_us: int = 60 * SECOND,
    habits: Iterable[str] = (),
    authors: Authors | None = None,
) -> Iterator[tuple[int, Row]]:
    """(table number, row) pairs of one office of ``hosts`` devices, as its agent would make them.

    ``start_us`` is µs UTC and decides hour and weekday; ``rate`` scales how much people do (1.0 is
    some 15,000 rows a PC and working day; machines keep their own pace). The same arguments give
    the same rows, and a shorter ``duration_us`` gives a prefix of them. Memory is bounded by a few
    minutes of traffic. Every address, name and hardware address is made up.

    ``habits``: names of those that the office may take up; with them, memory is bounded by the longest
    connection, half a day. ``authors``, if given, is told which of them wrote what. Raises ``KeyError``
    for an unknown name.
    """
    ledger = new_ledger(seed, start_us)
    begun = furnish(ledger, hosts, rate, heartbeat_us)
    if names := frozenset(habits):
        begun += take_up(ledger, Cast(ledger), seed, names, hosts, rate)
    return rows_of(ledger, begun, start_us + duration_us, authors)


def new_ledger(seed: int, start_us: int) -> Ledger:
    """An empty office, whose dice fall as ``seed`` says."""
    return Ledger(random.Random(f"office {seed}"), start_us)  # noqa: S311 - repeatable by purpose, not a secret


def rows_of(
    ledger: Ledger, habits: Sequence[Habit], end_us: int, authors: Authors | None = None
) -> Iterator[tuple[int, Row]]:
    """What ``habits`` write in ``ledger`` until ``end_us`` (µs UTC), in the order an agent makes it."""
    until = ledger.start_us
    while until < end_us:
        until += _SLICE_US
        _live(ledger, habits, until, authors)
        for due, number, row in _settle(ledger, until):
            if due >= end_us:
                return
            yield number, row + DEFAULTS[number][len(row) :]


def _live(ledger: Ledger, habits: Iterable[Habit], until: int, authors: Authors | None) -> None:
    """Let every habit act up to ``until`` (µs), one after the other."""
    for habit in habits:
        before = len(ledger.written)
        while habit.next_us < until:
            habit.turn()
        if authors is not None:
            authors.note(habit.of, ledger.written[before:])


def _settle(ledger: Ledger, until: int) -> list[tuple[int, int, Row]]:
    """Take the rows due before ``until`` out of the ledger, in order; what is due later stays."""
    written = ledger.written
    written.sort(key=itemgetter(0))
    low, high = 0, len(written)
    while low < high:
        middle = (low + high) // 2
        if written[middle][0] < until:
            low = middle + 1
        else:
            high = middle
    ledger.written = written[low:]
    return written[:low]
