"""The forest's kernel against scikit-learn, and its bytes against whoever wrote others."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from dijkwacht_detectors.checks import Harness
from dijkwacht_detectors.state.forest import Bundle, Forest, flatten
from dijkwacht_detectors.volume import Volume

SECOND = 1_000_000


@pytest.fixture(scope="module")
def fitted():
    rows = np.random.default_rng(4).gamma(1.0, 3.0, (3000, 9)).astype(np.float32)
    rows[::7, 2] = 0.0
    model = IsolationForest(n_estimators=64, max_samples=256, random_state=9).fit(rows)
    return model, rows, flatten(model, np.sort(-model.score_samples(rows[:100])))


def test_it_scores_as_scikit_learn_does(fitted):
    model, rows, forest = fitted
    assert np.abs(forest.score(rows) + model.score_samples(rows)).max() < 1e-6
    assert np.abs(forest.score(rows[:3]) + model.score_samples(rows[:3])).max() < 1e-6


def test_a_constant_sample_gives_trees_without_a_branch():
    rows = np.ones((600, 9), np.float32)
    model = IsolationForest(n_estimators=4, max_samples=256, random_state=9).fit(rows)
    forest = flatten(model, np.zeros(1))
    assert np.abs(forest.score(rows) + model.score_samples(rows)).max() < 1e-6


def test_it_survives_being_written_and_read(fitted):
    _, rows, forest = fitted
    again = Forest.decode(forest.encode())
    assert again.score(rows).tobytes() == forest.score(rows).tobytes()
    assert again.tail.tolist() == forest.tail.tolist()


@settings(max_examples=200)
@given(st.data())
def test_bytes_of_others_are_refused_or_harmless(fitted, data):
    _, rows, forest = fitted
    bundle = msgspec.msgpack.decode(forest.encode(), type=Bundle)
    field = data.draw(
        st.sampled_from(["features", "trees", "depth", "feature", "threshold", "path"])
    )
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
        read.score(rows[:8])


@given(st.binary(max_size=200))
def test_noise_is_no_forest(noise):
    with pytest.raises(ValueError, match="not a forest"):
        Forest.decode(noise)


def flows(count, up, begin=0):
    return [
        {"time": begin + n * SECOND, "start": begin + n * SECOND - 400_000, "orig_h": 1 + n % 5,
         "resp_p": (443, 53, 993)[n % 3], "orig_pkts": 5 + n % 9, "resp_pkts": 7,
         "orig_bytes": up + 13 * (n % 50), "resp_bytes": 9000, "local_orig": 1} for n in range(count)
    ]  # fmt: skip


def test_volume_has_no_opinion_before_it_was_trained_and_a_strong_one_after():
    harness = Harness(Volume())
    scores, _ = harness.feed(flows(4000, 900))
    assert np.isnan(scores).all()
    bundle = harness.detector.train(harness.memory.state["samples"])
    harness.detector.activate(bundle)
    usual, _ = harness.feed(flows(500, 900, 5000 * SECOND))
    begin = 6000 * SECOND
    leak = [row | {"resp_p": 8443, "orig_bytes": 60_000_000, "orig_pkts": 45_000}
            for row in flows(300, 0, begin)]  # fmt: skip
    leaking, facts = harness.feed(leak)
    assert usual.max() < 2.0
    assert leaking.max() > usual.max() + 3.0
    assert facts[int(leaking.argmax()), 0] > 500


def test_volume_keeps_a_fair_sample_of_what_it_saw():
    harness = Harness(Volume())
    harness.feed(flows(100, 900))
    kept = harness.memory.state["samples"]
    assert np.isfinite(kept).all(axis=1).sum() == 100
    assert harness.detector.train(kept) is None, "too few rows to learn from"
    harness.feed(flows(20_000, 900, 200 * SECOND))
    assert np.isfinite(harness.memory.state["samples"]).all()
    again = Harness(Volume())
    again.feed(flows(100, 900))
    for row in range(0, 20_000, 2500):
        again.feed(flows(20_000, 900, 200 * SECOND)[row : row + 2500])
    assert again.memory.state["samples"].tobytes() == harness.memory.state["samples"].tobytes()
