"""Contexts keep a contract of their own, and a detector may ask for their columns."""

from __future__ import annotations

import pytest

from dijkwacht_detectors.api import WindowDetector
from dijkwacht_detectors.checks import check_context
from dijkwacht_detectors.context import contexts_for, shipped_contexts
from dijkwacht_detectors.context.client_fingerprints import ClientFingerprints
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
        ("reads", ("door",), "reads 'door', no column of table tls"),
        ("entity", "host", "entity 'host': expected one of site, orig"),
        ("entity", ("ja4", "door"), "entity ('ja4', 'door'): expected columns that tls have"),
        ("columns", {"resp_h": "int"}, "columns has 'resp_h', which is a table's"),
        ("columns", {"table": "int"}, "columns has 'table', which is a table's, or comes free"),
        ("columns", {"dest_name": "text"}, "column 'dest_name' is of kind 'text'"),
        ("state", {"samples": ("f8", (9, 2))}, "state 'samples': a context keeps nothing"),
    ],
)
def test_each_fault_of_a_context_is_named(field, value, fault):
    found = list(context_faults(type("Changed", (ClientFingerprints,), {field: value})()))
    assert [one for one in found if one.startswith(fault)], found


def test_two_ends_are_of_tables_that_have_both():
    reads = {**Hosts.reads, "dhcp": ("client_h",)}
    (fault,) = context_faults(type("Changed", (Hosts,), {"reads": reads})())
    assert (
        fault == "entity 'ends': not all of flows, rpc, auth, tls, dhcp have an orig_h and a resp_h"
    )


@pytest.mark.parametrize("field", ["columns", "entity"])
def test_what_a_context_does_not_declare_is_named(field):
    names = {"name", "table", "reads", "columns", "entity"} - {field}
    bare = type("Bare", (), {name: getattr(ClientFingerprints, name) for name in names})
    assert list(context_faults(bare())) == [f"declares no {field}"]


@pytest.mark.parametrize(
    ("table", "context", "fault"),
    [
        ("flows", ("dest_age",), "context 'dest_age': expected one of ja4_first, "),
        (
            "arp",
            ("dest_rows",),
            "context 'dest_rows' is of flows, rpc, auth, tls, which is not read",
        ),
        ("flows", ("name_rows",), "context 'name_rows' is of tls, which is not read"),
    ],
)
def test_a_detector_that_asks_for_what_is_not_there_is_refused(table, context, fault):
    asking = type("Asking", (Scan,), {"context": context, "table": table, "reads": ()})
    assert [one for one in faults(asking()) if one.startswith(fault)]


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
