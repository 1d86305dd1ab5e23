"""Where an engine spends its time: a stopwatch around each part, each second counted once.

A part that calls another stops while that runs, so that the parts add up to the whole. A stopwatch costs
some 0.5 µs a call, and calls are a few hundred a step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final

from dijkwacht_collector.engine import Engine, slots, views, windows
from dijkwacht_collector.engine import engine as engine_module
from dijkwacht_collector.engine.fold import Fold
from dijkwacht_collector.engine.hosted import Hosted
from dijkwacht_detectors.api import AnyDetector, RowDetector, SiteDetector
from dijkwacht_detectors.state.memory import Memory

_OF_MODULE: Final = (
    ("read_checked", "read checked"),
    ("join_columns", "join columns"),
    ("finding_of", "findings"),
)
_OF_CLASS: Final = (
    (views.Views, "rows", "views and merging"),
    (views.Views, "among", "views and merging"),
    (views.Views, "add", "views and merging"),
    (slots.Slots, "of", "slots"),
    (Hosted, "score", "asking detectors"),
    (Hosted, "admitted", "asking detectors"),
    (windows.WindowPool, "append", "windows"),
    (windows.WindowPool, "end", "windows"),
    (windows.WindowPool, "read", "windows"),
    (Fold, "cut", "cutting steps"),
)
_OF_ENGINE: Final = (
    ("_note", "telemetry: observed, watched time"),
    ("_decide", "decide"),
    ("_arrive", "arrival"),
    ("_join", "join"),
    ("_make_room", "room for sites"),
)


class Stopwatches:
    """Seconds of CPU time by part; ``missing``: what this engine does not have under the name that is looked for."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.missing: list[str] = []
        self._running: list[str] = []
        self._since = 0.0
        self._put: list[tuple[object, str, Any]] = []

    def watch(self, owner: object, method: str, part: str) -> None:
        """Put one around a function of a module, a method of a class or one of an object."""
        inner: Callable[..., Any] | None = getattr(owner, method, None)
        if inner is None:
            self.missing.append(f"{part}: {getattr(owner, '__name__', owner)}.{method}")
            return
        self.spent.setdefault(part, 0.0)
        self._put.append((owner, method, vars(owner).get(method)))

        @wraps(inner)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._turn(part)
            try:
                return inner(*args, **kwargs)
            finally:
                self._turn(None)

        setattr(owner, method, timed)

    def take_off(self) -> None:
        """Everything is as it was."""
        for owner, method, before in reversed(self._put):
            if before is None:
                delattr(owner, method)
            else:
                setattr(owner, method, before)
        self._put.clear()

    def _turn(self, part: str | None) -> None:
        """Stop what runs; go on with ``part``, or with what it interrupted."""
        now = time.thread_time()
        if self._running:
            self.spent[self._running[-1]] += now - self._since
        if part is None:
            self._running.pop()
        else:
            self._running.append(part)
        self._since = time.thread_time()


@contextmanager
def watched(engine: Engine) -> Iterator[Stopwatches]:
    """Watch all parts of an engine until the block ends."""
    found = Stopwatches()
    watch = found.watch
    try:
        for method, part in _OF_MODULE:
            watch(engine_module, method, part)
        for owner, method, part in _OF_CLASS:
            watch(owner, method, part)
        for method, part in _OF_ENGINE:
            watch(engine, method, part)
        _watch_contexts(engine, watch)
        _watch_detectors(engine, watch)
        for policy in engine.policy.detectors:
            watch(policy, "evidence", "policy")
        watch(engine.policy, "evidence", "policy, for all")
        watch(engine.fusion, "weigh", "fusion")
        watch(engine.incidents, "apply", "incidents")
        watch(engine.progress, "weigh", "fairness between sites")
        watch(engine.progress, "reach", "fairness between sites")
        yield found
    finally:
        found.take_off()


def _watch_contexts(engine: Engine, watch: Callable[[object, str, str], None]) -> None:
    contexts = engine.host._contexts  # noqa: SLF001  # a benchmark looks inside
    watch(contexts, "compute", "contexts")
    for name, memory in contexts._memories.items():  # noqa: SLF001  # as above
        watch(memory, "columns", f"context {name}")
        watch(memory.entities, "resolve", f"state of context {name}")


def _watch_detectors(engine: Engine, watch: Callable[[object, str, str], None]) -> None:
    for hosted in engine.host.hosted:
        for detector in hosted.instances.each.values():
            for method in _methods_of(detector):
                watch(detector, method, detector.name)
    readers: dict[int, list[Memory]] = {}
    for memory in (hosted.memory for hosted in engine.host.hosted):
        readers.setdefault(id(memory.entities), []).append(memory)
    for members in readers.values():
        tables = dict.fromkeys(name for memory in members for name in memory.reading.tables)
        entity = members[0].detector.entity
        named = entity if isinstance(entity, str) else " ".join(entity)
        watch(members[0].entities, "resolve", f"state of {'+'.join(tables)} {named}")


def _methods_of(detector: AnyDetector) -> tuple[str, ...]:
    """Where a detector spends its time."""
    if isinstance(detector, RowDetector):
        return ("fold",)
    return () if isinstance(detector, SiteDetector) else ("score", "learn")
