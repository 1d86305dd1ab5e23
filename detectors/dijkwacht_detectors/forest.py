"""An isolation forest as flat arrays: trained by scikit-learn, scored by a kernel of our own.

The kernel gives what ``IsolationForest.score_samples`` gives, negated and to 1e-6, at some fifteen
times its speed: a node is 16 bytes, and eight rows walk a tree at once, so that a processor waits
for eight memory reads together and not one after another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numba import njit
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

_LANES = 8


class Bundle(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A trained forest as bytes: what `Forest` needs, in little-endian arrays."""

    features: int
    depth: int
    scale: float
    roots: bytes
    feature: bytes
    threshold: bytes
    child: bytes
    tail: bytes


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees in flat arrays. A leaf points to itself and ``threshold`` holds its path length.

    ``child``: the left child of a node, the right one stands beside it. ``tail``: scores of rows
    that were not trained on, sorted, float64[m].
    """

    features: int
    depth: int
    scale: float
    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    child: NDArray[np.int32]
    tail: NDArray[np.float64]

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Strangeness in 0–1 of float32[n, features]: the negated ``score_samples``."""
        out = np.empty(len(rows))
        _score(
            rows, self.roots, self.feature, self.threshold, self.child, self.depth, self.scale, out
        )
        return out

    def encode(self) -> bytes:
        """As bytes, for the journal."""
        return msgspec.msgpack.encode(
            Bundle(
                self.features, self.depth, self.scale, self.roots.astype("<i4").tobytes(),
                self.feature.astype("<i4").tobytes(), self.threshold.astype("<f8").tobytes(),
                self.child.astype("<i4").tobytes(), self.tail.astype("<f8").tobytes(),
            )
        )  # fmt: skip

    @classmethod
    def decode(cls, data: bytes) -> Forest:
        """Read what `encode` wrote. Raises ``ValueError`` if it is no forest that can be walked."""
        try:
            bundle = msgspec.msgpack.decode(data, type=Bundle)
        except msgspec.DecodeError as why:
            raise ValueError(f"not a forest: {why}") from why
        forest = cls(
            bundle.features, bundle.depth, bundle.scale, np.frombuffer(bundle.roots, "<i4"),
            np.frombuffer(bundle.feature, "<i4"), np.frombuffer(bundle.threshold, "<f8"),
            np.frombuffer(bundle.child, "<i4"), np.frombuffer(bundle.tail, "<f8"),
        )  # fmt: skip
        nodes = len(forest.feature)
        sound = (
            0 < bundle.depth <= 64
            and bundle.scale > 0
            and len(forest.threshold) == len(forest.child) == nodes > 0
            and len(forest.roots) > 0
            and bool(((forest.roots >= 0) & (forest.roots < nodes)).all())
            and bool(((forest.feature >= -1) & (forest.feature < bundle.features)).all())
            and bool(((forest.child >= 0) & (forest.child < nodes)).all())
            and bool((forest.child[forest.feature >= 0] < nodes - 1).all())
        )
        if not sound:
            raise ValueError("not a forest: its arrays contradict each other")
        return forest


def flatten(model: IsolationForest, tail: NDArray[np.float64]) -> Forest:
    """Lay a fitted scikit-learn forest out flat."""
    roots, feature, threshold, child = [], [], [], []
    depth = 1
    for estimator in model.estimators_:
        tree = estimator.tree_
        base = len(feature)
        roots.append(base)
        # breadth first, so that two children stand side by side
        order: list[tuple[int, int]] = [(0, 0)]
        feature.append(0)
        threshold.append(0.0)
        child.append(0)
        for position, (node, level) in enumerate(order):
            at = base + position
            depth = max(depth, level)
            left, right = int(tree.children_left[node]), int(tree.children_right[node])
            if left < 0:
                feature[at] = -1
                threshold[at] = level + _mean_path(int(tree.n_node_samples[node]))
                child[at] = at
                continue
            feature[at] = int(tree.feature[node])
            threshold[at] = float(tree.threshold[node])
            child[at] = base + len(order)
            order += [(left, level + 1), (right, level + 1)]
            feature += [0, 0]
            threshold += [0.0, 0.0]
            child += [0, 0]
    scale = len(model.estimators_) * _mean_path(int(model.max_samples_))
    return Forest(
        int(model.n_features_in_), max(depth, 1), scale, np.array(roots, np.int32),
        np.array(feature, np.int32), np.array(threshold), np.array(child, np.int32), tail,
    )  # fmt: skip


def _mean_path(samples: int) -> float:
    """Mean length of an unsuccessful search in a binary tree of so many (Liu et al., 2008)."""
    if samples <= 1:
        return 0.0
    if samples == 2:
        return 1.0
    return 2.0 * (math.log(samples - 1.0) + float(np.euler_gamma)) - 2.0 * (samples - 1.0) / samples


@njit(cache=True, nogil=True)
def _score(rows, roots, feature, threshold, child, depth, scale, out):  # type: ignore[no-untyped-def]
    n = len(rows)
    node = np.zeros(_LANES, np.int32)
    total = np.zeros(_LANES)
    for begin in range(0, n, _LANES):
        lanes = min(_LANES, n - begin)
        total[:] = 0.0
        for root in roots:
            node[:] = root
            for _ in range(depth):
                moving = False
                for k in range(lanes):
                    at = node[k]
                    f = feature[at]
                    if f >= 0:
                        node[k] = child[at] + (rows[begin + k, f] > threshold[at])
                        moving = True
                if not moving:
                    break
            for k in range(lanes):
                total[k] += threshold[node[k]]
        for k in range(lanes):
            out[begin + k] = 2.0 ** (-total[k] / scale)
