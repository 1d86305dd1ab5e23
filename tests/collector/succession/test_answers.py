"""What a person answered around an upgrade is obeyed, whoever was running, or nobody."""

import msgspec
import pytest

from dijkwacht_collector.incidents.exemptions import NORMAL_US
from dijkwacht_collector.journal import Exemption, Journal, Verdict, partition_of
from dijkwacht_lab.traffic import WORKING_MORNING

HOUR = 3_600_000_000
BEFORE = 12
"""So many batches in, scans are open at two of three sites."""
RELEASES = ("first", "added", "removed", "changed", "calibrated")


def scan_at(running, site):
    [found] = [i for i in running.store.incidents(site) if i.kind == "scan"]
    return found


def answer(incident, verdict="normal"):
    return Verdict(incident.uid, verdict).draft(incident.site, WORKING_MORNING)


def append_while_nobody_runs(folder, draft):
    journal = Journal(folder / "journal")
    journal.open()
    journal.append_all([(partition_of(draft.site), draft)])
    journal.close()


def exempted(running, site):
    """By class and machine, until when ``site`` has nothing told, as the engine knows it."""
    return {
        (row.kind, row.machine): row.until
        for engine in running.engines
        for row in engine.incidents.exemptions.of(site)
        if row.machine
    }


def check_obeyed(house, running, incident, status="normal"):
    of_it = [e for e in house.told.events if e.incident.uid == incident.uid]
    assert {e.incident.revision for e in of_it if e.activity == "close"} == {
        of_it[-1].incident.revision
    }
    assert running.store.incident(incident.uid).status == status
    if status == "normal":
        assert (
            exempted(running, incident.site)["scan", incident.subject] >= incident.end + NORMAL_US
        )


@pytest.mark.parametrize("saved", ["saved", "unsaved"])
@pytest.mark.parametrize("second", RELEASES)
def test_an_answer_since_the_last_checkpoint(house, morning, afternoon, named_once, second, saved):
    running = house.start("first")
    running.feed(morning[:BEFORE])
    if saved == "saved":
        running.close()
        running = house.start("first")
    open_before = scan_at(running, "bakery")
    running.feed([answer(open_before)])
    exempt = exempted(running, "bakery")
    house.crash()
    running = house.start_again(second)
    assert exempted(running, "bakery") == exempt
    running.feed(morning[BEFORE:])
    check_obeyed(house, running, open_before)
    assert scan_at(running, "bakery").revision == running.store.incident(open_before.uid).revision
    running.feed(afternoon)
    running.close()
    running = house.start_again(second)
    check_obeyed(house, running, open_before)
    named_once(house.told.events)


@pytest.mark.parametrize("verdict", ["normal", "attack"])
@pytest.mark.parametrize("way", ["stop", "crash"])
@pytest.mark.parametrize("second", RELEASES)
def test_an_answer_while_nobody_runs(house, morning, afternoon, named_once, second, way, verdict):
    running = house.start("first")
    running.feed(morning[:BEFORE])
    open_before = scan_at(running, "bakery")
    if way == "stop":
        running.close()
    else:
        house.crash()
    append_while_nobody_runs(house.folder, answer(open_before, verdict))
    running = house.start(second)
    running.fold()
    status = {"normal": "normal", "attack": "confirmed"}[verdict]
    check_obeyed(house, running, open_before, status)
    running.feed(morning[BEFORE:] + afternoon)
    check_obeyed(house, running, open_before, status)
    running.close()
    running = house.start_again("first")
    check_obeyed(house, running, open_before, status)
    named_once(house.told.events)


def answer_late(incident, verdict, hours, by="Jan"):
    """As the console does: with the incident as it was seen, ``hours`` after it had been closed."""
    time = incident.end + hours * HOUR
    about = msgspec.msgpack.encode(incident)
    return Verdict(incident.uid, verdict, by, about).draft(incident.site, time)


def words_of(house, uid):
    """Status and name of each step that answers an incident."""
    steps = {e.incident.revision: e.incident for e in house.told.events if e.incident.uid == uid}
    assert sorted(steps) == list(range(len(steps))), "no step is missing"
    told = [e.incident for e in house.told.events if e.incident.uid == uid]
    assert all(incident == steps[incident.revision] for incident in told), "no step says two things"
    return [(i.status, i.answered_by) for _, i in sorted(steps.items()) if i.answered]


@pytest.mark.parametrize("way", ["stop", "crash"])
@pytest.mark.parametrize("second", RELEASES)
def test_a_late_answer_is_learned_changed_and_undone_across_upgrades(
    house, morning, afternoon, second, way
):
    running = house.start("first")
    running.feed(morning[:BEFORE] + afternoon)
    closed = scan_at(running, "bakery")
    assert closed.status == "closed"
    said, releases = [], (second, "first", second)
    for number, (verdict, status) in enumerate(
        (("normal", "normal"), ("attack", "confirmed"), ("normal", "normal"), ("undone", "closed"))
    ):
        running.feed([answer_late(closed, verdict, 24 + number, f"Jan {number}")])
        said.append((status, f"Jan {number}"))
        if number == 3:
            break
        if way == "stop":
            running.close()
        else:
            house.crash()
        running = house.start(releases[number])
        running.fold()
        assert words_of(house, closed.uid) == said, "nothing is told twice"
        until = exempted(running, "bakery")["scan", closed.subject]
        expected = closed.end + (24 + number) * HOUR + NORMAL_US
        assert until == (expected if status == "normal" else 0)
    assert words_of(house, closed.uid) == said
    house.crash()
    running = house.start_again("added")
    assert words_of(house, closed.uid) == said
    assert not exempted(running, "bakery")["scan", closed.subject], "what was undone stays undone"
    assert running.store.incident(closed.uid).answered_by == "Jan 3"


@pytest.mark.parametrize("second", RELEASES)
def test_late_answers_while_nobody_runs(house, morning, afternoon, second):
    running = house.start("first")
    running.feed(morning[:BEFORE] + afternoon)
    closed = scan_at(running, "bakery")
    running.feed([answer_late(closed, "attack", 1)])
    house.crash()
    for number, verdict in enumerate(("normal", "attack", "normal")):
        draft = answer_late(closed, verdict, 2 + number, f"Jan {number}")
        append_while_nobody_runs(house.folder, draft)
    said = [
        ("confirmed", "Jan"), ("normal", "Jan 0"), ("confirmed", "Jan 1"), ("normal", "Jan 2"),
    ]  # fmt: skip
    running = house.start(second)
    running.fold()
    assert words_of(house, closed.uid) == said
    running.close()
    running = house.start_again("first")
    assert words_of(house, closed.uid) == said
    assert exempted(running, "bakery")["scan", closed.subject] == closed.end + 4 * HOUR + NORMAL_US


def test_what_is_taken_back_while_another_decides_does_not_come_back(house, morning, afternoon):
    """The store of the release before says "normal"; the entry behind it says that this has ended."""
    running = house.start("first")
    running.feed(morning[:BEFORE] + afternoon)
    closed = scan_at(running, "bakery")
    running.feed([answer_late(closed, "normal", 24)])
    lifted = Exemption("scan", closed.subject, 0).draft("bakery", closed.end + 25 * HOUR)
    running.feed([lifted])
    house.crash()
    running = house.start_again("added")
    kept = [row for e in running.engines for row in e.incidents.exemptions.of("bakery")]
    assert kept, "what was taken back is remembered as that"
    assert [row for row in kept if row.until] == []


def test_the_store_shows_what_is_normal_and_how_much_it_has_hidden(
    house, morning, afternoon, busy_day
):
    running = house.start("first")
    running.feed(morning[:BEFORE] + afternoon)
    closed = scan_at(running, "bakery")
    running.feed([answer_late(closed, "normal", 0)])
    [shown] = running.store.exemptions("bakery", 0)
    assert (shown.kind, shown.machine, shown.by, shown.uid) == (
        "scan", closed.subject, "Jan", closed.uid,
    )  # fmt: skip
    assert shown.until == closed.end + NORMAL_US
    running.feed(busy_day("bakery", 1, WORKING_MORNING + 24 * HOUR, attacked=True))
    running.close()
    running = house.start_again("added")
    [shown] = running.store.exemptions("bakery", 0)
    assert shown.hidden > 0
    assert [shown] == [r for e in running.engines for r in e.incidents.exemptions.of("bakery")]
    running.feed([answer_late(closed, "undone", 30)])
    assert running.store.exemptions("bakery", 0) == []
