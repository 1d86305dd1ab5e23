"""Three detectors of strange flows that a course would build, each as its library ships it.

``pip install 'dijkwacht[peers]'`` brings the two that are not ours to ship; a model whose library is
missing is said to be so and left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
CHUNK: Final = 5_000
"""Flows that ECOD judges at a time: it ranks them together with what it learned from."""


class Model(Protocol):
    """Learns what ordinary flows are, then says how strange others are."""

    library: str
    """Its distribution; the module is of the same name."""
    about: str
    most: int
    """Flows that it learns from at most."""

    def fit(self, features: Features) -> None:
        """Learn from float32[n, k]."""
        ...

    def score(self, features: Features) -> NDArray[np.float64]:
        """Strangeness of each flow, float64[n], n ≥ 1; higher is stranger, on a scale of its own."""
        ...


class Forest:
    """Isolation forest of scikit-learn: how few random cuts set a flow apart."""

    library, module = "scikit-learn", "sklearn"
    about = "isolation forest, 100 trees (BSD-3-Clause)"
    most = 100_000

    def fit(self, features: Features) -> None:
        """Grow the trees."""
        from sklearn.ensemble import IsolationForest  # noqa: PLC0415  # seconds to import

        self._forest = IsolationForest(n_estimators=100, random_state=0).fit(features)

    def score(self, features: Features) -> NDArray[np.float64]:
        """The forest's own score, turned round: there, low is strange."""
        return -np.asarray(self._forest.score_samples(features), np.float64)


class Ecod:
    """ECOD of PyOD: how far in the tail each feature of a flow is, summed."""

    library, module = "pyod", "pyod"
    about = "ECOD (BSD-2-Clause)"
    most = 50_000

    def fit(self, features: Features) -> None:
        """Keep the flows; their empirical distributions are the model."""
        from pyod.models.ecod import ECOD  # noqa: PLC0415  # optional

        self._model: Any = ECOD().fit(features)

    def score(self, features: Features) -> NDArray[np.float64]:
        """Its decision function, a chunk at a time."""
        parts = range(0, len(features), CHUNK)
        told = [self._model.decision_function(features[at : at + CHUNK]) for at in parts]
        return np.concatenate(told, dtype=np.float64)


class KitNet:
    """KitNET of PySAD: how badly small autoencoders, trained on a stream, draw a flow again."""

    library, module = "pysad", "pysad"
    about = "KitNET (BSD-3-Clause), a tenth of what it learns from for its map of features"
    most = 50_000

    def fit(self, features: Features) -> None:
        """One flow after another, as a stream."""
        from pysad.models import KitNet as Stream  # noqa: PLC0415  # optional

        map_from = max(len(features) // 10, 1)
        self._model: Any = Stream(
            grace_feature_mapping=map_from,
            grace_anomaly_detector=max(len(features) - map_from, 1),
            random_state=0,
        )
        for flow in features.astype(np.float64):
            self._model.fit_partial(flow)

    def score(self, features: Features) -> NDArray[np.float64]:
        """Its error of each flow; it has learned for good."""
        told = (self._model.score_partial(flow) for flow in features.astype(np.float64))
        return np.fromiter((float(score) for score in told), np.float64, len(features))


MODELS: Final[Mapping[str, type[Forest | Ecod | KitNet]]] = {
    "iforest": Forest,
    "ecod": Ecod,
    "kitnet": KitNet,
}
"""Short name → model, in the order of their columns."""


def version_of(name: str) -> str | None:
    """The version of a model's library, None if it is not installed."""
    kind = MODELS[name]
    if find_spec(kind.module) is None:
        return None
    try:
        return version(kind.library)
    except PackageNotFoundError:
        return None
