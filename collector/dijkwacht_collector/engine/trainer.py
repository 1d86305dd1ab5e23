"""Trains models in a process of their own, from rows that the model will never score.

``python -m dijkwacht_collector.engine.trainer DETECTOR [FILE]`` reads a numpy array on standard input and writes
the bundle on standard output; an empty answer means that there was nothing to learn. The bundle
becomes a journal entry, so that the rows behind it are the first that the new model sees.
"""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.journal import PARTITIONS, Model
from dijkwacht_detectors.discover import load_detectors, shipped_detectors
from dijkwacht_detectors.state.memory import Kept
from dijkwacht_records.errors import CollectorBusy, DetectorError, JournalError

if TYPE_CHECKING:  # the training process needs none of it
    from dijkwacht_collector.engine.parts import EngineParts

log: Final = logging.getLogger(__name__)

TRAINING_LIMIT_S: Final = 120
FIRST_SAMPLES: Final = 1_500
"""``samples_seen`` of all sites together at the first model: of `unlike_others`, which looks at a machine
every ten minutes, ten days of one machine."""
MOST_SAMPLES: Final = 8_192
"""Rows that a model is trained on."""
_LOWEST_PRIORITY: Final = 19


@dataclass(frozen=True)
class _Training:
    """A training under way. Files, not pipes: neither side ever waits for the other."""

    detector: str
    process: subprocess.Popen[bytes]
    bundle: IO[bytes]
    complaint: IO[bytes]
    until: float
    """When its patience ends, by the monotonic clock."""


class _Part(NamedTuple):
    """What one engine offers of a detector.

    ``rows`` of each site, how many each has ``seen``, how many are ``known`` (all they can keep is
    there), and how many of these have seen twice what the last model came after.
    """

    rows: list[NDArray[Any]]
    seen: NDArray[np.int64]
    known: int
    doubled: int


class Trainer:
    """Trains on what all engines keep; one training at a time, never waited for.

    ``own_files``: detector → its file, of those that are not shipped. ``engines``: how many there are;
    each offers from a thread of its own, and is waited for until it has left.
    """

    def __init__(self, own_files: Mapping[str, Path] | None = None, engines: int = 1) -> None:
        self._own_files = own_files or {}
        self._awaited = set(range(engines))
        self._parts: dict[str, dict[int, _Part]] = {}
        self._tried: dict[tuple[str, int], NDArray[np.int64]] = {}
        self._running: _Training | None = None
        self._lock = threading.Lock()

    def offer(self, engine: int, kept: Mapping[str, Kept]) -> None:
        """Look at what the detectors of one engine keep, and start at most one training."""
        with self._lock:
            if self._running is not None:
                return
            for detector, one in kept.items():
                parts = self._parts.setdefault(detector, {})
                parts[engine] = _part(one, self._tried.get((detector, engine)))
                if self._running is None and self._awaited <= parts.keys() and _is_due(parts):
                    for number, part in parts.items():
                        self._tried[detector, number] = part.seen
                    sites = [rows for _, part in sorted(parts.items()) for rows in part.rows]
                    self._running = _start(detector, _joined(sites), self._own_files.get(detector))
                    parts.clear()  # what they say of the last model is no longer so

    def collect(self) -> tuple[str, bytes] | None:
        """The (detector, bundle) of a training that has ended, if one has.

        Raises `DetectorError` if it failed.
        """
        with self._lock:
            running = self._running
            if running is None:
                return None
            if running.process.poll() is None and time.monotonic() < running.until:
                return None
            self._running = None
        bundle = _result(running)
        return None if bundle is None else (running.detector, bundle)

    def take_turn(
        self, engine: int, kept: Callable[[], Mapping[str, Kept]], parts: EngineParts, epoch: int
    ) -> None:
        """Journal the model of a training that has ended, and offer what one ``engine`` has ``kept``.

        The owner of that ``epoch`` says so; what goes wrong is logged.
        """
        try:
            if (made := self.collect()) is not None:
                detector, bundle = made
                name = parts.bundles.keep(bundle)
                draft = Model(detector, name).draft("", parts.clock())
                parts.journal.append_all([(p, draft) for p in range(PARTITIONS)], epoch)
                log.info("model activated", extra={"detector": detector, "bytes": len(bundle)})
            self.offer(engine, kept())
        except (DetectorError, CollectorBusy, JournalError, OSError) as error:
            log.warning("training failed", extra={"why": str(error)})

    def leave(self, engine: int) -> None:
        """Do without an engine that has stopped; the last one ends a training that still runs."""
        with self._lock:
            self._awaited.discard(engine)
            if self._running is not None and not self._awaited:
                self._running.process.kill()
                self._running.process.wait()
                self._running.bundle.close()
                self._running.complaint.close()
                self._running = None


def training_rows(kept: Kept) -> NDArray[np.float64]:
    """Rows to train on, float64[n, k]: as many of each site, at most `MOST_SAMPLES` in all."""
    return _joined(_filled(kept))


def _joined(sites: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    return np.concatenate(_shares(sites), dtype=np.float64) if sites else np.zeros((0, 0))


def _shares(sites: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Of each site as many rows as any other may give, spread over what it has; copies."""
    if not sites:
        return []
    chosen = [sites[n] for n in _spread(len(sites), MOST_SAMPLES)]
    share = MOST_SAMPLES // len(chosen)
    return [rows[_spread(len(rows), share)] for rows in chosen]


@lru_cache(maxsize=2_048)
def _spread(count: int, most: int) -> NDArray[np.int64]:
    """Places of ``most`` rows spread over ``count``, to be read only; an engine waits while a thousand sites ask."""
    fewer = min(count, most)
    return np.arange(fewer) * count // max(1, fewer)


def _filled(kept: Kept) -> list[NDArray[Any]]:
    """What there is of each site."""
    return [kept.samples[site, : kept.seen[site]] for site in np.flatnonzero(kept.seen)]


def _part(kept: Kept, tried: NDArray[np.int64] | None) -> _Part:
    last = kept.learned.copy()
    if tried is not None:  # a training that failed, or whose model is on its way
        last[: len(tried)] = np.maximum(last[: len(tried)], tried)
    known = kept.seen >= kept.samples.shape[1]
    doubled = known & (kept.seen >= 2 * last)
    counts = int(np.count_nonzero(known)), int(np.count_nonzero(doubled))
    return _Part(_shares(_filled(kept)), kept.seen.copy(), *counts)


def _is_due(parts: Mapping[int, _Part]) -> bool:
    """Whether half of the known sites have sent twice what they had at the last model.

    Rows of all sites together would not do: a busy site could put off the next model for all others.
    """
    seen = sum(int(part.seen.sum()) for part in parts.values())
    known = sum(part.known for part in parts.values())
    doubled = sum(part.doubled for part in parts.values())
    return seen >= FIRST_SAMPLES and 0 < known <= 2 * doubled


def train(
    detector: str, samples: NDArray[np.float64], own_file: Path | None = None
) -> bytes | None:
    """Train now and wait; for replays. Raises `DetectorError` if the training failed."""
    return _result(_start(detector, samples, own_file))


def _start(detector: str, samples: NDArray[np.float64], own_file: Path | None) -> _Training:
    words = [detector] if own_file is None else [detector, str(own_file)]
    bundle = tempfile.TemporaryFile()  # noqa: SIM115  # _result closes both
    complaint = tempfile.TemporaryFile()  # noqa: SIM115
    with tempfile.TemporaryFile() as given:
        np.save(given, samples, allow_pickle=False)
        given.seek(0)
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", "dijkwacht_collector.engine.trainer", *words],
            stdin=given,
            stdout=bundle,
            stderr=complaint,
        )
    return _Training(detector, process, bundle, complaint, time.monotonic() + TRAINING_LIMIT_S)


def _result(training: _Training) -> bytes | None:
    with training.bundle as bundle, training.complaint as complaint:
        try:
            status = training.process.wait(max(0.0, training.until - time.monotonic()))
        except subprocess.TimeoutExpired:
            training.process.kill()
            training.process.wait()
            message = f"training took over {TRAINING_LIMIT_S} s"
            raise DetectorError(training.detector, message) from None
        bundle.seek(0)
        complaint.seek(0)
        if status:
            last = complaint.read().decode("utf-8", "replace").strip().splitlines()[-1:]
            raise DetectorError(training.detector, "training failed: " + "".join(last))
        return bundle.read() or None


def _main() -> None:
    samples = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    name, *own_file = sys.argv[1:]
    detectors = load_detectors(Path(own_file[0])) if own_file else shipped_detectors()
    chosen = next(detector for detector in detectors if detector.name == name)
    sys.stdout.buffer.write(chosen.train(samples) or b"")


if __name__ == "__main__":
    import os

    os.nice(_LOWEST_PRIORITY)
    _main()
