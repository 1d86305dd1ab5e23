"""Distances to a mixture's nearest cloud, by the coordinates that are there, and bundles that are none."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.state.mixture import Mixture, filled, nearest

AXES = 5


def clouds(seed, many=3):
    dice = np.random.default_rng(seed)
    roots = dice.normal(size=(many, AXES, AXES))
    return Mixture(dice.normal(size=(many, AXES)), roots @ roots.swapaxes(1, 2) + np.eye(AXES))


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), there=st.sets(st.integers(0, AXES - 1), min_size=1))
def test_the_nearest_cloud_is_mahalanobis_on_the_axes_that_are_there(seed, there):
    mixture = clouds(seed)
    axes = np.array(sorted(there))
    value = np.random.default_rng(seed + 1).normal(size=AXES) * 4
    room = np.zeros(AXES, np.int64)
    room[: len(axes)] = axes
    lacking = np.where(np.isin(np.arange(AXES), axes), value, np.nan)
    found = nearest(
        mixture.centres, mixture.spreads, lacking, room, len(axes), np.full((AXES, AXES + 1), 7.0)
    )
    off = value[axes] - mixture.centres[:, axes]
    parts = mixture.spreads[:, axes][:, :, axes]
    wanted = min(d @ np.linalg.solve(s, d) for d, s in zip(off, parts, strict=True))
    assert found == pytest.approx(wanted / len(axes), rel=1e-6)


def test_it_comes_back_from_its_bytes():
    mixture = clouds(1)
    again = Mixture.decode(mixture.encode(), AXES)
    assert again.centres.tobytes() == mixture.centres.tobytes()
    assert again.spreads.tobytes() == mixture.spreads.tobytes()


def changed(**values):
    """A mixture's bytes with arrays of other numbers."""
    mixture = clouds(1)
    return Mixture(values.get("centres", mixture.centres), values.get("spreads", mixture.spreads)).encode()  # fmt: skip


UNSYMMETRIC = np.eye(AXES)[None] + np.triu(np.ones(AXES), 1)
STRANGE = {
    "nothing": b"",
    "words": b"no mixture",
    "of other axes": Mixture(np.zeros((1, 3)), np.eye(3)[None]).encode(),
    "of no clouds": Mixture(np.zeros((0, AXES)), np.zeros((0, AXES, AXES))).encode(),
    "of many clouds": changed(centres=np.zeros((65, AXES)), spreads=np.eye(AXES)[None].repeat(65, 0)),
    "shortened": msgspec.msgpack.encode([1, AXES, bytes(8 * AXES), bytes(8)]),
    "not a number": changed(centres=np.full((3, AXES), np.nan)),
    "without end": changed(spreads=np.full((3, AXES, AXES), np.inf)),
    "negative": changed(spreads=-np.eye(AXES)[None].repeat(3, 0)),
    "unsymmetric": changed(centres=np.zeros((1, AXES)), spreads=UNSYMMETRIC),
}  # fmt: skip


@pytest.mark.parametrize("data", STRANGE.values(), ids=STRANGE)
def test_what_is_no_mixture_is_refused(data):
    with pytest.raises(ValueError, match="mixture"):
        Mixture.decode(data, AXES)


def test_what_is_missing_is_drawn_from_what_others_have():
    rows = np.random.default_rng(4).normal(3.0, 2.0, (4000, 3))
    holes = rows.copy()
    holes[::2, 1] = np.nan
    holes[:, 2] = np.nan
    made = filled(holes, 1)
    assert np.isfinite(made).all()
    assert np.array_equal(made[1::2, :2], rows[1::2, :2])
    assert set(made[::2, 1]) <= set(rows[1::2, 1])
    assert made[:, 1].std() == pytest.approx(2.0, rel=0.1)
    assert made[:, 2].std() > 500, "nothing is far off where nobody has said anything"
    assert np.array_equal(filled(holes, 1), made)
