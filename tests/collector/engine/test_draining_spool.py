"""An agent that drains its spool beside one that is live: what is quiet is not the other's to say."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import load, save
from dijkwacht_collector.incidents import Event, Incident, IncidentEvent, Story
from dijkwacht_collector.journal import Entry
from dijkwacht_collector.policy import Calibrations
from dijkwacht_collector.policy.calibration import Calibration
from dijkwacht_detectors.api import Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import AGENT, TABLES, ConnState, FlowState, Row
from dijkwacht_records.wire import encode

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE
LIVE = 20_000 * DAY + 600 * MINUTE
SERVER = pack_address("192.168.1.20")
MARKED = 4444


def flow(time: int, src: str, port: int, number: int = 1) -> tuple[int, Row]:
    return 0, (
        time, time, number, 0, FlowState.END, pack_address(src), SERVER, 40_000, port, 6, 0,
        ConnState.REJ, 2, 4, 1, 1, 0, 0, 1, 1,
    )  # fmt: skip


def beat(time: int) -> tuple[int, Row]:
    return TABLES.index(AGENT), (time, *(0 for _ in TABLES[TABLES.index(AGENT)].columns[1:]))


def batch(agent: str, rows: list[tuple[int, Row]], arrival: int) -> Entry:
    return Entry(
        0, "batch", 0, arrival, "bakery", encode("bakery", agent, bytes(16), 0, arrival, rows)
    )


def numbered(entries: list[Entry]) -> list[Entry]:
    return [entry._replace(position=at) for at, entry in enumerate(entries, 1)]


def steps_of(told: list[Event]) -> dict[str, list[tuple[str, Incident | Story]]]:
    """By subject, what was told of it; journals that hold more have other positions."""
    steps: dict[str, list[tuple[str, Incident | Story]]] = {}
    for event in told:
        if isinstance(event, IncidentEvent):
            name = event.incident.subject
        else:
            name = f"the story of {event.story.machine}"
        steps.setdefault(name, []).append((event.activity, event.told))
    return steps


def test_a_spool_beside_a_live_agent_gives_the_incidents_that_it_gives_alone() -> None:
    """A scan of a day ago, twenty minutes long, arrives while another agent says that all is well."""
    spool, beside = [], [batch("live", [beat(LIVE)], LIVE)]
    for piece in range(60):
        then, now = LIVE - DAY + piece * 20 * SECOND, LIVE + (piece + 1) * 10 * SECOND
        ports = range(1 + piece * 30, 31 + piece * 30)
        rows = [
            flow(then + n * 600_000, "192.168.1.66", port, port) for n, port in enumerate(ports)
        ]
        spool.append(batch("spool", [*rows, beat(then + 20 * SECOND - 1)], now))
        beside += [spool[-1], batch("live", [beat(now)], now)]
    told = {}
    for name, entries in (("alone", spool), ("beside", beside)):
        engine = Engine(shipped_detectors())
        events = engine.step(numbered(entries)) + engine.finish()
        told[name] = steps_of(events), engine.open_incidents()
    assert [incident.kind for incident in told["alone"][1]] == ["scan"]
    assert told["beside"] == told["alone"]


class Marker(RowDetector):
    """A flow to one port is as strange as can be. Its table has no rate that hours would change."""

    name = "marker"
    table = "flows"
    reads = ("resp_p", "orig_h", "resp_h")
    entity = "orig"
    kind = "other"
    technique = ""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        scores[:] = np.where(rows["resp_p"] == MARKED, 1.0, np.nan)

    def explain(self, facts):
        return Explanation("{src}", "{src}", "", "")


MARKER = Calibrations({"marker": Calibration("marker", 1, "a test", [0.5, 1.0], [0.0, 0.0])})


@cache
def marker() -> Marker:
    return Marker()


def told_by(
    entries: list[Entry], step: int = 1000, stop: int = -1, path: Path | None = None
) -> dict[str, list[tuple[str, Incident | Story]]]:
    engine, told = Engine([marker()], MARKER), []
    for at in range(0, len(entries), step):
        told += engine.step(entries[at : at + step])
        if at // step == stop and path is not None:
            save(engine, path)
            engine = Engine([marker()], MARKER)
            load(engine, path)
    return steps_of(told)


lives = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 2), st.booleans()), max_size=25)
"""Of an agent, row by row: minutes since the one before, about whom, whether it is strange."""


@settings(max_examples=60)
@given(
    first=lives,
    second=lives,
    behind=st.integers(0, 3 * 24 * 60),
    shuffle=st.randoms(use_true_random=False),
    step=st.integers(1, 12),
    stop=st.integers(0, 12),
)
def test_agents_that_see_different_machines_do_not_change_each_others_incidents(
    first: list[tuple[int, int, bool]],
    second: list[tuple[int, int, bool]],
    behind: int,
    shuffle: random.Random,
    step: int,
    stop: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    queues = []
    for number, (agent, life) in enumerate((("live", first), ("spool", second))):
        time, queue = LIVE - number * behind * MINUTE, []
        for gap, whom, strange in life:
            time += gap * MINUTE
            # Three machines: what a fourth does would be told of several.
            machine = f"192.168.{number}.{whom % (2 - number)}"
            row = flow(time, machine, MARKED if strange else 80)
            queue.append(batch(agent, [row], LIVE + DAY * 3))
        queues.append(queue)
    alone = told_by(numbered(queues[0])) | told_by(numbered(queues[1]))
    mixed = []
    while any(queues):
        mixed.append(shuffle.choice([queue for queue in queues if queue]).pop(0))
    path = tmp_path_factory.mktemp("engine") / "checkpoint"
    assert told_by(numbered(mixed), step, stop, path) == alone
