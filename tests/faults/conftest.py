"""Processes that can be killed, and what is left of them: a collector, agents, a journal."""

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import msgspec
import pytest

from dijkwacht_collector.journal import PARTITIONS, Journal
from dijkwacht_collector.sites import Sites

COLLECT = """
import sys
from dijkwacht.cli import main
sys.exit(main(sys.argv[1:]))
"""


def until(true):
    """Wait for a condition, and return what it gave. Generous: the first start compiles kernels."""
    deadline = time.monotonic() + 200
    while not (found := true()):
        assert time.monotonic() < deadline, "waited 200 s"
        threading.Event().wait(0.005)
    return found


class Child:
    """A process that can be killed and started again; ``log`` takes what it says."""

    def __init__(self, log, script, *arguments):
        self.log, self.process, self.environment = log, None, {}
        self.command = [sys.executable, "-c", script, *map(str, arguments)]

    def start(self):
        self.process = self._spawn(self.command)

    def _spawn(self, command):
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stderr=log, env=os.environ | self.environment)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()


class Collector(Child):
    """``dijkwacht collect`` as a process, on its ``state``; ``agents``: (site, agent) that may post."""

    def __init__(self, state, agents, script=COLLECT):
        self.state, self.port = state, 0
        state.mkdir()
        settings = state.with_suffix(".toml")
        settings.write_text(
            "checkpoint_interval_s = 0.05\nsegment_bytes = 40000\ntraining = false\n"
        )
        super().__init__(
            state.with_suffix(".log"), script, "collect", "--state", state, "--settings", settings
        )
        self.tokens = {}
        with self.sites() as sites:
            for site in dict.fromkeys(site for site, _ in agents):
                sites.add(site, 1)
            for site, agent in agents:
                self.tokens[site, agent] = sites.make_token(site, agent, 1)

    def sites(self):
        return _Opened(Sites(self.state / "sites.db"))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.log.touch()
        said_before = self.log.stat().st_size
        self.process = self._spawn([*self.command, "--listen", f"127.0.0.1:{self.port}"])
        port = re.compile(r"listening on http://127\.0\.0\.1:(\d+)\n")

        def listening():
            said = self.log.read_bytes()[said_before:].decode()
            assert self.process.poll() is None, said
            return port.search(said)

        self.port = int(until(listening)[1])

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def finish(self):
        """Wait until everything is folded, stop in order; the findings without the clock's time."""

        def idle():
            health = msgspec.json.decode(self.get("/healthz"))
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


class _Opened:
    def __init__(self, sites):
        self.sites = sites

    def __enter__(self):
        self.sites.open()
        return self.sites

    def __exit__(self, *_):
        self.sites.close()


def journalled(state):
    """The entries of a stopped collector's journal, but those that say who decides."""
    journal = Journal(state / "journal")
    journal.open()
    after, entries = dict.fromkeys(range(PARTITIONS), 0), []
    while journal.wait(after, after, 0):
        found, after = journal.read(after, after)
        entries += (entry for entry in found if entry.kind != "release")
    journal.close()
    return entries


@pytest.fixture(scope="package")
def faults():
    """`Child`, `Collector`, `until` and `journalled`."""
    return SimpleNamespace(Child=Child, Collector=Collector, until=until, journalled=journalled)
