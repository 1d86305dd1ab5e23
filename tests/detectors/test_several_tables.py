"""The conformance suite feeds a detector of several tables as the engine does."""

from __future__ import annotations

import numpy as np
import pytest

from dijkwacht_detectors.api import Explanation, RowDetector
from dijkwacht_detectors.checks import check_detector
from dijkwacht_detectors.harness import Harness, score_rows
from dijkwacht_detectors.samples import sample_rows


class Mixed(RowDetector):
    """How many questions its site had before each flow.

    >>> 1 + 1
    2
    """

    name = __name__.rpartition(".")[2]
    reads = {"dns": ("query", "qtype"), "flows": ("resp_p", "resp_h")}  # noqa: RUF012
    entity = "site"
    kind = "policy"
    technique = ""
    state = {"asked": ("i8", ())}  # noqa: RUF012

    def fold(self, rows, state, scores, facts):
        asked = state["asked"]
        for i, site in enumerate(rows.slot):
            if rows.fresh[i]:
                asked[site] = 0
            if rows.table[i] == 0:
                asked[site] += 1
            else:
                scores[i] = asked[site]

    def explain(self, facts):
        return Explanation("a", "a", "a", "a")


def test_one_that_joins_two_tables_keeps_the_contract():
    check_detector(Mixed())


class Shared(Mixed):
    """Counts all sites together, outside of its state.

    >>> 1 + 1
    2
    """

    asked = 0

    def fold(self, rows, state, scores, facts):
        self.asked += int((rows.table == 0).sum())
        scores[rows.table == 1] = self.asked


def test_the_suite_notices_one_whose_memory_of_the_other_table_is_elsewhere():
    with pytest.raises(AssertionError, match=r"restart|site|step|move"):
        check_detector(Shared())


def test_rows_are_of_their_own_table_and_hold_nothing_of_the_other():
    rows = [
        {"table": "dns", "query": "a.example", "qtype": 28, "resp_p": 7},
        {"table": "flows", "resp_p": 80, "resp_h": 9},
    ]
    handed = Harness(Mixed()).rows(rows)
    assert handed.table.tolist() == [0, 1]
    assert [handed["query"][i] for i in (0, 1)] == ["a.example", ""]
    assert handed["qtype"].tolist() == [28, 0]
    assert handed["resp_p"].tolist() == [7, 80]
    assert handed["resp_h"][:, 1].astype(np.uint32).tolist() == [0x0A000002, 0x0A000009]


@pytest.mark.parametrize("row", [{}, {"table": "arp"}])
def test_a_row_must_say_which_table_it_is_of(row):
    with pytest.raises(ValueError, match="expected one of dns, flows"):
        score_rows(Mixed(), [row])


def test_samples_are_of_all_tables():
    rows = sample_rows(["dns", "flows", "arp"], 300, seed=1)
    assert {row["table"] for row in rows} == {"dns", "flows", "arp"}
    assert all(("query" in row) == (row["table"] == "dns") for row in rows)
    assert rows == sample_rows(["dns", "flows", "arp"], 300, seed=1)
    assert "table" not in sample_rows(["dns"], 1, seed=1)[0]


def test_of_one_table_every_row_is_the_first():
    class One(Mixed):
        reads = {"flows": ("resp_p",)}  # noqa: RUF012

    rows = Harness(One()).rows([{"resp_p": 80}] * 3)
    assert (rows.table.dtype, rows.table.tolist()) == (np.dtype(np.int8), [0, 0, 0])
    assert rows.columns.keys() == {"resp_p"}
