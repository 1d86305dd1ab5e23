"""Calibration tables: what was counted is kept, what was not is a straight line, and it is careful."""

from __future__ import annotations

import numpy as np
import pytest

from dijkwacht_collector.policy import Scored
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_detectors.scan import Scan
from dijkwacht_detectors.system import System
from dijkwacht_lab.calibrate import (
    FIRST_JUDGED,
    HELD_OUT,
    HOUR_US,
    LEARNED,
    LOWEST_RATE,
    STRONGEST,
    Hours,
    Office,
    Peaks,
    SiteHours,
    benign_files,
    fit,
    gather,
    hours_of,
    hours_of_office,
    line_of,
    main,
)
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows

WEEK = 168


def rate(table, score):
    return float(np.interp(score, table.grid, table.rates))


def hours(peaks, weeks=4):
    return Hours([SiteHours(weeks * WEEK, {"scan": [(0.0, peak) for peak in peaks]})])


def test_scores_rise_and_rates_fall_to_the_end():
    table = fit(Scan(), hours(np.random.default_rng(1).exponential(1.0, 300)), "a test")
    assert np.all(np.diff(table.grid) > 0)
    assert np.all(np.diff(table.rates) <= 0)
    assert len(table.scores) == 64
    assert table.rates[-1] <= LOWEST_RATE * 1.01
    assert table.rates[0] <= WEEK


def test_nothing_is_called_rarer_than_it_was_seen_to_be():
    peaks = [*np.linspace(0.1, 2.0, 100), 9.0]
    table = fit(Scan(), hours(peaks), "a test")
    assert rate(table, 8.5) >= 0.25


def test_a_detector_that_never_spoke_begins_with_what_is_imagined():
    table = fit(Scan(), hours([]), "a test")
    anchor, per_week = Scan.expected
    assert rate(table, anchor) >= per_week


def test_busier_hours_move_the_line():
    quiet = fit(Scan(), hours(np.linspace(0.1, 1.0, 2 * STRONGEST)), "")
    busy = fit(Scan(), hours(np.linspace(0.1, 5.0, 2 * STRONGEST)), "")
    assert rate(busy, 5.0) > 10 * rate(quiet, 5.0)


def test_a_score_counts_in_the_first_two_hours_that_an_entity_reaches_it():
    peaks = Peaks()
    for hour, score in enumerate([3.0, 3.0, 3.0, 5.0, 2.0]):
        peaks.note(opinion(hour, [score]))
    assert peaks.reached() == [(0.0, 3.0), (0.0, 3.0), (3.0, 5.0)]


def test_who_takes_over_a_slot_has_no_habit_yet():
    peaks = Peaks()
    for hour in range(4):
        peaks.note(opinion(hour, [3.0], fresh=hour == 2))
    assert peaks.reached() == [(0.0, 3.0)] * 4


def test_an_hour_that_several_reach_counts_once_as_far_as_they_overlap():
    peaks = Peaks()
    peaks.note(opinion(0, [2.0, 4.0, 1.0]))
    assert peaks.reached() == [(0.0, 4.0)]


def opinion(hour, scores, *, fresh=False):
    """The scores of slots 0, 1, … in an hour."""
    many = len(scores)
    return Scored(
        detector=0,
        windowed=False,
        order=np.arange(many),
        agent=np.zeros(many, np.int32),
        time=np.full(many, hour * HOUR_US),
        site=np.zeros(many, np.int32),
        slot=np.arange(many, dtype=np.int32),
        fresh=np.full(many, fresh),
        scores=np.array(scores),
        facts=np.zeros((many, 0)),
        named={},
        said=np.arange(many),
    )


def test_the_loudest_quarter_of_the_offices_does_not_teach_a_table():
    offices = [SiteHours(WEEK, {"scan": [(0.0, peak)]}, generated=True) for peak in (1, 2, 3, 20)]
    table = fit(Scan(), Hours(offices), "a test")
    assert rate(table, 19.0) < 1e-3
    real = SiteHours(WEEK, {"scan": [(0.0, 20.0)]})
    assert rate(fit(Scan(), Hours([*offices, real]), "a test"), 19.0) >= 0.2


def test_a_machine_teaches_its_own_detectors_and_nobody_else():
    machine = SiteHours(WEEK, {"system": [(0.0, 9.0)], "scan": [(0.0, 9.0)]}, machine=True)
    other = SiteHours(WEEK, {"system": [(0.0, 20.0)], "scan": [(0.0, 20.0)]})
    both = Hours([machine, other])
    assert fit(Scan(), both, "") == fit(Scan(), Hours([other]), "")
    assert fit(System(), both, "") == fit(System(), Hours([machine]), "")


def test_every_hour_and_detector_of_an_office_is_there():
    rows = office_rows(5, 4, WORKING_MORNING, 3 * 3_600_000_000)
    heard = hours_of(rows)
    assert 3 <= heard.hours <= 4
    assert set(heard.reached) == {d.name for d in shipped_detectors()}
    assert heard.reached["scan"] != []


def test_without_rows_there_are_no_hours():
    heard = hours_of([])
    assert heard.hours == 0
    assert heard.reached["scan"] == []


def test_no_office_is_learned_from_and_then_judged_by():
    learned, held = ({office.seed for office in offices} for offices in (LEARNED, HELD_OUT))
    assert not learned & held
    assert max(learned | held) < FIRST_JUDGED


def test_halves_of_several_lists_hold_every_benign_file_once(tmp_path):
    head = "kind,file,label_rule,n\n"
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        rows = "".join(f"benign.app,benign/{number}.pcap,all,9\n" for number in range(30))
        listed = head + rows + "c2,c2/a.pcap,all,9\n"
        (tmp_path / folder / "LABELS.csv").write_text(listed, "utf-8")
    lists = [tmp_path / folder / "LABELS.csv" for folder in ("one", "two", "one")]
    halves = [benign_files(lists, half) for half in ("A", "B")]
    assert sorted(item.path.name for half in halves for item in half) == sorted(
        f"{number}.pcap" for number in range(30) for _ in range(2)
    )
    names = [{item.file for item in half} for half in halves]
    assert names[0]
    assert names[1]
    assert not names[0] & names[1]


def test_hours_are_the_same_however_many_processes_gather_them():
    offices = [Office(1, 2), Office(2, 3)]
    gathered = gather([], offices, days=0.03)
    one_by_one = Hours()
    for office in reversed(offices):  # the largest first
        one_by_one.sites.append(hours_of_office(office, 0.03))
    assert gathered == one_by_one
    assert gathered.hours == 2


def test_a_line_is_the_lowest_score_that_is_rare_enough():
    table = fit(Scan(), hours([]), "a test")
    line = line_of(table, 0.1)
    assert rate(table, line) <= 0.1 < rate(table, line - 0.2)
    assert line_of(table, 0.0) == float("inf")


def test_a_list_that_is_none_is_told_in_a_line(tmp_path, capsys):
    listed = tmp_path / "LABELS.csv"
    listed.write_text("a,b\n1,2\n")
    with pytest.raises(SystemExit) as ended:
        main([str(listed), "--to", str(tmp_path)])
    assert ended.value.code == 2
    assert "columns kind, file, label_rule, n" in capsys.readouterr().err
