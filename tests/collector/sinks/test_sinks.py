import asyncio
import os
import random
import sqlite3

import msgspec
import pytest

from dijkwacht_collector.database import connect
from dijkwacht_collector.incidents import (
    Exempted,
    Incident,
    IncidentEvent,
    Part,
    Story,
    StoryEvent,
)
from dijkwacht_collector.journal import FencedOff
from dijkwacht_collector.sinks import (
    IncidentStore,
    JsonLines,
    LiveSink,
    Sinks,
    read_exemptions,
)
from dijkwacht_collector.sinks import store as store_module
from dijkwacht_records.errors import DijkwachtError


def an_event(uid="a", revision=0, activity="create", **changes):
    incident = Incident(
        uid, "bakery", "scan", "scan", "T1046", "10.0.0.7", 0, 3, 90, 0.1, 1_000_000, 2_000_000,
        1, "title", "titel", "desc", "besch", (), revision=revision,
    )  # fmt: skip
    return IncidentEvent(activity, msgspec.structs.replace(incident, **changes), revision + 1)


LIFE = [
    an_event(revision=0),
    an_event("b", revision=0),
    an_event(revision=1, activity="update"),
    an_event(revision=2, activity="close", status="closed"),
]


def written(path):
    return [
        (line["finding_info"]["uid"], line["unmapped"]["revision"])
        for line in map(msgspec.json.decode, path.read_bytes().splitlines())
    ]


def run_through(path, events):
    sink = JsonLines(path)
    sink.open()
    sink.handle(events)
    sink.close()


def test_a_line_a_step(lines):
    run_through(lines, LIFE)
    assert written(lines) == [("a", 0), ("b", 0), ("a", 1), ("a", 2)]


@pytest.mark.parametrize("stop", range(5))
@pytest.mark.parametrize("again", range(5))
def test_what_is_repeated_after_a_restart_is_written_once(lines, stop, again):
    run_through(lines, LIFE[:stop])
    run_through(lines, LIFE[min(again, stop) :])
    assert written(lines) == [("a", 0), ("b", 0), ("a", 1), ("a", 2)]


def test_a_line_cut_anywhere_is_written_anew(lines):
    run_through(lines, LIFE)
    whole = lines.read_bytes()
    for cut in range(0, len(whole), 37):
        lines.write_bytes(whole[:cut])
        run_through(lines, LIFE)
        assert lines.read_bytes() == whole


def test_a_repeat_within_one_step_is_written_once(lines):
    run_through(lines, LIFE + LIFE)
    assert len(written(lines)) == 4


def test_the_clock_is_read_for_logged_time_only(lines):
    sink = JsonLines(lines, clock=lambda: 5_000_000)
    sink.open()
    sink.handle(LIFE[:1])
    sink.close()
    assert msgspec.json.decode(lines.read_bytes())["metadata"]["logged_time"] == 5000


def test_a_full_disk_leaves_no_half_line(lines, monkeypatch):
    sink = JsonLines(lines)
    sink.open()
    sink.handle(LIFE[:1])

    pwrite = os.pwrite

    def full(fd, data, at):
        pwrite(fd, data[:10], at)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", full)
        with pytest.raises(OSError, match="No space"):
            sink.handle(LIFE[1:])
    assert len(written(lines)) == 1
    sink.handle(LIFE[1:])
    sink.close()
    assert len(written(lines)) == 4


def test_a_strangers_line_is_left_alone(lines):
    lines.write_bytes(b"# a remark\n")
    run_through(lines, LIFE)
    assert lines.read_bytes().startswith(b"# a remark\n{")


def test_the_store_holds_each_incident_as_it_stands(store):
    store.handle(LIFE)
    store.handle(LIFE[:3])
    store.handle([])
    assert [i.uid for i in store.incidents(only_open=True)] == ["b"]
    assert store.incident("a") == LIFE[3].incident
    assert store.incident("c") is None
    assert {e.activity for e in store.events()} == {"create", "close"}
    assert store.events(site="clinic") == []
    assert len(store.events(site="bakery", limit=1)) == 1
    assert store.sites() == ["bakery"]
    store.flush()


def test_the_store_is_there_after_a_restart(store, tmp_path):
    store.handle(LIFE)
    store.close()
    again = IncidentStore(tmp_path / "incidents.db")
    again.open()
    assert again.incident("a") == LIFE[3].incident
    again.close()


def test_a_store_is_known_from_one_that_was_made_anew(store, tmp_path):
    path = tmp_path / "incidents.db"
    store.handle(LIFE)
    again = IncidentStore(path)
    again.open()
    assert again.identity == store.identity != ""
    again.close()
    path.unlink()  # as by hand after a crash: the write-ahead log stays behind
    assert path.with_name("incidents.db-wal").stat().st_size > 0
    anew = IncidentStore(path)
    anew.open()
    assert anew.identity not in {"", store.identity}
    assert anew.incidents() == []
    anew.close()


def test_a_store_of_the_first_version_gets_a_name_and_keeps_it(tmp_path):
    connect(tmp_path / "incidents.db", store_module._MIGRATIONS[:1], "").close()
    stores = [IncidentStore(tmp_path / "incidents.db") for _ in range(2)]
    for store in stores:
        store.open()
        store.close()
    assert stores[0].identity == stores[1].identity != ""


def test_any_bit_of_a_store_leaves_it_readable_or_is_said(store, tmp_path):
    path = tmp_path / "incidents.db"
    store.handle(LIFE)
    store.close()
    whole = path.read_bytes()
    bits = {*range(800), *random.Random(3).sample(range(8 * len(whole)), 1200)}
    said = 0
    for bit in bits:
        path.with_name("incidents.db-wal").unlink(missing_ok=True)
        altered = bytearray(whole)
        altered[bit // 8] ^= 1 << bit % 8
        path.write_bytes(altered)
        again = IncidentStore(path)
        try:
            again.open()
            again.incidents(only_open=True)
            again.incidents()
        except DijkwachtError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017  most bits lie in free space
            assert "\n" not in str(error)  # noqa: PT017
            said += 1
        finally:
            again.close()
    assert said > 20


def test_the_fan_hands_everything_to_everyone(lines, store):
    heard = []
    sinks = Sinks([store, JsonLines(lines), LiveSink(heard.append)])
    sinks.open()
    sinks.handle(LIFE)
    sinks.flush()
    sinks.close()
    assert len(written(lines)) == 4
    assert heard == []


async def test_news_reaches_the_loop():
    heard = asyncio.Queue()
    sink = LiveSink(heard.put_nowait)
    sink.open()
    sink.attach(asyncio.get_running_loop())
    await asyncio.to_thread(sink.handle, LIFE)
    assert [await heard.get() for _ in LIFE] == LIFE
    sink.close()
    sink.handle(LIFE)
    assert heard.empty()


def test_a_database_that_fails_is_an_os_error_to_whoever_hands_events(store):
    store._database.execute("DROP TABLE incidents")
    with pytest.raises(OSError, match="incidents: no such table"):
        store.handle([an_event("one")])


def test_a_flush_syncs_though_somebody_reads(store, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    reader = sqlite3.connect(store._path)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM incidents").fetchall()
    store.handle([an_event("one")])
    store.flush()
    reader.close()
    assert len(synced) == 1


def test_what_a_former_owner_says_reaches_no_sink(store, lines):
    kept = JsonLines(lines)
    kept.open()
    sinks = Sinks([store, kept], store.fence)
    sinks.handle([an_event("a")], 7)
    sinks.handle([an_event("b")], 9)
    with pytest.raises(FencedOff, match="partition 95: epoch 7 has ended, 9 is its owner's"):
        sinks.handle([an_event("c")], 7)
    elsewhere = an_event("d", site="clinic")
    sinks.handle([elsewhere], 7)
    kept.close()
    assert written(lines) == [("a", 0), ("b", 0), ("d", 0)]
    assert {incident.uid for incident in store.incidents()} == {"a", "b", "d"}


def an_exemption(subject="10.0.0.7", **changes):
    row = Exempted("scan", subject, 5_000, 1_000, "Jan", "a", 3, 9)
    return msgspec.structs.replace(row, **changes)


def test_what_a_site_calls_normal_is_replaced_and_read_by_another_process(store, tmp_path):
    path = tmp_path / "incidents.db"
    first, later = an_exemption(), an_exemption("10.0.0.8", since=2_000)
    gone = an_exemption("10.0.0.9", until=0)
    store.show_exemptions({"bakery": [first, later, gone], "clinic": [first]})
    assert store.exemptions("bakery", 4_999) == [later, first]
    assert read_exemptions(path, "bakery", 4_999) == [later, first]
    assert read_exemptions(path, "bakery", 5_000) == [], "they have ended"
    store.show_exemptions({"bakery": [later], "nowhere": []})
    assert store.exemptions("bakery", 0) == [later]
    assert store.exemptions("clinic", 0) == [first]
    assert read_exemptions(tmp_path / "none.db", "bakery", 0) == []
    assert not (tmp_path / "none.db").exists()


def test_a_store_of_before_has_no_exemptions(tmp_path):
    connect(tmp_path / "incidents.db", store_module._MIGRATIONS[:3], "").close()
    assert read_exemptions(tmp_path / "incidents.db", "bakery", 0) == []
    (tmp_path / "incidents.db").write_bytes(b"damaged" * 1000)
    with pytest.raises(DijkwachtError, match="file is not a database"):
        read_exemptions(tmp_path / "incidents.db", "bakery", 0)


def test_a_former_owner_shows_no_exemptions(store):
    store.show_exemptions({"bakery": [an_exemption()]}, 9)
    with pytest.raises(FencedOff):
        store.show_exemptions({"bakery": []}, 7)
    assert store.exemptions("bakery", 0) == [an_exemption()]


def test_what_ended_long_ago_goes_unless_it_is_open_or_was_told_lately(tmp_path):
    now = [100]
    store = IncidentStore(tmp_path / "incidents.db", lambda: now[0])
    store.open()
    over = {"status": "closed", "activity": "close"}
    store.handle([an_event(f"old-{n}", end=50 + n, **over) for n in range(5)])
    store.handle([an_event("open", end=50), an_event("later", end=500, **over)])
    now[0] = 400
    store.handle([an_event("old-4", revision=1, end=54, **over)])
    assert store.trim(100) == 0, "an old recording's incidents are as new as they were told"
    assert store.trim(101, most=3) == 3
    assert store.trim(101, most=3) == 1
    assert {i.uid for i in store.incidents()} == {"old-4", "open", "later"}
    assert store.trim(10**6) == 2
    assert [i.uid for i in store.repeatable()] == ["open", "open"]
    store.close()


def test_what_a_store_of_before_holds_is_as_new_as_the_upgrade(tmp_path):
    path = tmp_path / "incidents.db"
    old = connect(path, store_module._MIGRATIONS[:3], "")
    row = store_module._row(an_event("a", status="closed"), 0)[:11]
    with old:
        old.execute(f"INSERT INTO incidents VALUES ({', '.join('?' * len(row))})", row)
    old.close()
    store = IncidentStore(path)
    store.open()
    assert store.incident("a").status == "closed"
    assert store.trim(2_000_001) == 0, "an old recording's, told a day before the upgrade"
    assert store.trim(1 << 60) == 1
    assert store.incidents() == []
    store.close()


def a_story(uid="s", revision=0, activity="create", **changes):
    parts = (Part.of(an_event("a").incident), Part.of(an_event("b").incident))
    story = Story(uid, "bakery", "10.0.0.7", 1_000_000, 2_000_000, parts, 3, revision=revision)
    return StoryEvent(activity, msgspec.structs.replace(story, **changes), revision + 1)


def test_a_step_of_a_story_is_a_line_and_is_written_once(lines):
    told = [*LIFE[:2], a_story(), a_story(revision=1, activity="close", status="closed")]
    run_through(lines, told[:3])
    run_through(lines, told)
    found = [msgspec.json.decode(line) for line in lines.read_bytes().splitlines()]
    assert [line["class_uid"] for line in found] == [2004, 2004, 2005, 2005]
    assert [line["metadata"]["uid"] for line in found] == ["a-0", "b-0", "s-0", "s-1"]


def test_the_store_has_stories_as_they_stand_and_their_findings(store):
    of_it = [an_event(uid, story="s", start=at) for at, uid in ((9, "b"), (4, "a"))]
    other = a_story("t", site="clinic", end=9_000_000)
    last = a_story(revision=2, activity="close", status="closed")
    store.handle([*of_it, an_event("c"), a_story(), other, last, a_story(revision=1)])
    assert store.story("s") == last.story
    assert store.story("a") is None
    assert store.story_events("bakery") == [last]
    assert [story.uid for story in store.stories()] == ["t", "s"]
    assert [story.uid for story in store.stories(only_open=True)] == ["t"]
    assert [story.uid for story in store.stories(limit=1)] == ["t"]
    assert store.stories(called=True) == []
    assert [story.uid for story in store.stories(called=False, limit=1)] == ["t"]
    assert [incident.uid for incident in store.findings("s")] == ["a", "b"]
    assert store.findings("") == []
    assert sorted(store.sites()) == ["bakery", "clinic"]
    assert {told.uid for told in store.repeatable()} == {"a", "b", "c", "s", "t"}


def test_a_finding_that_another_story_takes_is_of_that_one(store):
    store.handle([an_event("a", story="s"), an_event("a", 1, "update", story="t")])
    assert store.findings("s") == []
    assert [incident.uid for incident in store.findings("t")] == ["a"]


def test_stories_that_are_over_go_when_they_are_old(store):
    store.handle([a_story("open"), a_story("over", status="normal")])
    assert store.trim(2_000_000) == 0
    assert store.trim(2_000_001) == 1
    assert [story.uid for story in store.stories()] == ["open"]
