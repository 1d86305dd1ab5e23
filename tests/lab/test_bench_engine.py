"""What `bench engine` measures: which points, that every row is folded, and where its time goes."""

from collections import Counter
from itertools import chain, islice, pairwise

import pytest

from dijkwacht_collector.engine import Engine, slots, views, worker
from dijkwacht_collector.engine import engine as engine_module
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.bench import engine, engine_peers, stopwatches
from dijkwacht_lab.bench.arriving import generated_entries
from dijkwacht_lab.bench.mixed_rows import mixed_rows
from dijkwacht_lab.bench.worst_rows import INPUTS, ONE_SITE
from dijkwacht_lab.traffic.table_shares import table_shares
from dijkwacht_records import wire
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.tables import DNS, FLOWS, TABLES

FLOW = TABLES.index(FLOWS)
OTHERS = [name for name in INPUTS if name != engine.MIXED]


@pytest.fixture
def runs(monkeypatch):
    """Runs are noted, not made: a run's rate is its number of entries."""
    made = []

    def run(entries, warm):
        rows = sum(wire.decode(entry.payload).rows for entry in entries)
        made.append((len(entries), warm))
        return {"rows_per_second": len(entries), "warm_rows": 1, "rows": rows - 1}

    monkeypatch.setattr(engine, "_run", run)
    return made


def test_the_measurement_says_which_rows_it_measured(runs):
    told = engine.measure(sites=[3], rows_per_site=400, batch_rows=[100], runs=2)
    assert runs == [(12, 1)] * 2
    made = chain.from_iterable(islice(mixed_rows(site), 400) for site in range(3))
    assert told["table_shares"] == table_shares(made)


def test_batches_sites_and_inputs_are_each_measured_from_the_first_of_the_others(runs):
    told = engine.measure(
        sites=[3, 2], rows_per_site=200, batch_rows=[100, 50], runs=1, inputs=["mixed", "churn"]
    )
    points = [(p["input"], p["sites"], p["batch_rows"]) for p in told["points"]]
    assert points == [("mixed", 3, 100), ("mixed", 3, 50), ("mixed", 2, 100), ("churn", 3, 100)]
    assert told["batch_rows"] == 100
    assert told["rows_per_second"] == 6
    assert told["growth"] == pytest.approx(4 / 6, abs=0.01)


def test_one_site_sends_all_there_is(runs):
    told = engine.measure(sites=[3], rows_per_site=300, batch_rows=[100], runs=1, inputs=[ONE_SITE])
    assert (told["input"], told["sites"], told["rows"] + told["warm_rows"]) == (ONE_SITE, 1, 300)


def test_rows_that_were_not_folded_are_an_error(monkeypatch):
    rows = {"rows_per_second": 1, "warm_rows": 10, "rows": 89}
    monkeypatch.setattr(engine, "_run", lambda _entries, _warm: rows)
    with pytest.raises(RuntimeError, match="of 100 rows 99 were folded"):
        engine.measure(sites=[1], rows_per_site=100, batch_rows=[100], runs=1)


def test_an_unknown_input_is_said():
    with pytest.raises(SettingsError, match="--inputs hurl: one of mixed, "):
        engine.measure(inputs=["hurl"])


def test_steps_are_those_of_an_engine_that_is_behind():
    entries = generated_entries(4, 2_000, 1_000, 2, mixed_rows)
    steps = [*engine._steps(entries * 20)]
    assert engine._STEP_BYTES == worker._STEP_BYTES
    assert [*chain(*steps)] == entries * 20
    sizes = [[len(entry.payload) for entry in step] for step in steps]
    assert len(steps) > 1
    for step in sizes[:-1]:
        assert sum(step[:-1]) < worker._STEP_BYTES <= sum(step)


def test_few_sites_have_an_hour_each_and_many_a_few_batches():
    assert [engine.rows_of_each(n) for n in (10, 100, 1000, 10_000)] == [20_000, 10_000, 1000, 300]


@pytest.mark.parametrize("name", OTHERS)
def test_the_worst_rows_are_such_as_an_agent_may_send(name):
    rows = list(islice(INPUTS[name](1), 400))
    times = [row[0] for _, row in rows]
    assert max(times) - min(times) < 3_600_000_000
    for at in range(0, len(rows), 100):
        batch = wire.encode("site", "agent", bytes(16), 1, 1, rows[at : at + 100], 2)
        assert list(wire.unpack_rows(wire.decode(batch))) == rows[at : at + 100]


def _flows(name, count=1000):
    return [row for number, row in islice(INPUTS[name](2), count) if number == FLOW]


def test_uploads_stay_high_and_grow():
    sent, local = FLOWS.index("orig_bytes"), FLOWS.index("local_resp")
    out = [
        row[sent] for row in _flows("uploads") if not row[local] and row[FLOWS.index("local_orig")]
    ]
    assert len(out) > 100
    assert min(out) > 50_000_000
    assert out == sorted(set(out))


def test_who_is_called_is_new_each_time_where_addresses_churn():
    called = [row[FLOWS.index("resp_h")] for row in _flows("churn")]
    assert len(called) > 700
    assert len(set(called)) == len(called)


def test_each_row_is_of_new_entities_where_they_are_fresh():
    for end in ("orig_h", "resp_h"):
        who = [row[FLOWS.index(end)] for row in _flows("fresh")]
        assert len(set(who)) == len(who)
    names = [row[DNS.index("query")] for number, row in islice(INPUTS["fresh"](2), 1000)
             if number == TABLES.index(DNS)]  # fmt: skip
    assert len(set(names)) == len(names) > 30


def test_tables_take_turns():
    numbers = [number for number, _ in islice(INPUTS["in turn"](1), 1000)]
    same = sum(a == b for a, b in pairwise(numbers))
    assert same < 10
    assert max(Counter(numbers).values()) < 600


def test_one_table_is_look_ups_alone():
    assert {number for number, _ in islice(INPUTS["one table"](1), 100)} == {TABLES.index(DNS)}


def test_every_part_that_is_watched_is_there_and_the_engine_is_as_it_was():
    before = views.Views.rows, slots.Slots.of, engine_module.join_columns
    watched_engine = Engine(shipped_detectors())
    entries = generated_entries(2, 300, 100, rows_of_site=mixed_rows)
    with stopwatches.watched(watched_engine) as found:
        assert views.Views.rows is not before[0]
        watched_engine.step(entries)
    assert found.missing == []
    spent = found.spent
    assert spent.keys() >= {"read checked", "join columns", "policy", "fusion", "scan", "contexts",
                            "views and merging", "slots", "decide"}  # fmt: skip
    for part in ("views and merging", "slots", "contexts", "join columns", "decide", "scan"):
        assert spent[part] > 0, part
    assert (views.Views.rows, slots.Slots.of, engine_module.join_columns) == before
    assert not {"_note", "_decide", "_join"} & vars(watched_engine).keys()


def test_a_second_is_counted_to_the_inner_part_alone(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(stopwatches.time, "thread_time", lambda: next(clock))

    class Parts:
        def outer(self):
            self.inner()
            return self.inner()

        def inner(self):
            return 7

    found, parts = stopwatches.Stopwatches(), Parts()
    found.watch(parts, "outer", "outer")
    found.watch(parts, "inner", "inner")
    found.watch(parts, "gone", "gone")
    assert parts.outer() == 7
    # Between two readings of the clock a tick passes: two of them in inner, three around them.
    assert found.spent == {"outer": 3, "inner": 2}
    assert [text.partition(":")[0] for text in found.missing] == ["gone"]


def test_a_part_that_fails_is_stopped(monkeypatch):
    class Parts:
        def fails(self):
            raise ValueError

    found, parts = stopwatches.Stopwatches(), Parts()
    found.watch(parts, "fails", "part")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^$"):
            parts.fails()
    assert found._running == []


def test_a_peer_that_is_not_there_is_said_with_the_line_that_brings_it(monkeypatch):
    monkeypatch.setattr(engine_peers, "LEARNED", 50)
    monkeypatch.setattr(engine_peers, "find_spec", lambda _name: None)
    river, kitnet, forest = engine_peers.measure_peers(1000.0, sites=1, rows=400)
    assert river["missing"] == kitnet["missing"] == "pip install 'dijkwacht[peers]'"
    assert forest["features"] == 19
    assert forest["flows"] > 50
    # as both are rounded
    assert forest["times"] == pytest.approx(1000 / forest["flows_per_second"], abs=0.1)


def test_features_of_peers_are_between_0_and_1_and_as_many_as_said():
    flows = engine_peers.flow_features(1, 400)
    assert flows.min() == 0
    assert flows.max() == 1
    wide = engine_peers._widened(flows)
    assert wide.shape == (len(flows), 30)
