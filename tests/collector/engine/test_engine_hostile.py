"""The reader checks a batch's form, not its sense: the engine must stand whatever the form allows."""

import random

import msgspec
import numpy as np
import pytest
import zstandard

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine import engine as engine_module
from dijkwacht_collector.engine.checkpoints import load, save
from dijkwacht_collector.engine.columns import ROW_BYTES, join_columns
from dijkwacht_collector.engine.numbering import MOST_AGENTS, OTHER_AGENTS
from dijkwacht_collector.incidents import StoryEvent, encode_event, story_title
from dijkwacht_collector.journal import Entry
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_detectors.state.mixture import Mixture
from dijkwacht_records import wire
from dijkwacht_records.tables import TABLES

NOW = 1_700_000_000_000_000
SITES = ("bakery", "clinic", "school")
INTEGERS = (0, 1, 2, 17, 53, 255, 65_535, -1, -(2**60), 2**60, 2**33, NOW)
FLOATS = (0.0, float("nan"), float("inf"), float("-inf"), -1e308, 0.5)
TEXTS = ("", "a", "é" * 500, "x." * 200, "\0", "a.b", "." * 100, "{src}", "%s", "cpu_ratio")


STRANGE_MIXTURE = Mixture(np.zeros((1, 3)), np.eye(3)[None]).encode()


def _value(draw: random.Random, kind: str):
    if kind == "int":
        return draw.choice((*INTEGERS, draw.randrange(65_536), draw.randrange(1 << 40)))
    if kind == "float":
        return draw.choice((*FLOATS, draw.random()))
    if kind == "addr":
        inside = bytes(10) + b"\xff\xff\xc0\xa8\x0a" + bytes([draw.randrange(4)])
        return draw.choice((bytes(16), b"\xff" * 16, inside, inside, draw.randbytes(16)))
    return draw.choice(TEXTS)


def _entries(seed: int):
    draw = random.Random(seed)
    # A budget without bounds, so that every score becomes an incident and is put into words.
    budget = msgspec.json.encode({"per_week": 1e9})
    for position, site in enumerate(SITES, 1):
        yield Entry(position, "budget", 0, NOW, site, budget)
    for position in range(4, 150):
        arrival = NOW + position * draw.choice((1, 1_000_000, 120_000_000))
        rows = []
        for _ in range(draw.choice((1, 5, 100))):
            number = draw.randrange(len(TABLES))
            row = [_value(draw, column.kind) for column in TABLES[number].columns]
            if draw.random() < 0.8:
                row[0] = arrival - draw.randrange(60_000_000)
            rows.append((number, tuple(row)))
        site, agent = draw.choice(SITES), draw.choice(("till", "door"))
        body = wire.encode(site, agent, bytes(16), position, arrival, rows)
        yield Entry(position, "batch", 0, arrival, site, body)


@pytest.mark.parametrize("seed", range(4))
def test_any_values_are_folded_and_explained(seed):
    engine = Engine(shipped_detectors())
    events = [event for entry in _entries(seed) for event in engine.step([entry])]
    events += engine.finish()
    assert engine.take_observed().failures == {}
    assert {event.site for event in events} == set(SITES)
    for event in events:
        encode_event(event)
        if isinstance(event, StoryEvent):
            assert all(story_title(event.story))
            continue
        incident = event.incident
        assert 1 <= len(incident.evidences) <= 5
        assert incident.title_en
        assert incident.title_nl


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("verdict", b'{"uid":"x","verdict":"maybe"}'),
        ("verdict", b'{"uid":7}'),
        ("verdict", b"\xff"),
        ("verdict", b""),
        ("budget", b'{"per_week":-1}'),
        ("budget", b'{"per_week":"1"}'),
        ("budget", b'{"per_week":1e999}'),
        ("exemption", b'{"kind":"scan"}'),
        ("model", b"unlike_others\nno mixture"),
        ("model", b"\xff\xfe"),
        ("model", b"unknown\n"),
        ("model", b"volume\nof a detector that there was"),
        ("model", b"unlike_others\n" + STRANGE_MIXTURE),
    ],
)
def test_an_entry_that_makes_no_sense_changes_nothing(kind, payload, caplog, tmp_path):
    plain, odd = Engine(shipped_detectors()), Engine(shipped_detectors())
    entries = list(_entries(5))
    wanted = [event for entry in entries for event in plain.step([entry])]
    with caplog.at_level("CRITICAL"):
        odd.step([Entry(0, kind, 0, NOW, "bakery", payload)])
    failed = {"unlike_others": 1} if payload.startswith(b"unlike_others") else {}
    assert odd.take_observed().failures == failed
    save(odd, tmp_path / "checkpoint")
    odd = Engine(shipped_detectors())
    load(odd, tmp_path / "checkpoint")
    assert [event for entry in entries for event in odd.step([entry])] == wanted


def test_names_of_agents_that_are_made_up_are_told_apart_up_to_a_bound():
    engine = Engine(shipped_detectors())
    beat = (5, (NOW, "cpu_ratio", 0.5))
    for position in range(1, 600):
        body = wire.encode("bakery", f"a{position}", bytes(16), 0, NOW, [beat])
        engine.step([Entry(position, "batch", 0, NOW, "bakery", body)])
    body = wire.encode("clinic", "desk", bytes(16), 0, NOW, [beat])
    engine.step([Entry(600, "batch", 0, NOW, "clinic", body)])
    assert len(engine.numbering.agents) == MOST_AGENTS + 2
    assert engine.numbering.agents[-2:] == [(0, OTHER_AGENTS), (1, "desk")]


def test_no_time_is_before_1970():
    engine = Engine(shipped_detectors())
    body = wire.encode("bakery", "desk", bytes(16), 0, NOW, [(5, (-(2**61), "cpu_ratio", 0.5))])
    engine.step([Entry(1, "batch", 0, NOW, "bakery", body)])
    assert engine.clocks[0] == 0
    assert engine.take_observed().late == {"bakery": 1}


def test_batches_that_hold_much_and_few_rows_are_not_all_unpacked_at_once(monkeypatch):
    joined = []

    def join(arrivals, wanted, clocks):
        joined.append(sum(arrival.batch.planes.size for arrival in arrivals))
        return join_columns(arrivals, wanted, clocks)

    monkeypatch.setattr(engine_module, "join_columns", join)
    plain = msgspec.msgpack.encode(["bakery", "desk", bytes(16), 0, 1, bytes(1 << 20), b"", []])
    body = wire.MAGIC + b"\1" + zstandard.ZstdCompressor().compress(plain)
    assert wire.decode(body).rows == 0
    entries = [Entry(position, "batch", 0, NOW, "bakery", body) for position in range(1, 21)]
    engine = Engine(shipped_detectors())
    engine.step(entries)
    assert sum(joined) == 20 << 20
    assert max(joined) <= engine_module.STEP_ROWS * ROW_BYTES
    # And they count for what they cost, so that other sites need not wait for them.
    assert engine.join(entries).costs(engine.numbering)["bakery"] >= 4096
