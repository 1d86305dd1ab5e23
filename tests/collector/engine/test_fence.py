"""Whatever a detector of one's own does to a batch costs that batch's rows, and nobody else."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import load, save
from dijkwacht_collector.journal import Budget, Entry, partition_of
from dijkwacht_detectors.api import Explanation, RowDetector, SiteDetector, Who
from dijkwacht_records.wire import encode

MINUTE = 60_000_000


class Base(RowDetector):
    name = "base"
    table = "flows"
    reads = ("orig_h", "resp_p")
    entity = "site"
    kind = "other"
    technique = ""
    state = {"n": ("i8", ())}  # noqa: RUF012  # as the contract has it

    def explain(self, facts):
        return Explanation("t", "t", "t", "t")


class Leaves(Base):
    def fold(self, rows, state, scores, facts):
        raise SystemExit("no")


class Infinite(Base):
    def fold(self, rows, state, scores, facts):
        scores[:] = np.inf


class Replaces(Base):
    def fold(self, rows, state, scores, facts):
        state["n"] = np.zeros(1)
        raise ValueError


class Forgets(Base):
    def fold(self, rows, state, scores, facts):
        del state["n"]
        raise ValueError


class Writes(Base):
    def fold(self, rows, state, scores, facts):
        rows["orig_h"][:] = 0


class Renumbers(Base):
    def fold(self, rows, state, scores, facts):
        rows.slot[:] = 0


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError


class Says(Base):
    def fold(self, rows, state, scores, facts):
        raise Unspeakable


class Surrogate(Base):
    def fold(self, rows, state, scores, facts):
        raise ValueError("\udce9")


class Rubbish(SiteDetector):
    name = "base"
    table = "flows"
    reads = ("resp_p",)
    who = Who()

    def score_many(self, window):
        return np.array(["?"] * len(window))


def a_batch(position, minute):
    time = 1_000_000 * MINUTE + minute * MINUTE
    host = bytes(10) + b"\xff\xff\xc0\xa8\x4d\x42"
    row = (time, time, 1, 0, 2, host, host, 40_000, 22, 6, 0, 3, 2, 18, 6, 7, 1, 1, 1, 1)
    payload = encode("bakery", "till", bytes(16), position, time, [(0, row)])
    return Entry(position, "batch", partition_of("bakery"), time, "bakery", payload)


class Seen(Base):
    """Whose rows the others must not change."""

    name = "seen"

    def fold(self, rows, state, scores, facts):
        scores[:] = rows["orig_h"][:, 1] % 1000 + rows["resp_p"]


@pytest.mark.parametrize(
    "kind",
    [Leaves, Infinite, Replaces, Forgets, Writes, Renumbers, Says, Surrogate, Rubbish],
)
def test_it_costs_itself_a_strike_that_can_be_journalled(kind, caplog):
    caplog.set_level(logging.CRITICAL)
    told = {}

    def see(scored, _numbering):
        for one in scored:
            told.setdefault(one.detector, []).extend(one.scores.tolist())

    engine = Engine([kind(), Seen()], watch=see)
    for minute in range(4):
        engine.step([a_batch(minute + 1, minute)])
    assert told[1] == [(0xFFFF_C0A8_4D42 % 1000) + 22] * 4
    assert not np.isfinite(told.get(0, [np.nan])).any()
    assert engine.take_observed().failures["base"] >= 3
    [(site, strike)] = engine.controls.take_strikes()
    assert (site, strike.detector) == ("bakery", "base")
    assert strike.draft(site, 0).payload.decode()


class Older(Base):
    """Kept something that today's class cannot take up."""

    state = {"n": ("i8", (3,))}  # noqa: RUF012

    def fold(self, rows, state, scores, facts):
        scores[:] = 1.0


def test_what_one_detector_cannot_take_up_costs_no_budget_and_no_other(
    tmp_path, monkeypatch, caplog
):
    caplog.set_level(logging.CRITICAL)
    engine = Engine([Older(), Seen()])
    budget = Budget(0.25).draft("bakery", 0).payload
    engine.step([Entry(1, "budget", partition_of("bakery"), 0, "bakery", budget), a_batch(2, 0)])
    save(engine, tmp_path)
    again = Engine([Older(), Seen()])
    memory = again.host.hosted[0].memory
    monkeypatch.setattr(memory, "put", lambda *_: np.zeros(3)[:, None, 9])
    load(again, tmp_path)
    assert again.policy.per_week == {0: 0.25}
    assert again.take_observed().failures == {"base": 1}
    assert len(again.host.hosted[1].memory.entities.take(0)[0]) == 1
