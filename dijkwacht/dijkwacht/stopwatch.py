"""What each detector of an engine takes of the processor."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import wraps
from typing import Any

from dijkwacht_collector.engine.hosted import Hosted


def spent_by(hosted: Iterable[Hosted]) -> dict[str, float]:
    """Time these from now on: name → CPU seconds of scoring and learning, counted up as they run.

    Looking up who a row is about is not in it: detectors share that.
    """
    spent: dict[str, float] = {}
    for one in hosted:
        _time(one, spent)
    return spent


def _time(hosted: Hosted, spent: dict[str, float]) -> None:
    name, inner = hosted.detector.name, hosted.score
    spent[name] = 0.0

    @wraps(inner)
    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.thread_time()
        try:
            return inner(*args, **kwargs)
        finally:
            spent[name] += time.thread_time() - began

    hosted.score = timed  # type: ignore[method-assign]  # of this one alone
