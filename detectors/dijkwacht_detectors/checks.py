"""Does a detector keep the contract? Run `check_detector` on your own; the tests run it on ours."""

from __future__ import annotations

import doctest
import inspect
import pickle
import sys
import time as clock
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from itertools import pairwise
from typing import Any, Final
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import AnyDetector, RowDetector, Scores, WindowDetector
from dijkwacht_detectors.context_api import Context
from dijkwacht_detectors.declaration import context_faults, faults
from dijkwacht_detectors.harness import Harness, Sample, Shown, score_rows
from dijkwacht_detectors.reading import reads_of
from dijkwacht_detectors.samples import sample_rows, strange_rows
from dijkwacht_detectors.state.memory import Remembers, state_fields

__all__ = ["Harness", "check_context", "check_detector", "sample_rows", "score_rows"]

_ROWS: Final = 600
_ROWS_TO_TRAIN: Final = 2400
_Make = Callable[[], Harness]
"""A harness that knows nothing yet."""


def check_detector(detector: AnyDetector) -> None:
    """Raise ``AssertionError``, saying what is wrong, unless ``detector`` keeps the contract."""
    _check_declaration(detector, faults(detector))
    tables = tuple(reads_of(detector))
    _check_strange_rows(partial(Harness, detector), strange_rows(tables))
    _check_rows(detector, sample_rows(tables, _ROWS, seed=1))
    if "samples" in state_fields(detector):
        _check_rows(_trained(detector), sample_rows(tables, _ROWS_TO_TRAIN, seed=1))


def _check_rows(detector: AnyDetector, rows: Sequence[Sample]) -> None:
    make = partial(Harness, detector)
    _check_stream(make, rows)
    _check_explanation(detector, rows)
    if isinstance(detector, RowDetector):
        _check_cuts(make, rows)
    if isinstance(detector, WindowDetector):
        _check_purity(detector, rows)


def _trained(detector: AnyDetector) -> AnyDetector:
    """Another one with a model of its own making: of what it kept, and numbers as many as a model wants.

    A detector may keep a row in ten minutes, of which there are too few here.
    """
    harness = Harness(deepcopy(detector))
    harness.feed(sample_rows(tuple(reads_of(detector)), _ROWS_TO_TRAIN, seed=2))
    kept = harness.memory.kept()
    assert kept is not None
    sites = [kept.samples[site, : kept.seen[site]] for site in np.flatnonzero(kept.seen)]
    made_up = np.random.default_rng(2).normal(size=(_ROWS_TO_TRAIN // 4, kept.samples.shape[2]))
    bundle = harness.detector.train(np.concatenate([*sites, made_up], dtype=np.float64))
    assert bundle is not None, "it keeps samples, and learns nothing of them"
    harness.detector.activate(bundle)
    return harness.detector


def check_context(context: Context) -> None:
    """Raise ``AssertionError``, saying what is wrong, unless ``context`` keeps the contract."""
    _check_declaration(context, context_faults(context))
    tables = tuple(reads_of(context))
    rows = sample_rows(tables, _ROWS, seed=1)
    make = partial(Harness, Shown(context), [context])
    _check_stream(make, rows)
    _check_strange_rows(make, strange_rows(tables))
    _check_cuts(make, rows)


def _check_stream(make: _Make, rows: Sequence[Sample]) -> None:
    _check_empty(make)
    _check_scores(make, rows)
    _check_pickling(make, rows)
    _check_clock(make, rows)
    _check_sites(make, rows)
    _check_moving(make, rows)


def _run(make: _Make, steps: Iterable[Sequence[Sample]]) -> tuple[Scores, Scores]:
    return _feed(make(), steps)


def _feed(harness: Harness, steps: Iterable[Sequence[Sample]]) -> tuple[Scores, Scores]:
    parts = [harness.feed(step) for step in steps]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _check_declaration(declared: Remembers, found: Iterator[str]) -> None:
    for fault in found:
        raise AssertionError(fault)
    assert declared.name == type(declared).__module__.rpartition(".")[2], "the file bears the name"
    module = sys.modules[type(declared).__module__]
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(verbose=False)
    tests = [t for t in finder.find(module, declared.name) if t.examples]
    assert tests, "the docstring has no example that runs"
    for test in tests:
        assert runner.run(test, out=lambda _: None).failed == 0, f"{test.name}: its example fails"
    assert inspect.getdoc(type(declared)), "the class has no docstring"


def _check_empty(make: _Make) -> None:
    harness = make()
    scores, facts = harness.feed([])
    assert scores.shape == (0,)
    assert facts.shape == (0, len(harness.detector.facts))


def _check_scores(make: _Make, rows: Sequence[Sample]) -> None:
    scores, facts = _run(make, [rows])
    assert not np.isinf(scores).any(), "scores are finite or NaN"
    scored = ~np.isnan(scores)
    assert np.isfinite(facts[scored]).all(), "facts are finite where a score is"


def _check_strange_rows(make: _Make, rows: Sequence[Sample]) -> None:
    scores, _ = _run(make, [rows])
    assert not np.isinf(scores).any(), "extreme values give infinite scores"


def _check_explanation(detector: AnyDetector, rows: Sequence[Sample]) -> None:
    scores, facts = Harness(detector).feed(rows)
    told = [dict(zip(detector.facts, row, strict=True)) for row in np.nan_to_num(facts)[:50]]
    told += [dict.fromkeys(detector.facts, 0.0), dict.fromkeys(detector.facts, 1e12)]
    for numbers in told:
        numbers["score"] = float(np.nan_to_num(scores).max())
        words = detector.explain(numbers)
        for text in (words.title_en, words.title_nl, words.desc_en, words.desc_nl):
            filled = text.format(src="A", dst="B", port="1", name="N", mac="M")
            assert filled.strip(), "an explanation is empty"


def _check_pickling(make: _Make, rows: Sequence[Sample]) -> None:
    half = _window_edge(rows)
    whole = _run(make, [rows[:half], rows[half:]])
    harness = make()
    first = harness.feed(rows[:half])
    harness = pickle.loads(pickle.dumps(harness))  # noqa: S301  # our own bytes
    rest = harness.feed(rows[half:])
    assert _same(whole[0], np.concatenate((first[0], rest[0]))), "a restart changes scores"
    assert _same(whole[1], np.concatenate((first[1], rest[1]))), "a restart changes facts"


def _check_clock(make: _Make, rows: Sequence[Sample]) -> None:
    def refuse(*_: object) -> float:
        raise AssertionError("a detector reads the clock")

    with (
        mock.patch.object(clock, "time", refuse),
        mock.patch.object(clock, "time_ns", refuse),
        mock.patch.object(clock, "monotonic", refuse),
    ):
        _run(make, [rows[:50]])


def _check_sites(make: _Make, rows: Sequence[Sample]) -> None:
    """Each site scored alone, and all sites in turn, give what they give together."""
    together = make()
    scores, facts = together.feed(rows)
    for site in (0, 1):
        own = [n for n, row in enumerate(rows) if row["site"] == site]
        harness = make()
        alone = harness.feed([rows[n] for n in own])
        assert _same(scores[own], alone[0]), "another site's rows change a site's scores"
        assert _same(facts[own], alone[1]), "another site's rows change a site's facts"
        for field, kept in harness.samples().items():
            others = together.samples()[field][site : site + 1]
            assert _same(kept, others), f"another site's rows change a site's {field!r}"


def _check_moving(make: _Make, rows: Sequence[Sample]) -> None:
    """Sites that go on in another engine, under other numbers, score as if they had stayed."""
    half = _window_edge(rows)
    stayed, harness = make(), make()
    whole = _feed(stayed, [rows[:half], rows[half:]])
    first = harness.feed(rows[:half])
    harness = harness.moved()
    rest = harness.feed(rows[half:])
    assert _same(whole[0], np.concatenate((first[0], rest[0]))), "a move changes scores"
    assert _same(whole[1], np.concatenate((first[1], rest[1]))), "a move changes facts"
    for field, kept in harness.samples().items():
        assert _same(kept, stayed.samples()[field]), f"a move changes {field!r}"


def _window_edge(rows: Sequence[Sample]) -> int:
    length = 60_000_000
    return next(
        n for n, row in enumerate(rows) if row["time"] // length != rows[0]["time"] // length
    )


def _check_cuts(make: _Make, rows: Sequence[Sample]) -> None:
    uncut = make()
    whole = uncut.feed(rows)
    for size in (1, 7, 100):
        edges = [*range(0, len(rows), size), len(rows)]
        harness = make()
        cut = _feed(harness, [rows[a:b] for a, b in pairwise(edges)])
        assert _same(whole[0], cut[0]), f"steps of {size} rows change scores"
        assert _same(whole[1], cut[1]), f"steps of {size} rows change facts"
        for field, kept in harness.samples().items():
            assert _same(kept, uncut.samples()[field]), f"steps of {size} rows change {field!r}"


def _check_purity(detector: WindowDetector, rows: Sequence[Sample]) -> None:
    harness = Harness(detector)
    harness.feed(rows[:300])
    window, state = harness.rows(rows[300:]), harness.memory.grown()
    before = {field: values.copy() for field, values in state.items()}
    first = detector.score(window, state)
    for field, values in before.items():
        assert _same(values, state[field]), f"scoring changes the state field {field!r}"
    assert _same(first[0], detector.score(window, state)[0]), "scoring twice differs"


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return a.tobytes() == b.tobytes()
