"""The same release, stopped or crashed anywhere and with any number of workers, decides as if it never was."""

import shutil
import sqlite3
import tempfile
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def by_step(events):
    steps = {}
    for event in events:
        incident = event.incident
        body = msgspec.json.encode(incident)
        known = steps.setdefault((incident.site, incident.uid, incident.revision), body)
        assert known == body, "what is repeated is the same"
    return steps


@pytest.fixture(scope="session")
def undisturbed(make_house, morning, afternoon, tmp_path_factory):
    house = make_house(tmp_path_factory.mktemp("undisturbed"))
    house.start("first").feed(morning + afternoon)
    house.close()
    return by_step(house.told.events)


@pytest.fixture(scope="session")
def decides_as_undisturbed(make_house, morning, afternoon, undisturbed):
    """A function: a run that is disturbed as it is told to be must tell the same."""

    def check(breaks, workers):
        with tempfile.TemporaryDirectory() as folder:
            house = make_house(Path(folder))
            try:
                disturbed(house, morning, breaks, workers).feed(afternoon)
            finally:
                house.close()
        assert by_step(house.told.events) == undisturbed

    return check


def disturbed(house, morning, breaks, workers):
    """What runs in the end. ``breaks``: by number of batches, how it ends there, and whether it saves often."""
    cuts = [0, *sorted(breaks), len(morning)]
    for count, (begin, end) in zip(workers, pairwise(cuts), strict=False):
        way, often = breaks.get(end, ("go on", True))
        running = house.start("first", count, 0.0 if often else 1000.0)
        running.feed(morning[begin:end])
        if way == "crash":
            house.crash()
        elif way == "stop":
            running.close()
    return running


def test_there_is_something_to_compare(undisturbed):
    assert len({uid for _, uid, _ in undisturbed}) == 6


@settings(max_examples=5)
@given(
    breaks=st.dictionaries(
        st.integers(1, 41), st.tuples(st.sampled_from(["stop", "crash"]), st.booleans()), max_size=3
    ),
    workers=st.lists(st.sampled_from([1, 2, 4]), min_size=4, max_size=4),
)
def test_it_decides_as_an_undisturbed_run(decides_as_undisturbed, breaks, workers):
    decides_as_undisturbed(breaks, workers)


def test_entries_that_came_while_it_was_down_are_decided(house, morning, afternoon, undisturbed):
    running = house.start("first")
    running.feed(morning[:20])
    house.crash()
    running = house.start("first")
    running.append(morning[20:31])  # not folded, perhaps, when the power fails
    house.crash()
    running = house.start("first", 2)
    running.feed(morning[31:] + afternoon)
    assert by_step(house.told.events) == undisturbed


def test_a_store_that_is_lost_is_filled_again_from_what_other_releases_decided(
    house, morning, afternoon, named_once
):
    """Where the incidents are lost, the journal is decided again: there is nobody who knows them."""
    running = house.start("removed")
    running.feed(morning[:30])
    running.close()
    running = house.start("first")
    running.feed(morning[30:])
    running.close()
    (running.folder / "incidents.db").unlink()
    house.told.events.clear()
    running = house.start("first")
    running.fold()
    kinds = {(i.site, i.kind) for i in running.store.incidents(only_open=True)}
    assert kinds >= {(s, k) for s in ("bakery", "clinic", "garage") for k in ("scan", "bruteforce")}
    house.crash()
    running = house.start_again("first")
    running.feed(afternoon)
    assert running.store.incidents(only_open=True) == []
    named_once(house.told.events)


@pytest.mark.parametrize("second", ["first", "added"])
def test_a_journal_alone_gives_its_incidents_back_whoever_reads_it(
    house, morning, named_once, second
):
    """Store and checkpoints are gone, as where only the journal was kept: nothing was said here."""
    running = house.start("first")
    running.feed(morning)
    running.close()
    (running.folder / "incidents.db").unlink()
    shutil.rmtree(running.folder / "checkpoints")
    house.told.events.clear()
    running = house.start(second)
    running.fold()
    kinds = {(i.site, i.kind) for i in running.store.incidents()}
    assert kinds >= {(s, k) for s in ("bakery", "clinic", "garage") for k in ("scan", "bruteforce")}
    named_once(house.told.events)


def test_an_older_copy_of_the_store_is_filled_again(house, morning, caplog):
    running = house.start("first")
    running.feed(morning[:3])
    with sqlite3.connect(running.folder / "incidents.db") as now:
        now.backup(older := sqlite3.connect(running.folder / "older"))
    now.close()
    older.close()
    running.feed(morning[3:])
    running.close()
    known = {(i.uid, i.revision, i.status) for i in house.incidents()}
    assert len(known) >= 6
    for left in running.folder.glob("incidents.db*"):
        left.unlink()
    (running.folder / "older").rename(running.folder / "incidents.db")
    running = house.start("first")
    running.fold()
    running.close()
    assert {(i.uid, i.revision, i.status) for i in house.incidents()} == known
    assert {r.message for r in caplog.records if r.levelname == "WARNING"} == {
        "checkpoint is ahead of incidents.db"
    }
