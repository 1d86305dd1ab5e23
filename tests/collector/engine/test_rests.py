"""When an engine's thread rests, and for how long: the clock and the waiting are the test's."""

from types import SimpleNamespace

import pytest

from dijkwacht_collector.engine import worker as worker_module
from dijkwacht_collector.engine.observed import Observed
from dijkwacht_collector.engine.progress import Progress
from dijkwacht_collector.engine.worker import EngineWorker
from dijkwacht_collector.journal import PARTITIONS, Entry
from dijkwacht_collector.metrics import Telemetry


class Day:
    """A worker's life: each read finds the next of ``reads``, so many entries, and the last is followed by the stop.

    A step takes ``step_s``, entries come to an idle engine after 4 ms. As its engine, journal and stop;
    ``said`` is what was done, in order.
    """

    partitions, touched = range(PARTITIONS), frozenset()

    def __init__(self, reads, step_s=2**-9, payload=b"x"):
        self.now, self.said, self._over = 0.0, [], False
        self.progress, self.controls = Progress(), self
        self._reads, self._step_s, self._payload = list(reads), step_s, payload
        parts = SimpleNamespace(
            journal=self,
            outlet=None,
            telemetry=Telemetry(["scan"]),
            checkpoint_interval_s=1e9,
            count=lambda *_: None,
            show_exemptions=lambda *_: None,
        )
        saved = SimpleNamespace(uneven=False)
        self.worker = EngineWorker(0, self.partitions, parts, saved, None)
        self.worker._stop = SimpleNamespace(is_set=lambda: self._over, wait=self._rest)

    def live(self):
        self.worker._live(self)
        return self.said

    def read(self, _partitions, after, **_):
        count = self._reads.pop(0) if self._reads else 0
        self._over = not self._reads
        return [Entry(1, "batch", 0, 1, "bakery", self._payload)] * count, after

    def head(self, _partition):
        return 1

    def wait(self, *_):
        self.said.append("idle")
        self.now += 0.004
        return True

    def _rest(self, seconds):
        self.said.append(seconds)
        self.now += seconds

    def step(self, _entries):
        self.said.append("step")
        self.now += self._step_s
        return []

    def take_observed(self):
        return Observed()

    def take_strikes(self):
        return []

    left_out = take_strikes


@pytest.fixture
def spend(monkeypatch):
    def make(*reads, **how):
        day = Day(reads, **how)
        clock = SimpleNamespace(perf_counter=lambda: day.now, monotonic=lambda: day.now)
        monkeypatch.setattr(worker_module, "time", clock)
        return day

    return make


def test_after_a_step_of_several_it_rests_as_long_as_that_took(spend):
    assert spend(4, 5, 0).live() == ["step", 2**-9, "step", 2**-9, "idle"]


@pytest.mark.parametrize("step_s", [0.1, 3600.0])
def test_no_rest_is_longer_than_twelve_milliseconds(spend, step_s):
    assert spend(4, 4, step_s=step_s).live() == ["step", 0.012, "step", 0.012]


def test_after_a_step_of_few_or_a_full_one_it_does_not_rest(spend):
    assert spend(1, 3, 2).live() == ["step"] * 3
    assert spend(4, 4, payload=bytes(64 * 1024)).live() == ["step"] * 2
