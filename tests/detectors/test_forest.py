"""The forest's kernel against scikit-learn, and its bytes against whoever wrote others."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from dijkwacht_detectors.state.forest import STEPS, Bundle, Forest, flatten


@pytest.fixture(scope="module")
def fitted():
    rows = np.random.default_rng(4).gamma(1.0, 3.0, (3000, 9)).astype(np.float32)
    rows[::7, 2] = 0.0
    model = IsolationForest(n_estimators=64, max_samples=256, random_state=9).fit(rows)
    return model, rows, flatten(model)


def settled(forest, rows, held):
    """(depths by leaf, depths of rows held out) when ``rows`` have fallen through the trees."""
    lies = np.zeros((len(forest.feature), 1 << forest.depth), np.uint8)
    return lies, forest.settle(rows, held, lies)


def strangeness(forest, rows, lies, fitted_on):
    """As scikit-learn reckons it, from how deep rows lie."""
    depths = forest.depths(rows, np.zeros(len(rows), np.int32), lies[None])
    usual = 2 * (np.log(fitted_on - 1) + np.euler_gamma) - 2 * (fitted_on - 1) / fitted_on
    return 2.0 ** (-depths / STEPS / len(lies) / usual)


@pytest.mark.parametrize("count", [256, 384])
def test_settled_on_the_rows_it_was_grown_from_it_scores_as_scikit_learn_does(count):
    rows = np.random.default_rng(4).gamma(1.0, 3.0, (count, 9)).astype(np.float32)
    rows[::7, 2] = 0.0
    rows[::5] = rows[0]  # some alike, which no cut parts
    model = IsolationForest(n_estimators=64, max_samples=count, random_state=9).fit(rows)
    forest = flatten(model)
    others = np.random.default_rng(5).gamma(1.0, 4.0, (403, 9)).astype(np.float32)
    lies, depths = settled(forest, rows, others)
    assert (
        np.abs(strangeness(forest, others, lies, count) + model.score_samples(others)).max() < 2e-3
    )
    assert (
        np.abs(strangeness(forest, rows[:3], lies, count) + model.score_samples(rows[:3])).max()
        < 2e-3
    )
    assert (np.diff(depths.astype(int)) >= 0).all()


def test_a_constant_sample_gives_trees_without_a_branch():
    rows = np.ones((256, 9), np.float32)
    model = IsolationForest(n_estimators=4, max_samples=256, random_state=9).fit(rows)
    forest = flatten(model)
    lies, _ = settled(forest, rows, rows)
    assert np.abs(strangeness(forest, rows, lies, 256) + model.score_samples(rows)).max() < 2e-3


def test_how_deep_a_row_lies_is_its_own_sites_affair(fitted):
    _, rows, forest = fitted
    here, there = rows[:384], rows[:384] * np.float32(0.1)
    lies = np.stack([settled(forest, of, of[:9])[0] for of in (here, there)])
    site = np.arange(200, dtype=np.int32) % 2
    mixed = forest.depths(rows[400:600], site, lies)
    for number in (0, 1):
        alone = forest.depths(rows[400:600][site == number], np.zeros(100, np.int32), lies[number:])
        assert mixed[site == number].tolist() == alone.tolist()


def test_it_survives_being_written_and_read(fitted):
    _, rows, forest = fitted
    again = Forest.decode(forest.encode())
    assert again.stamp == forest.stamp != 0
    for one, other in zip(
        settled(again, rows[:384], rows[384:]), settled(forest, rows[:384], rows[384:]), strict=True
    ):
        assert one.tobytes() == other.tobytes()


@settings(max_examples=200)
@given(st.data())
def test_bytes_of_others_are_refused_or_harmless(fitted, data):
    _, rows, forest = fitted
    bundle = msgspec.msgpack.decode(forest.encode(), type=Bundle)
    field = data.draw(st.sampled_from(["features", "trees", "depth", "feature", "threshold"]))
    old = getattr(bundle, field)
    new = (
        data.draw(st.integers(-5, 70000))
        if isinstance(old, int)
        else bytes(data.draw(st.binary(min_size=1, max_size=8)))
        + old[data.draw(st.integers(0, 8)) :]
    )
    changed = msgspec.msgpack.encode(msgspec.structs.replace(bundle, **{field: new}))
    try:
        read = Forest.decode(changed)
    except ValueError:
        return
    if read.features <= rows.shape[1]:
        settled(read, rows[:8], rows[8:16])


@given(st.binary(max_size=200))
def test_noise_is_no_forest(noise):
    with pytest.raises(ValueError, match="not a forest"):
        Forest.decode(noise)
