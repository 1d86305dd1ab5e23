"""Does a detector keep the contract? Run `check_detector` on your own; the tests run it on ours."""

from __future__ import annotations

import doctest
import pickle
import sys
import time as clock
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from functools import cache, partial
from itertools import pairwise
from typing import Any, Final, NamedTuple, cast
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import (
    AnyDetector,
    Detector,
    RowDetector,
    Scores,
    SiteDetector,
    WindowDetector,
)
from dijkwacht_detectors.context_api import Context
from dijkwacht_detectors.declaration import context_faults, faults
from dijkwacht_detectors.harness import Harness, Sample, Shown, score_rows
from dijkwacht_detectors.reading import reads_of
from dijkwacht_detectors.samples import sample_rows, strange_rows
from dijkwacht_detectors.state.memory import Remembers, state_fields

__all__ = [
    "Check", "Harness", "check_context", "check_detector", "checks_of", "sample_rows", "score_rows",
]  # fmt: skip

_ROWS: Final = 600
_ROWS_TO_TRAIN: Final = 2400
_Make = Callable[[], Harness]
"""A harness that knows nothing yet."""


class Check(NamedTuple):
    """One thing the contract asks: what holds, in a few words, and a call that raises if it does not."""

    says: str
    run: Callable[[], object]


def check_detector(detector: AnyDetector) -> None:
    """Raise ``AssertionError``, saying what is wrong, unless ``detector`` keeps the contract."""
    for check in checks_of(detector):
        check.run()


def checks_of(detector: AnyDetector) -> Iterator[Check]:
    """What `check_detector` runs, in its order. What follows a declaration that fails may be anything.

    A call raises ``AssertionError`` with the reason, or whatever the detector raises.
    """
    assert not isinstance(detector, type), (
        f"{detector.__name__} is a class: pass one of it, {detector.__name__}()"
    )
    assert isinstance(detector, Detector), f"{detector!r} is no detector: subclass one of api.py"
    yield from _declaration_checks(detector, faults(detector))
    tables = tuple(reads_of(detector))
    yield Check(
        "extreme values give no infinite score",
        partial(_check_strange_rows, partial(Harness, detector), strange_rows(tables)),
    )
    yield from _row_checks(detector, lambda: detector, sample_rows(tables, _ROWS, seed=1))
    if "samples" in state_fields(detector):
        trained = cache(partial(_trained, detector))
        yield Check("it makes a model of what it keeps", trained)
        rows = sample_rows(tables, _ROWS_TO_TRAIN, seed=1)
        for check in _row_checks(detector, trained, rows):
            yield Check(f"with a model: {check.says}", check.run)


def _row_checks(
    detector: AnyDetector, get: Callable[[], AnyDetector], rows: Sequence[Sample]
) -> Iterator[Check]:
    """``get`` gives the detector that is tried, of the class of ``detector``."""

    def make() -> Harness:
        return Harness(get())

    yield from _stream_checks(make, rows)
    yield Check("it explains itself in both languages", lambda: _check_explanation(get(), rows))
    if isinstance(detector, RowDetector):
        yield Check("steps of any length give the same", partial(_check_cuts, make, rows))
    if isinstance(detector, WindowDetector):
        yield Check(
            "scoring leaves no trace", lambda: _check_purity(cast("WindowDetector", get()), rows)
        )
    if isinstance(detector, SiteDetector):
        yield Check("scoring leaves no trace", partial(_check_purity_of_sites, make, rows))


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
    for check in _declaration_checks(context, context_faults(context)):
        check.run()
    tables = tuple(reads_of(context))
    rows = sample_rows(tables, _ROWS, seed=1)
    make = partial(Harness, Shown(context), [context])
    for check in _stream_checks(make, rows):
        check.run()
    _check_strange_rows(make, strange_rows(tables))
    _check_cuts(make, rows)


def _stream_checks(make: _Make, rows: Sequence[Sample]) -> Iterator[Check]:
    yield Check("it takes a step without a row", partial(_check_empty, make))
    yield Check(
        "scores and facts are numbers, or there is none", partial(_check_scores, make, rows)
    )
    yield Check("a restart changes nothing", partial(_check_pickling, make, rows))
    yield Check("it looks at no clock", partial(_check_clock, make, rows))
    yield Check("sites do not touch each other", partial(_check_sites, make, rows))
    yield Check("a move to another engine changes nothing", partial(_check_moving, make, rows))


def _run(make: _Make, steps: Iterable[Sequence[Sample]]) -> tuple[Scores, Scores]:
    return _feed(make(), steps)


def _feed(harness: Harness, steps: Iterable[Sequence[Sample]]) -> tuple[Scores, Scores]:
    parts = [harness.feed(step) for step in steps]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _declaration_checks(declared: Remembers, found: Iterator[str]) -> Iterator[Check]:
    yield Check("what it declares fits the tables", partial(_check_faults, found))
    yield Check("the file bears its name", partial(_check_file, declared))
    yield Check("the class says what it is", partial(_check_docstring, declared))
    yield Check("the docstring has an example that runs", partial(_check_examples, declared))


def _check_faults(found: Iterator[str]) -> None:
    assert not (named := "; ".join(found)), named


def _check_file(declared: Remembers) -> None:
    module = type(declared).__module__.rpartition(".")[2]
    assert declared.name == module, (
        f"the file is {module}.py, and the detector is named {declared.name!r}"
    )


def _check_docstring(declared: Remembers) -> None:
    # an ancestor's docstring is not its own
    assert (type(declared).__doc__ or "").strip(), "the class has no docstring"


def _check_examples(declared: Remembers) -> None:
    module = sys.modules[type(declared).__module__]
    tests = [t for t in doctest.DocTestFinder().find(module, declared.name) if t.examples]
    assert tests, "no example: write a line >>> and below it what it gives"
    for test in tests:
        failing = doctest.DebugRunner(verbose=False)
        try:
            failing.run(test, out=lambda _: None)
        except doctest.DocTestFailure as failure:
            asked, given = failure.example, failure.got.strip()
            raise AssertionError(
                f"{test.name}: its example fails: {asked.source.strip()} gave "
                f"{given or 'nothing'}, not {asked.want.strip() or 'nothing'}"
            ) from None
        except doctest.UnexpectedException as failure:
            asked, error = failure.example, failure.exc_info[1]
            raise AssertionError(
                f"{test.name}: its example fails: {asked.source.strip()} raised "
                f"{type(error).__name__}: {error}"
            ) from None


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


def _check_purity_of_sites(make: _Make, rows: Sequence[Sample]) -> None:
    """Asked once more about a window before it learns it, a site's object says the same, now and later."""
    half = _window_edge(rows)
    begun, left_alone, asked = make(), make(), make()
    for harness in (begun, left_alone, asked):
        harness.feed(rows[:half])
    site = next(iter(asked.memory.by_site))
    name = next(name for name, number in asked.sites.items() if number == site)
    rest = rows[half:]
    window = begun.rows([row for row in rest if row["site"] == name][:100])
    own = asked.memory.by_site[site]
    first = np.asarray(own.score_many(window), np.float64)
    again = np.asarray(own.score_many(window), np.float64)
    assert _same(first, again), "scoring twice differs: remember in learn_many, not in score_many"
    later = left_alone.feed(rest)[0], asked.feed(rest)[0]
    assert _same(*later), "scoring changes later scores: remember in learn_many, not in score_many"


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return a.tobytes() == b.tobytes()
