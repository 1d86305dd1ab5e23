"""A journal with batches of a contract that this engine does not read, as after a collector was set back."""

import asyncio
import logging
import threading
import time

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from dijkwacht_collector.app import build_app
from dijkwacht_collector.engine import DetectorSet, Engine
from dijkwacht_collector.engine.unread import find_unread
from dijkwacht_collector.journal import PARTITIONS, Entry, Journal, batch_draft, partition_of
from dijkwacht_collector.logs import JsonFormatter
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sites import Sites
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.contracts import READS
from dijkwacht_records.errors import UnknownContract
from dijkwacht_records.tables import ConnState, FlowState
from dijkwacht_records.wire import decode, encode

NOW = 1_790_000_000_000_000
LATER = 9
SERVER, INTRUDER = pack_address("192.168.1.20"), pack_address("192.168.1.66")


def scan(first, ports):
    """Rows of somebody who tries ``ports`` of a server, ten a second."""
    return [
        (0, (
            NOW + port * 100_000, NOW + port * 100_000, port, 0, FlowState.END, INTRUDER, SERVER,
            40_000, port, 6, 0, ConnState.REJ, 2, 4, 1, 1, 0, 0, 1, 1,
        ))
        for port in range(first, first + ports)
    ]  # fmt: skip


def body(seq, version=1):
    """Part ``seq`` of a scan, said to be of ``version``."""
    wire = encode("bakery", "desk", bytes(16), seq, NOW, scan(1 + seq * 100, 100), 1)
    return wire[:3] + bytes([version]) + wire[4:]


class ReadsLater(Engine):
    """An engine after the upgrade: `LATER` is the first contract by another number."""

    def step(self, entries):
        return super().step([self.readable(entry) for entry in entries])

    def readable(self, entry):
        body = entry.payload
        if entry.kind != "batch" or body[3] != LATER:
            return entry
        return entry._replace(payload=body[:3] + b"\x01" + body[4:])


class Later(DetectorSet):
    """A later release, which decides otherwise, too."""

    def detectors(self):
        return [one for one in super().detectors() if one.name not in self.lacks]

    lacks = ("unlike_others",)

    def engine(self, watch=None, bundles=None, history=None):
        engine = ReadsLater(self.detectors(), self.calibrations, watch, bundles, history)
        engine.reads = (1, LATER)
        return engine


class Latest(Later):
    """The one after that."""

    lacks = ("unlike_others", "beacon")


class Collectors:
    """One collector after another on a state folder."""

    def __init__(self, state):
        self.settings = CollectorSettings(state=state, training=False)
        sites = Sites(state / "sites.db")
        sites.open()
        sites.add("bakery", NOW)
        self.token = sites.make_token("bakery", "desk", NOW)
        sites.close()

    def append(self, wire):
        """Journal what the intake would not let in, as a later release has left it behind."""
        journal = Journal(self.settings.state / "journal")
        journal.open()
        journal.append_all([(partition_of("bakery"), batch_draft("bakery", "", NOW, wire))])
        journal.close()

    def run(self, until, detectors=None, sends=()):
        """Start, send, wait: what `/healthz` said, and what has been told of incidents so far."""
        health = asyncio.run(self._serve(until, detectors, sends))
        return health, (self.settings.state / "incidents.jsonl").read_text().splitlines()

    async def _serve(self, until, detectors, sends):
        app = await asyncio.to_thread(build_app, self.settings, lambda: NOW, detectors)
        async with TestClient(TestServer(app)) as client:
            client.session.headers["Authorization"] = f"Bearer {self.token}"
            for wire in sends:
                assert (await client.post("/v1/batches", data=wire)).status == 200
            deadline = time.monotonic() + 60
            while not until(health := await (await client.get("/healthz")).json()):
                assert time.monotonic() < deadline, health
                await asyncio.to_thread(threading.Event().wait, 0.01)
        return health

    def bodies(self):
        journal = Journal(self.settings.state / "journal")
        journal.open()
        entries, _ = journal.read(range(PARTITIONS), {})
        journal.close()
        return [entry.payload for entry in entries if entry.kind == "batch"]


def has_folded_all(health):
    return health["engine_position"] == health["journal_position"]


def stands_still(health):
    return health["status"] == "failing"


@pytest.fixture
def collectors(tmp_path):
    return Collectors(tmp_path)


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


def steps(lines):
    """Every step of every incident and story, without places in the journal: starts are entries, too."""
    found = [msgspec.json.decode(line) for line in lines]
    for one in found:
        del one["metadata"]
    return [(one["activity_name"], one) for one in found]


def test_it_stops_with_one_line_and_what_comes_meanwhile_is_decided_later(
    collectors, tmp_path, caplog
):
    collectors.run(has_folded_all, Later(), [body(0)])
    collectors.append(body(1, LATER))
    for seq in (2, 3):  # also when it is started once more
        caplog.clear()
        health, _ = collectors.run(stands_still, sends=[body(seq)])
        assert health["troubles"] == [f"engine: contract version {LATER}; this side reads 1, 2"]
        assert health["engine_position"] < health["journal_position"]
        (record,) = errors(caplog)
        line = JsonFormatter().format(record)
        assert "nothing is lost, upgrade this collector and it goes on" in line
        assert f'"version":{LATER},"reads":[1,2]' in line
        assert "raceback" not in line
    bodies = [body(0), body(1, LATER), body(2), body(3)]
    assert collectors.bodies() == bodies
    caplog.clear()
    health, told = collectors.run(has_folded_all, Later())
    assert (health["troubles"], errors(caplog)) == ([], [])

    (tmp_path / "other").mkdir()
    undisturbed = Collectors(tmp_path / "other")
    _, expected = undisturbed.run(has_folded_all, Later(), [body(seq) for seq in range(4)])
    assert "Update" in {step[0] for step in steps(expected)}
    assert steps(told) == steps(expected)
    assert collectors.bodies() == bodies


def test_a_release_that_is_new_decides_what_nobody_has(collectors):
    """But what one has journalled that fell before it had decided is learned, as ever."""
    collectors.run(has_folded_all, Later())
    collectors.append(body(1, LATER))
    _, told = collectors.run(stands_still, sends=[body(2), body(3)])
    assert told == []
    _, told = collectors.run(has_folded_all, Latest())
    assert steps(told)[0][0] == "Create"
    assert any('"scan"' in line for line in told)


def test_an_engine_passes_over_nothing_that_it_does_not_read():
    wires = [body(0), body(1, LATER)]
    entries = [Entry(n, "batch", 0, NOW, "bakery", wire) for n, wire in enumerate(wires, 1)]
    engine = DetectorSet().engine()
    with pytest.raises(UnknownContract) as caught:
        engine.step(entries)
    assert caught.value.version == LATER
    assert engine.positions.get(0, 0) == 0


def test_nor_what_the_intake_has_read_for_it():
    wire = body(0)
    entry = Entry(1, "batch", 0, NOW, "bakery", wire, batch=decode(wire))
    engine = DetectorSet().engine()
    engine.reads = (LATER,)
    with pytest.raises(UnknownContract) as caught:
        engine.step([entry])
    assert caught.value.version == 1


def test_what_a_site_has_behind_it_is_not_looked_at(collectors):
    for wire in (body(0, LATER), body(1), body(2, LATER + 1)):
        collectors.append(wire)
    journal = Journal(collectors.settings.state / "journal")
    journal.open()
    after = dict.fromkeys(range(PARTITIONS), 0)
    versions = [
        found and found.version
        for position in range(4)
        for found in [find_unread(journal, after, {"bakery": position}.get, READS)]
    ]
    assert versions == [LATER, LATER + 1, LATER + 1, None]
    journal.close()
