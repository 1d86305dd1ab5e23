"""What is unusual for a site is told by its own rows, whatever other sites send."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.checks import Harness
from dijkwacht_detectors.volume import Volume

SECOND = 1_000_000
OFFICE, HOSTILE = 0, 1


def flows(count, up, begin=0, site=OFFICE):
    return [
        {"site": site, "time": begin + n * SECOND, "start": begin + n * SECOND - 400_000, "orig_h": 1 + n % 5,
         "resp_p": (443, 53, 993)[n % 3], "orig_pkts": 5 + n % 9, "resp_pkts": 7,
         "orig_bytes": up + 13 * (n % 50), "resp_bytes": 9000, "local_orig": 1} for n in range(count)
    ]  # fmt: skip


def leak(count, begin, site=OFFICE):
    """A machine sends 60 MB a second away."""
    return [row | {"resp_p": 8443, "orig_bytes": 60_000_000, "orig_pkts": 45_000}
            for row in flows(count, 0, begin, site)]  # fmt: skip


def hidden(count, site=HOSTILE):
    """Flows of all sizes, as a site may make them up that wants to hide those of others."""
    rng = np.random.default_rng(9)
    sizes = 10 ** rng.uniform(2, 10, (count, 2))
    return [
        row | {"orig_bytes": int(out), "resp_bytes": int(back), "orig_pkts": int(rng.integers(1, 200_000)),
               "resp_p": int(rng.choice([22, 443, 5000, 8443]))}
        for row, (out, back) in zip(flows(count, 0, 0, site), sizes, strict=True)
    ]  # fmt: skip


def trained(*rows):
    """A harness that was fed ``rows`` and has learned a forest, from as many rows of each site."""
    harness = Harness(Volume())
    for some in rows:
        harness.feed(some)
    kept = harness.memory.kept()
    filled = [kept.samples[site, : kept.seen[site]] for site in np.flatnonzero(kept.seen)]
    harness.detector.activate(harness.detector.train(np.concatenate(filled, dtype=np.float64)))
    return harness


def test_it_has_no_opinion_before_it_was_trained_and_a_strong_one_after():
    harness = Harness(Volume())
    assert np.isnan(harness.feed(flows(4000, 900))[0]).all()
    harness = trained(flows(4000, 900))
    usual, _ = harness.feed(flows(500, 900, 5000 * SECOND))
    leaking, facts = harness.feed(leak(300, 6000 * SECOND))
    assert usual.max() < 2.0
    assert leaking.max() > usual.max() + 3.0
    assert facts[int(leaking.argmax()), 0] > 500


def test_a_backup_of_a_server_is_ordinary_and_so_is_what_went_there_on_an_earlier_day():
    asked = [
        {"time": 5000 * SECOND + n, "start": 5000 * SECOND, "orig_h": 20 + n, "resp_h": 1, "resp_p": 445,
         "local_orig": 1, "local_resp": 1, "orig_bytes": 900, "resp_bytes": 900} for n in range(8)
    ]  # fmt: skip
    backup = [row | {"orig_h": 1} for row in leak(60, 6000 * SECOND)]
    tomorrow = [
        row | {key: row[key] + 86_400 * SECOND for key in ("time", "start")} for row in backup
    ]
    of_a_machine, _ = trained(flows(4000, 900)).feed(backup)
    harness = trained(flows(4000, 900))
    harness.feed(asked)
    of_a_server, _ = harness.feed(backup)
    assert of_a_machine.max() > of_a_server.max() + 3.0
    harness = trained(flows(4000, 900))
    harness.feed(backup)
    again, _ = harness.feed(tomorrow)
    assert again.max() < of_a_machine.max() - 3.0


def test_it_has_no_opinion_of_a_site_that_has_hardly_been_seen():
    harness = trained(flows(4000, 900))
    scores, _ = harness.feed(flows(600, 900, site=2))
    assert np.flatnonzero(~np.isnan(scores)).tolist() == list(range(512, 600))


def alike(site):
    """Thefts like the one to be hidden, all day."""
    rng = np.random.default_rng(site)
    return [
        row | {"orig_bytes": int(60e6 * rng.uniform(0.98, 1.02)), "resp_bytes": int(rng.integers(8900, 9100))}
        for row in leak(9000, 0, site)
    ]  # fmt: skip


NOISE = {
    "flows of all sizes": [hidden(9000)],
    "one flow again and again": [flows(9000, 0, 0, HOSTILE)],
    "the same theft": [leak(9000, 0, HOSTILE)],
    "thefts like it, of three sites": [alike(1), alike(2), alike(3)],
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_other_sites_hide_no_theft(noise):
    alone, beside = trained(flows(4000, 900)), trained(flows(4000, 900), *noise)
    theft = leak(300, 6000 * SECOND)
    wanted, found = alone.feed(theft)[0], beside.feed(theft)[0]
    assert wanted.max() > 5.0
    assert found.max() == wanted.max()


@settings(max_examples=10)
@given(
    cuts=st.lists(st.integers(1, 1400), max_size=4),
    between=st.lists(st.integers(0, 200), min_size=5, max_size=5),
)
def test_what_a_site_is_told_depends_on_its_own_rows_alone(cuts, between):
    """Under one forest, however its rows are cut, and whatever comes between."""
    own = flows(1400, 900, 5000 * SECOND) + leak(50, 7000 * SECOND)
    alone = trained(flows(700, 900)).feed(own)
    mixed = trained(flows(700, 900))
    edges = [0, *sorted(cuts), len(own)]
    parts = []
    for begin, end, noise in zip(edges, edges[1:], between, strict=False):
        mixed.feed(hidden(noise))
        parts.append(mixed.feed(own[begin:end])[0])
    assert np.concatenate(parts).tobytes() == alone[0].tobytes()


def test_it_keeps_a_fair_sample_of_what_it_saw_of_each_site():
    harness = Harness(Volume())
    harness.feed(flows(100, 900))
    kept = harness.memory.kept()
    assert kept.seen[0] == 75, "a fourth is set apart"
    assert harness.detector.train(kept.samples[0, :75].astype(float)) is None, "too few"
    harness.feed(flows(20_000, 900, 200 * SECOND))
    bytes_out = 2 ** harness.memory.state["samples"][0, :, 0] - 1 - 900
    third = np.arange(20_000) % 50 * 13
    assert abs(bytes_out.mean() - third.mean()) < 30
    again = Harness(Volume())
    again.feed(hidden(700))
    again.feed(flows(100, 900))
    for row in range(0, 20_000, 2500):
        again.feed(flows(20_000, 900, 200 * SECOND)[row : row + 2500])
    assert again.samples()["samples"][0].tobytes() == harness.samples()["samples"][0].tobytes()


def test_the_fourth_that_is_set_apart_is_not_trained_on():
    harness = Harness(Volume())
    harness.feed([row | {"resp_pkts": n} for n, row in enumerate(flows(5000, 900))])
    state = harness.memory.state
    numbers = [
        np.rint(2 ** state[f][0, :, 3] - 1).astype(int) % 4 for f in ("samples", "samples_apart")
    ]
    assert set(numbers[0]) == {0, 1, 2}
    assert set(numbers[1]) == {3}
