"""Contexts keep a contract of their own, and a detector may ask for their columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.api import WindowDetector
from dijkwacht_detectors.checks import check_context
from dijkwacht_detectors.context import contexts_for, shipped_contexts
from dijkwacht_detectors.context.hosts import Hosts
from dijkwacht_detectors.declaration import context_faults, faults
from dijkwacht_detectors.harness import context_columns, score_rows
from dijkwacht_detectors.reading import reads_of
from dijkwacht_detectors.samples import sample_rows
from dijkwacht_detectors.scan import Scan


@pytest.mark.parametrize("context", shipped_contexts(), ids=lambda context: context.name)
def test_it_keeps_the_contract(context):
    check_context(context)


@pytest.mark.parametrize("context", shipped_contexts(), ids=lambda context: context.name)
def test_it_says_what_it_knew_before_the_row(context):
    rows = sample_rows(tuple(reads_of(context)), 200, seed=5)
    some, all_of_them = context_columns(context, rows[:100]), context_columns(context, rows)
    for name in context.columns:
        assert some[name].tolist() == all_of_them[name][:100].tolist()


def test_no_two_have_a_column_of_the_same_name():
    names = [name for context in shipped_contexts() for name in context.columns]
    assert len(names) == len(set(names))
    assert [context.name for context in contexts_for(["dest_rows"])] == ["hosts"]
    assert contexts_for([]) == []


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(1, 4), st.integers(0, 1), st.integers(1, 9)),
        max_size=30,
    )
)
def test_hosts_are_those_the_site_met(made):
    rows, now = [], 0
    first, count, wanted = {}, {}, []
    for site, dest, part, later in made:
        now += later
        rows.append({"time": now, "site": site, "resp_h": dest, "part": part})
        wanted.append((first.setdefault((site, dest), now), count.get((site, dest), 0)))
        count[site, dest] = count.get((site, dest), 0) + (part == 0)
    told = context_columns(Hosts(), rows)
    assert list(zip(told["dest_first"], told["dest_rows"], strict=True)) == wanted


def test_a_destination_not_called_for_a_month_is_new():
    month = Hosts.forget_after_s * 1_000_000
    rows = [{"time": time, "resp_h": 9} for time in (1, month + 1, 2 * month + 2)]
    told = context_columns(Hosts(), rows)
    assert told["dest_first"].tolist() == [1, 1, 2 * month + 2]
    assert told["dest_rows"].tolist() == [0, 1, 0]


class Leaky(Hosts):
    """Counts all sites together.

    >>> 1 + 1
    2
    """

    def __init__(self):
        self.calls = 0

    def fold(self, rows, state, out):
        self.calls += len(rows)
        out["dest_rows"][:] = self.calls


def test_the_suite_notices_a_context_with_memory_outside_of_its_state():
    Leaky.name = Leaky.__module__.rpartition(".")[2]
    with pytest.raises(AssertionError, match=r"restart|site|step|move"):
        check_context(Leaky())


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("name", "Dest!", "name 'Dest!'"),
        ("table", "flow", "table 'flow': expected one of flows"),
        ("reads", ("door",), "reads 'door', no column of table flows"),
        ("entity", "host", "entity 'host': expected one of site, orig"),
        ("columns", {"resp_h": "int"}, "columns has 'resp_h', which is a table's"),
        ("columns", {"table": "int"}, "columns has 'table', which is a table's, or comes free"),
        ("columns", {"dest_name": "text"}, "column 'dest_name' is of kind 'text'"),
        ("state", {"samples": ("f8", (9, 2))}, "state 'samples': a context keeps nothing"),
    ],
)
def test_each_fault_of_a_context_is_named(field, value, fault):
    found = list(context_faults(type("Changed", (Hosts,), {field: value})()))
    assert [one for one in found if one.startswith(fault)], found


@pytest.mark.parametrize("field", ["columns", "entity"])
def test_what_a_context_does_not_declare_is_named(field):
    names = {"name", "table", "reads", "columns", "entity"} - {field}
    bare = type("Bare", (), {name: getattr(Hosts, name) for name in names})
    assert list(context_faults(bare())) == [f"declares no {field}"]


@pytest.mark.parametrize(
    ("table", "context", "fault"),
    [
        ("flows", ("dest_age",), "context 'dest_age': expected one of dest_first, dest_rows"),
        ("arp", ("dest_rows",), "context 'dest_rows' is of flows, which is not read"),
    ],
)
def test_a_detector_that_asks_for_what_is_not_there_is_refused(table, context, fault):
    asking = type("Asking", (Scan,), {"context": context, "table": table, "reads": ()})
    assert fault in list(faults(asking()))


def test_there_may_be_no_context_at_all():
    asking = type("Asking", (Scan,), {"context": ("dest_rows",)})
    (fault,) = faults(asking(), [])
    assert fault == "context 'dest_rows': expected one of none; there is no context"


class New(WindowDetector):
    """Windows are cut after the context was computed, in the rows' order."""

    name = "new"
    table = "flows"
    reads = ()
    context = ("dest_rows",)
    entity = "site"
    kind = "policy"
    technique = ""

    def score(self, window, state):
        return window["dest_rows"] * 1.0, window["dest_rows"][:, None][:, :0] * 1.0

    def explain(self, facts):
        raise NotImplementedError


def test_a_window_has_the_context_of_its_rows_whoever_else_had_rows_between():
    minute = 60_000_000
    rows = [
        {"time": minute - 2, "agent": "a", "resp_h": 5},
        {"time": minute + 1, "agent": "b", "resp_h": 5},
        {"time": minute - 1, "agent": "a", "resp_h": 5},
    ]
    assert score_rows(New(), rows).tolist() == [0, 1, 2]
