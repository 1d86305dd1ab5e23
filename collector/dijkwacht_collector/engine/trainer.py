"""Trains models in a process of their own, from rows that the model will never score.

``python -m dijkwacht_collector.engine.trainer DETECTOR [FILE]`` reads a numpy array on standard input and writes
the bundle on standard output; an empty answer means that there was nothing to learn. The bundle
becomes a journal entry, so that the rows behind it are the first that the new model sees.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.discover import load_detectors, shipped_detectors
from dijkwacht_records.errors import DetectorError

TRAINING_LIMIT_S: Final = 120
FIRST_SAMPLES: Final = 2_000
"""Rows that a first model needs; a next one is trained when as many again are kept."""
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


class Trainer:
    """Starts a training when a detector has kept enough rows; one at a time, never waited for.

    ``own_files``: detector → its file, of those that are not shipped.
    """

    def __init__(self, own_files: Mapping[str, Path] | None = None) -> None:
        self._own_files = own_files or {}
        self._trained_on: dict[str, int] = {}
        self._running: _Training | None = None

    def offer(self, kept: Mapping[str, NDArray[np.float64]]) -> None:
        """Look at what detectors have kept and start at most one training."""
        if self._running is not None:
            return
        for detector, samples in kept.items():
            count = int(np.isfinite(samples).all(axis=1).sum())
            if count >= max(FIRST_SAMPLES, 2 * self._trained_on.get(detector, 0)):
                self._trained_on[detector] = count
                self._running = _start(detector, samples, self._own_files.get(detector))
                return

    def collect(self) -> tuple[str, bytes] | None:
        """The (detector, bundle) of a training that has ended, if one has.

        Raises `DetectorError` if it failed.
        """
        running = self._running
        if running is None:
            return None
        if running.process.poll() is None and time.monotonic() < running.until:
            return None
        self._running = None
        bundle = _result(running)
        return None if bundle is None else (running.detector, bundle)

    def stop(self) -> None:
        """End a training that still runs."""
        if self._running is not None:
            self._running.process.kill()
            self._running.process.wait()
            self._running.bundle.close()
            self._running.complaint.close()
            self._running = None


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
