"""Does a detector keep the contract? Run `check_detector` on your own; the tests run it on ours.

Here too: a harness that feeds a detector made-up rows, by way of the same `Memory` as the engine.
"""

from __future__ import annotations

import doctest
import inspect
import pickle
import sys
import time as clock
import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import (
    AnyDetector,
    RowDetector,
    Rows,
    Scores,
    Text,
    WindowDetector,
)
from dijkwacht_detectors.declaration import faults
from dijkwacht_detectors.state.memory import Memory, is_of_all_sites
from dijkwacht_records.tables import TABLE

_INSIDE = 0x0A000000  # addresses given as small numbers become 10.0.0.n
_DEFAULTS: dict[str, Any] = {
    "time": 0, "state": 2, "proto": 6, "orig_h": 1, "resp_h": 2, "orig_pkts": 1, "rcode": 255,
    "local_orig": 1, "metric": "",
}  # fmt: skip


class Harness:
    """One detector and its `Memory`, fed with rows as the engine feeds them.

    Rows are mappings of column names to values; what is missing takes a plain default, and an
    address may be given as a small number, for 10.0.0.n. ``site`` is a number a site, ``agent`` a
    name within it.
    """

    def __init__(self, detector: AnyDetector) -> None:
        self.detector = detector
        self.memory = Memory(detector)
        self.sites: dict[int, int] = {}

    def feed(self, rows: Sequence[Mapping[str, Any]]) -> tuple[Scores, Scores]:
        """Score ``rows`` in order, and learn them; a score and the facts for each.

        Windows are cut by time for each agent, as far as these rows go.
        """
        detector = self.detector
        if isinstance(detector, RowDetector):
            return self.memory.score(self.rows(rows))
        scores = np.full(len(rows), np.nan)
        facts = np.full((len(rows), len(detector.facts)), np.nan)
        length = detector.window_s * 1_000_000
        windows: dict[tuple[int, int, str], list[int]] = {}
        for place, row in enumerate(rows):
            key = (row.get("time", 0) // length, row.get("site", 0), row.get("agent", "agent"))
            windows.setdefault(key, []).append(place)
        for _, places in sorted(windows.items()):
            window = self.rows([rows[place] for place in places])
            scores[places], facts[places] = self.memory.score(window, [len(places)])
        return scores, facts

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """The rows as the detector is handed them; their entities are known from now on."""
        columns = {
            c.name: _column([row.get(c.name, _DEFAULTS.get(c.name, "" if c.kind == "text" else 0))
                             for row in rows], c.kind)
            for c in TABLE[self.detector.table].columns
        }  # fmt: skip
        time = columns["time"]
        names = [row.get("site", 0) for row in rows]
        site = np.array([self.sites.setdefault(n, len(self.sites)) for n in names], np.int32)
        agents = [zlib.crc32(row.get("agent", "agent").encode()) for row in rows]
        slot, fresh = self.memory.resolve(
            columns, time, site, np.array(names, np.uint64), np.array(agents, np.uint64)
        )
        return self.memory.rows(columns, time, site, slot, fresh)

    def moved(self) -> Harness:
        """All sites taken, and put into another harness, where they have other numbers and slots."""
        other = Harness(pickle.loads(pickle.dumps(self.detector)))  # noqa: S301  # our own bytes
        for name, site in reversed(self.sites.items()):
            slots, keys, seen = self.memory.entities.take(site)
            here = other.sites.setdefault(name, len(other.sites))
            other.memory.put(
                here, other.memory.entities.put(here, keys, seen), *self.memory.take(site, slots)
            )
        for field, values in self.memory.state.items():
            if is_of_all_sites(field):
                other.memory.state[field] = values
        return other


def score_rows(detector: AnyDetector, rows: Sequence[Mapping[str, Any]]) -> Scores:
    """Scores of ``rows``, float64[n], in a fresh memory."""
    return Harness(detector).feed(rows)[0]


def check_detector(detector: AnyDetector) -> None:
    """Raise ``AssertionError``, saying what is wrong, unless ``detector`` keeps the contract."""
    _check_declaration(detector)
    _check_docstring(detector)
    rows = sample_rows(detector.table, 600, seed=1)
    _check_empty(detector)
    _check_scores(detector, rows)
    _check_strange_rows(detector)
    _check_explanation(detector, rows)
    _check_pickling(detector, rows)
    _check_clock(detector, rows)
    _check_sites(detector, rows)
    _check_moving(detector, rows)
    if isinstance(detector, RowDetector):
        _check_cuts(detector, rows)
    if isinstance(detector, WindowDetector):
        _check_purity(detector, rows)


def sample_rows(table: str, count: int, seed: int) -> list[dict[str, Any]]:
    """Rows of two sites with all kinds of values; the same for the same seed."""
    rng = np.random.default_rng(seed)
    rows = []
    now = 1_700_000_000_000_000
    for _ in range(count):
        now += int(rng.exponential(300_000))
        row: dict[str, Any] = {"time": now, "site": int(rng.integers(2))}
        for column in TABLE[table].columns[1:]:
            if column.kind == "addr":
                row[column.name] = int(rng.integers(1, 9))
            elif column.kind == "text":
                row[column.name] = f"n{int(rng.integers(40))}x{int(rng.integers(4))}.example.org"
            elif column.kind == "float":
                row[column.name] = float(rng.exponential(5.0))
            else:
                row[column.name] = int(rng.integers(0, (2, 3, 7, 60, 2000)[int(rng.integers(5))]))
        if table == "flows":
            row.update(part=int(rng.random() < 0.2), proto=int(rng.choice([6, 6, 17, 1])),
                       start=now - int(rng.integers(2_000_000)))  # fmt: skip
        rows.append(row)
    return rows


def _column(values: list[Any], kind: str) -> Any:
    if kind == "text":
        texts = [str(value).encode() for value in values]
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(text) for text in texts], out=offsets[1:])
        return Text(offsets, np.frombuffer(b"".join(texts), np.uint8))
    if kind == "float":
        return np.array(values, np.float64)
    if kind == "addr":
        return np.array([_address(value) for value in values], np.uint64).reshape(-1, 2)
    return np.array(values, np.int64)


def _address(value: int | bytes) -> tuple[int, int]:
    if isinstance(value, bytes):
        return int.from_bytes(value[:8], "big"), int.from_bytes(value[8:], "big")
    return 0, (0xFFFF << 32) | (value if value > 0xFFFFFF else _INSIDE + value)


def _run(
    detector: AnyDetector, steps: Iterable[Sequence[Mapping[str, Any]]]
) -> tuple[Scores, Scores]:
    harness = Harness(detector)
    parts = [harness.feed(step) for step in steps]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _check_declaration(detector: AnyDetector) -> None:
    for fault in faults(detector):
        raise AssertionError(fault)
    assert detector.name == type(detector).__module__.rpartition(".")[2], "the file bears the name"


def _check_docstring(detector: AnyDetector) -> None:
    module = sys.modules[type(detector).__module__]
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(verbose=False)
    tests = [t for t in finder.find(module, detector.name) if t.examples]
    assert tests, "the docstring has no example that runs"
    for test in tests:
        assert runner.run(test, out=lambda _: None).failed == 0, f"{test.name}: its example fails"
    assert inspect.getdoc(type(detector)), "the class has no docstring"


def _check_empty(detector: AnyDetector) -> None:
    scores, facts = _run(detector, [[]])
    assert scores.shape == (0,)
    assert facts.shape == (0, len(detector.facts))


def _check_scores(detector: AnyDetector, rows: list[dict[str, Any]]) -> None:
    scores, facts = _run(detector, [rows])
    assert not np.isinf(scores).any(), "scores are finite or NaN"
    scored = ~np.isnan(scores)
    assert np.isfinite(facts[scored]).all(), "facts are finite where a score is"


def _check_strange_rows(detector: AnyDetector) -> None:
    extreme = [0, -1, 1, 2**62, -(2**62), 2**31, 255, 65535]
    rows = []
    for n, value in enumerate(extreme * 4):
        row: dict[str, Any] = {"time": 1_000_000 * n}
        for column in TABLE[detector.table].columns[1:]:
            if column.kind == "addr":
                row[column.name] = bytes([n] * 16)
            elif column.kind == "text":
                row[column.name] = ("", ".", "…\x00", "a." * 500)[n % 4]
            elif column.kind == "float":
                row[column.name] = (float("nan"), float("inf"), -1e308, 1e308)[n % 4]
            else:
                row[column.name] = value
        rows.append(row)
    scores, _ = _run(detector, [rows])
    assert not np.isinf(scores).any(), "extreme values give infinite scores"


def _check_explanation(detector: AnyDetector, rows: list[dict[str, Any]]) -> None:
    scores, facts = _run(detector, [rows])
    told = [dict(zip(detector.facts, row, strict=True)) for row in np.nan_to_num(facts)[:50]]
    told += [dict.fromkeys(detector.facts, 0.0), dict.fromkeys(detector.facts, 1e12)]
    for numbers in told:
        numbers["score"] = float(np.nan_to_num(scores).max())
        words = detector.explain(numbers)
        for text in (words.title_en, words.title_nl, words.desc_en, words.desc_nl):
            filled = text.format(src="A", dst="B", port="1", name="N", mac="M")
            assert filled.strip(), "an explanation is empty"


def _check_pickling(detector: AnyDetector, rows: list[dict[str, Any]]) -> None:
    half = _window_edge(rows)
    whole = _run(detector, [rows[:half], rows[half:]])
    harness = Harness(detector)
    first = harness.feed(rows[:half])
    harness = pickle.loads(pickle.dumps(harness))  # noqa: S301  # our own bytes
    rest = harness.feed(rows[half:])
    assert _same(whole[0], np.concatenate((first[0], rest[0]))), "a restart changes scores"
    assert _same(whole[1], np.concatenate((first[1], rest[1]))), "a restart changes facts"


def _check_clock(detector: AnyDetector, rows: list[dict[str, Any]]) -> None:
    def refuse(*_: object) -> float:
        raise AssertionError("a detector reads the clock")

    with (
        mock.patch.object(clock, "time", refuse),
        mock.patch.object(clock, "time_ns", refuse),
        mock.patch.object(clock, "monotonic", refuse),
    ):
        _run(detector, [rows[:50]])


def _check_sites(detector: AnyDetector, rows: list[dict[str, Any]]) -> None:
    """Each site scored alone, and all sites in turn, give what they give together."""
    together = _run(detector, [rows])[0]
    for site in (0, 1):
        own = [n for n, row in enumerate(rows) if row["site"] == site]
        alone = _run(detector, [[rows[n] for n in own]])[0]
        assert _same(together[own], alone), "another site's rows change a site's scores"


def _check_moving(detector: AnyDetector, rows: list[dict[str, Any]]) -> None:
    """Sites that go on in another engine, under other numbers, score as if they had stayed."""
    half = _window_edge(rows)
    whole = _run(detector, [rows[:half], rows[half:]])
    harness = Harness(detector)
    first = harness.feed(rows[:half])
    rest = harness.moved().feed(rows[half:])
    assert _same(whole[0], np.concatenate((first[0], rest[0]))), "a move changes scores"
    assert _same(whole[1], np.concatenate((first[1], rest[1]))), "a move changes facts"


def _window_edge(rows: list[dict[str, Any]]) -> int:
    length = 60_000_000
    return next(
        n for n, row in enumerate(rows) if row["time"] // length != rows[0]["time"] // length
    )


def _check_cuts(detector: RowDetector, rows: list[dict[str, Any]]) -> None:
    whole = _run(detector, [rows])
    for size in (1, 7, 100):
        edges = [*range(0, len(rows), size), len(rows)]
        cut = _run(detector, [rows[a:b] for a, b in pairwise(edges)])
        assert _same(whole[0], cut[0]), f"steps of {size} rows change scores"
        assert _same(whole[1], cut[1]), f"steps of {size} rows change facts"


def _check_purity(detector: WindowDetector, rows: list[dict[str, Any]]) -> None:
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
