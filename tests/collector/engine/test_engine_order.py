"""The same rows give byte-equal incidents, however they are cut, mixed with others or interrupted."""

from __future__ import annotations

import itertools
import pickle
import random
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import MAGIC, load, save
from dijkwacht_collector.incidents import Incident, Story
from dijkwacht_collector.journal import Entry, partition_of
from dijkwacht_detectors.api import Explanation, Rows, Scores, State, WindowDetector
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.errors import DijkwachtError
from dijkwacht_records.tables import AGENT, TABLES, ConnState, FlowState, Row
from dijkwacht_records.wire import encode

Stream = list[tuple[int, Row]]

INTRUDER = pack_address("192.168.77.66")
SERVER = pack_address("192.168.77.2")
AGENT_TABLE = TABLES.index(AGENT)


def flow(time: int, number: int, resp_p: int, state: ConnState, size: int) -> tuple[int, Row]:
    answered = int(state != ConnState.S0)
    return 0, (
        time, time - 1000, 10_000_000 + number, 0, FlowState.END, INTRUDER, SERVER,
        40_000 + number % 20_000, resp_p, 6, 0, state, 2, 18 * answered, 1 + answered * 6,
        answered * 7, size, size * answered, 1, 1,
    )  # fmt: skip


def attack(start: int) -> Stream:
    """A port scan, then password guessing: what nmap and hydra leave behind, as rows."""
    rows = [
        flow(start + i * 10_000, i, 1 + i, ConnState.REJ if i % 3 else ConnState.S0, 0)
        for i in range(300)
    ]
    begin = start + 120_000_000
    rows += [flow(begin + i * 400_000, 1000 + i, 22, ConnState.SF, 900 + i % 7) for i in range(120)]
    return rows


@cache
def stream(seed: int) -> Stream:
    """Twenty minutes of an office with an intruder in it, in time order."""
    rows = list(office_rows(seed, 8, WORKING_MORNING, 1_200_000_000))
    late = WORKING_MORNING + (300 + 60 * seed) * 1_000_000
    return sorted([*rows, *attack(late)], key=lambda row: row[1][0])


def entries_of(site: str, rows: Stream, cuts: list[int]) -> list[Entry]:
    bounds = [0, *sorted({c for c in cuts if 0 < c < len(rows)}), len(rows)]
    made = []
    for seq, (begin, end) in enumerate(itertools.pairwise(bounds)):
        part = rows[begin:end]
        arrival = max(int(row[0]) for _, row in part)
        payload = encode(site, "agent-1", bytes(16), seq, arrival, part)
        made.append(Entry(0, "batch", partition_of(site), arrival, site, payload))
    return made


def numbered(entries: list[Entry]) -> list[Entry]:
    return [e._replace(position=at) for at, e in enumerate(entries, 1)]


def final(engine: Engine, steps: list[list[Entry]]) -> dict[str, list[bytes]]:
    """The last word on every incident and story, by site, as bytes."""
    last: dict[str, Incident | Story] = {}
    for step in steps:
        last |= {event.uid: event.told for event in engine.step(step)}
    last |= {event.uid: event.told for event in engine.finish()}
    last |= {told.uid: told for told in (*engine.open_incidents(), *engine.open_stories())}
    told: dict[str, list[bytes]] = {}
    for incident in sorted(last.values(), key=lambda i: (i.start, i.uid)):
        told.setdefault(incident.site, []).append(msgspec.json.encode(incident))
    return told


def chunks(entries: list[Entry], size: int) -> list[list[Entry]]:
    return [entries[at : at + size] for at in range(0, len(entries), size)]


@cache
def undisturbed() -> dict[str, list[bytes]]:
    told = {}
    for seed, site in enumerate(("bakery", "clinic", "garage")):
        entries = numbered(entries_of(site, stream(seed), []))
        told |= final(Engine(shipped_detectors()), [entries])
    return told


def test_the_stream_holds_incidents_worth_comparing() -> None:
    told = [msgspec.json.decode(text) for texts in undisturbed().values() for text in texts]
    assert {"scan", "bruteforce"} <= {one["kind"] for one in told if "kind" in one}
    assert any(len(one["parts"]) > 1 and one["calls"] for one in told if "parts" in one)


@pytest.mark.parametrize("size", [1, 100, 10_000])
def test_batches_of_any_size(size: int) -> None:
    rows = stream(0)
    entries = numbered(entries_of("bakery", rows, list(range(size, len(rows), size))))
    told = final(Engine(shipped_detectors()), chunks(entries, 512))
    assert told["bakery"] == undisturbed()["bakery"]


@settings(max_examples=12)
@given(
    cuts=st.lists(st.integers(1, 8000), max_size=60),
    step=st.integers(1, 40),
    shuffle=st.randoms(use_true_random=False),
    stops=st.lists(st.integers(0, 60), max_size=3),
)
def test_any_cut_any_mix_of_sites_any_restart(
    cuts: list[int],
    step: int,
    shuffle: random.Random,
    stops: list[int],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    queues = [
        entries_of(site, stream(seed), cuts)
        for seed, site in enumerate(("bakery", "clinic", "garage"))
    ]
    mixed = []
    while any(queues):
        queue = shuffle.choice([q for q in queues if q])
        mixed.append(queue.pop(0))
    engine = Engine(shipped_detectors())
    checkpoint = tmp_path_factory.mktemp("engine") / "checkpoint"
    last: dict[str, Incident | Story] = {}
    for at, part in enumerate(chunks(numbered(mixed), step)):
        last |= {event.uid: event.told for event in engine.step(part)}
        if at in stops:
            save(engine, checkpoint)
            engine = Engine(shipped_detectors())
            load(engine, checkpoint)
    told = final(engine, [])
    closed = [i for i in last.values() if i.status != "new"]
    for incident in closed:
        told[incident.site].append(msgspec.json.encode(incident))
    wanted = undisturbed()
    assert {s: sorted(t) for s, t in told.items()} == {s: sorted(t) for s, t in wanted.items()}


Flood = list[tuple[str, int, int]]
"""Agent, minute, connections; 0 of them: a heartbeat instead."""

FLOODS: dict[str, Flood] = {
    "bakery": [
        ("a", 0, 30_000), ("b", 0, 30_000), ("c", 0, 30_000), ("a", 0, 9_000), ("b", 1, 0),
        ("d", 0, 20_000), ("c", 1, 700), ("e", 1, 20_000), ("b", 1, 300), ("e", 2, 0), ("f", 1, 9_000),
    ],
    "clinic": [("a", 0, 25_000), ("b", 0, 300), ("c", 0, 25_000), ("a", 3, 25_000)],
}  # fmt: skip


def flood_entries(site: str, rows_each: int) -> list[Entry]:
    made = []
    for agent, minute, connections in FLOODS[site]:
        now = WORKING_MORNING + minute * 60_000_000
        beat = (now, *(0 for _ in TABLES[AGENT_TABLE].columns[1:]))
        rows: Stream = [(AGENT_TABLE, beat)]
        if connections:
            rows = [flow(now, 0, 4444, ConnState.S0, 0)] * connections
        for at in range(0, len(rows), rows_each):
            part = rows[at : at + rows_each]
            payload = encode(site, agent, bytes(16), len(made), now, part)
            made.append(Entry(0, "batch", partition_of(site), now, site, payload))
    return made


class Waiting(WindowDetector):
    """Rows wait until their window ends."""

    name = "waiting"
    table = "flows"
    reads = ()
    entity = "pair"
    kind = "other"
    technique = ""

    def score(self, window: Rows, state: State) -> tuple[Scores, Scores]:
        return np.zeros(len(window)), np.zeros((len(window), 0))

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        raise NotImplementedError


def dropped_of(
    queues: list[list[Entry]], step: int, shuffle: random.Random, checkpoint: Path | None
) -> tuple[dict[str, int], int]:
    """Rows that full windows did not take, by site, and what waits at the end."""
    mixed = []
    while any(queues):
        mixed.append(shuffle.choice([q for q in queues if q]).pop(0))
    engine = Engine([Waiting()])
    told: dict[str, int] = {}
    for part in chunks(numbered(mixed), step):
        engine.step(part)
        for site, rows in engine.take_observed().dropped.items():
            told[site] = told.get(site, 0) + rows
        if checkpoint is not None:
            save(engine, checkpoint)
            engine = Engine([Waiting()])
            load(engine, checkpoint)
    scored = engine.host.end_windows(
        np.array([[0, agent, 1 << 60] for agent in range(len(engine.numbering.agents))])
    )
    return told, sum(len(one.time) for one in scored)


@cache
def dropped_undisturbed(site: str) -> tuple[dict[str, int], int]:
    return dropped_of([flood_entries(site, 30_000)], 1, random.Random(0), None)


@settings(max_examples=6)
@given(
    rows_each=st.integers(3_000, 30_000),
    step=st.integers(1, 30),
    shuffle=st.randoms(use_true_random=False),
    restarts=st.booleans(),
)
def test_full_windows_drop_the_same_rows_in_any_cut_mix_and_restart(
    rows_each: int,
    step: int,
    shuffle: random.Random,
    restarts: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    checkpoint = tmp_path_factory.mktemp("engine") / "checkpoint" if restarts else None
    queues = [flood_entries(site, rows_each) for site in FLOODS]
    dropped, waiting = dropped_of(queues, step, shuffle, checkpoint)
    alone = [dropped_undisturbed(site) for site in FLOODS]
    assert dropped == alone[0][0] | alone[1][0]
    assert set(dropped) == {"bakery", "clinic"}
    assert waiting == sum(rows for _, rows in alone)


def test_a_checkpoint_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "partition-095.checkpoint"
    for content in (b"", b"\x00", pickle.dumps(()), MAGIC, MAGIC + bytes(40), MAGIC + bytes(20)):
        path.write_bytes(content)
        with pytest.raises(DijkwachtError, match=r"not a checkpoint|missing|damaged"):
            load(Engine(shipped_detectors()), tmp_path)


def test_a_row_from_1970_and_one_from_the_future_move_no_clock_wrongly() -> None:
    rows = stream(0)[:500]
    now = int(rows[-1][1][0])
    engine = Engine(shipped_detectors())
    engine.step(numbered(entries_of("bakery", rows, [])))
    row = next(row for number, row in rows if number == 0)
    odd = [(0, (12_345, *row[1:])), (0, (now + 10**15, *row[1:]))]
    payload = encode("bakery", "agent-1", bytes(16), 9, now, odd)
    engine.step([Entry(2, "batch", 0, now + 1_000_000, "bakery", payload)])
    observed = engine.take_observed()
    assert observed.late["bakery"] >= 1
    assert observed.future == {"bakery": 1}
    assert int(engine.clocks[0]) == now + 1_000_000
