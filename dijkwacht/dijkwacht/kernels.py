"""Compile every kernel before anything is measured or shown, and report so while it lasts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from dijkwacht_collector.engine.warmup import warm_up
from dijkwacht_detectors.discover import shipped_detectors

_PATIENCE_S: Final = 5.0


def compile_kernels(report: Callable[[str], None] = lambda _: None) -> None:
    """Warm up the engine and the shipped detectors.

    Compiled code is kept on disk, so only the first time on a machine takes long; ``report`` is called
    every few seconds then.
    """
    began, done = time.monotonic(), threading.Event()

    def count() -> None:
        report("Getting the detectors ready (compiled once on a machine, a minute or two) …")
        while not done.wait(_PATIENCE_S):
            report(f"  … {time.monotonic() - began:.0f} s")

    counter = threading.Timer(1.0, count)
    counter.daemon = True
    counter.start()
    try:
        warm_up(shipped_detectors())
    finally:
        done.set()
        counter.cancel()
    report(f"The detectors are ready, after {time.monotonic() - began:.1f} s.")
