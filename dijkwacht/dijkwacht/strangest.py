"""Run detectors over a recording without policy: every score is heard, none is judged."""

from __future__ import annotations

import heapq
import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht.offline import NumberedRow, cut
from dijkwacht_collector.engine.columns import Arrival, Tick, join_columns
from dijkwacht_collector.engine.detector_host import DetectorHost, Pick
from dijkwacht_collector.policy.calibration import load_calibration
from dijkwacht_collector.policy.policy import DetectorPolicy, Policy
from dijkwacht_collector.readers.zeek import row_time
from dijkwacht_detectors.api import AnyDetector, RowDetector, Rows, Scores, SiteDetector, Who
from dijkwacht_records import wire
from dijkwacht_records.addresses import format_address, format_mac
from dijkwacht_records.errors import DetectorError

_STEP_ROWS: Final = 4096
_LONG_AFTER_US: Final = 86_400_000_000


class _Everything(DetectorPolicy):
    """Says every score there is, once a row."""

    def pick(
        self,
        time: NDArray[np.int64],
        site: NDArray[np.int32],
        slot: NDArray[np.int32],
        fresh: NDArray[np.bool_],
        scores: Scores,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        del time, site, slot, fresh
        chosen = np.flatnonzero(~np.isnan(scores))
        return chosen, np.zeros(len(chosen))


@dataclass(frozen=True, slots=True)
class Strange:
    """One row and what a detector makes of it. ``words`` fill the places of an explanation."""

    detector: str
    time: int
    score: float
    src: str
    dst: str
    port: int
    name: str
    facts: Mapping[str, float]
    sentence: str


@dataclass(slots=True)
class Tryout:
    """Detectors on one recording; `play` it and ask for `strangest`.

    Raises `DetectorError` as soon as a detector fails, with the place in its file.
    """

    detectors: Sequence[AnyDetector]
    top: int = 20
    rows: int = 0
    scored: int = 0
    _best: dict[tuple[str, str, str, int], tuple[float, int, Pick]] = field(default_factory=dict)
    _failure: list[DetectorError] = field(default_factory=list)

    def play(self, rows: Iterable[NumberedRow]) -> None:
        """Score and learn all rows, in order."""
        policy = Policy(
            [load_calibration(d.name) for d in self.detectors], [1.0] * len(self.detectors)
        )
        policy.detectors = [_Everything(load_calibration(d.name), 1.0) for d in self.detectors]
        for detector in self.detectors:
            _overhear(detector, self._failure.append)
        host = DetectorHost(self.detectors, policy)
        wanted = host.wanted_columns()
        clock = np.full(1, -(1 << 62), np.int64)
        host.make_room(1, 1)
        for batch in cut(rows, _STEP_ROWS):
            arrival = max(map(row_time, batch))
            parts = [Arrival(part, 0, 0, arrival) for part in _as_batches(batch, arrival)]
            self._keep(host.fold(join_columns(parts, wanted, clock)))
            self.rows += len(batch)
        if self.rows:
            end = int(clock[0]) + _LONG_AFTER_US
            self._keep(host.end_windows([Tick(0, 0, end)]))

    def strangest(self) -> list[Strange]:
        """The strangest rows, at most one for each of who, whom and where."""
        best = heapq.nlargest(self.top, self._best.values(), key=lambda b: (b[0], -b[1]))
        return [self._strange(pick) for _, _, pick in best]

    def _keep(self, picks: Iterable[Pick]) -> None:
        if self._failure:
            raise self._failure[0]
        for pick in picks:
            self.scored += 1
            who = self.detectors[pick.detector].who
            src, dst, port, _ = _named(who, pick.row)
            key = (self.detectors[pick.detector].name, src, dst, port)
            known = self._best.get(key)
            if known is None or pick.score > known[0]:
                self._best[key] = (pick.score, self.scored, pick)

    def _strange(self, pick: Pick) -> Strange:
        detector = self.detectors[pick.detector]
        src, dst, port, name = _named(detector.who, pick.row)
        words = {"src": src, "dst": dst, "port": port, "name": name, "mac": src}
        sentence = detector.explain(pick.facts).title_en.format_map(words)
        return Strange(
            detector.name, pick.time, pick.score, src, dst, port, name, pick.facts, sentence
        )


def _named(who: Who, row: Mapping[str, Any]) -> tuple[str, str, int, str]:
    """Source (or hardware address), target, port and name of a row, as people write them."""
    src = _text(row[who.src]) if who.src else ""
    if not src and who.mac:
        src = format_mac(int(row[who.mac]))
    dst = _text(row[who.dst]) if who.dst else ""
    return src, dst, int(row[who.port]) if who.port else 0, row[who.name] if who.name else ""


def _text(halves: Sequence[int]) -> str:
    high, low = halves
    return format_address(int(high).to_bytes(8, "big") + int(low).to_bytes(8, "big"))


def _as_batches(rows: Sequence[NumberedRow], sent: int) -> list[wire.Batch]:
    """Rows in the form in which the engine meets them, by way of the wire."""
    encoded = wire.encode("try", "try", bytes(16), 0, sent, rows)
    if len(encoded) > wire.MAX_WIRE_BYTES:
        half = len(rows) // 2
        return _as_batches(rows[:half], sent) + _as_batches(rows[half:], sent)
    return [wire.decode(encoded)]


def _overhear(detector: AnyDetector, tell: Callable[[DetectorError], None]) -> None:
    """Hear of what the engine's fence would only count: a student wants to know why and where."""
    if isinstance(detector, RowDetector):
        names: tuple[str, ...] = ("fold",)
    elif isinstance(detector, SiteDetector):
        names = ("score_many", "learn_many")
    else:
        names = ("score", "learn")
    for name in names:
        method = getattr(detector, name)
        if name == "score_many":
            method = _one_a_row(method)
        setattr(detector, name, _overheard(method, detector, tell))


def _one_a_row(score_many: Callable[[Rows], Scores]) -> Callable[[Rows], Scores]:
    @wraps(score_many)
    def call(window: Rows) -> Scores:
        scores = score_many(window)
        if np.shape(scores) != (len(window),):
            given = "a single value" if np.ndim(scores) == 0 else f"{len(scores)} scores"
            raise ValueError(f"score_many returned {given} for {len(window)} rows")
        return scores

    return call


def _overheard(
    method: Callable[..., Any], detector: AnyDetector, tell: Callable[[DetectorError], None]
) -> Callable[..., Any]:
    @wraps(method)
    def call(*args: Any) -> Any:
        try:
            return method(*args)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = inspect.getfile(type(detector))
            last = next((f for f in reversed(frames) if f.filename == own), frames[-1])
            what = f"{Path(last.filename).name} line {last.lineno}: {type(error).__name__}: {error}"
            tell(DetectorError(detector.name, what))
            raise

    return call
