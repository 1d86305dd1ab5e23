"""An isolation forest as flat arrays: trained by scikit-learn, scored by a kernel of our own.

The kernel gives what ``IsolationForest.score_samples`` gives, negated and to 1e-6. Each tree is laid
out as a heap of its full depth, so that a step down is ``2 n + 1 + (x > t)`` without a branch, and
eight rows walk a tree at once, so that a processor waits for eight memory reads together.
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
_DEEPEST = 12


class Bundle(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A forest as bytes: what `Forest` holds, in little-endian arrays."""

    features: int
    trees: int
    depth: int
    scale: float
    feature: bytes
    threshold: bytes
    path: bytes
    tail: bytes


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees as heaps of ``depth`` levels.

    ``feature`` uint8 and ``threshold`` float32, [trees, 2**depth - 1]: go right where the feature
    is above the threshold. ``path`` float32 [trees, 2**depth]: the path length of each leaf.
    ``tail``: scores of rows that were not trained on, rising, float64[m].
    """

    features: int
    scale: float
    feature: NDArray[np.uint8]
    threshold: NDArray[np.float32]
    path: NDArray[np.float32]
    tail: NDArray[np.float64]

    @property
    def depth(self) -> int:
        """Levels of each heap."""
        return int(self.path.shape[1]).bit_length() - 1

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Strangeness in 0–1 of float32[n, features]: the negated ``score_samples``."""
        out = np.empty(len(rows))
        _score(rows, self.feature, self.threshold, self.path, self.depth, self.scale, out)
        return out

    def encode(self) -> bytes:
        """As bytes, for the journal."""
        return msgspec.msgpack.encode(
            Bundle(
                self.features, len(self.path), self.depth, self.scale, self.feature.tobytes(),
                self.threshold.astype("<f4").tobytes(), self.path.astype("<f4").tobytes(),
                self.tail.astype("<f8").tobytes(),
            )
        )  # fmt: skip

    @classmethod
    def decode(cls, data: bytes) -> Forest:
        """Read what `encode` wrote. Raises ``ValueError`` for anything that cannot be walked."""
        try:
            held = msgspec.msgpack.decode(data, type=Bundle)
        except (msgspec.MsgspecError, UnicodeDecodeError) as why:
            raise ValueError(f"not a forest: {why}") from why
        inner, leaves = (1 << held.depth) - 1, 1 << held.depth
        if not (
            0 < held.depth <= _DEEPEST
            and 0 < held.trees <= 4096
            and 0 < held.features <= 255
            and held.scale > 0
            and len(held.feature) == held.trees * inner
            and len(held.threshold) == 4 * held.trees * inner
            and len(held.path) == 4 * held.trees * leaves
            and len(held.tail) % 8 == 0
            and max(held.feature) < held.features
        ):
            raise ValueError("not a forest: its arrays contradict each other")
        return cls(
            held.features,
            held.scale,
            np.frombuffer(held.feature, np.uint8).reshape(held.trees, inner),
            np.frombuffer(held.threshold, "<f4").reshape(held.trees, inner),
            np.frombuffer(held.path, "<f4").reshape(held.trees, leaves),
            np.frombuffer(held.tail, "<f8"),
        )


def flatten(model: IsolationForest, tail: NDArray[np.float64]) -> Forest:
    """Lay a fitted scikit-learn forest out as heaps."""
    trees = [estimator.tree_ for estimator in model.estimators_]
    depth = max(1, *(int(tree.max_depth) for tree in trees))
    feature = np.zeros((len(trees), (1 << depth) - 1), np.uint8)
    threshold = np.zeros(feature.shape, np.float32)
    path = np.zeros((len(trees), 1 << depth), np.float32)
    for number, tree in enumerate(trees):
        waiting = [(0, 0, 0)]
        while waiting:
            node, level, at = waiting.pop()
            left = int(tree.children_left[node])
            if left >= 0:
                feature[number, at] = tree.feature[node]
                threshold[number, at] = _below(float(tree.threshold[node]))
                right = int(tree.children_right[node])
                waiting += [(left, level + 1, 2 * at + 1), (right, level + 1, 2 * at + 2)]
                continue
            first = ((at + 1) << (depth - level)) - (1 << depth)  # all leaves below it are it
            length = level + _mean_path(int(tree.n_node_samples[node]))
            path[number, first : first + (1 << (depth - level))] = length
    scale = len(trees) * _mean_path(int(model.max_samples_))
    return Forest(int(model.n_features_in_), scale, feature, threshold, path, tail)


def _below(threshold: float) -> np.float32:
    """The largest float32 not above ``threshold``: which rows are above it stays the same."""
    near = np.float32(threshold)
    return np.nextafter(near, np.float32(-np.inf)) if float(near) > threshold else near


def _mean_path(samples: int) -> float:
    """Mean length of an unsuccessful search in a binary tree of so many (Liu et al., 2008)."""
    if samples <= 1:
        return 0.0
    if samples == 2:
        return 1.0
    return 2.0 * (math.log(samples - 1.0) + float(np.euler_gamma)) - 2.0 * (samples - 1.0) / samples


@njit(cache=True, nogil=True)
def _score(rows, feature, threshold, path, depth, scale, out):  # type: ignore[no-untyped-def]
    n = len(rows)
    inner = (1 << depth) - 1
    node = np.zeros(_LANES, np.int64)
    total = np.zeros(_LANES)
    block = np.zeros((_LANES, rows.shape[1]), np.float32)
    for begin in range(0, n, _LANES):
        lanes = min(_LANES, n - begin)
        block[:lanes] = rows[begin : begin + lanes]
        total[:] = 0.0
        for tree in range(len(path)):
            node[:] = 0
            for _ in range(depth):
                for k in range(_LANES):
                    at = node[k]
                    right = block[k, feature[tree, at]] > threshold[tree, at]
                    node[k] = 2 * at + 1 + np.int64(right)
            for k in range(_LANES):
                total[k] += path[tree, node[k] - inner]
        for k in range(lanes):
            out[begin + k] = 2.0 ** (-total[k] / scale)
