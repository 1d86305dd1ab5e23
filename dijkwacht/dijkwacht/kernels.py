"""Compile every kernel before anything is measured or shown, and report so while it lasts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import islice
from typing import Final

from dijkwacht.offline import OfflineCollector, cut
from dijkwacht.recording import Recorded
from dijkwacht_lab.recordings import recording

_ROWS: Final = 3000
_PATIENCE_S: Final = 5.0


def compile_kernels(report: Callable[[str], None] = lambda _: None) -> None:
    """Run the live path over the beginning of a shipped recording, in which every table has rows.

    Compiled code is kept on disk, so only the first time on a machine takes long; ``report`` is called
    every few seconds then.
    """
    began, done = time.monotonic(), threading.Event()

    def count() -> None:
        report("Getting the detectors ready (compiled once on a machine, about half a minute) …")
        while not done.wait(_PATIENCE_S):
            report(f"  … {time.monotonic() - began:.0f} s")

    counter = threading.Timer(1.0, count)
    counter.daemon = True
    counter.start()
    try:
        with OfflineCollector() as collector:
            rows = Recorded([recording("demo") / "traffic.pcap"]).rows()
            for batch in cut(islice(rows, _ROWS), 500):
                collector.play("warm-up", batch)
            collector.finish()
    finally:
        done.set()
        counter.cancel()
    report(f"The detectors are ready, after {time.monotonic() - began:.1f} s.")
