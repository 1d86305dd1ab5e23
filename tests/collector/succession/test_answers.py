"""What a person answered around an upgrade is obeyed, whoever was running, or nobody."""

import msgspec
import pytest

from dijkwacht_collector.engine.checkpoints import read_checkpoint, write_frames
from dijkwacht_collector.engine.site_record import Owner
from dijkwacht_collector.incidents.open_incidents import NORMAL_US
from dijkwacht_collector.journal import Journal, Verdict, partition_of
from dijkwacht_lab.traffic import WORKING_MORNING

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
    """By class and subject, until when ``site`` has nothing told, as the engine knows it."""
    return {
        key[1:]: until
        for engine in running.engines
        for key, until in engine.incidents.exempt_until.get(site, {}).items()
    }


def learned(running, site):
    """Hours that the policy of `scan` counts as normal at ``site``."""
    [engine] = running.engines
    at = engine.numbering.site(site)
    return int(engine.policy.detectors[engine.host.number("scan")].history[at].sum())


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
    hours = learned(running, "bakery")
    house.crash()
    running = house.start_again(second)
    assert learned(running, "bakery") == hours
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
    if verdict == "normal":
        assert learned(running, "bakery") == 1
    running.feed(morning[BEFORE:] + afternoon)
    check_obeyed(house, running, open_before, status)
    running.close()
    running = house.start_again("first")
    check_obeyed(house, running, open_before, status)
    named_once(house.told.events)


def test_an_answer_is_learned_once_though_its_site_was_saved_ahead_of_its_partition(house, morning):
    """A checkpoint takes a partition first and its sites later: they may know of more than it."""
    running = house.start("first")
    running.feed(morning[:BEFORE])
    [engine], partition = running.engines, partition_of("bakery")
    state = engine.state_of(partition, Owner())
    running.feed([answer(scan_at(running, "bakery"))])
    record = engine.take("bakery")
    assert learned(running, "bakery") == 1
    running.feed([d for d in morning[BEFORE : BEFORE + 6] if d.site == "bakery"])
    running.close()
    (running.folder / "checkpoints" / f"partition-{partition:03d}.previous").unlink(missing_ok=True)
    path = running.folder / "checkpoints" / f"partition-{partition:03d}.checkpoint"
    state = msgspec.structs.replace(state, store_id=read_checkpoint(path).state.store_id)
    with path.open("wb") as file:
        write_frames(file, map(msgspec.msgpack.encode, (state, record)))
    running = house.start_again("added")
    assert learned(running, "bakery") == 1
