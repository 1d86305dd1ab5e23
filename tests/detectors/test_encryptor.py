"""Files rewritten in numbers, against all that is done to a share in numbers.

There is no recording of it: operations are made as a script on an SMB mount makes them, one after the
other, and then counted in parts of fifteen seconds as an agent does.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.encryptor import Encryptor
from dijkwacht_records.vocabulary import RpcKind, RpcStatus, ShareKind

SECOND, DAY = 1_000_000, 86_400_000_000
BEGIN = 20_000 * DAY
PART_S = 15
COUNTERS = ("reads", "writes", "creates", "renames", "deletes", "read_bytes", "write_bytes")
BULK = math.log2(1 + 64)
"""Where what is expected begins."""

rates = st.floats(0.2, 200.0)
minutes = st.floats(0.5, 20.0)


def part(at, **counters):
    return {"time": BEGIN + round(at * SECOND), "orig_h": 11, "resp_h": 5, "kind": RpcKind.FILES,
            "share": ShareKind.OTHER, "status": RpcStatus.SUCCESS} | counters  # fmt: skip


def work(per_second, lasts_min, each, begin=0.0):
    """Parts of a script that does ``each`` (messages by counter) to one file after the other."""
    rows, done = [], 0
    for n in range(1, 1 + math.ceil(lasts_min * 60 / PART_S)):
        files = int(per_second * min(n * PART_S, lasts_min * 60)) - done
        done += files
        rows.append(part(begin + n * PART_S, **{c: files * each.get(c, 0) for c in COUNTERS}))
    return rows


def top(rows):
    scores = score_rows(Encryptor(), sorted(rows, key=lambda row: row["time"]))
    return float(np.nan_to_num(scores).max(initial=0.0))


ENCRYPTORS = {
    "in place, then renamed": {"reads": 1, "writes": 1, "creates": 2, "renames": 1},
    "a copy, then the first one deleted": {"reads": 1, "writes": 1, "creates": 3, "deletes": 1},
    "large files": {"reads": 40, "writes": 40, "creates": 2, "renames": 1},
    "small ones, with a key behind each": {
        "reads": 1,
        "writes": 2,
        "renames": 1,
        "read_bytes": 3000,
        "write_bytes": 3800,
    },
    "while they are carried off": {
        "reads": 40,
        "writes": 2,
        "renames": 1,
        "read_bytes": 2_000_000,
        "write_bytes": 60_000,
    },
    "the head only": {"reads": 1, "writes": 2, "creates": 2, "renames": 1, "deletes": 1},
}


@pytest.mark.parametrize("each", ENCRYPTORS.values(), ids=ENCRYPTORS)
@given(rate=st.floats(5.0, 100.0), lasts=st.floats(1.5, 20.0))
@settings(max_examples=25, deadline=None)
def test_five_files_a_second_are_past_the_line_within_a_minute_and_a_half(each, rate, lasts):
    assert top(work(rate, min(lasts, 1.5), each)) > BULK + 1.2


ORDINARY = {
    "backup": {"reads": 3, "creates": 1},
    "copy to": {"writes": 3, "creates": 1},
    "copy from": {"reads": 3, "creates": 1},
    "tidying up": {"creates": 1, "deletes": 1},
    "moving within": {"creates": 1, "renames": 1},
    "unpacking": {"creates": 2, "writes": 2},
    "synchronising to": {"creates": 2, "writes": 2, "renames": 1},
    "photographs brought in": {"creates": 2, "writes": 20},
    "compiling": {"reads": 4, "creates": 3, "writes": 2},
    "a check-out": {"creates": 2, "writes": 1, "renames": 1},
    "server-side copy": {"creates": 2},
}


@pytest.mark.parametrize("each", ORDINARY.values(), ids=ORDINARY)
@given(rate=rates, lasts=minutes)
@settings(max_examples=25, deadline=None)
def test_what_does_two_of_the_three_is_nothing(each, rate, lasts):
    assert top(work(rate, lasts, each)) == 0.0


@given(rate=rates, lasts=minutes, compared=st.floats(0.0, 0.3), size=st.floats(2e3, 5e6))
@settings(max_examples=40, deadline=None)
def test_a_backup_that_renames_each_file_once_it_is_whole_is_none(rate, lasts, compared, size):
    each = {"reads": 2, "writes": 3, "renames": 1, "deletes": 1,
            "read_bytes": int(compared * size), "write_bytes": int(size)}  # fmt: skip
    assert top(work(rate, lasts, each)) < BULK


@given(
    rate=st.floats(0.01, 0.25), lasts=minutes, reads=st.integers(1, 9), renames=st.integers(1, 3)
)
@settings(max_examples=40, deadline=None)
def test_documents_that_people_save_stay_below(rate, lasts, reads, renames):
    each = {"reads": reads, "writes": 4, "creates": 6, "renames": renames, "deletes": 1}
    assert top(work(rate, lasts, each)) < BULK, "though it be fifteen in a minute"


@given(backup=rates, saving=st.floats(0.01, 0.5))
@settings(max_examples=25, deadline=None)
def test_a_backup_by_a_machine_where_somebody_works_adds_nothing(backup, saving):
    save = work(saving, 10, {"reads": 2, "writes": 3, "creates": 6, "renames": 2})
    both = work(backup, 10, ORDINARY["backup"], begin=1.0) + save
    assert top(both) <= top([row | {"reads": 10**6} for row in save]) + 1e-5


@given(
    st.lists(
        st.tuples(st.floats(0.0, 90.0), *[st.integers(-5, 500)] * 4, *[st.integers(-5, 9000)] * 2),
        min_size=1,
        max_size=30,
    )
)
@settings(max_examples=60, deadline=None)
def test_the_score_is_the_least_of_three_decaying_counts_as_far_as_it_was_read(steps):
    rows, expected, at = [], [], 0.0
    counts, moved = np.zeros(3), np.zeros(2)
    for gap, reads, writes, renames, deletes, *of_bytes in steps:
        at += round(gap, 6)
        rows.append(part(at, reads=reads, writes=writes, renames=renames, deletes=deletes,
                         read_bytes=of_bytes[0], write_bytes=of_bytes[1]))  # fmt: skip
        kept = 0.5 ** (round(gap, 6) / 30.0) if len(rows) > 1 else 1.0
        counts *= kept
        moved = moved * kept + np.maximum(of_bytes, 0)
        new = [max(reads, 0), max(writes, 0), max(renames, 0) + max(deletes, 0)]
        counts += new
        before = min(1.0, 4 * moved[0] / (3 * moved[1])) ** 8 if moved[1] > 0 else 1.0
        expected.append(math.log2(1 + before * counts.min()) if new[1] or new[2] else math.nan)
    assert score_rows(Encryptor(), rows) == pytest.approx(expected, abs=1e-3, nan_ok=True)


def test_refused_operations_change_no_file():
    busy = work(20, 2, ENCRYPTORS["in place, then renamed"])
    denied = [row | {"status": RpcStatus.DENIED} for row in busy]
    assert top(denied) == 0.0


def test_what_a_tool_does_each_day_is_a_habit_by_the_second():
    daily = [
        row | {"time": row["time"] + n * DAY}
        for n in range(4)
        for row in work(10, 3, ENCRYPTORS["in place, then renamed"])
    ]
    days = [top(daily[: len(daily) // 4])]
    assert days[0] > BULK + 1.2
    scores = score_rows(Encryptor(), daily)
    assert np.nanmax(scores[len(daily) // 4 :]) < BULK
    more = [part(5 * DAY / SECOND, reads=5000, writes=5000, renames=5000)]
    assert top(daily + more) > 11.0, "and many more are none"


def test_a_habit_is_the_sites_whichever_machine_has_it():
    def on(day, machine, rate):
        rows = work(rate, 3, ENCRYPTORS["in place, then renamed"], begin=day * DAY / SECOND)
        return [row | {"orig_h": machine} for row in rows]

    first, second = on(0, 11, 20.0), on(2, 12, 20.0)
    assert top(second) > BULK + 1.2
    scores = score_rows(Encryptor(), first + second)
    assert np.nanmax(scores[len(first) :]) < BULK + 1.2
    elsewhere = [row | {"site": 1} for row in second]
    scores = score_rows(Encryptor(), first + elsewhere)
    assert np.nanmax(scores[len(first) :]) > BULK + 1.2, "no other site's"
    assert top(first + on(90, 12, 20.0)) > BULK + 1.2, "and it is forgotten"


def test_the_number_of_files_is_told_in_round_figures():
    words = Encryptor().explain({"files": 1234.5})
    assert "1200 in half a minute" in words.title_en
    assert "1200 in een halve minuut" in words.title_nl
