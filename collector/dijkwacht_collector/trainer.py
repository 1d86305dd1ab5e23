"""Trains models in a process of their own, from rows that the model will never score.

``python -m dijkwacht_collector.trainer DETECTOR`` reads a numpy array on standard input and writes
the bundle on standard output; an empty answer means that there was nothing to learn. The bundle
becomes a journal entry, so that the rows behind it are the first that the new model sees.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_records.errors import DetectorError

TRAINING_LIMIT_S: Final = 120
FIRST_SAMPLES: Final = 2_000
"""Rows that a first model needs; a next one is trained when as many again are kept."""
_LOWEST_PRIORITY: Final = 19


class Trainer:
    """Starts a training when a detector has kept enough rows; one at a time, never waited for."""

    def __init__(self) -> None:
        self._trained_on: dict[str, int] = {}
        self._running: tuple[str, subprocess.Popen[bytes]] | None = None

    def offer(self, kept: Mapping[str, NDArray[np.float64]]) -> None:
        """Look at what detectors have kept and start at most one training."""
        if self._running is not None:
            return
        for detector, samples in kept.items():
            count = int(np.isfinite(samples).all(axis=1).sum())
            if count >= max(FIRST_SAMPLES, 2 * self._trained_on.get(detector, 0)):
                self._trained_on[detector] = count
                self._running = detector, _start(detector, samples)
                return

    def collect(self) -> tuple[str, bytes] | None:
        """The (detector, bundle) of a training that has ended, if one has.

        Raises `DetectorError` if it failed.
        """
        if self._running is None or self._running[1].poll() is None:
            return None
        detector, process = self._running
        self._running = None
        return _result(detector, process)

    def stop(self) -> None:
        """End a training that still runs."""
        if self._running is not None:
            self._running[1].kill()
            self._running[1].communicate()
            self._running = None


def train(detector: str, samples: NDArray[np.float64]) -> bytes | None:
    """Train now and wait; for replays. Raises `DetectorError` if the training failed."""
    found = _result(detector, _start(detector, samples))
    return None if found is None else found[1]


def _start(detector: str, samples: NDArray[np.float64]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
        [sys.executable, "-m", "dijkwacht_collector.trainer", detector],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    np.save(process.stdin, samples, allow_pickle=False)
    process.stdin.close()
    process.stdin = None
    return process


def _result(detector: str, process: subprocess.Popen[bytes]) -> tuple[str, bytes] | None:
    try:
        bundle, complaint = process.communicate(timeout=TRAINING_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise DetectorError(detector, f"training took over {TRAINING_LIMIT_S} s") from None
    if process.returncode:
        last = complaint.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise DetectorError(detector, "training failed: " + "".join(last))
    return (detector, bundle) if bundle else None


def _main() -> None:
    samples = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    chosen = next(d for d in shipped_detectors() if d.name == sys.argv[1])
    sys.stdout.buffer.write(chosen.train(samples) or b"")


if __name__ == "__main__":
    import os

    os.nice(_LOWEST_PRIORITY)
    _main()
