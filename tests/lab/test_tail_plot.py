"""The picture of a calibration is true to its table: where its line and curves are drawn."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from dijkwacht_detectors.scan import Scan
from dijkwacht_lab.calibrate import fit, line_of
from dijkwacht_lab.reached import Hours, Seen, SiteHours, seen_by
from dijkwacht_lab.tail_plot import HEIGHT, WIDTH, tail_plot

SHARE = 1 / 30


def drawn(peaks):
    hours = Hours([SiteHours(4 * 168, {"scan": [(0.0, peak) for peak in peaks]})])
    table = fit(Scan(), hours, "a test", SHARE)
    line = line_of(table, SHARE)
    return ET.fromstring(tail_plot(table, seen_by(Scan(), hours), line, SHARE)), line


def points(svg, name):
    [path] = [p for p in svg.iter() if p.get("class") == name]
    return [tuple(map(float, p.split(","))) for p in re.findall(r"[ML](\S+)", path.get("d"))]


@pytest.mark.parametrize("peaks", [[1.0], [3.0, 9.0, 40.0], list(np.linspace(0.1, 900.0, 60))])
def test_all_of_it_lies_within_the_frame_and_curves_fall(peaks):
    svg, line = drawn(peaks)
    for name in ("counted", "fitted"):
        told = points(svg, name)
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in told), name
        assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(told)), name
    assert f"the line, {line:.2f}" in {text.text for text in svg.iter() if text.text}


def test_the_mark_stands_where_the_fitted_curve_meets_the_share():
    svg, _ = drawn(np.random.default_rng(1).exponential(1.0, 300))
    [mark] = [c for c in svg.iter() if c.get("class") == "mark"]
    x, y = float(mark.get("cx")), float(mark.get("cy"))
    curve = points(svg, "fitted")
    assert np.interp(x, *zip(*curve, strict=True)) == pytest.approx(y, abs=4)
    assert curve[0][0] < x < curve[-1][0]
    share = (
        next(g for g in svg.iter() if g.text == "0.01"),
        next(g for g in svg.iter() if g.text == "0.1"),
    )
    hundredth, tenth = (float(label.get("y")) - 4 for label in share)
    between = tenth + (hundredth - tenth) * math.log10(0.1 / SHARE)
    assert max(py for px, py in curve if px < x - 0.2) < between + 1 <= y + 2


def test_one_that_never_spoke_has_a_line_and_no_counted_curve():
    svg, line = drawn([])
    assert math.isfinite(line)
    assert not [p for p in svg.iter() if p.get("class") == "counted"]
    assert points(svg, "fitted")


def test_what_was_reached_anew_is_counted_by_the_week():
    seen = Seen(2.0, np.array([[0.0, 3.0], [0.0, 5.0], [4.0, 6.0]]))
    assert [seen.per_week(score) for score in (1.0, 3.5, 4.5, 5.5, 7.0)] == [
        1.0,
        0.5,
        1.0,
        0.5,
        0.0,
    ]
