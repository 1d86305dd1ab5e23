"""What others score and learn a second, on the flows of the same rows, one after another as they arrive.

Each is given its features ready made: reading and keeping state, which is most of what the engine does, costs
them nothing here. `pip install 'dijkwacht[peers]'` brings what is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from itertools import chain, islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_lab.bench.mixed_rows import mixed_rows
from dijkwacht_lab.peers.flow_features import FEATURES, flows_of

Features = NDArray[np.float64]
SITES: Final = 10
ROWS_A_SITE: Final = 2_000
LEARNED: Final = 2_000
"""Flows that a model learns from before it is measured."""
_TREES, _HEIGHT = 25, 8
_KITNET_FEATURES: Final = 30


def measure_peers(ours: float, sites: int = SITES, rows: int = ROWS_A_SITE) -> list[dict[str, Any]]:
    """Of each peer ``flows_per_second`` of CPU time, on how many ``features``; ``times``: ours by theirs.

    ``ours``: rows a second of the engine with all its detectors. A peer that is not installed has ``missing``,
    the command that brings it.
    """
    flows = flow_features(sites, rows)
    learned, measured = flows[:LEARNED], flows[LEARNED:]
    return [peer(learned, measured, ours) for peer in (_river, _kitnet, _forest)]


def flow_features(sites: int, rows: int) -> Features:
    """Features of the flows of mixed rows, float64[n, 19], scaled to 0 to 1: half-space trees ask for that."""
    seen = chain.from_iterable(islice(mixed_rows(site), rows) for site in range(sites))
    raw = flows_of(seen).features.astype(np.float64)
    low, high = raw.min(axis=0), raw.max(axis=0)
    return np.asarray((raw - low) / np.where(high > low, high - low, 1.0))


def _told(
    name: str, library: str, features: int, flows: int, ours: float, seconds: float
) -> dict[str, Any]:
    rate = flows / seconds
    return {"name": name, "version": version(library), "features": features, "flows": flows,
            "flows_per_second": round(rate), "times": round(ours / rate, 1)}  # fmt: skip


def _absent(name: str) -> dict[str, Any]:
    return {"name": name, "missing": "pip install 'dijkwacht[peers]'"}


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _river(learned: Features, measured: Features, ours: float) -> dict[str, Any]:
    name = f"River half-space trees {_TREES}×{_HEIGHT}, score and learn"
    if find_spec("river") is None:
        return _absent(name)
    from river.anomaly import HalfSpaceTrees  # noqa: PLC0415  # optional

    keep = FEATURES.index("bidirectional_duration_ms")
    chosen = slice(keep, keep + 9)
    model: Any = HalfSpaceTrees(n_trees=_TREES, height=_HEIGHT, window_size=250, seed=1)

    def rows_of(flows: Features) -> Iterator[dict[int, float]]:
        return (dict(enumerate(flow)) for flow in flows[:, chosen].tolist())

    for flow in rows_of(learned):
        model.learn_one(flow)
    flows = list(rows_of(measured))

    def work() -> None:
        for flow in flows:
            model.score_one(flow)
            model.learn_one(flow)

    return _told(name, "river", 9, len(flows), ours, _seconds(work))


def _kitnet(learned: Features, measured: Features, ours: float) -> dict[str, Any]:
    name = "PySAD KitNET, score and learn"
    if find_spec("pysad") is None:
        return _absent(name)
    from pysad.models import KitNet  # noqa: PLC0415  # optional

    wide = _widened(learned), _widened(measured)
    model: Any = KitNet(
        grace_feature_mapping=LEARNED // 4,
        grace_anomaly_detector=LEARNED - LEARNED // 4,
        random_state=1,
    )
    for flow in wide[0]:
        model.fit_partial(flow)

    def work() -> None:
        for flow in wide[1]:
            model.fit_score_partial(flow)

    return _told(name, "pysad", _KITNET_FEATURES, len(wide[1]), ours, _seconds(work))


def _widened(flows: Features) -> Features:
    """As many features as asked for: the flows', and the first of them again, squared."""
    more = _KITNET_FEATURES - flows.shape[1]
    return np.hstack((flows, flows[:, :more] ** 2))


def _forest(learned: Features, measured: Features, ours: float) -> dict[str, Any]:
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415  # seconds to import

    forest = IsolationForest(n_estimators=100, random_state=1, n_jobs=1).fit(learned)
    seconds = _seconds(lambda: forest.score_samples(measured))
    name = "scikit-learn isolation forest of 100 trees, score alone, all in one call"
    return _told(name, "scikit-learn", measured.shape[1], len(measured), ours, seconds)
