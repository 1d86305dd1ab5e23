"""Collector and agents are killed with -9 while they work, and end with what undisturbed ones found."""

import os
import random

import msgspec
import pytest

from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import ConnState, FlowState
from dijkwacht_records.wire import encode

KILLS, FEW_KILLS = 50, 12
POWER_CUTS = 10
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

# A collector with a fault: of some batches it says that they are durable, and they are not.
HASTY = """
import sys
from dijkwacht_collector.intake import Intake
keep = Intake._keep
async def keep_most(self, batch, *rest):
    return False if batch.seq == 5 else await keep(self, batch, *rest)
Intake._keep = keep_most
from dijkwacht.cli import main
sys.exit(main(sys.argv[1:]))
"""

# An agent's own spool and uplink; what would be metered comes from a file instead. A batch is counted
# as appended afterwards, so that a kill between repeats it: the collector must know it again.
AGENT = """
import os, sys, time
from pathlib import Path
import msgspec
from dijkwacht_agent.spool import Spool
from dijkwacht_agent.uplink import Post, Uplink
folder, token = Path(sys.argv[1]), sys.argv[2]
parcels = msgspec.msgpack.decode((folder / "parcels").read_bytes())
class Noted(Post):
    def __call__(self, wire):
        reply = super().__call__(wire)
        with open(folder / "acknowledged", "a") as notes:
            notes.write(f"{reply.seq}\\n")
        return reply
spool = Spool(folder / "spool")
post = Noted((folder / "url").read_text(), token)
uplink = Uplink(spool, post, lambda: time.time_ns() // 1000, jitter=lambda: 0.0)
uplink.start()
appended = os.open(folder / "appended", os.O_RDWR | os.O_CREAT)
begun = int.from_bytes(os.pread(appended, 8, 0), "big")
for number, wire in enumerate(parcels[begun:], begun + 1):
    while not spool.wait_below(16_384, 1.0):
        pass
    spool.append(wire, ROWS)
    os.pwrite(appended, number.to_bytes(8, "big"), 0)
while not spool.wait_below(1, 1.0):
    pass
uplink.stop()
spool.close()
""".replace("ROWS", str(BATCH_ROWS))

# An agent with a fault: it forgets a batch before it is acknowledged.
FORGETS = """reply = super().__call__(wire)
        if reply.seq == 5:
            spool.settle(spool.peek())
            spool.settle(spool.peek())
"""
FORGETFUL_AGENT = AGENT.replace("reply = super().__call__(wire)\n", FORGETS)


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


class Run:
    """A collector and an agent at each site of ``batches``, in ``folder``, to be killed."""

    def __init__(self, faults, folder, batches, collect=None, agent=AGENT):
        self.faults, self.batches = faults, batches
        self.synced = folder / "synced"
        given = () if collect is None else (collect,)
        self.collector = faults.Collector(folder / "state", [(s, "desk") for s in batches], *given)
        self.collector.environment = {"SYNCED": str(self.synced)}
        self.folders = {site: folder / site for site in batches}
        self.agents = {}
        for site, own in self.folders.items():
            own.mkdir()
            (own / "parcels").write_bytes(msgspec.msgpack.encode(batches[site]))
            token = self.collector.tokens[site, "desk"]
            self.agents[site] = faults.Child(own / "log", agent, own, token)

    def acknowledged(self, site):
        """The numbers of batches that the agent was told are durable, as often as it was."""
        notes = self.folders[site] / "acknowledged"
        return [int(line) for line in notes.read_text().split()] if notes.exists() else []

    def go(self, kills, victim):
        """Send everything; after so many acknowledged in all as each of ``kills`` says, `victim` dies."""
        self.collector.start()
        try:
            for site, agent in self.agents.items():
                (self.folders[site] / "url").write_text(self.collector.url)
                agent.start()
            for kill in kills:
                self.faults.until(
                    lambda: sum(len(set(self.acknowledged(s))) for s in self.batches) >= kill  # noqa: B023  at once
                )
                victim(self)
            for agent in self.agents.values():
                self.faults.until(lambda: agent.process.poll() is not None)  # noqa: B023  at once
                assert agent.process.poll() == 0, agent.log.read_text()
            return by_incident(self.collector.finish())
        finally:
            for child in (self.collector, *self.agents.values()):
                child.end()

    def found(self, incidents, undisturbed):
        """What is wrong with what is left: nothing, if all went well."""
        entries = self.faults.journalled(self.collector.state)
        wrong = []
        for site, sent in self.batches.items():
            kept = [entry.payload for entry in entries if entry.site == site]
            lost = [seq for seq in set(self.acknowledged(site)) if sent[seq] not in kept]
            if lost:
                wrong.append(f"{site}: acknowledged and not journalled: {lost}")
            if kept != sent:
                wrong.append(f"{site}: the journal is not what was sent, in order, once")
        for uid, steps in incidents.items():
            revisions = [step["unmapped"]["revision"] for step in steps]
            if len(revisions) != len(set(revisions)):
                wrong.append(f"{uid}: said twice")
        if incidents != undisturbed:
            wrong.append("other incidents than undisturbed")
        return wrong


def by_incident(findings):
    """Every step of every incident and story, in order; those of several sites may interleave."""
    steps = {}
    for finding in findings:
        uid, _, _ = finding["metadata"]["uid"].rpartition("-")
        steps.setdefault(uid, []).append(finding)
    return steps


def kinds_of(incidents):
    """The classes of all incidents; a story names those of its findings."""
    steps = (step for steps in incidents.values() for step in steps)
    return {step["finding_info"]["types"][0] for step in steps if "finding_info" in step}


def when(batches, kills, seed):
    """So many moments, as counts of acknowledged batches."""
    every = sum(map(len, batches.values()))
    return sorted(random.Random(seed).choices(range(1, every - 5), k=kills))


@pytest.fixture(scope="module")
def batches():
    return {site: batches_of(site, seed) for seed, site in enumerate(SITES, 1)}


@pytest.fixture(scope="module")
def undisturbed(faults, batches, tmp_path_factory):
    return Run(faults, tmp_path_factory.mktemp("undisturbed"), batches).go([], None)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [FEW_KILLS, pytest.param(KILLS, marks=pytest.mark.long)])
def test_killed_again_and_again_they_find_what_undisturbed_ones_find(
    faults, tmp_path, batches, undisturbed, kills
):
    dice = random.Random(7)

    def any_of_them(run):
        child = dice.choice([run.collector, run.collector, run.collector, *run.agents.values()])
        child.process.poll()
        if child.process.returncode is None:  # an agent may have sent all it has
            child.kill()
            child.start()

    run = Run(faults, tmp_path, batches)
    incidents = run.go(when(batches, kills, 11), any_of_them)
    assert {"scan", "bruteforce"} <= kinds_of(incidents)
    assert run.found(incidents, undisturbed) == []


@pytest.mark.timeout(300)
def test_after_power_cuts_it_finds_what_an_undisturbed_one_finds(
    faults, tmp_path, batches, undisturbed
):
    dice = random.Random(0)

    def power(run):
        run.collector.kill()
        forget_unsynced(run, dice)
        run.collector.start()

    run = Run(faults, tmp_path, batches, NOTING)
    incidents = run.go(when(batches, POWER_CUTS, 12), power)
    assert run.found(incidents, undisturbed) == []


def forget_unsynced(run, dice):
    """What a power cut may do: any part of what was not synced is gone."""
    state, safe = run.collector.state, {}
    for line in run.synced.read_text().splitlines():
        size, path = line.split(" ", 1)
        safe[path.removesuffix(".new")] = int(size)
    for path in [*state.glob("journal/*.dwj"), state / "incidents.jsonl"]:
        size = path.stat().st_size
        least = safe.get(str(path), safe.get(str(path.with_suffix("")), 0))
        if path.suffix == ".dwj":
            least = max(least, 16)
        if least < size:
            os.truncate(path, dice.randint(least, size))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "parts", [{"collect": HASTY}, {"agent": FORGETFUL_AGENT}], ids=["collector", "agent"]
)
def test_a_planted_fault_is_found(faults, tmp_path, batches, parts):
    few = {"bakery": batches["bakery"][:40]}
    (tmp_path / "sound").mkdir()
    undisturbed = Run(faults, tmp_path / "sound", few).go([], None)
    (tmp_path / "faulty").mkdir()
    run = Run(faults, tmp_path / "faulty", few, **parts)
    wrong = run.found(run.go([], None), undisturbed)
    assert any("the journal is not what was sent" in each for each in wrong), wrong
