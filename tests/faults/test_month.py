"""A month in which everything fails once, against a ledger kept here: every row is accounted for."""

import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from dijkwacht_records.wire import decode

CHILD = Path(__file__).with_name("agent_child.py")
DAY = 86_400_000_000
BEGIN = 1_700_000_000_000_000
AGENTS = (("bakery", "till"), ("bakery", "desk"), ("clinic", "desk"))
BATCHES, ROWS = 12, 30
DAYS, AWAY = 30, range(15, 22)
SPOOL_BYTES = 21 * 1024
DISK = "size=96k"


class Agent:
    """One agent's process, and what we know of its rows: ``made`` counts them as it made them."""

    def __init__(self, name, folder, collector):
        self.site, self.agent = name
        self.folder, self.collector = folder, collector
        self.token = collector.tokens[name]
        self.made = self.spoilt = 0
        self.process = None
        folder.mkdir()

    def start(self):
        arguments = [
            self.folder,
            self.site,
            self.agent,
            self.collector.url,
            self.token,
            SPOOL_BYTES,
        ]
        self.process = subprocess.Popen(
            [sys.executable, CHILD, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def tell(self, *command):
        self.process.stdin.write(msgspec.json.encode(command) + b"\n")
        self.process.stdin.flush()

    def answers(self):
        while (line := self.process.stdout.readline()) not in {b"null\n", b""}:
            yield msgspec.json.decode(line)

    def ask(self, *command):
        self.tell(*command)
        return list(self.answers())

    def make(self, day, batches=BATCHES, now=BEGIN):
        for answer in self.ask("make", now + day * DAY, batches, ROWS):
            self.made += answer["made"]

    def spoil(self, rows):
        self.made += sum(answer["made"] for answer in self.ask("spoil", rows))
        self.spoilt += rows

    def send(self, most=10**6):
        """Whether everything could be sent."""
        answers = self.ask("send", most)
        return not answers or not answers[-1]["waits"]

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        self.process.stdout.close()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def kill_while_it_makes(self, day, dice):
        """It dies somewhere in its work; a batch of which we did not hear is made, or is not."""
        self.tell("make", BEGIN + day * DAY, BATCHES, ROWS)
        for _, answer in zip(range(dice.randint(1, BATCHES - 1)), self.answers(), strict=False):
            self.made += answer["made"]
        self.process.kill()
        self.made += sum(answer["made"] for answer in self.answers())
        self.kill()
        self.start()
        assert self.accounts()["made"] - self.made in {0, ROWS}
        self.made = self.accounts()["made"]

    def kill_while_it_sends(self, dice):
        self.tell("send", 10**6)
        for _ in zip(range(dice.randint(1, 5)), self.answers(), strict=False):
            pass
        self.kill()
        self.start()

    def flip_a_bit(self, dice):
        """In a record that waits, while nobody runs."""
        self.end()
        files = sorted(path for path in self.folder.glob("*.spool") if path.stat().st_size)
        path = files[len(files) // 2]
        data = bytearray(path.read_bytes())
        data[len(data) // 2 + dice.randint(0, 40)] ^= 1 << dice.randint(0, 7)
        path.write_bytes(data)
        self.start()

    def accounts(self):
        return self.ask("accounts")[0]["accounts"]

    @property
    def disk_full(self):
        return self.ask("accounts")[0]["disk_full"]

    def check(self):
        """The ledger adds up, and says of the rows made what we know ourselves."""
        accounts = self.accounts()
        lost = sum(accounts["rejected"].values()) + sum(accounts["shed"].values())
        assert accounts["made"] == accounts["journalled"] + lost + accounts["waiting"]
        assert accounts["made"] == self.made
        return accounts


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", place]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a disk: run the tests as root")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def world(faults, tmp_path, disk):
    collector = faults.Collector(tmp_path / "state", AGENTS)
    collector.start()
    folders = [disk / "till", tmp_path / "desk", tmp_path / "clinic"]
    agents = [Agent(*both, collector) for both in zip(AGENTS, folders, strict=True)]
    for agent in agents:
        agent.start()
    yield collector, agents
    for agent in agents:
        agent.kill()
    collector.end()


def fill(disk):
    """Let nothing go onto the disk any more."""
    ballast = os.open(disk / "ballast", os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(ballast, bytes(1024)):
            pass
    except OSError:
        pass
    finally:
        os.close(ballast)


def rows_of(entries):
    """Rows in the journal by (site, agent), and the batches that stand in it more than once."""
    rows, names = Counter(), Counter()
    for entry in entries:
        if entry.kind == "batch":
            batch = decode(entry.payload)
            rows[entry.site, batch.agent] += batch.rows
            names[entry.site, batch.agent, batch.boot, batch.seq] += 1
    return rows, [name for name, times in names.items() if times > 1]


def metric(collector, name, site):
    text = collector.get("/metrics").decode()
    found = re.search(rf'^{name}{{site="{site}"}} (\S+)$', text, re.MULTILINE)
    return int(float(found[1]))


class Month:
    """What goes wrong on which day; each fault by its name."""

    def __init__(self, faults, world, disk):
        self.faults, self.disk, self.dice = faults, disk, random.Random(3)
        self.collector, (self.till, self.desk, self.clinic) = world
        self.told_full = set()
        self.faulty = {
            1: lambda: self.clinic.kill_while_it_makes(1, self.dice),
            3: self.collector_killed,
            4: lambda: fill(disk),
            5: lambda: self.desk.make(4, now=0),  # it woke in 1970
            6: lambda: self.desk.make(5, now=0),
            7: (disk / "ballast").unlink,
            8: lambda: self.clinic.spoil(7),
            10: self.revoked,
            13: self.joined_again,
            AWAY.start: self.collector.kill,
            AWAY.stop - 1: lambda: self.desk.flip_a_bit(self.dice),
            AWAY.stop: self.collector.start,
            25: self.killed_sending,
        }

    def collector_killed(self):
        self.collector.kill()
        self.collector.start()

    def revoked(self):
        with self.collector.sites() as sites:
            sites.revoke("clinic", "desk", 1)
        self.faults.until(lambda: self.clinic.make(10, 1) or not self.clinic.send())

    def joined_again(self):
        with self.collector.sites() as sites:
            self.clinic.token = sites.make_token("clinic", "desk", 1)
        self.clinic.kill()
        self.clinic.start()
        self.faults.until(self.clinic.send)

    def killed_sending(self):
        self.desk.make(24)
        self.desk.kill_while_it_sends(self.dice)

    def live(self, day):
        self.faulty.get(day, lambda: None)()
        for agent in (self.till, self.desk, self.clinic):
            agent.make(day)
            if day not in AWAY:
                agent.send()
            agent.check()
        if self.till.disk_full:
            self.told_full.add(day)
        if self.dice.random() < 0.3 and day not in AWAY:
            self.collector_killed()


@pytest.mark.timeout(600)
def test_a_month_of_faults_is_accounted_for_to_the_row(faults, world, disk):
    collector, agents = world
    month = Month(faults, world, disk)
    for day in range(DAYS):
        month.live(day)
    assert month.told_full
    assert month.told_full <= {4, 5, 6}

    for agent in agents:
        faults.until(agent.send)
    sums = {(agent.site, agent.agent): agent.check() for agent in agents}
    counted = {s: metric(collector, "dijkwacht_rows_total", s) for s in ("bakery", "clinic")}
    collector.finish()
    rows, twice = rows_of(faults.journalled(collector.state))
    assert twice == []
    for agent in agents:
        accounts = sums[agent.site, agent.agent]
        assert accounts["waiting"] == 0
        assert accounts["journalled"] == rows[agent.site, agent.agent]
        assert sum(accounts["rejected"].values()) == agent.spoilt
    for site, metered in counted.items():
        assert metered == sum(number for (of, _), number in rows.items() if of == site)
    # Each fault has cost something, or the month was none.
    assert sums["bakery", "desk"]["shed"]["damaged"] > 0
    assert all(sums[name]["shed"]["full"] > 0 for name in AGENTS)
    assert sums["clinic", "desk"]["rejected"]["malformed"] == 7
