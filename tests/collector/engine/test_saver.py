"""When a checkpoint gets its turns: all that nothing else wants, and a small part of what steps want."""

from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from dijkwacht_collector.engine import saver as saver_module
from dijkwacht_collector.engine.saver import Saver
from dijkwacht_collector.metrics.engine_times import EngineTimes

AFTER = {0: 7}


class Rounds:
    """As `Checkpoints`, and the one round that it begins; a site takes half a second of the clock ``now``."""

    partitions, uneven = (0,), False

    def __init__(self, sites):
        self.left, self.now, self.abandoned = sites, 0.0, False

    def begin(self, _partitions, _owner, _flush):
        return self

    @property
    def takes(self):
        return self.left > 0

    @property
    def finished(self):
        return not self.left

    def advance(self, _engine, _seconds=0.0):
        self.left -= 1
        self.now += 0.5

    def result(self):
        return {}

    def position(self, _partition):
        return 7

    def abandon(self):
        self.abandoned = True


@pytest.fixture
def engine():
    succession = SimpleNamespace(decides=lambda _: True, decides_all=lambda _: True)
    return SimpleNamespace(touched={0}, controls=SimpleNamespace(succession=succession))


@pytest.fixture
def rounds(monkeypatch):
    rounds = Rounds(3)
    clock = SimpleNamespace(perf_counter=lambda: rounds.now, monotonic=lambda: rounds.now)
    monkeypatch.setattr(saver_module, "time", clock)
    return rounds


@pytest.fixture
def saver(rounds, engine):
    parts = SimpleNamespace(
        checkpoint_interval_s=0.0,
        telemetry=SimpleNamespace(times=EngineTimes(CollectorRegistry())),
        store=SimpleNamespace(mark=0, identity="first"),
        clock=lambda: 1,
        show_exemptions=lambda *_, **__: None,
    )
    saver = Saver([0], parts, rounds)
    saver.own(1)
    saver.take_turn(engine, AFTER, None)
    assert saver.is_saving
    return saver


def test_a_site_a_turn_while_nothing_waits(saver, rounds, engine):
    for left in (2, 1, 0):
        assert saver.takes
        saver.take_turn(engine, AFTER, None)
        assert rounds.left == left
    assert not saver.is_saving
    assert saver.durable == {0: 7}


def test_an_idle_engine_rests_three_times_as_long_as_a_site_took_it(saver, engine):
    assert saver.rest == 0.0
    saver.take_turn(engine, AFTER, None)
    assert saver.rest == 3 * 0.5
    assert saver.takes


def test_beside_steps_it_takes_an_eighth_of_their_time_and_ends(saver, rounds, engine):
    turns = 0
    while saver.is_saving:
        saver.take_turn(engine, AFTER, 1.0)
        turns += 1
    assert (
        turns == 1 + 3 + 4
    )  # half a second a site, an eighth a step; the first is ahead of its time
    assert saver.durable == {0: 7}


def test_what_another_release_decides_is_not_saved(saver, rounds, engine):
    engine.controls.succession.decides_all = lambda _: False
    saver.take_turn(engine, AFTER, None)
    assert rounds.abandoned
    assert not saver.is_saving
    assert rounds.left == 3
