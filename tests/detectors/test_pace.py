"""Gaps on a timer are even, those of people are not."""

from __future__ import annotations

import numpy as np
import pytest

from dijkwacht_detectors.state.pace import UNEVEN, keep_pace


def unevenness(gaps):
    mean, uneven = 0.0, UNEVEN
    for n, gap in enumerate(gaps):
        mean, uneven = keep_pace(float(gap), min(n + 1, 8), mean, uneven)
    return uneven


@pytest.mark.parametrize("gap", [0.2, 2.0, 300.0])
def test_a_timer_is_even_at_any_pace_and_with_a_little_delay(gap):
    draw = np.random.default_rng(1)
    assert unevenness(gap * (1 + 0.05 * draw.uniform(size=200))) < 0.05


def test_chance_is_not():
    draw = np.random.default_rng(1)
    assert unevenness(draw.exponential(60.0, 200)) > 0.35


def test_one_night_without_does_not_make_a_timer_uneven():
    assert unevenness([300.0] * 50 + [36_000.0] + [300.0] * 3) < 0.35


def test_a_single_gap_says_nothing():
    assert unevenness([60.0]) == UNEVEN
