"""Every verdict of an input: all of them, the same each time, and a difference is seen."""

import json

import pytest

from dijkwacht_lab.labels import Attackers, Labelled
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import FLOWS, TABLES


@pytest.fixture
def verdicts(load_benchmark):
    return load_benchmark("verdicts")


@pytest.fixture
def hour(load_benchmark):
    return load_benchmark("attacked_hour")


@pytest.fixture
def beacon(root, verdicts):
    return verdicts.Input("scenario/beacon", root / "tests/scenarios/beacon")


def test_two_runs_give_the_same_and_what_was_written_is_read_back(verdicts, beacon):
    first, again = (verdicts.played(beacon, opinions=True) for _ in range(2))
    assert first == again
    assert first.head["verdicts"] == len(first.lines) > 3
    assert first.head["opinions"]["beacon"][0] > 0
    text = "\n".join(verdicts.written([first])).splitlines(keepends=True)
    assert verdicts.read_back(text) == {"scenario/beacon": first}


def test_steps_stories_calls_and_ends_are_all_in_it(verdicts, beacon):
    lines = [json.loads(line) for line in verdicts.played(beacon).lines]
    assert {line["class_uid"] for line in lines} == {2004, 2005}
    assert {"Create", "in the end Update"} <= {line["activity_name"] for line in lines}
    assert any(line["unmapped"].get("calls") for line in lines)
    assert any(line.get("evidences") for line in lines)
    assert not any("product" in line["metadata"] for line in lines)


def test_a_verdict_that_is_gone_is_a_difference(verdicts, beacon):
    before = verdicts.played(beacon)
    after = before._replace(lines=before.lines[1:])
    assert verdicts.difference(before, before) == ""
    assert verdicts.difference(before, after).startswith("1 verdicts gone, 0 new")
    assert before.lines[0] in verdicts.difference(before, after)


def test_a_score_that_changes_no_verdict_is_a_difference_too(verdicts):
    def told(*opinion):
        return verdicts.Verdicts({"rows": 1, "opinions": {"scan": list(opinion)}}, [])

    before = told(5, "a", 2, "b")
    assert "scores below its table alone" in verdicts.difference(before, told(4, "c", 2, "b"))
    assert "scores that its table knows" in verdicts.difference(before, told(5, "c", 2, "d"))
    unasked = verdicts.Verdicts({"rows": 1, "opinions": None}, [])
    assert verdicts.difference(before, unasked) == ""


def test_other_rows_are_another_input(verdicts):
    one, two = (verdicts.Verdicts({"rows": n, "opinions": None}, []) for n in (1, 2))
    assert "not the same input" in verdicts.difference(one, two)


def test_an_input_that_the_file_lacks_is_a_difference(verdicts, beacon):
    told = {"scenario/beacon": verdicts.played(beacon)}
    assert list(verdicts.differences({}, told)) == [("scenario/beacon", "it is not in the file")]


def test_all_of_the_repository_is_played_and_an_hour_only_with_attacks(verdicts, root):
    names = [one.name for one in verdicts.inputs([])]
    cases = sorted(path.parent.name for path in root.glob("tests/scenarios/*/expected.jsonl"))
    assert [name for name in names if name.startswith("scenario/")] == [
        f"scenario/{c}" for c in cases
    ]
    assert {"recording/demo", "recording/clinic"} <= set(names)
    assert verdicts.HOUR not in names


def test_what_is_generated_is_never_refused(verdicts, monkeypatch, tmp_path):
    missing = Labelled("scan.x", "scan/x.pcap", tmp_path / "x.pcap", "all", "", 5)
    with pytest.raises(ValueError, match="0 attacks are there for an hour that wants 10"):
        verdicts.played(verdicts.Input(verdicts.HOUR, tmp_path, (missing,)))


def test_attacks_that_cannot_be_moved_are_passed_over(hour, root, tmp_path):
    scan = root / "tests/scenarios/recorded-port-scan/traffic.pcap"
    good = Labelled("scan.x", "good", scan, "all", "", 5)
    odd = Labelled("scan.x", "odd", scan, "column 0: family", "", 9)
    gone = Labelled("scan.x", "gone", tmp_path / "gone.pcap", "all", "", 7)
    (found,) = hour.chosen_attacks([odd, gone, good], 1)
    assert found.file == "good"
    assert len(found.rows) > 10


def test_classes_take_turns_with_their_largest_first(hour, tmp_path):
    def listed(kind, name, size):
        return Labelled(kind, name, tmp_path, "all", "", size)

    found = hour.candidates([listed("scan.a", "s1", 1), listed("scan.b", "s2", 2),
                             listed("benign", "b", 9), listed("dns", "d", 1)])  # fmt: skip
    assert [one.file for one in found] == ["d", "s2", "s1"]


def test_the_hour_of_an_attacked_site_holds_its_rows(hour, root):
    scan = root / "tests/scenarios/recorded-port-scan/traffic.pcap"
    attacks = hour.chosen_attacks([Labelled("scan.x", "s", scan, "all", "", 5)], 1)
    rows = {}
    for site, batch in hour.hour(attacks, sites=2, rows_a_site=300):
        rows[site] = rows.get(site, 0) + len(batch)
    assert rows["site-01"] == 300
    assert rows["site-00"] > 300 + len(attacks[0].rows) / 2


def test_the_loudest_private_machine_began_most_flows(hour):
    number, at = TABLES.index(FLOWS), FLOWS.index("orig_h")

    def row(address):
        values = [0] * len(FLOWS.columns)
        values[at] = pack_address(address)
        return number, tuple(values)

    rows = [*map(row, ["9.9.9.9"] * 3 + ["10.0.0.1"] * 2 + ["10.0.0.2"])]
    assert hour.loudest(rows, Attackers()) == pack_address("10.0.0.1")
    named = Attackers(addresses=frozenset({pack_address("10.0.0.2")}))
    assert hour.loudest(rows, named) == pack_address("10.0.0.2")
    assert hour.loudest([row("9.9.9.9")], Attackers()) is None
