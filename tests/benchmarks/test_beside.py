"""A figure beside what it was: pairs, ratios, and the table of what is asked."""

import json
import subprocess

import pytest


@pytest.fixture
def beside(load_benchmark):
    return load_benchmark("beside")


@pytest.fixture
def table(load_benchmark):
    return load_benchmark("figures")


def point(name, sites, batch, rate):
    return {"input": name, "sites": sites, "batch_rows": batch, "rows_per_second": rate}


def test_who_is_first_takes_turns(beside, monkeypatch, tmp_path):
    asked = []

    def measured(checkout, path, options, *, own_lab):
        asked.append(checkout)
        return {"n": len(asked)}

    monkeypatch.setattr(beside, "measured", measured)
    pairs = beside.pairs_of(tmp_path, "engine", {}, 2)
    assert asked == [tmp_path, beside.THIS, beside.THIS, tmp_path]
    assert pairs == [({"n": 1}, {"n": 2}), ({"n": 4}, {"n": 3})]


def test_ratios_are_of_pairs_and_not_of_medians(beside):
    pairs = [({"rows_per_second": a}, {"rows_per_second": b}) for a, b in ((1, 2), (4, 4), (2, 6))]
    (found,) = beside.compared(pairs)
    assert (found.before, found.now) == (2, 4)
    assert found.ratios == [2, 1, 3]
    assert str(found).split()[-4:] == ["2.000", "(1.000", "–", "3.000)"]


def test_points_are_named_by_what_they_are_and_parts_summed(beside):
    said = {"points": [point("mixed", 3, 100, 5) | {"nanoseconds_per_row": {"a": 1.5, "b": 2}}]}
    found = dict(beside.figures(said))
    assert found["mixed, 3 sites, 100 a batch.rows_per_second"] == 5
    assert found["mixed, 3 sites, 100 a batch.nanoseconds_per_row.total"] == 3.5


def test_what_only_one_side_has_is_left_out(beside):
    old, new = {"rows_per_second": 1}, {"rows_per_second": 1, "new_per_second": 2}
    assert [one.figure for one in beside.compared([(old, new)])] == ["rows_per_second"]


def test_a_checkout_is_measured_in_a_process_of_its_own_by_this_lab(beside, monkeypatch, tmp_path):
    started = []

    def run(command, **options):
        started.append((command, options))
        return type("Done", (), {"stdout": 'told\n{"rows_per_second": 3}\n'})

    monkeypatch.setattr(beside.subprocess, "run", run)
    assert beside.measured(tmp_path, "engine", {"runs": 1}) == {"rows_per_second": 3}
    ((command, options),) = started
    assert command[-2:] == ["engine", json.dumps({"runs": 1})]
    places = options["env"]["PYTHONPATH"].split(":")
    assert places[0] == str(beside.THIS / "lab")
    assert places[1:6] == [str(tmp_path / room) for room in beside.ROOMS]
    beside.measured(tmp_path, "engine", {}, own_lab=True)
    assert started[1][1]["env"]["PYTHONPATH"].split(":")[0] == str(tmp_path / "lab")


def test_a_real_process_measures_this_checkout(beside, tmp_path):
    options = {"sites": [1], "rows_per_site": 200, "batch_rows": [100], "runs": 1}
    said = beside.measured(beside.THIS, "engine", options)
    assert said["rows"] + said["warm_rows"] == 200


def test_the_table_holds_each_figure_against_what_is_asked(table):
    engine = {
        "points": [point("mixed", 1000, 100, 1_200_000), point("mixed", 1000, 1000, 1_000_000),
                   point("churn", 1000, 100, 900_000), point("fresh", 1000, 100, 400_000)],
        "growth": 1.3, "peers": [{"name": "River trees", "missing": "pip"}],
    }  # fmt: skip
    latency = {"p50_seconds": 0.002, "p99_seconds": 0.015, "pauses": {"save": {"max_seconds": 0.2}}}
    lines = table.lines_of({"engine": [(None, engine)], "latency": [(latency, latency)]})
    assert {line.figure.name: (line.now, line.verdict) for line in lines} == {
        "rows/s, 100 a batch": (1_200_000, "floor"),
        "rows/s, 1,000 a batch": (1_000_000, "below"),
        "rows/s, the worst input": (400_000, "below"),
        "times River's rate": (None, "not measured"),
        "ns a row, 10,000 sites by 10": (1.3, "goal"),
        "s to an incident, p50": (0.002, "goal"),
        "s to an incident, p99": (0.015, "floor"),
        "s of the longest pause": (0.2, "below"),
    }
    assert str(lines[0]).split() == ["engine", "rows/s,", "100", "a", "batch", "–", "1.20", "M",
                                     "1.00", "M", "1.70", "M", "floor"]  # fmt: skip


def test_of_pairs_the_median_is_told(table):
    pairs = [({"p50_seconds": a, "p99_seconds": a}, {"p50_seconds": b, "p99_seconds": b})
             for a, b in ((1, 4), (2, 5), (9, 6))]  # fmt: skip
    line = table.lines_of({"latency": pairs})[0]
    assert (line.before, line.now) == (2, 5)


def test_where_the_other_cannot_be_measured_this_one_stands_alone(table, monkeypatch, tmp_path):
    def refuse(*_):
        raise subprocess.CalledProcessError(1, "measure")

    monkeypatch.setattr(table, "pairs_of", refuse)
    monkeypatch.setattr(table, "measured", lambda *_: {"p50_seconds": 0.5})
    assert table._said("latency", {}, tmp_path, 3) == [(None, {"p50_seconds": 0.5})]
