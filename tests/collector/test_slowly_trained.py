"""Poisoning: who teaches a site slowly is still told at ten times the habit, and no site teaches another."""

from __future__ import annotations

import random
from functools import lru_cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht.offline import OfflineCollector, cut
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import DEFAULTS, TABLE

SECOND = 1_000_000
HOUR, DAY = 3_600 * SECOND, 86_400 * SECOND
DAYS, A_DAY_MORE, TENFOLD = 6, 1.2, 10.0
THIEF = "192.168.77.66"
"""A machine of the office, which `office_rows` has at 192.168.77.0/24, and nobody else."""
FLOW = {"state": 2, "proto": 6, "conn_state": 3, "orig_p": 40_000, "orig_pkts": 20, "resp_pkts": 20,
        "orig_bytes": 900, "resp_bytes": 900, "local_orig": 1, "resp_p": 443}  # fmt: skip


def flow(at, to, lasts=SECOND, **values):
    known = FLOW | {"time": at + lasts, "start": at, "orig_h": pack_address(THIEF), "resp_h": pack_address(to),
                    "flow_id": at} | values  # fmt: skip
    columns = zip(TABLE["flows"].columns, DEFAULTS[0], strict=True)
    return 0, tuple(known.get(column.name, default) for column, default in columns)


def uploads(begin, much):
    """A copy to somewhere outside, at a port of its own: 60 MB at first."""
    parts = 20
    size = int(60e6 * much / parts)
    return [
        flow(begin + n * 30 * SECOND, "203.0.113.80", 20 * SECOND, resp_p=9000, orig_bytes=size,
             orig_pkts=size // 1400, resp_bytes=size // 60, resp_pkts=size // 2800)
        for n in range(parts)
    ]  # fmt: skip


def probes(begin, much):
    """Calls that nobody answers, to machines and ports that are not there: four at first."""
    refused = {"conn_state": 1, "resp_bytes": 0, "resp_pkts": 1, "orig_bytes": 0, "orig_pkts": 1}
    return [
        flow(begin + n * 4 * SECOND, f"192.168.77.{100 + n % 90}", SECOND // 10, local_resp=1, resp_p=22 + n, **refused)
        for n in range(round(4 * much))
    ]  # fmt: skip


def guesses(begin, much):
    """Log-ins by SSH that fail: three at first."""
    return [
        flow(begin + n * 3 * SECOND, "192.168.77.2", 2 * SECOND, local_resp=1, resp_p=22, orig_bytes=1900, resp_bytes=2300)
        for n in range(round(3 * much))
    ]  # fmt: skip


HABITS = {"exfil": uploads, "scan": probes, "bruteforce": guesses}


@lru_cache
def office(seed, days=DAYS + 1):
    """Rows of a small office."""
    return list(office_rows(seed, 4, WORKING_MORNING, days * DAY, 0.15))


def taught(seed, habit):
    """An office whose machine grows a habit, a fifth a day, and on the last day does ten times as much."""
    rows = list(office(seed))
    dice = random.Random(seed)
    hour = dice.uniform(1, 7)
    for day in range(DAYS):
        rows += habit(WORKING_MORNING + day * DAY + int(hour * HOUR), A_DAY_MORE**day)
    attack = WORKING_MORNING + DAYS * DAY + int(hour * HOUR)
    rows += habit(attack, TENFOLD * A_DAY_MORE ** (DAYS - 1))
    return sorted(rows, key=lambda row: row[1][0]), attack


@pytest.mark.parametrize("kind", HABITS)
@pytest.mark.parametrize("seed", [9_501, 9_502])
def test_a_site_that_was_taught_for_days_is_told_at_ten_times_the_habit(kind, seed):
    rows, attack = taught(seed, HABITS[kind])
    with OfflineCollector() as collector:
        for batch in cut(rows, 2000):
            collector.play("bakery", batch)
        collector.finish()
        told = [i for i in collector.outcome.final() if i.kind == kind and i.subject == THIEF]
    assert any(i.severity_id >= 3 and i.end >= attack for i in told)


def incidents(rows, others, sizes):
    """What the bakery is told, in bytes, with batches of ``others``' rows between its own."""
    dice, behind = random.Random(sizes), iter(cut(others, 500)) if others else iter(())
    with OfflineCollector() as collector:
        for batch in cut(rows, 700):
            collector.play("bakery", batch)
            for _ in range(dice.randrange(3)):
                if (noise := next(behind, None)) is not None:
                    collector.play("clinic", noise)
        collector.finish()
        found = [i for i in collector.outcome.final() if i.site == "bakery"]
    return [msgspec.msgpack.encode(i) for i in found]


@lru_cache
def attacked_day():
    rows = list(office(9_503, 1))
    for n, habit in enumerate(HABITS.values()):
        rows += habit(WORKING_MORNING + (n + 1) * HOUR, 30.0)
    return sorted(rows, key=lambda row: row[1][0])


@lru_cache
def told_alone():
    return incidents(attacked_day(), [], 0)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 1000), kind=st.sampled_from(sorted(HABITS)), much=st.floats(1, 2000))
def test_another_sites_rows_change_no_byte_of_what_a_site_is_told(seed, kind, much):
    """Not even one that does the same, to the same addresses, a thousand times as much."""
    assert len(told_alone()) >= 3
    noise = list(office(9_504, 1)) + [
        row for hour in range(6) for row in HABITS[kind](WORKING_MORNING + hour * HOUR, min(much, 300))
    ]  # fmt: skip
    noise.sort(key=lambda row: row[1][0])
    assert incidents(attacked_day(), noise, seed) == told_alone()
