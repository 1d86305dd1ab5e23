"""How far off a reading lies from everything that was seen together: the nearest of a few Gaussian clouds.

scikit-learn finds the clouds; their centres and covariances are kept, their weights are not: what a
machine does seldom is as ordinary as what it does often. A reading that lacks coordinates is judged by
those that it has, for which a part of the covariance is all that is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.state.naming import njit_lean

_MOST_CLOUDS = 64
_LARGEST = 1e9


class _Bundle(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A `Mixture` as bytes: its arrays as little-endian float64."""

    clouds: int
    axes: int
    centres: bytes
    spreads: bytes


@dataclass(frozen=True, slots=True)
class Mixture:
    """``centres`` float64[c, k] of c clouds, and their covariances ``spreads`` float64[c, k, k]."""

    centres: NDArray[np.float64]
    spreads: NDArray[np.float64]

    def encode(self) -> bytes:
        """Return it as bytes."""
        clouds, axes = self.centres.shape
        centres, spreads = (a.astype("<f8").tobytes() for a in (self.centres, self.spreads))
        return msgspec.msgpack.encode(_Bundle(clouds, axes, centres, spreads))

    @classmethod
    def decode(cls, data: bytes, axes: int) -> Mixture:
        """Read one of so many ``axes``. Raises ``ValueError`` for anything else."""
        try:
            found = msgspec.msgpack.decode(data, type=_Bundle)
        except msgspec.MsgspecError as error:
            raise ValueError(f"no mixture: {error}") from None
        clouds = found.clouds
        if not 0 < clouds <= _MOST_CLOUDS or found.axes != axes:
            raise ValueError(f"a mixture of {clouds} clouds on {found.axes} axes, not {axes}")
        if (len(found.centres), len(found.spreads)) != (8 * clouds * axes, 8 * clouds * axes**2):
            raise ValueError("a mixture that lacks numbers, or has too many")
        centres = np.frombuffer(found.centres, "<f8").astype(np.float64).reshape(clouds, axes)
        spreads = np.frombuffer(found.spreads, "<f8").astype(np.float64)
        spreads = spreads.reshape(clouds, axes, axes)
        sound = np.abs(centres) < _LARGEST, np.abs(spreads) < _LARGEST  # False for NaN too
        if not all(each.all() for each in sound) or not np.array_equal(
            spreads, spreads.swapaxes(1, 2)
        ):
            raise ValueError("a mixture of impossible numbers")
        try:
            np.linalg.cholesky(spreads)
        except np.linalg.LinAlgError:
            raise ValueError("a mixture with a spread that is none") from None
        return cls(centres, spreads)


def filled(rows: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """``rows`` float64[n, k] with each NaN drawn, by chance, from what other rows have there.

    That leaves an axis its own spread. One that no row has is spread wide: nothing is far off on it.
    """
    dice = np.random.default_rng(seed)
    out = np.array(rows, np.float64)
    for axis in range(out.shape[1]):
        lacks = ~np.isfinite(out[:, axis])
        have = out[~lacks, axis]
        wide = dice.normal(0.0, 1e3, int(lacks.sum()))
        out[lacks, axis] = dice.choice(have, int(lacks.sum())) if len(have) else wide
    return out


@njit(cache=True, nogil=True, inline="always")
def _squared(centre, spread, value, axes, many, work):  # type: ignore[no-untyped-def]
    """Mahalanobis' squared distance by a Cholesky factor, row by row, of the axes that are there."""
    total = 0.0
    for a in range(many):
        rest = value[axes[a]] - centre[axes[a]]
        for b in range(a + 1):
            dot = spread[axes[a], axes[b]]
            for c in range(b):
                dot -= work[a, c] * work[b, c]
            if a == b:
                work[a, a] = np.sqrt(max(dot, 1e-12))
            else:
                work[a, b] = dot / work[b, b]
                rest -= work[a, b] * work[b, work.shape[1] - 1]
        step = rest / work[a, a]
        work[a, work.shape[1] - 1] = step
        total += step * step
    return total


@njit_lean
def nearest(centres, spreads, value, axes, many, work):  # type: ignore[no-untyped-def]
    """Squared distance of ``value`` float64[k] to the nearest cloud, an axis: 1 is usual.

    ``axes`` int64[k] begins with the ``many`` that are there; ``work`` is float64[k, k + 1].
    """
    best = np.inf
    for cloud in range(len(centres)):
        best = min(best, _squared(centres[cloud], spreads[cloud], value, axes, many, work))
    return best / max(many, 1)
