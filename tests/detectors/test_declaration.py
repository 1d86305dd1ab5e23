"""A declaration that does not fit the tables is refused in words, before a row is scored by it."""

import msgspec
import numpy as np
import pytest

from dijkwacht_detectors import checks
from dijkwacht_detectors.api import RowDetector, Who, WindowDetector
from dijkwacht_detectors.arp_spoof import ArpSpoof
from dijkwacht_detectors.bruteforce import Bruteforce
from dijkwacht_detectors.declaration import faults
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_detectors.harness import Harness
from dijkwacht_detectors.reading import entity_columns, reading_of
from dijkwacht_detectors.samples import sample_rows
from dijkwacht_records.tables import TABLE


def test_the_shipped_ones_have_none():
    assert [fault for d in shipped_detectors() for fault in faults(d)] == []


class Plain(WindowDetector):
    name = "plain"
    table = "flows"
    reads = ("resp_p",)
    entity = "pair"
    kind = "other"
    technique = ""
    facts = ("odd",)

    def score(self, window, state):
        raise NotImplementedError

    def explain(self, facts):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("base", "field", "value", "fault"),
    [
        (Bruteforce, "name", "Scan!", "name 'Scan!'"),
        (Bruteforce, "table", "flow", "table 'flow': expected one of flows, dns"),
        (Bruteforce, "reads", ("part", "door"), "reads 'door', no column of table flows"),
        (Bruteforce, "entity", "host", "entity 'host': expected one of site, orig, resp, pair"),
        (Bruteforce, "who", Who(src="sender_h"), "who names 'sender_h', no addr column"),
        (Bruteforce, "who", Who(port="orig_h"), "who names 'orig_h', no int column"),
        (Bruteforce, "interrupts", "no", "interrupts 'no': expected True or False"),
        (
            Bruteforce,
            "interrupts",
            False,
            f"share {Bruteforce.share}: what never interrupts spends nothing",
        ),
        (Bruteforce, "subject", "mac", "subject 'mac': who names no such column"),
        (Bruteforce, "state", {"samples": ("f4", (9, 2))}, 'state "samples": expected the shape'),
        (
            Bruteforce,
            "state",
            {"n": ("zz", ())},
            "state 'n' is ('zz', ()): expected a numeric type",
        ),
        (Bruteforce, "state", {"n": ("O", ())}, "state 'n' is ('O', ()): expected a numeric type"),
        (Bruteforce, "state", {"n": "i8"}, "state 'n' is 'i8': expected a numeric type"),
        (Bruteforce, "state", {"n": ("i8", (-1,))}, "state 'n' is ('i8', (-1,)): expected"),
        (
            Bruteforce,
            "state",
            {"n": ("i8", (10**9,))},
            "state 'n' is ('i8', (1000000000,)): expected",
        ),
        (Bruteforce, "entities_per_site", 0, "entities_per_site 0: expected 1 to 1048576"),
        (Bruteforce, "forget_after_s", None, "forget_after_s None: expected 1 to"),
        (Bruteforce, "facts", 5, "facts 5: expected a tuple of names"),
        (Bruteforce, "share", 1.5, "share 1.5: expected 0 to 1"),
        (Plain, "window_s", 15, "window_s 15: expected a multiple of 10"),
        (ArpSpoof, "who", Who(), "who names 'orig_h', no addr column of table arp"),
    ],
)
def test_each_fault_is_named(base, field, value, fault):
    found = list(faults(type("Changed", (base,), {field: value})()))
    assert any(one.startswith(fault) for one in found), found


class Several(RowDetector):
    name = "several"
    reads = {"flows": ("resp_p",), "dns": ("query",)}  # noqa: RUF012
    entity = "pair"
    kind = "policy"
    technique = ""
    who = Who(name="query")

    def fold(self, rows, state, scores, facts):
        raise NotImplementedError

    def explain(self, facts):
        raise NotImplementedError


def test_an_entity_of_several_tables_has_the_columns_that_all_of_them_name_it_by():
    assert list(faults(Several())) == []
    assert reading_of(Several()).entity == ("orig_h", "resp_h")
    assert entity_columns(["tls", "flows"], "pair") == ("orig_h", "resp_h", "resp_p")
    assert entity_columns(["flows", "arp"], "site") == ()
    assert entity_columns(["system", "agent"], "pair") == ("agent",)


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("table", "flows", "table 'flows': reads names the tables already"),
        ("reads", {}, "reads names no table"),
        ("reads", {"flows": (), "dsn": ()}, "table 'dsn': expected one of flows"),
        ("reads", {"flows": ("query",), "dns": ()}, "reads 'query', no column of table flows"),
        ("reads", {"flows": (), "dns": ("time",)}, "reads 'time', which comes free"),
        ("reads", {"flows": (), "dns": ("table",)}, "reads 'table', which comes free"),
        (
            "reads",
            {"flows": (), "arp": ()},
            (
                "entity 'pair' is named by different columns: flows by orig_h and resp_h and resp_p "
                "and proto, arp by sender_mac and sender_h"
            ),
        ),
        (
            "who",
            Who(mac="client_mac"),
            "who names 'client_mac', no int column of tables flows, dns",
        ),
    ],
)
def test_each_fault_of_several_tables_is_named(field, value, fault):
    found = list(faults(type("Changed", (Several,), {field: value})()))
    assert any(one.startswith(fault) for one in found), found


def test_a_column_of_several_tables_is_of_one_kind(monkeypatch):
    odd = msgspec.structs.replace(TABLE["dns"].columns[3], kind="text")
    columns = tuple(odd if c.name == "resp_p" else c for c in TABLE["dns"].columns)
    monkeypatch.setitem(TABLE, "dns", msgspec.structs.replace(TABLE["dns"], columns=columns))
    assert "reads flows, dns, whose column 'resp_p' is not of one kind" in list(faults(Several()))


def test_no_table_has_a_column_that_comes_free():
    names = {column.name for table in TABLE.values() for column in table.columns}
    assert not names & {"table", "site", "slot", "fresh"}


@pytest.mark.parametrize("field", ["name", "table", "reads", "entity", "kind", "technique"])
def test_what_is_not_declared_is_named(field):
    class Bare:
        share = 0.0

    for name in {"name", "table", "reads", "entity", "kind", "technique"} - {field}:
        setattr(Bare, name, getattr(Bruteforce, name))
    assert list(faults(Bare())) == [f"declares no {field}"]


def test_facts_that_are_not_finite_do_not_pass_the_suite(monkeypatch):
    def score(_self, window, _state):
        scores = window["resp_p"] * 1.0
        return scores, np.full((len(scores), 1), np.inf)

    monkeypatch.setattr(Plain, "score", score)
    with pytest.raises(AssertionError, match="facts are finite"):
        checks._check_scores(lambda: Harness(Plain()), sample_rows(["flows"], 100, seed=1))
