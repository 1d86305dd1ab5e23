"""One release after another on the same state: nothing is told twice, nothing that is open is forgotten."""

from itertools import pairwise

import pytest

from dijkwacht_collector.journal import PARTITIONS, Bundles, Model, Verdict
from dijkwacht_lab.traffic import WORKING_MORNING

SCANS_OPEN = 12
"""So many batches in, scans are open at two of three sites; the guessing comes after it."""
GUESSES_OPEN = 30
"""So many in, guessing is open at two of three sites, too."""
CHANGES = ("added", "removed", "changed", "calibrated")
HOLDS = {"removed": {"scan"}}


def kinds_told(events):
    return {(e.incident.site, e.incident.kind) for e in events if e.incident.severity_id >= 3}


@pytest.fixture(params=["stop", "crash", "crash unsaved"])
def upgraded(request, house):
    """A function: the first release decides some drafts and ends; another takes over."""

    def upgrade(drafts, second, first="first"):
        running = house.start(first)
        saved = {"stop": len(drafts), "crash": len(drafts) // 2, "crash unsaved": 0}[request.param]
        if saved:
            running.feed(drafts[:saved])
            running.close()
            running = house.start_again(first)
        running.feed(drafts[saved:])
        if request.param == "stop":
            running.close()
        else:
            house.crash()
        return house.start_again(second)

    return upgrade


@pytest.mark.parametrize(
    ("at", "change"), [(GUESSES_OPEN, change) for change in CHANGES] + [(SCANS_OPEN, "changed")]
)
def test_what_was_told_is_not_told_again_and_what_comes_is_decided(
    house, upgraded, morning, afternoon, named_once, at, change
):
    running = upgraded(morning[:at], change)
    before = len(house.told.events)
    assert {i.kind for i in running.store.incidents(only_open=True)} >= {"scan"}
    running.feed(morning[at:])
    later = kinds_told(house.told.events[before:])
    kinds = HOLDS.get(change, {"scan", "bruteforce"})
    assert later >= {("garage", kind) for kind in kinds if at < 14 or kind == "bruteforce"}
    running.feed(afternoon)
    assert running.open_uids() == set()
    assert running.store.incidents(only_open=True) == []
    named_once(house.told.events)
    closed = {e.incident.uid for e in house.told.events if e.activity == "close"}
    assert closed == {e.incident.uid for e in house.told.events}


def test_a_detector_that_is_added_tells_nothing_from_before(
    house, upgraded, morning, afternoon, named_once
):
    running = upgraded(morning[:GUESSES_OPEN], "first", first="removed")
    assert {e.incident.kind for e in house.told.events} == {"scan"}
    running.feed(morning[GUESSES_OPEN:])
    guessing = {
        e.incident.uid: e.incident for e in house.told.events if e.incident.kind == "bruteforce"
    }
    assert {i.site for i in guessing.values()} >= {"garage"}
    released = morning[GUESSES_OPEN - 1].arrival
    assert min(i.start for i in guessing.values()) > released - 60_000_000
    running.feed(afternoon)
    named_once(house.told.events)


@pytest.mark.parametrize("change", CHANGES)
def test_what_another_release_opened_can_be_answered(house, upgraded, morning, named_once, change):
    running = upgraded(morning[:GUESSES_OPEN], change)
    for incident in running.store.incidents(only_open=True):
        running.feed([Verdict(incident.uid, "normal").draft(incident.site, WORKING_MORNING)])
        answered = running.store.incident(incident.uid)
        assert answered.status == "normal"
        assert "192.168.77.66" in answered.title_en
    before = len(house.told.events)
    running.feed(morning[GUESSES_OPEN:])
    assert {site for site, _ in kinds_told(house.told.events[before:])} <= {"garage"}
    named_once(house.told.events)


def test_growth_is_told_as_steps_of_the_same_incident(house, upgraded, morning, named_once):
    running = upgraded(morning[:9], "added")
    [before] = running.store.incidents(only_open=True)
    running.feed(morning[9:16])
    after = running.store.incident(before.uid)
    assert (after.revision, after.count) > (before.revision, before.count)
    named_once(house.told.events)


@pytest.mark.parametrize("ways", [("crash", "stop"), ("stop", "crash"), ("crash", "crash")])
@pytest.mark.parametrize(
    "releases",
    [
        ("first", "added", "first"),
        ("first", "changed", "calibrated"),
        ("removed", "first", "removed"),
    ],
)
def test_there_and_back_again(house, morning, afternoon, named_once, releases, ways):
    """Any way of releases, each of which ends in a stop or in a crash before it has saved anything."""
    cuts = (0, SCANS_OPEN, GUESSES_OPEN - 4, len(morning))
    for n, (begin, end) in enumerate(pairwise(cuts)):
        running = house.start_again(releases[n])
        running.feed(morning[begin:end])
        if n < 2 and ways[n] == "crash":
            house.crash()
        elif n < 2:
            running.close()
    running.feed(afternoon)
    assert running.store.incidents(only_open=True) == []
    named_once(house.told.events)
    assert kinds_told(house.told.events) >= {(s, "scan") for s in ("bakery", "clinic", "garage")}


@pytest.mark.parametrize("second", ["added", "first"])
def test_an_upgrade_that_crashes_again_and_again(house, morning, afternoon, named_once, second):
    running = house.start("first")
    running.feed(morning[:8])
    running.close()
    house.start("first").feed(morning[8:9])
    house.crash()
    for begin, end in ((9, 13), (13, 25), (25, 33)):
        running = house.start_again(second)
        running.feed(morning[begin:end])
        house.crash()
    running = house.start_again(second)
    running.feed(morning[33:] + afternoon)
    assert running.store.incidents(only_open=True) == []
    named_once(house.told.events)


@pytest.mark.parametrize("second", ["added", "first"])
def test_checkpoints_that_are_lost_with_the_start_of_the_journal(
    house, morning, afternoon, named_once, second
):
    running = house.start("first")
    running.feed(morning[:10])
    running.close()
    for begin, end in ((10, 18), (18, 30)):
        running = house.start_again(second)
        running.feed(morning[begin:end])
        if end == 18:
            house.crash()
    running.close()
    running = house.start_again(second)
    for partition in range(128):
        running.journal.trim(partition, 128 + 128 + 5)
    assert running.journal.sweep(2**62) > 0
    running.close()
    for path in (running.folder / "checkpoints").iterdir():
        path.write_bytes(b"damaged")
    running = house.start_again(second, grown=second == "first")
    running.feed(morning[30:] + afternoon)
    assert running.store.incidents(only_open=True) == []
    named_once(house.told.events)


@pytest.mark.parametrize("way", ["stop", "crash", "journal alone"])
def test_a_detector_that_is_gone_is_forgotten_with_its_model_and_that_is_said(
    house, morning, afternoon, named_once, caplog, way
):
    running = house.start("trained")
    running.feed(morning[:10])
    bundle = Bundles(running.folder / "journal" / "bundles").keep(b"a forest")
    draft = Model("volume", bundle).draft("", running.now)
    running.journal.append_all([(partition, draft) for partition in range(PARTITIONS)])
    running.feed(morning[10:GUESSES_OPEN])
    [engine] = running.engines
    trained = engine.host.hosted[engine.host.number("volume")]
    assert any(one.model == b"a forest" for one in trained.instances.each.values())
    assert engine.take_samples()["volume"].seen.sum() > 0
    if way == "crash":
        running.close()
        house.start_again("trained")
        house.crash()
    else:
        running.close()
    if way == "journal alone":
        for path in (house.folder / "checkpoints").glob("partition-*"):
            path.unlink()
    with caplog.at_level("WARNING"):
        running = house.start_again("first", grown=way == "journal alone")
    said = [record.detectors for record in caplog.records if "are gone" in record.message]
    assert all(names == ["volume"] for names in said)
    assert bool(said) == (way != "journal alone"), "a journal names no detector's memory"
    running.feed(morning[GUESSES_OPEN:])
    running.feed(afternoon)
    assert kinds_told(house.told.events) >= {
        (s, k) for s in ("bakery", "clinic", "garage") for k in ("scan", "bruteforce")
    }
    named_once(house.told.events)
    assert running.workers.troubles == []
