"""An isolation forest whose cuts come from all sites' rows, and whose depths from one site's alone.

scikit-learn grows the trees; what they say where to cut is kept, and how many rows it found there is
not. `Forest.settle` lets a site's own rows fall through them: how deep a row lies among these is its
score, as Liu et al. (2008) define it. So another site may decide where a tree cuts, and has no say in
what is ordinary here.

Each tree is laid out as a heap of its full depth, so that a step down is ``2 n + 1 + (x > t)`` without
a branch, and eight rows walk a tree at once, so that a processor waits for eight memory reads together.
"""

from __future__ import annotations

import hashlib
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
STEPS = 12
"""Parts of a level in which depths are counted: a byte holds the deepest of 512 rows."""


class Bundle(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A forest as bytes: what `Forest` holds, in little-endian arrays."""

    features: int
    trees: int
    depth: int
    feature: bytes
    threshold: bytes


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees as heaps of ``depth`` levels.

    ``feature`` uint8 and ``threshold`` float32, [trees, 2**depth - 1]: go right where the feature
    is above the threshold; below a leaf it is infinite. ``stamp`` stands for these numbers.
    """

    features: int
    depth: int
    feature: NDArray[np.uint8]
    threshold: NDArray[np.float32]
    stamp: int

    def settle(
        self, rows: NDArray[np.float32], held: NDArray[np.float32], lies: NDArray[np.uint8]
    ) -> NDArray[np.uint16]:
        """Let ``rows`` of a site fall through the trees; the depths of ``held``, rising, uint16[m].

        Both are float32[n, features]; ``lies``, uint8[trees, 2**depth at least], is overwritten with how
        deep a row lies that ends in a leaf, in `STEPS`.
        """
        every = np.concatenate((rows, held))
        depths = np.zeros(len(held), np.int64)
        _settle_site(every, len(rows), self.feature, self.threshold, self.depth, lies, depths)
        return np.sort(depths).astype(np.uint16)

    def depths(
        self, rows: NDArray[np.float32], site: NDArray[np.int32], lies: NDArray[np.uint8]
    ) -> NDArray[np.int64]:
        """How deep each of float32[n, features] lies in all trees, int64[n]: less is stranger.

        ``lies`` is uint8[sites, trees, leaves], as `settle` made it, and ``site`` says which is a row's.
        """
        out = np.empty(len(rows), np.int64)
        _depths(rows, site, self.feature, self.threshold, self.depth, lies, out)
        return out

    def encode(self) -> bytes:
        """As bytes, for the journal."""
        return msgspec.msgpack.encode(
            Bundle(
                self.features, len(self.feature), self.depth, self.feature.tobytes(),
                self.threshold.astype("<f4").tobytes(),
            )
        )  # fmt: skip

    @classmethod
    def decode(cls, data: bytes) -> Forest:
        """Read what `encode` wrote. Raises ``ValueError`` for anything that cannot be walked."""
        try:
            held = msgspec.msgpack.decode(data, type=Bundle)
        except (msgspec.MsgspecError, UnicodeDecodeError) as why:
            raise ValueError(f"not a forest: {why}") from why
        if not (
            0 < held.depth <= _DEEPEST
            and 0 < held.trees <= 4096
            and 0 < held.features <= 255
            and len(held.feature) == held.trees * ((1 << held.depth) - 1)
            and len(held.threshold) == 4 * len(held.feature)
            and max(held.feature) < held.features
        ):
            raise ValueError("not a forest: its arrays contradict each other")
        return cls(
            held.features,
            held.depth,
            np.frombuffer(held.feature, np.uint8).reshape(held.trees, -1),
            np.frombuffer(held.threshold, "<f4").reshape(held.trees, -1),
            _stamp(held.feature, held.threshold),
        )


def flatten(model: IsolationForest) -> Forest:
    """Lay the cuts of a fitted scikit-learn forest out as heaps."""
    trees = [estimator.tree_ for estimator in model.estimators_]
    depth = max(1, *(int(tree.max_depth) for tree in trees))
    feature = np.zeros((len(trees), (1 << depth) - 1), np.uint8)
    threshold = np.full(feature.shape, np.inf, np.float32)
    for number, tree in enumerate(trees):
        waiting = [(0, 0)]
        while waiting:
            node, at = waiting.pop()
            left = int(tree.children_left[node])
            if left >= 0:
                feature[number, at] = tree.feature[node]
                threshold[number, at] = _below(float(tree.threshold[node]))
                waiting += [(left, 2 * at + 1), (int(tree.children_right[node]), 2 * at + 2)]
    stamp = _stamp(feature.tobytes(), threshold.astype("<f4").tobytes())
    return Forest(int(model.n_features_in_), depth, feature, threshold, stamp)


def _stamp(feature: bytes, threshold: bytes) -> int:
    digest = hashlib.blake2b(feature + threshold, digest_size=7).digest()
    return int.from_bytes(digest, "little") | 1  # never 0: that is the stamp of none


def _below(threshold: float) -> np.float32:
    """The largest float32 not above ``threshold``: which rows are above it stays the same."""
    near = np.float32(threshold)
    return np.nextafter(near, np.float32(-np.inf)) if float(near) > threshold else near


@njit(cache=True, nogil=True, inline="always")
def _mean_path(rows):  # type: ignore[no-untyped-def]
    """Mean length of an unsuccessful search in a binary tree of so many (Liu et al., 2008)."""
    if rows <= 1:
        return 0.0
    if rows == 2:
        return 1.0
    return 2.0 * (math.log(rows - 1.0) + np.euler_gamma) - 2.0 * (rows - 1.0) / rows


@njit(cache=True, nogil=True, inline="always")
def _walk(block, feature, threshold, depth, node):  # type: ignore[no-untyped-def]
    """Where the rows of a block end in one tree."""
    node[:] = 0
    for _ in range(depth):
        for k in range(_LANES):
            at = node[k]
            right = block[k, feature[at]] > threshold[at]
            node[k] = 2 * at + 1 + np.int64(right)


@njit(cache=True, nogil=True)
def _settle_site(every, n, feature, threshold, depth, lies, depths):  # type: ignore[no-untyped-def]
    """The first ``n`` rows of ``every`` settle; how deep the others lie is added to ``depths``.

    Tree by tree and level by level, so that a tree stays in the nearest cache and no row waits for itself.
    """
    inner, m = (1 << depth) - 1, len(every)
    values = np.ascontiguousarray(every.T).reshape(-1)
    cuts, limits = np.zeros(inner, np.int32), np.zeros(inner, np.float32)
    node = np.zeros(m, np.int32)
    count = np.zeros(2 * inner + 1, np.int32)
    below = np.array([_mean_path(rows) for rows in range(n + 1)])
    asked, next_ = np.zeros(inner + 1, np.int64), np.zeros(inner + 1, np.int64)
    for tree in range(len(feature)):
        for at in range(inner):
            cuts[at] = feature[tree, at] * m
            limits[at] = threshold[tree, at]
        node[:] = 0
        for _ in range(depth):
            for k in range(m):
                here = np.uint64(node[k])  # without a sign: it costs no look for one
                right = values[np.uint64(cuts[here] + k)] > limits[here]
                node[k] = 2 * node[k] + 1 + np.int32(right)
        count[:] = 0
        for k in range(n):
            count[node[k]] += 1
        for at in range(inner - 1, -1, -1):
            count[at] = count[2 * at + 1] + count[2 * at + 2]
        asked[0], many = 0, 1
        for level in range(depth + 1):
            leaves, wide, more = 1 << (depth - level), 1 << level, 0
            for q in range(many):
                at = asked[q]
                length = level + below[count[at]]
                if length > 0.0 and (at >= inner or count[at] <= 1 or limits[at] == np.inf):
                    lie = min(255, int(length * STEPS + 0.5))
                    begin = (at + 1 - wide) * leaves
                    for leaf in range(begin, begin + leaves):  # whatever lies below ended here
                        lies[tree, leaf] = lie
                    continue
                next_[more], next_[more + 1] = 2 * at + 1, 2 * at + 2
                more += 2
            asked, next_, many = next_, asked, more
        for k in range(n, m):
            depths[k - n] += lies[tree, node[k] - inner]


@njit(cache=True, nogil=True)
def _depths(rows, site, feature, threshold, depth, lies, out):  # type: ignore[no-untyped-def]
    n, inner = len(rows), (1 << depth) - 1
    leaves, flat = lies.shape[2], lies.reshape(-1)
    node = np.zeros(_LANES, np.int64)
    begins = np.zeros(_LANES, np.int64)
    total = np.zeros(_LANES, np.int64)
    block = np.zeros((_LANES, rows.shape[1]), np.float32)
    for begin in range(0, n, _LANES):
        lanes = min(_LANES, n - begin)
        block[:lanes] = rows[begin : begin + lanes]
        total[:] = 0
        for k in range(
            lanes
        ):  # where a site's leaves begin: three indices a row and tree cost a third
            begins[k] = site[begin + k] * lies.shape[1] * leaves - inner
        for tree in range(len(feature)):
            _walk(block, feature[tree], threshold[tree], depth, node)
            for k in range(lanes):
                total[k] += flat[np.uint64(begins[k] + node[k])]
                begins[k] += leaves
        for k in range(lanes):
            out[begin + k] = total[k]
