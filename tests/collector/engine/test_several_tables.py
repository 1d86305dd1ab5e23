"""One detector over several tables: rows in the order of the journal, however they were cut."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.columns import Arrival, join_columns
from dijkwacht_collector.engine.detector_host import DetectorHost
from dijkwacht_collector.engine.site_record import SiteRecord
from dijkwacht_collector.engine.views import Views, view_of
from dijkwacht_collector.journal import Entry
from dijkwacht_detectors.api import RowDetector, SiteDetector, Who, WindowDetector
from dijkwacht_detectors.reading import Reading, reading_of
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import TABLE, TABLES
from dijkwacht_records.wire import decode, encode, unpack_rows

START = 1_700_000_000_000_000
SECOND = 1_000_000
NOTHING = {"int": 0, "float": 0.0, "addr": bytes(16), "text": ""}
FLOWS_AND_DNS = {"flows": ("resp_p",), "dns": ("qtype", "query")}


def row(table, time, host=1, **values):
    own = {c.name: NOTHING[c.kind] for c in TABLE[table].columns}
    own |= {"time": time, "orig_h": pack_address(f"192.168.1.{host}")} | values
    return TABLES.index(TABLE[table]), tuple(own.values())


def entry(position, site, rows, agent="a"):
    time = max(values[0] for _, values in rows)
    payload = encode(site, agent, bytes(16), position, time, rows)
    return Entry(position, "batch", 0, time, site, payload)


class Join(RowDetector):
    """How many questions a host asked before each of its flows."""

    name = "join"
    reads = FLOWS_AND_DNS
    entity = "orig"
    kind = "policy"
    technique = ""
    who = Who(name="query")
    state = {"asked": ("i8", ())}  # noqa: RUF012

    def fold(self, rows, state, scores, facts):
        asked, flows = state["asked"], [*self.reads].index("flows")
        for i, slot in enumerate(rows.slot):
            if rows.fresh[i]:
                asked[slot] = 0
            if rows.table[i] == flows:
                assert rows["qtype"][i] == 0
                assert rows["query"][i] == ""
                scores[i] = asked[slot]
            else:
                assert rows["resp_p"][i] == 53, "a column that both tables have is one"
                asked[slot] += rows["qtype"][i]

    def explain(self, facts):
        raise NotImplementedError


class JoinSite(SiteDetector):
    """The same for a site, of the windows before."""

    name = "join_site"
    reads = FLOWS_AND_DNS

    def __init__(self):
        self.asked = 0

    def score_many(self, window):
        return np.where(window.table == 0, self.asked, np.nan)

    def learn_many(self, window):
        self.asked += int(window["qtype"][window.table == 1].sum())


class JoinWindow(WindowDetector):
    """The same for a host."""

    name = "join_window"
    reads = FLOWS_AND_DNS
    entity = "orig"
    kind = "policy"
    technique = ""
    state = {"asked": ("i8", ())}  # noqa: RUF012

    def score(self, window, state):
        known = np.where(window.fresh, 0, state["asked"][window.slot])
        return np.where(window.table == 0, known, np.nan), np.zeros((len(window), 0))

    def learn(self, window, state):
        state["asked"][window.slot[window.fresh]] = 0
        np.add.at(state["asked"], window.slot, window["qtype"])

    def explain(self, facts):
        raise NotImplementedError


class Told:
    """Scores by site and time, as an engine's watch is told them."""

    def __init__(self):
        self.scores = {}

    def watch(self, scored, numbering):
        for one in scored:
            assert (np.diff(one.order) >= 0).all()
            for i, score in enumerate(one.scores):
                if not np.isnan(score):
                    at = (numbering.sites[one.site[i]], int(one.time[i]))
                    assert self.scores.setdefault(at, score) == score
                    assert numbering.site_of(one.agent[i]) == at[0]


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("reads", [FLOWS_AND_DNS, dict(reversed(FLOWS_AND_DNS.items()))])
def test_a_join_sees_the_questions_before_each_flow_whatever_the_steps(steps, reads):
    entries = [
        entry(n + 1, "bakery", [
            row("flows", START + 2 * n, resp_p=80),
            row("dns", START + 2 * n + 1, qtype=1, resp_p=53, query="a.example"),
        ])
        for n in range(4)
    ]  # fmt: skip
    told = Told()
    detector = type("Either", (Join,), {"reads": reads})()
    engine = Engine([detector], watch=told.watch)
    for at in range(0, 4, steps):
        engine.step(entries[at : at + steps])
    assert [told.scores["bakery", START + 2 * n] for n in range(4)] == [0, 1, 2, 3]
    assert engine.take_observed().failures == {}


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["bakery", "clinic", "garage"]),
        st.sampled_from(["flows", "dns", "tls"]),
        st.integers(1, 2),
        st.integers(0, 40),
    ),
    min_size=1,
    max_size=40,
)


def streams(made):
    """Entries of one row each; no two rows at one time."""
    now, entries = START, []
    for n, (site, table, host, seconds) in enumerate(made, 1):
        now += seconds * SECOND + 1
        if table == "dns":
            values = {"qtype": 1, "resp_p": 53, "query": f"{n}.example"}
        else:
            values = {"resp_p": 80}
        entries.append(entry(n, site, [row(table, now, host, **values)]))
    return entries


def model(made):
    """What Join, JoinSite and JoinWindow must say, said the plain way."""
    now, asked, told = START, {}, {"join": {}, "join_site": {}, "join_window": {}}
    windows: dict[str, tuple[int, dict[object, int]]] = {}
    for site, table, host, seconds in made:
        now += seconds * SECOND + 1
        window = now // (60 * SECOND)
        begun, learned = windows.get(site, (window, {}))
        if begun != window:
            for key, count in learned.items():
                asked[key] = asked.get(key, 0) + count
            learned = {}
        windows[site] = (window, learned)
        if table == "flows":
            told["join"][site, now] = asked.get(("row", site, host), 0)
            told["join_site"][site, now] = asked.get(site, 0)
            told["join_window"][site, now] = asked.get((site, host), 0)
        elif table == "dns":
            asked["row", site, host] = asked.get(("row", site, host), 0) + 1
            for key in (site, (site, host)):
                learned[key] = learned.get(key, 0) + 1
    return told


@pytest.mark.parametrize("detector", [Join, JoinSite, JoinWindow])
@settings(max_examples=25)
@given(made=ROWS, cuts=st.sets(st.integers(0, 40)), moves=st.sets(st.integers(0, 40), max_size=2))
def test_any_cut_any_mix_of_sites_and_any_move_gives_equal_scores(detector, made, cuts, moves):
    entries, told = streams(made), Told()
    engine = Engine([detector()], watch=told.watch)
    bounds = sorted({0, *(c for c in cuts | moves if c < len(entries)), len(entries)})
    for begin, end in pairwise(bounds):
        if begin in moves:
            taken = [msgspec.msgpack.encode(engine.take(s)) for s in engine.numbering.sites]
            engine.take_observed()
            engine = Engine([detector()], watch=told.watch)
            for record in reversed(taken):
                engine.put(msgspec.msgpack.decode(record, type=SiteRecord))
        engine.step(entries[begin:end])
    engine.finish()
    assert told.scores == model(made)[detector.name]
    assert engine.take_observed().failures == {}


@settings(max_examples=25)
@given(
    made=st.lists(st.tuples(st.sampled_from(TABLES), st.text(max_size=4)), max_size=30),
    chosen=st.permutations([t.name for t in TABLES]),
)
def test_merged_columns_hold_the_rows_of_all_tables(made, chosen):
    rows = [row_of(table, START + n, text) for n, (table, text) in enumerate(made)]
    batch = decode(encode("s", "a", bytes(16), 1, START, rows))
    arrival = Arrival.of(batch, 0, 0, START + 60)
    tables = chosen[:3]
    columns = tuple({c.name: 0 for t in tables for c in TABLE[t].columns[1:]})
    reading = Reading(tuple(tables), columns, ())
    wanted = {TABLES.index(TABLE[t]): frozenset(reading.needed_of(t)) for t in tables}
    step = join_columns([arrival], wanted, np.zeros(1, np.int64))
    views, view = Views(step), view_of(reading, {})
    merged = views.rows(view)
    plain = [item for item in unpack_rows(arrival.batch) if TABLES[item[0]].name in tables]
    if not plain:
        assert merged is None
        return
    again = views.rows(view._replace(columns=view.columns[1:]))
    assert again.columns.keys() == merged.columns.keys() - {view.columns[0][0]}
    assert all(merged.columns[name] is column for name, column in again.columns.items()), "once"
    assert merged.time.tolist() == [values[0] for _, values in plain]
    assert [tables[k] for k in merged.columns["table"]] == [TABLES[n].name for n, _ in plain]
    for name, kind in view.columns:
        for i, (number, values) in enumerate(plain):
            known = dict(zip([c.name for c in TABLES[number].columns], values, strict=True))
            held = merged.columns[name][i]
            if kind == "addr":
                held = int(held[0]).to_bytes(8, "big") + int(held[1]).to_bytes(8, "big")
            assert held == known.get(name, NOTHING[kind])


def row_of(table, time, text):
    size = len(text)
    values = {"int": size, "float": size / 2, "addr": pack_address(f"10.0.0.{size}"), "text": text}
    own = (values[c.kind] for c in table.columns[1:])
    return TABLES.index(table), (time, *own)


def test_a_mapping_of_one_table_is_the_short_form():
    class Short(Join):
        table = "flows"
        reads = ("resp_p",)
        who = Who()

    class Long(Short):
        reads = {"flows": ("resp_p",)}  # noqa: RUF012

    assert reading_of(Short()) == reading_of(Long())
    assert reading_of(Short()).handed == ("resp_p",)
    short, long = DetectorHost([Short()]), DetectorHost([Long()])
    assert short.wanted_columns() == long.wanted_columns()
    assert short.signatures == long.signatures
    assert short._entity_tables == long._entity_tables


def test_who_and_whom_come_from_the_table_that_names_them():
    scored = []
    engine = Engine([Join()], watch=lambda told, _: scored.extend(told))
    engine.step([
        entry(1, "bakery", [
            row("dns", START, qtype=1, resp_p=53, query="a.example"),
            row("flows", START + 1, resp_p=80),
        ])
    ])  # fmt: skip
    (one,) = scored
    assert [one.named["query"][0], one.named["query"][1]] == ["a.example", ""]
    assert one.named["resp_p"].tolist() == [53, 80]
    assert one.named["orig_h"].shape == (2, 2)
