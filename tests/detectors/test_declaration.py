"""A declaration that does not fit the tables is refused in words, before a row is scored by it."""

import numpy as np
import pytest

from dijkwacht_detectors import checks
from dijkwacht_detectors.api import Who
from dijkwacht_detectors.arp_spoof import ArpSpoof
from dijkwacht_detectors.beacon import Beacon
from dijkwacht_detectors.declaration import faults
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_detectors.scan import Scan


def test_the_shipped_ones_have_none():
    assert [fault for d in shipped_detectors() for fault in faults(d)] == []


@pytest.mark.parametrize(
    ("base", "field", "value", "fault"),
    [
        (Scan, "name", "Scan!", "name 'Scan!'"),
        (Scan, "table", "flow", "table 'flow': expected one of flows, dns"),
        (Scan, "reads", ("part", "door"), "reads 'door', no column of table flows"),
        (Scan, "entity", "host", "entity 'host': expected one of site, orig, resp, pair"),
        (Scan, "who", Who(src="sender_h"), "who names 'sender_h', no addr column"),
        (Scan, "who", Who(port="orig_h"), "who names 'orig_h', no int column"),
        (Scan, "subject", "mac", "subject 'mac': who names no such column"),
        (Scan, "share", 1.5, "share 1.5: expected 0 to 1"),
        (Beacon, "window_s", 15, "window_s 15: expected a multiple of 10"),
        (ArpSpoof, "who", Who(), "who names 'orig_h', no addr column of table arp"),
    ],
)
def test_each_fault_is_named(base, field, value, fault):
    found = list(faults(type("Changed", (base,), {field: value})()))
    assert any(one.startswith(fault) for one in found), found


@pytest.mark.parametrize("field", ["name", "table", "reads", "entity", "kind", "technique"])
def test_what_is_not_declared_is_named(field):
    class Bare:
        share = 0.0

    for name in {"name", "table", "reads", "entity", "kind", "technique"} - {field}:
        setattr(Bare, name, getattr(Scan, name))
    assert list(faults(Bare())) == [f"declares no {field}"]


def test_facts_that_are_not_finite_do_not_pass_the_suite(monkeypatch):
    def score(_self, window, _state):
        scores = window["resp_p"] * 1.0
        return scores, np.full((len(scores), 4), np.inf)

    monkeypatch.setattr(Beacon, "score", score)
    with pytest.raises(AssertionError, match="facts are finite"):
        checks._check_scores(Beacon(), checks.sample_rows("flows", 100, seed=1))
