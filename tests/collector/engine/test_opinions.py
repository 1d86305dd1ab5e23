"""Scores and facts of a step are written where those of the step before were, and no trace of those is left."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.engine.opinions import BlankScores, Opinions
from dijkwacht_detectors.api import RowDetector
from dijkwacht_detectors.checks import sample_rows
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_detectors.harness import Harness
from dijkwacht_detectors.reading import reads_of

DETECTORS = [d for d in shipped_detectors() if isinstance(d, RowDetector)]


@given(steps=st.lists(st.lists(st.booleans(), max_size=40), max_size=12))
def test_each_step_begins_blank(steps):
    opinions = Opinions(3)
    for scored in steps:
        scores, facts = opinions.blank(len(scored))
        assert scores.shape == (len(scored),)
        assert facts.shape == (len(scored), 3)
        assert np.isnan(scores).all()
        assert not facts.any()
        places = np.flatnonzero(scored)
        scores[places], facts[places] = -np.inf, np.nan


def test_many_rows_after_few_begin_blank():
    opinions = Opinions(2)
    for rows in (10, 100_000, 7, 300_000):
        scores, facts = opinions.blank(rows)
        assert len(scores) == len(facts) == rows
        assert np.isnan(scores).all()
        assert not facts.any()
        scores[:], facts[:] = 1.0, 2.0


@given(
    steps=st.lists(
        st.lists(st.lists(st.booleans(), max_size=9), min_size=3, max_size=3), max_size=9
    )
)
def test_who_shares_blank_scores_is_handed_no_opinion_of_others_and_keeps_its_own(steps):
    blank = BlankScores()
    each = [Opinions(1, blank) for _ in range(3)]
    for step in steps:
        kept = []
        for opinions, scored in zip(each, step, strict=True):
            scores, facts = opinions.blank(len(scored))
            assert np.isnan(scores).all()
            assert not facts.any()
            places = np.flatnonzero(scored)
            scores[places], facts[places] = 1.0, 2.0
            kept.append(opinions.heard(scores))
        for (scores, said), scored in zip(kept, step, strict=True):
            assert said.tolist() == np.flatnonzero(scored).tolist()
            assert (~np.isnan(scores)).tolist() == scored


def test_scores_of_a_detector_that_failed_midway_are_blank_to_the_next():
    blank = BlankScores()
    failing, other = Opinions(1, blank), Opinions(1, blank)
    scores, facts = failing.blank(5)
    scores[3], facts[3] = 1.0, 1.0
    for opinions in (other, failing, other):
        scores, facts = opinions.blank(5)
        assert np.isnan(scores).all()
        assert not facts.any()


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_what_a_detector_wrote_before_is_in_no_fact(detector):
    rows = sample_rows(tuple(reads_of(detector)), 1500, seed=5)
    steps = [rows[at : at + 100] for at in range(0, len(rows), 100)]
    alone, hosted = Harness(type(detector)()), Harness(type(detector)())
    opinions = Opinions(len(detector.facts))
    for step in steps:
        scores, facts = alone.feed(step)
        again, of_again = hosted.memory.score(hosted.rows(step), blank=opinions.blank(len(step)))
        scored = ~np.isnan(scores)
        assert scores.tobytes() == again.tobytes()
        assert facts[scored].tobytes() == of_again[scored].tobytes()
