"""The collector is killed with -9 while agents send, and ends with what an undisturbed one found."""

import http.client
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

import msgspec
import pytest

from dijkwacht_collector.journal import PARTITIONS, Journal
from dijkwacht_collector.sites import Sites
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.replies import decode_reply
from dijkwacht_records.tables import ConnState, FlowState
from dijkwacht_records.wire import encode

KILLS = 10
BATCH_ROWS = 40
SITES = ("bakery", "clinic", "accountant")
INTRUDER, SERVER = pack_address("192.168.77.66"), pack_address("192.168.77.2")

# Runs the command while noting, for every file that was synced, how much of it is safe.
NOTING = """
import os, sys
real = os.fdatasync
def fdatasync(fd):
    size = os.fstat(fd).st_size
    real(fd)
    with open(os.environ["SYNCED"], "a") as notes:
        notes.write(f"{size} {os.readlink(f'/proc/self/fd/{fd}')}\\n")
os.fdatasync = fdatasync
from dijkwacht.cli import main
sys.exit(main(sys.argv[1:]))
"""


def attack(start):
    """A port scan and password guessing, as rows."""

    def flow(time_us, number, port, state, size):
        answered = int(state != ConnState.S0)
        return 0, (
            time_us, time_us - 1000, 10_000_000 + number, 0, FlowState.END, INTRUDER, SERVER,
            40_000 + number, port, 6, 0, state, 2, 18 * answered, 1 + answered * 6, answered * 7,
            size, size * answered, 1, 1,
        )  # fmt: skip

    scan = [flow(start + i * 10_000, i, 1 + i, ConnState.REJ, 0) for i in range(300)]
    begin = start + 120_000_000
    guess = [flow(begin + i * 400_000, 1000 + i, 22, ConnState.SF, 900) for i in range(120)]
    return scan + guess


def cut(rows):
    return [rows[at : at + BATCH_ROWS] for at in range(0, len(rows), BATCH_ROWS)]


def batches_of(site, seed):
    """Twenty minutes of an office with an intruder in it, as numbered wire bytes."""
    rows = [
        *office_rows(seed, 4, WORKING_MORNING, 1_200_000_000),
        *attack(WORKING_MORNING + (300 + 60 * seed) * 1_000_000),
    ]
    rows.sort(key=lambda row: row[1][0])
    return [
        encode(site, "desk", bytes([seed] * 16), seq, part[-1][1][0], part)
        for seq, part in enumerate(cut(rows))
    ]


def until(true):
    """Wait for a condition, and return what it gave. Generous: the first start compiles kernels."""
    deadline = time.monotonic() + 200
    while not (found := true()):
        assert time.monotonic() < deadline, "waited 200 s"
        threading.Event().wait(0.005)
    return found


class Collector:
    """``dijkwacht collect`` as a process that can be killed and started again on its state."""

    def __init__(self, state, forgetful):
        self.state, self.forgetful = state, forgetful
        self.synced = state.with_suffix(".synced")
        self.log = state.with_suffix(".log")
        self.port, self.process = 0, None
        settings = state.with_suffix(".toml")
        settings.write_text(
            "checkpoint_interval_s = 0.05\nsegment_bytes = 40000\ntraining = false\n"
        )
        self.command = ["collect", "--state", str(state), "--settings", str(settings)]
        sites = Sites(state / "sites.db")
        state.mkdir()
        sites.open()
        self.tokens = {}
        for site in SITES:
            sites.add(site, 1)
            self.tokens[site] = sites.make_token(site, "desk", 1)
        sites.close()

    def start(self):
        self.log.touch()
        said_before = self.log.stat().st_size
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", NOTING, *self.command, "--listen", f"127.0.0.1:{self.port}"],
                stderr=log,
                env=os.environ | {"SYNCED": str(self.synced)},
            )
        port = re.compile(r"listening on http://127\.0\.0\.1:(\d+)\n")

        def listening():
            said = self.log.read_bytes()[said_before:].decode()
            assert self.process.poll() is None, said
            return port.search(said)

        self.port = int(until(listening)[1])

    def kill(self, dice):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self.forgetful:
            self.forget_unsynced(dice)

    def forget_unsynced(self, dice):
        """What a power cut may do: any part of what was not synced is gone."""
        safe = {}
        for line in self.synced.read_text().splitlines():
            size, path = line.split(" ", 1)
            safe[path.removesuffix(".new")] = int(size)
        for path in [*self.state.glob("journal/*.dwj"), self.state / "incidents.jsonl"]:
            size = path.stat().st_size
            least = safe.get(str(path), safe.get(str(path.with_suffix("")), 0))
            if path.suffix == ".dwj":
                least = max(least, 16)
            if least < size:
                os.truncate(path, dice.randint(least, size))

    def health(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/healthz")
            return msgspec.json.decode(connection.getresponse().read())
        finally:
            connection.close()

    def finish(self):
        """Wait until everything is folded, stop in order; the findings without the clock's time."""

        def idle():
            health = self.health()
            assert health["status"] == "ok", health
            return health["engine_position"] == health["journal_position"]

        until(idle)
        self.process.terminate()
        assert self.process.wait(30) == 0
        lines = (self.state / "incidents.jsonl").read_bytes().splitlines()
        findings = [msgspec.json.decode(line) for line in lines]
        for finding in findings:
            del finding["metadata"]["logged_time"]
            del finding["metadata"]["sequence"]
        return findings


class Feeder(threading.Thread):
    """An agent with a spool: sends its batches in order, each until it is acknowledged."""

    def __init__(self, collector, site, batches):
        super().__init__(daemon=True)
        self.collector, self.site, self.batches = collector, site, batches
        self.acknowledged = 0

    def run(self):
        connection = None
        for seq, wire in enumerate(self.batches):
            while True:
                try:
                    connection = connection or http.client.HTTPConnection(
                        "127.0.0.1", self.collector.port, timeout=10
                    )
                    token = self.collector.tokens[self.site]
                    headers = {"Authorization": f"Bearer {token}"}
                    connection.request("POST", "/v1/batches", wire, headers)
                    response = connection.getresponse()
                    body = response.read()
                except (OSError, http.client.HTTPException):
                    connection.close()
                    connection = None
                    threading.Event().wait(0.01)
                    continue
                if response.status == 200:
                    assert decode_reply(body).seq == seq
                    break
            self.acknowledged += 1
        connection.close()


def run(state, batches, kills=(), forgetful=False, seed=0):
    """Send everything, killing the collector after each of the ``kills`` (acknowledged in total)."""
    dice = random.Random(seed)
    collector = Collector(state, forgetful)
    collector.start()
    try:
        feeders = [Feeder(collector, site, batches[site]) for site in SITES]
        for feeder in feeders:
            feeder.start()
        for kill in kills:
            until(lambda: sum(feeder.acknowledged for feeder in feeders) >= kill)  # noqa: B023  at once
            threading.Event().wait(dice.random() * 0.01)
            collector.kill(dice)
            collector.start()
        until(lambda: not any(feeder.is_alive() for feeder in feeders))
        return collector.finish(), collector
    finally:
        collector.process.kill()
        collector.process.wait()


def journalled(state):
    journal = Journal(state / "journal")
    journal.open()
    after, entries = dict.fromkeys(range(PARTITIONS), 0), []
    while journal.wait(after, after, 0):
        found, after = journal.read(after, after)
        entries += (entry for entry in found if entry.kind != "release")
    journal.close()
    return entries


def by_incident(findings):
    """Every step of every incident, in order; incidents of several sites may interleave."""
    steps = {}
    for finding in findings:
        steps.setdefault(finding["finding_info"]["uid"], []).append(finding)
    return steps


@pytest.fixture(scope="module")
def batches():
    return {site: batches_of(site, seed) for seed, site in enumerate(SITES, 1)}


@pytest.fixture(scope="module")
def undisturbed(batches, tmp_path_factory):
    findings, _ = run(tmp_path_factory.mktemp("undisturbed") / "state", batches)
    return by_incident(findings)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("forgetful", [False, True], ids=["kill", "power cut"])
def test_killed_ten_times_it_finds_what_an_undisturbed_one_finds(
    tmp_path, batches, undisturbed, forgetful
):
    every = sum(map(len, batches.values()))
    kills = sorted(random.Random(11).sample(range(1, every - 5), KILLS))
    findings, collector = run(tmp_path / "state", batches, kills, forgetful)

    kinds = {finding["finding_info"]["types"][0] for finding in findings}
    assert {"scan", "bruteforce"} <= kinds
    assert by_incident(findings) == undisturbed

    entries = journalled(collector.state)
    for site in SITES:
        assert [e.payload for e in entries if e.site == site] == batches[site]
    names = [(f["finding_info"]["uid"], f["unmapped"]["revision"]) for f in findings]
    assert len(names) == len(set(names))
