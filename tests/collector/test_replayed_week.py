"""An agent that was cut off for a week sends all it has at once: what happened is told, no flood."""

from types import SimpleNamespace

import pytest

from dijkwacht_agent.batches import Batcher
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.privacy import Pseudonyms
from dijkwacht_agent.spool import Spool
from dijkwacht_collector.engine import Engine
from dijkwacht_collector.incidents import Incident, Story
from dijkwacht_collector.journal import Entry
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.columns import Columns
from dijkwacht_records.tables import ConnState, FlowState

HOUR = 3_600_000_000
WEEK = 168 * HOUR
SCAN_BEGINS = WORKING_MORNING + 50 * HOUR
INTRUDER, SERVER = pack_address("192.168.250.66"), pack_address("192.168.250.2")
KEY = bytes(range(32))
MEDIUM = 3
FEW_ASK_FOR_SOMEBODY = 3
FEW_IN_ALL = 15
STEP = 64
"""Entries the engine is handed at once."""


def scan():
    """Three hundred closed doors knocked at within ten seconds."""
    for knock in range(300):
        time = SCAN_BEGINS + knock * 30_000
        yield 0, (
            time, time, 1 << 61 | knock, 0, FlowState.END, INTRUDER, SERVER, 40_000, 1 + knock,
            6, 0, ConnState.REJ, 2, 20, 1, 1, 0, 0, 1, 1,
        )  # fmt: skip


def week():
    """A week of an office, with a scan on its third day, as (µs, row) in the order of an agent."""
    scanned = list(scan())
    now = 0
    for number, row in office_rows(41, 8, WORKING_MORNING, WEEK, rate=0.3):
        now = max(now, row[0])
        if scanned and now >= SCAN_BEGINS:
            yield from scanned
            scanned = []
        yield number, row


@pytest.fixture(scope="module")
def drained(tmp_path_factory):
    """The week through batcher and spool: (arrival had it been live, wire bytes), oldest first."""
    privacy = Pseudonyms(KEY, LocalNetworks())
    now = 0
    batcher = Batcher("bakery", "till", privacy, lambda: now, bytes(16))
    spool = Spool(tmp_path_factory.mktemp("spool"))
    arrivals = []

    def ship(*, everything=False):
        for parcel in batcher.take(everything=everything):
            assert spool.append(parcel.wire, parcel.rows)
            arrivals.append(now)

    for number, row in week():
        now = max(now, row[0])
        batcher.add(Columns.of([(number, row)]))
        if batcher.rows_made % 1000 == 0:
            ship()
    ship(everything=True)
    parcels = []
    while record := spool.peek():
        parcels.append(record.wire)
        spool.settle(record)
    spool.close()
    assert batcher.rows_refused == 0
    assert len(parcels) == len(arrivals)
    return SimpleNamespace(
        parcels=list(zip(arrivals, parcels, strict=True)),
        intruder=privacy.address(INTRUDER),
        rows=batcher.rows_made,
    )


def incidents(parcels):
    """What an engine makes of (arrival, wire bytes): the last word on every incident and story, by uid."""
    engine = Engine(shipped_detectors())
    entries = [
        Entry(at, "batch", 0, arrival, "bakery", wire)
        for at, (arrival, wire) in enumerate(parcels, 1)
    ]
    last = {}
    for begin in range(0, len(entries), STEP):
        last |= {e.uid: e.told for e in engine.step(entries[begin : begin + STEP])}
    last |= {e.uid: e.told for e in engine.finish()}
    return last


@pytest.fixture(scope="module")
def at_once(drained):
    """Incidents when the whole week arrives in one moment, an hour after its end."""
    arrival = WORKING_MORNING + WEEK + HOUR
    return incidents([(arrival, wire) for _, wire in drained.parcels])


def test_a_week_of_rows_was_drained(drained):
    assert drained.rows > 100_000


def test_there_is_no_flood_of_incidents(at_once):
    found = [each for each in at_once.values() if isinstance(each, Incident)]
    loud = [each for each in found if each.severity_id >= MEDIUM]
    told = [(each.kind, each.detector, each.title_en) for each in loud]
    assert len(loud) <= FEW_ASK_FOR_SOMEBODY, told
    assert len(found) <= FEW_IN_ALL
    calls = [call for each in at_once.values() if isinstance(each, Story) for call in each.calls]
    assert len(calls) <= FEW_ASK_FOR_SOMEBODY, calls


def test_the_scan_of_that_week_is_told_with_its_own_time(at_once, drained):
    scans = [
        each
        for each in at_once.values()
        if isinstance(each, Incident)
        and each.kind == "scan"
        and each.severity_id >= MEDIUM
        and drained.intruder in {e.src_h for e in each.evidences}
    ]
    assert scans
    assert all(abs(each.start - SCAN_BEGINS) < HOUR for each in scans)


def test_a_backlog_is_judged_as_it_would_have_been_live(at_once, drained):
    assert incidents(drained.parcels) == at_once
