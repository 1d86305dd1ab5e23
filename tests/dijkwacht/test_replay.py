"""`dijkwacht replay`: the same incidents whatever the batches, the speed or a restart."""

import hashlib
import itertools
import json
import random

import msgspec
import pytest

from dijkwacht import cli
from dijkwacht.offline import OfflineCollector, Outcome, cut, replay_batches, replay_rows
from dijkwacht.recording import Recorded
from dijkwacht.replay import (
    LONGEST_WAIT_S,
    Announcer,
    RowPacing,
    last_finding,
    last_findings,
    moved,
)
from dijkwacht_agent.privacy import CryptoPan
from dijkwacht_collector.incidents import Call, Part, Story, StoryEvent
from dijkwacht_records.pseudonyms import spans
from dijkwacht_records.tables import TABLE

pytestmark = pytest.mark.usefixtures("loud")
DAY = 86_400_000_000


def replay(*words):
    return cli.main(["replay", *map(str, words)])


@pytest.fixture
def rows(scan):
    return list(Recorded([scan]).rows())


def as_bytes(incidents):
    return [msgspec.json.encode(incident) for incident in incidents]


def test_incidents_are_ocsf_lines_and_the_rest_is_said_on_the_side(scan, capsysbinary):
    assert replay(scan) == 0
    out, err = capsysbinary.readouterr()
    findings = [json.loads(line) for line in out.splitlines()]
    assert findings
    for finding in findings:
        assert finding["class_uid"] == 2004
        assert "logged_time" not in finding["metadata"]
    scans = [f for f in findings if f["finding_info"]["types"] == ["scan"]]
    assert scans[0]["evidences"][0]["src_endpoint"]["ip"] == "192.168.7.66"
    assert b"inside is assumed" in err
    assert b"192.168.7.66 tried about" in err
    assert b"incidents in 300 rows from 600 packets" in err


def test_each_line_names_its_story_and_says_whether_that_interrupted(scan, capsysbinary):
    assert replay(scan, "--json") == 0
    findings = list(map(json.loads, capsysbinary.readouterr().out.splitlines()))
    assert replay(scan, "--json", "--stories") == 0
    stories = list(map(json.loads, capsysbinary.readouterr().out.splitlines()))
    assert {story["class_uid"] for story in stories} == {2005}
    by_uid = {story["unmapped"]["story_uid"]: story for story in stories}
    assert {f["unmapped"]["story_uid"] for f in findings} == set(by_uid)
    for finding in findings:
        story = by_uid[finding["unmapped"]["story_uid"]]
        assert finding["unmapped"]["interrupted"] is story["unmapped"]["interrupted"]
        named = [one["uid"] for one in story["finding_info_list"]]
        assert finding["finding_info"]["uid"] in named
    assert any(story["unmapped"]["interrupted"] for story in stories)


def test_a_finding_says_what_became_of_its_story_in_the_end(rows):
    incidents = [
        msgspec.structs.replace(one, story=uid, interrupted=False)
        for one, uid in zip(replay_rows(rows)[:2] * 2, ("s1", "s2", "s3"), strict=False)
    ]
    story = Story("s1", "replay", "m", 0, 1, (Part.of(incidents[0]),), 3)
    called = msgspec.structs.replace(story, calls=(Call(0, "scan", "scan", incidents[0].uid),))
    other = msgspec.structs.replace(story, uid="s2")
    lines = list(map(json.loads, last_findings([called, other], incidents)))
    assert [line["unmapped"]["interrupted"] for line in lines] == [True, False, False]


def test_a_story_whose_findings_all_went_to_another_is_told_there(rows):
    (found, *_) = replay_rows(rows)
    moved = msgspec.structs.replace(found, story="s2")
    left = Story("s1", "replay", "m", 0, 1, (Part.of(moved),), 2)
    taken = msgspec.structs.replace(left, uid="s2", machine="")
    outcome = Outcome({moved.uid: moved}, stories={"s1": left, "s2": taken})
    assert [story.uid for story in outcome.final_stories()] == ["s2"]
    called = msgspec.structs.replace(left, calls=(Call(0, "scan", "scan", moved.uid),))
    for kept in (called, msgspec.structs.replace(left, more=1)):
        outcome.stories["s1"] = kept
        assert [story.uid for story in outcome.final_stories()] == ["s1", "s2"]


def test_a_call_is_announced_once(rows):
    (one, *_) = replay_rows(rows)
    story = Story("s1", "replay", "10.0.0.7", 0, 1, (Part.of(one),), 3)
    called = msgspec.structs.replace(story, calls=(Call(one.start, "scan", "scan", one.uid),))
    said = []
    announce = Announcer(said.append)
    for activity, told in (("create", story), ("update", called), ("update", called)):
        announce(StoryEvent(activity, told, 1))
    assert len(said) == 1
    assert said[0].endswith("10.0.0.7 asks you to look")
    second = Call(one.start + 1, "beacon", "c2", "another")
    announce(
        StoryEvent("update", msgspec.structs.replace(called, calls=(*called.calls, second)), 1)
    )
    assert len(said) == 2
    assert said[1].endswith("10.0.0.7 asks you to look again")


@pytest.mark.parametrize("options", [(), ("--stories",)])
def test_output_does_not_depend_on_batches_or_the_run(scan, capsysbinary, options):
    outputs = set()
    for size in (1, 100, 10_000, 100):
        assert replay(scan, "--batch-rows", size, *options) == 0
        outputs.add(capsysbinary.readouterr().out)
    assert len(outputs) == 1
    assert outputs.pop()


def test_a_restart_in_the_middle_changes_nothing(rows):
    whole = as_bytes(replay_rows(rows, batch_rows=50))
    assert whole
    assert as_bytes(replay_rows(rows, batch_rows=50, restart_after=frozenset({0, 2, 3}))) == whole


def test_sites_do_not_see_each_other(rows):
    alone = {site: as_bytes(replay_rows(rows, site=site)) for site in ("bakery", "clinic")}
    rng = random.Random(5)
    queues = {site: list(cut(rows, 7)) for site in alone}
    mixed = []
    while any(queues.values()):
        site = rng.choice([s for s, queue in queues.items() if queue])
        mixed.append((site, queues[site].pop(0)))
    found = replay_batches(mixed)
    for site, expected in alone.items():
        assert as_bytes(i for i in found if i.site == site) == expected


def test_batches_too_large_for_the_wire_are_cut(rows, monkeypatch):
    whole = as_bytes(replay_rows(rows))
    monkeypatch.setattr("dijkwacht_records.wire.MAX_WIRE_BYTES", 4000)
    assert as_bytes(replay_rows(rows)) == whole


def test_pseudonyms_hide_inside_addresses(scan, capsysbinary, monkeypatch):
    # Any key hides; one in 256 keys gives a pseudonym that looks as if it did not.
    monkeypatch.setattr("secrets.token_bytes", lambda size: bytes(range(size)))
    assert replay(scan, "--pseudonyms", "--json") == 0
    out, err = capsysbinary.readouterr()
    assert out
    assert b"192.168.7." not in out
    assert err == b""


@pytest.mark.parametrize("options", [(), ("--stories",)])
def test_pseudonyms_bear_their_mark_for_people_and_clear_addresses_none(
    scan, capsysbinary, options, monkeypatch
):
    # One key in 256 gives the scanned machine a pseudonym that is taken for a broadcast address.
    monkeypatch.setattr("secrets.token_bytes", lambda size: bytes(range(size)))
    assert replay(scan, "--pseudonyms", *options, "--json") == 0
    told = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert told
    for one in told:
        assert "~192.168." in one["message"]
        assert one["metadata"]["labels"] == ["pseudonyms"]
        assert spans_without_mark(one["message"]) == []
    assert replay(scan, *options, "--json") == 0
    out = capsysbinary.readouterr().out
    assert out
    assert b"~" not in out
    assert b"pseudonyms" not in out


@pytest.mark.parametrize("options", [(), ("--stories",)])
def test_so_do_blocks_on_a_terminal(scan, capsys, monkeypatch, options):
    monkeypatch.setattr("dijkwacht.replay.for_people", lambda _args: True)
    assert replay(scan, "--pseudonyms", *options) == 0
    out = capsys.readouterr().out
    assert "~192.168." in out
    assert spans_without_mark(out) == []
    assert replay(scan, *options) == 0
    assert "~" not in capsys.readouterr().out


def test_no_key_makes_a_machine_a_broadcast_address_that_nobody_watches(
    scan, capsysbinary, monkeypatch
):
    key = hashlib.sha256(b"loop 7").digest()
    assert CryptoPan(key).permute(bytes([192, 168, 7, 2]), 16)[3] == 255
    monkeypatch.setattr("dijkwacht.replay.secrets.token_bytes", lambda _: key)
    assert replay(scan, "--pseudonyms", "--json") == 0
    assert b'"scan"' in capsysbinary.readouterr().out


def spans_without_mark(text):
    return [text[a:b] for a, b in spans(text) if text[a] != "~"]


def test_without_a_baseline_to_read_the_recording_is_told_all_the_same(
    scan, tmp_path, capsysbinary
):
    assert replay(scan) == 0
    told = capsysbinary.readouterr().out
    assert told
    assert replay(scan, "--baseline", tmp_path / "none.pcap") == 0
    out, err = capsysbinary.readouterr()
    assert out == told
    assert b"none.pcap: start: expected a file that can be opened" in err
    assert b"0 rows of baseline learned" in err


def test_a_baseline_is_learned_in_silence(make_scan, scan, quiet, capsysbinary):
    assert replay(quiet, "--baseline", scan) == 0
    out, err = capsysbinary.readouterr()
    assert b"192.168.7.66" not in out
    assert b"300 rows of baseline learned" in err
    later = make_scan("later.pcap", 1_700_000_000_000_000 + 90 * DAY, "192.168.7.77")
    assert replay(scan, "--baseline", later) == 0
    out, err = capsysbinary.readouterr()
    assert b"192.168.7.66" in out
    assert b"192.168.7.77" not in out + err
    assert b"moved by -91 days" in err


def test_rows_are_moved_with_all_their_times(rows):
    number, row = moved(rows[0], -DAY)
    flows = TABLE["flows"]
    changed = {
        column.name
        for column, old, new in zip(flows.columns, rows[0][1], row, strict=True)
        if old != new
    }
    assert number == 0
    assert changed == {"time", "start"}


def test_nothing_readable_is_exit_code_2(tmp_path, capsysbinary):
    (tmp_path / "x").write_text("hello")
    assert replay(tmp_path / "x") == 2
    out, err = capsysbinary.readouterr()
    assert out == b""
    assert b"x: start: expected packets" in err
    assert b"Traceback" not in err


def test_one_readable_file_is_enough(tmp_path, scan, capsys):
    (tmp_path / "x").write_text("hello")
    assert replay(tmp_path / "x", scan) == 0
    assert "x: start: expected" in capsys.readouterr().err


def test_speed_waits_as_long_as_it_took_and_not_for_years():
    slept, now = [], itertools.count()
    pacing = RowPacing(2.0, sleep=slept.append, clock=lambda: 0.0)
    before = []
    for time in (0, 1_000_000, 3_000_000, 3_000_000, 400 * DAY):
        pacing.wait_for(time, lambda: before.append(next(now)))
    assert slept == [0.5, 1.5, 1.5, 1.5 + LONGEST_WAIT_S]
    assert pacing.shortened == 1
    assert len(before) == 4


def test_speed_changes_no_incident(scan, capsysbinary):
    assert replay(scan, "--json") == 0
    fast = capsysbinary.readouterr().out
    assert replay(scan, "--json", "--speed", 1e6) == 0
    assert capsysbinary.readouterr().out == fast


def test_the_last_state_is_told_without_the_journal(rows):
    (first, *_) = replay_rows(rows, batch_rows=3)
    assert json.loads(last_finding(first))["metadata"]["sequence"] == 0


def test_notices_come_at_the_time_of_the_rows(rows):
    with OfflineCollector() as collector:
        for batch in cut(rows, 10):
            collector.play("s", batch)
        collector.finish()
        outcome = collector.outcome
    first, last = rows[0][1][0], rows[-1][1][0]
    assert outcome.first_alert
    assert all(first <= time <= last for time in outcome.first_alert.values())
