"""A machine is held against how machines depart from their own ways, from its first minutes on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from dijkwacht_collector.policy import load_calibration
from dijkwacht_detectors.checks import Harness
from dijkwacht_detectors.unlike_others import METRICS, UnlikeOthers
from dijkwacht_lab.calibrate import line_of
from dijkwacht_lab.machine_hours import cohort_model, opinions, strongest
from dijkwacht_lab.traffic.machine_days import JOBS, Machine

MINUTE, DAY = 60_000_000, 86_400_000_000
COHORT = range(9_301, 9_321)
LINE = line_of(load_calibration("unlike_others"), UnlikeOthers.share)
REST = {
    "cpu_ratio": 0.06, "cpu_iowait_ratio": 0.003, "cpu_temperature_celsius": 45.0, "memory_used_ratio": 0.4,
    "context_switches": 1500.0, "started_processes": 2.0, "net_in_packets": 200.0, "net_out_packets": 150.0,
    "net_in_bytes": 3e4, "net_out_bytes": 2e4, "disk_read_bytes": 4e4, "disk_write_bytes": 4e5,
}  # fmt: skip
WORK = {
    "cpu_ratio": 0.2,
    "cpu_temperature_celsius": 50.0,
    "context_switches": 4000.0,
    "net_in_bytes": 2e5,
}
FLOOD = {"cpu_ratio": 0.4, "context_switches": 150_000.0, "net_in_packets": 20_000.0, "net_out_packets": 90_000.0,
         "net_in_bytes": 3e6, "net_out_bytes": 1.1e8}  # fmt: skip
"""A victim that answers a flood of calls: the network as in a backup, switches as in none, and no disk."""


def machine(minutes, begin=0, seed=1, every=6, agent="desk", site=0, **now):
    """Rows of a machine that rests, but for ``now``; so many readings a minute."""
    dice = np.random.default_rng(seed)
    return [
        {"site": site, "agent": agent, "time": begin + n * MINUTE // every, "metric": metric,
         "value": value * float(dice.lognormal(0, 0.02 if value > 30 and value < 100 else 0.15))}
        for n in range(minutes * every) for metric, value in (REST | now).items()
    ]  # fmt: skip


@lru_cache
def bundle(seeds=COHORT):
    return cohort_model(UnlikeOthers, seeds)


def judging(data=None):
    harness = Harness(UnlikeOthers())
    harness.detector.activate(data or bundle())
    return harness


def top(scores):
    return float(np.nanmax(scores)) if np.isfinite(scores).any() else 0.0


def test_it_says_nothing_without_a_model_and_in_a_machines_first_minute():
    assert np.isnan(Harness(UnlikeOthers()).feed(machine(30))[0]).all()
    scores, _ = judging().feed(machine(3))
    spoke = np.flatnonzero(np.isfinite(scores))
    assert spoke[0] == 7 * len(METRICS), "the seventh reading, at the first row behind it"


def test_a_machine_is_told_in_its_first_quarter_of_an_hour():
    harness = judging()
    quiet, _ = harness.feed(machine(8))
    loud, facts = harness.feed(machine(8, 8 * MINUTE, 2, **FLOOD))
    assert top(quiet) < LINE - 2
    assert top(loud) > LINE + 0.5
    at = int(np.nanargmax(loud))
    told = dict(zip(UnlikeOthers.facts, facts[at].tolist(), strict=True))
    assert told["cpu_share"] == pytest.approx(0.4, abs=0.15)
    assert told["usual_cpu_share"] == pytest.approx(0.06, abs=0.04)
    assert told["celsius"] == pytest.approx(45, abs=3)
    assert 3 < told["minutes"] <= 8
    assert told["oddness"] > 1
    explained = UnlikeOthers().explain(
        told | {"cpu_share": 0.4, "usual_cpu_share": 0.06, "memory_share": 0.0}
    )
    assert "processor 40 % (usually 6)" in explained.title_en
    assert "processor 40 % (gewoonlijk 6)" in explained.title_nl
    assert "memory" not in explained.title_en, "an agent that cannot say is not quoted"
    silent = UnlikeOthers().explain(dict.fromkeys(UnlikeOthers.facts, 0.0))
    assert silent.title_en == "A machine works as no other does."


def test_ordinary_work_on_the_first_day_is_none_of_its_business():
    harness = judging()
    scores, _ = harness.feed(machine(10) + machine(30, 10 * MINUTE, 2, **WORK))
    assert top(scores) < LINE - 2
    reached = 0
    for seed in range(9_401, 9_409):
        detector = UnlikeOthers()
        detector.activate(bundle())
        reached += strongest(list(opinions(detector, Machine(seed, JOBS).days(2)))) >= LINE
    assert reached <= 1, "sixteen machine days"


def test_few_metrics_are_enough_and_two_are_not():
    kept = {"cpu_ratio", "context_switches", "net_in_packets", "net_out_packets", "disk_read_bytes"}
    harness = judging()
    harness.feed([row for row in machine(8) if row["metric"] in kept])
    loud = machine(10, 8 * MINUTE, 2, **FLOOD)
    assert top(harness.feed([row for row in loud if row["metric"] in kept])[0]) > LINE
    two = [row for row in loud if row["metric"] in ("cpu_ratio", "net_out_packets")]
    assert np.isnan(judging().feed(two)[0]).all()


def kept_rows(rows):
    harness = Harness(UnlikeOthers())
    harness.feed(rows)
    kept = harness.memory.kept()
    return kept.samples[0, : kept.seen[0]]


def test_a_machine_in_trouble_teaches_nothing():
    calm, odd = judging(), judging()
    calm.feed(machine(60))
    odd.feed(machine(60))
    odd.feed(machine(180, 60 * MINUTE, 2, **FLOOD))
    kept = [harness.memory.kept() for harness in (calm, odd)]
    n = int(kept[0].seen[0])
    assert kept[1].samples[0, :n].tobytes() == kept[0].samples[0, :n].tobytes()
    assert kept[1].seen[0] - n <= 1, "all but the moment in which it began, in three hours"


def test_what_is_kept_of_a_site_follows_what_its_machines_do():
    rows = []
    for n in range(9_000):  # a reading in ten minutes, two months
        shift = 8.0 if n >= 1_000 else 1.0
        level = 4e4 * (shift if n % 2 else 1.0)
        rows += [{"time": n * 10 * MINUTE, "metric": m, "value": v} for m, v in
                 (("cpu_ratio", 0.1), ("memory_used_ratio", 0.4), ("disk_read_bytes", level))]  # fmt: skip
    axis = list(METRICS).index("disk_read_bytes")
    before = kept_rows(rows[: 3 * 1_000])[:, axis]
    after = kept_rows(rows)[:384, axis]
    assert np.ptp(before) < 0.1
    assert np.mean(np.abs(after) > 0.5) > 0.7, "the first week is nearly forgotten"


def departures(seed, many, spread=0.4):
    """What a site may have kept: metrics, then its name and a machine's."""
    dice = np.random.default_rng(seed)
    busy = dice.random(many) < 0.3
    rows = dice.normal(0, spread, (many, len(METRICS)))
    rows[:, :5] += busy[:, None] * [1.5, 0.3, 1.2, 0.3, 1.0]
    names = np.full((many, 2), float(seed))
    return np.hstack((rows, names))


THEFT = np.array([0.1, 0.0, 7.0, 3.5, 0.1, 0, 0, 0, 0, 0, 0, 0])


def hostile(seed, many, spread):
    """A site that does the attack itself, all day."""
    rows = departures(seed, many)
    rows[:, : len(METRICS)] = THEFT + np.random.default_rng(seed).normal(
        0, spread, (many, len(METRICS))
    )
    return rows


def distance(samples):
    """How far the attack is from what a model of ``samples`` takes for ordinary, squared, an axis."""
    detector = UnlikeOthers()
    detector.activate(detector.train(samples))
    off = THEFT - detector.mixture.centres
    inverse = np.linalg.inv(detector.mixture.spreads)
    return float(np.einsum("ci,cij,cj->c", off, inverse, off).min() / len(METRICS))


@pytest.mark.parametrize("sites", [4, 8, 20])
@pytest.mark.parametrize("spread", [0.05, 1.0, 4.0])
def test_one_site_of_many_cannot_make_its_attack_ordinary(sites, spread):
    honest = [departures(seed, 384) for seed in range(1, sites)]
    clean = distance(np.concatenate([*honest, departures(sites, 384)]))
    poisoned = distance(np.concatenate([*honest, hostile(sites, 384, spread)]))
    assert clean > 20
    assert poisoned > min(16, clean / 2), "four spreads and more, whatever one site does"


def test_nor_can_one_machine_where_there_are_fewer_sites():
    rows = np.concatenate([departures(1, 384), *(hostile(9, 96, 0.3) for _ in range(1))])
    rows[:, -2] = 1.0
    rows[:384, -1] = np.arange(384) % 5
    assert distance(rows) > 16


def test_what_two_of_four_do_is_ordinary():
    rows = [departures(1, 384), departures(2, 384), hostile(3, 384, 0.3), hostile(4, 384, 0.3)]
    assert distance(np.concatenate(rows)) < 4


def test_a_site_teaches_no_more_than_its_share():
    """Whatever one site does, others hear of a model that is as far from theirs as its share allows."""
    honest = [departures(seed, 384) for seed in range(1, 20)]
    apart = UnlikeOthers()
    apart.activate(apart.train(np.concatenate(honest)))
    both = UnlikeOthers()
    both.activate(both.train(np.concatenate([*honest, hostile(20, 384, 4.0)])))
    ordinary = np.concatenate([departures(seed, 200) for seed in range(30, 40)])[:, : len(METRICS)]

    def far(detector):
        off = ordinary[:, None] - detector.mixture.centres
        inverse = np.linalg.inv(detector.mixture.spreads)
        return np.einsum("nci,cij,ncj->nc", off, inverse, off).min(axis=1) / len(METRICS)

    moved = np.abs(np.log(far(both) / far(apart)))
    assert np.mean(moved > 0.7) <= 1 / 20


@pytest.mark.parametrize("metric", ["context_switches", "net_out_packets", "disk_write_bytes"])
def test_a_machine_that_is_trained_for_days_is_still_told_at_ten_times_its_habit(metric):
    """Its level grows by a fifth a day; then it is flooded, and does ten times as much of that."""
    harness = judging()
    for day in range(6):
        harness.feed(machine(600, day * DAY, day, 1, **{metric: REST[metric] * 1.2**day}))
    habit = REST[metric] * 1.2**6
    attack = machine(
        30, 6 * DAY, 9, 6, **(FLOOD | {metric: max(habit * 10, FLOOD.get(metric, 0.0))})
    )
    loud, _ = harness.feed(attack)
    fresh = judging()
    fresh.feed(machine(60, 6 * DAY - 60 * MINUTE, 7, **{metric: habit}))
    never_trained, _ = fresh.feed(attack)
    assert top(loud) > LINE
    assert top(loud) > top(never_trained) - 0.5
