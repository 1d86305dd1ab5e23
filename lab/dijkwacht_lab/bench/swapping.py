"""``dijkwacht collect`` for a benchmark: SIGUSR1 activates a model, and how long engines paused is kept.

``python -m dijkwacht_lab.bench.swapping PAUSES [ARGUMENT…]``: the arguments are the command's. What is written
to the file PAUSES at the end is JSON: reason → of each pause when it ended, by the machine's monotonic
clock, and its seconds; `STEP` for each step. Nothing else differs from the live process: the model takes the way through the journal that a trained one takes.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from aiohttp import web

from dijkwacht_collector import app
from dijkwacht_collector.app import wall_clock
from dijkwacht_collector.journal import PARTITIONS, Bundles, Journal, Model
from dijkwacht_collector.maintenance import JOURNAL
from dijkwacht_collector.metrics.engine_times import EngineTimes, Pause
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_detectors.api import RowDetector
from dijkwacht_detectors.discover import shipped_detectors

STEP: Final = "step"
TRAINED: Final = "unlike_others"
_SAMPLES: Final = 4_000


def make_model() -> bytes:
    """A model of `TRAINED` as large as a real one, of departures that nobody made."""
    detector = next(one for one in shipped_detectors() if one.name == TRAINED)
    assert isinstance(detector, RowDetector)
    width = detector.state["samples"][1][1]
    samples = np.random.default_rng(1).normal(size=(_SAMPLES, width))
    samples[:, -2:] = np.arange(_SAMPLES)[:, None] % (50, 200)  # which site, which machine
    bundle = detector.train(samples)
    assert bundle is not None
    return bundle


def _swap(journal: Journal, bundles: Bundles, model: bytes) -> None:
    draft = Model(TRAINED, bundles.keep(model)).draft("", wall_clock())
    journal.append_all([(partition, draft) for partition in range(PARTITIONS)])


def _swapping(build: Callable[..., web.Application], model: bytes) -> Callable[..., Any]:
    """``build``, whose application swaps a model at each SIGUSR1."""

    def build_swapping(settings: CollectorSettings, *args: Any, **kwargs: Any) -> web.Application:
        built = build(settings, *args, **kwargs)
        bundles = Bundles(settings.state / "journal" / "bundles")

        async def listen(_app: web.Application) -> None:
            loop = asyncio.get_running_loop()
            swap = partial(_swap, built[JOURNAL], bundles, model)
            loop.add_signal_handler(
                signal.SIGUSR1, lambda: loop.run_in_executor(None, swap) and None
            )

        built.on_startup.append(listen)
        return built

    return build_swapping


def main(pauses: str, *arguments: str) -> None:
    """Run the collector until a signal stops it, and write what was seen."""
    seen: dict[str, list[tuple[float, float]]] = {}
    observe_pause, observe_step = EngineTimes.observe_pause, EngineTimes.observe_step

    def note_pause(self: EngineTimes, reason: Pause, seconds: float) -> None:
        seen.setdefault(reason, []).append((time.perf_counter(), seconds))
        observe_pause(self, reason, seconds)

    def note_step(self: EngineTimes, seconds: float) -> None:
        seen.setdefault(STEP, []).append((time.perf_counter(), seconds))
        observe_step(self, seconds)

    EngineTimes.observe_pause, EngineTimes.observe_step = note_pause, note_step  # type: ignore[method-assign]
    app.build_app = _swapping(app.build_app, make_model())
    sys.argv = ["dijkwacht", "collect", *arguments]
    try:
        runpy.run_module("dijkwacht.cli", run_name="__main__")
    finally:
        Path(pauses).write_text(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
