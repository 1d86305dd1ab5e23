"""Entities that need more have a place for it, wherever they are moved, and nobody else's."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.api import RowDetector
from dijkwacht_detectors.harness import Harness
from dijkwacht_detectors.state.pool import PLACE, USED, give_back, place_of


class Again(RowDetector):
    """Scores a call by how often the machine called the port, of the second call on."""

    name = "again"
    table = "flows"
    reads = ("resp_p",)
    entity = "orig"
    kind = "c2"
    technique = "T1071"
    state: ClassVar = {"met": ("u1", ()), "pooled_ports": ("i4", (8,))}

    def fold(self, rows, state, scores, facts):
        for i, e in enumerate(rows.slot.tolist()):
            if rows.fresh[i]:
                state["met"][e] = 0
                state["pooled_ports"][state[PLACE][e]] = 0
            if state["met"][e]:
                place = place_of(state[PLACE], state[USED], e)
                state["pooled_ports"][place, rows["resp_p"][i] % 8] += 1
                scores[i] = state["pooled_ports"][place, rows["resp_p"][i] % 8]
            state["met"][e] = 1

    def explain(self, facts):
        """None that anybody reads."""
        raise NotImplementedError


class Briefly(Again):
    """The same of a machine that is heard within a minute, and is new later; it gives its place back."""

    name = "briefly"
    forget_after_s = 60

    def fold(self, rows, state, scores, facts):
        for i, e in enumerate(rows.slot.tolist()):
            if rows.fresh[i]:
                state["met"][e] = 0
                give_back(state[PLACE], state[USED], e)
            if state["met"][e]:
                if not state[PLACE][e]:
                    state["pooled_ports"][place_of(state[PLACE], state[USED], e)] = 0
                place = state[PLACE][e]
                state["pooled_ports"][place, rows["resp_p"][i] % 8] += 1
                scores[i] = state["pooled_ports"][place, rows["resp_p"][i] % 8]
            state["met"][e] = 1


CALLS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12), st.integers(0, 7)), max_size=120)


@given(calls=CALLS, size=st.integers(1, 40), moves=st.booleans())
def test_an_entity_has_its_own_place_wherever_it_is_moved(calls, size, moves):
    harness, model, met = Harness(Again()), {}, set()
    for at in range(0, len(calls), size):
        part = calls[at : at + size]
        rows = [
            {"time": at + n, "site": site, "orig_h": who, "resp_p": port}
            for n, (site, who, port) in enumerate(part)
        ]
        expected = []
        for site, who, port in part:
            if (site, who) in met:
                model[site, who, port] = model.get((site, who, port), 0) + 1
                expected.append(model[site, who, port])
            else:
                expected.append(np.nan)
            met.add((site, who))
        scores, _ = harness.feed(rows)
        assert np.array_equal(scores, expected, equal_nan=True)
        if moves:
            harness = harness.moved()
    called_again = {(site, who) for site, who, _ in model}
    if calls:
        assert harness.memory.grown()[USED][0] == 1 + len(called_again)


def test_what_failed_has_taken_no_place():
    harness = Harness(Again())
    first = [{"time": n, "orig_h": who, "resp_p": 1} for n, who in enumerate((1, 1, 2))]
    harness.feed(first)
    rows = harness.rows([{"time": n, "orig_h": n % 3, "resp_p": 1} for n in range(10, 16)])
    before = harness.memory.snapshot(rows)
    harness.memory.score(rows)
    assert harness.memory.state[USED][0] == 4
    harness.memory.restore(rows, before)
    assert harness.memory.state[USED][0] == 2
    again = harness.memory.score(rows)[0]
    assert np.array_equal(again, [2, 1, np.nan, 3, 2, 1], equal_nan=True)


TIMED = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 3), st.sampled_from((1, 61))), max_size=120
)


@given(calls=TIMED, size=st.integers(1, 40), moves=st.booleans(), fails=st.booleans())
def test_a_place_that_was_given_back_goes_to_the_next(calls, size, moves, fails):
    harness, now = Harness(Briefly()), 0
    told: dict[int, list[int]] = {}  # of who is known: when last, and calls by port
    most = 0
    for at in range(0, len(calls), size):
        rows, expected = [], []
        for who, port, pause in calls[at : at + size]:
            now += pause * 1_000_000
            rows.append({"time": now, "orig_h": who, "resp_p": port})
            if who in told and now - told[who][0] <= 60_000_000:
                told[who][0] = now
                told[who][1 + port] += 1
                expected.append(told[who][1 + port])
            else:
                told[who] = [now, 0, 0, 0, 0]
                expected.append(np.nan)
            most = max(most, sum(any(one[1:]) for one in told.values()))
        if fails:
            handed = harness.rows(rows)
            before = harness.memory.snapshot(handed)
            harness.memory.score(handed)
            harness.memory.restore(handed, before)
            scores, _ = harness.memory.score(handed)
        else:
            scores, _ = harness.feed(rows)
        assert np.array_equal(scores, expected, equal_nan=True)
        if moves:
            harness = harness.moved()
    if calls:
        used = harness.memory.grown()[USED]
        assert used[0] - 1 <= most
        assert used[0] - 1 - used[1] == sum(any(one[1:]) for one in told.values())
