"""The metrics of an engine's time: how long its steps take, and what keeps it from the next one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Histogram

Pause = Literal["checkpoint", "model", "sinks"]
_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_OF_PAUSES: Final = (0.005, 0.01, 0.05)
"""What a pause should not pass, what it must not, and what somebody notices."""


class EngineTimes:
    """Steps and pauses of all engines of a process. Any thread may call any method."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._steps = Histogram(
            "dijkwacht_engine_step_seconds", "Time of one step of the engine.",
            registry=registry, buckets=_BUCKETS,
        )  # fmt: skip
        self._pauses = Histogram(
            "dijkwacht_engine_pause_seconds",
            "Time for which an engine did something else than fold rows: it took sites for a checkpoint,"
            " took over a model or offered samples for one, or handed findings to the sinks.",
            ["reason"], registry=registry, buckets=_OF_PAUSES,
        )  # fmt: skip
        for reason in get_args(Pause):
            self._pauses.labels(reason)

    def observe_step(self, seconds: float) -> None:
        """One step of an engine took so long."""
        self._steps.observe(seconds)

    def observe_pause(self, reason: Pause, seconds: float) -> None:
        """So long was an engine kept."""
        self._pauses.labels(reason).observe(seconds)

    @contextmanager
    def pause(self, reason: Pause) -> Iterator[None]:
        """What is done inside keeps an engine."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.observe_pause(reason, time.perf_counter() - began)
