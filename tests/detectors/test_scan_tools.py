"""What a tool's own SYN adds to a scan."""

from __future__ import annotations

import numpy as np
import pytest

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.scan import Scan
from dijkwacht_records.hints import (
    NAMED,
    OPTIONS,
    SEQ_IS_DST,
    WINDOW,
    Named,
    SynOptions,
    SynWindow,
)
from dijkwacht_records.tables import ConnState


def top(detector, rows):
    return float(np.nan_to_num(score_rows(detector, rows)).max(initial=0.0))


def probes(count, **values):
    row = {"table": "flows", "conn_state": ConnState.REJ, "resp_pkts": 1, "local_resp": 1} | values
    return [row | {"time": n * 100_000, "resp_p": 1 + n} for n in range(count)]


@pytest.mark.parametrize(
    "hints",
    [
        WINDOW.put(SynWindow.SCANNER) | OPTIONS.put(SynOptions.FOUR),
        WINDOW.put(SynWindow.SCANNER) | OPTIONS.put(SynOptions.NONE) | NAMED.put(Named.NOBODY),
        WINDOW.put(SynWindow.LARGE) | OPTIONS.put(SynOptions.TWENTY) | SEQ_IS_DST.put(1),
    ],
    ids=["nmap", "masscan", "seq is dst"],
)
def test_scan_counts_what_a_tool_wrote_thrice_and_never_alone(hints):
    ordinary = 2 ** top(Scan(), probes(30)) - 1
    assert 2 ** top(Scan(), probes(30, hints=hints)) - 1 == pytest.approx(3 * ordinary)
    answered = {"conn_state": ConnState.SF, "orig_bytes": 90, "resp_bytes": 300}
    assert top(Scan(), probes(30, hints=hints, **answered)) == 0.0
    assert top(Scan(), probes(30, hints=hints, proto=17)) == top(Scan(), probes(30, proto=17))
    half = [*probes(30)[:15], *probes(30, hints=hints)[15:]]
    assert 2 ** top(Scan(), half) - 1 == pytest.approx(2 * ordinary, rel=0.05)


@pytest.mark.parametrize(
    "hints",
    [
        WINDOW.put(SynWindow.SMALL) | OPTIONS.put(SynOptions.FOUR),
        WINDOW.put(SynWindow.SCANNER) | OPTIONS.put(SynOptions.EIGHT),
        WINDOW.put(SynWindow.LARGE) | OPTIONS.put(SynOptions.FOUR),
        WINDOW.put(SynWindow.ZERO) | OPTIONS.put(SynOptions.NONE),
    ],
)
def test_scan_takes_no_system_for_a_tool(hints):
    assert top(Scan(), probes(30, hints=hints)) == top(Scan(), probes(30))
