"""Generated machines: the same for the same seed, within bounds, with jobs that come when they should."""

from __future__ import annotations

import numpy as np
import pytest

from dijkwacht_agent.system.metrics import METRICS as AGENTS
from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.system import System
from dijkwacht_lab.calibrate import FIRST_JUDGED, HELD_OUT_MACHINES, MACHINES, hours_of_machine
from dijkwacht_lab.machine_hours import MACHINE_DETECTORS, opinions
from dijkwacht_lab.traffic.machine_days import (
    ATTACKS,
    JOBS,
    METRICS,
    NAMES,
    READING_US,
    READINGS,
    UNSEEN,
    Activity,
    Machine,
)

KINDS = ("desktop", "laptop", "files", "web")


def seed_of(kind):
    return next(seed for seed in range(100) if Machine(seed).kind == kind)


def test_all_metrics_are_an_agents():
    assert set(NAMES) <= {metric.name for metric in AGENTS}
    named = {name for job in (*JOBS, *UNSEEN, *ATTACKS.values()) for name in job.effects}
    assert named <= set(NAMES)


@pytest.mark.parametrize("kind", KINDS)
def test_a_day_is_a_day_of_readings_within_bounds(kind):
    days = list(Machine(seed_of(kind)).days(2))
    for number, day in enumerate(days):
        assert day.values.shape == (len(day.time), len(NAMES))
        assert np.all(np.diff(day.time) >= READING_US)
        assert len(set(day.time // (READING_US * READINGS))) == 1, number
        assert np.all(np.isfinite(day.values))
        assert np.all(day.values >= 0.0)
        assert np.all(day.values <= [metric.most for metric in METRICS.values()])
    assert days[0].time[-1] < days[1].time[0]


def test_a_laptop_is_off_at_night_and_a_server_is_not():
    laptop, server = (next(iter(Machine(seed_of(kind)).days(1))) for kind in ("laptop", "files"))
    assert len(server.time) == READINGS
    assert READINGS / 4 < len(laptop.time) < READINGS / 2


def test_the_same_seed_is_the_same_machine():
    one, two, other = (next(iter(Machine(seed).days(1))) for seed in (3, 3, 4))
    assert np.array_equal(one.values, two.values)
    assert not np.array_equal(one.values[:100], other.values[:100])


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_an_attack_is_there_while_it_lasts_and_not_before(attack):
    seed, begin = seed_of("files"), 10 * 360
    effects = ATTACKS[attack].effects
    calm, hit = (
        next(iter(Machine(seed, ()).days(1, attacks)))
        for attacks in ((), [Activity(begin, begin + 720, effects)])
    )
    strongest = max(
        (name for name in effects if METRICS[name].adds or effects[name] > 1),
        key=lambda name: effects[name] / (METRICS[name].rest if METRICS[name].adds else 1.0),
    )
    place = NAMES.index(strongest)
    during = slice(begin, begin + 720)
    before = slice(0, begin), NAMES.index("cpu_ratio")
    assert np.array_equal(calm.values[before], hit.values[before])
    assert hit.values[during, place].mean() > 2 * calm.values[during, place].mean()


def test_no_machine_is_learned_from_and_then_judged_by():
    learned = set(range(1, 1 + MACHINES))
    assert not learned & set(HELD_OUT_MACHINES)
    assert max(learned | set(HELD_OUT_MACHINES)) < FIRST_JUDGED
    assert not {job.name for job in JOBS} & {job.name for job in UNSEEN}


def test_hours_are_of_the_detectors_of_machines_alone():
    heard = hours_of_machine(seed_of("files"), days=2)
    assert heard.machine
    assert heard.hours == 48
    assert set(heard.reached) == set(MACHINE_DETECTORS)
    assert heard.reached["system"]


def test_opinions_are_those_of_the_rows_one_by_one():
    day = next(iter(Machine(seed_of("web")).days(1)))
    few = day._replace(time=day.time[:200], values=day.values[:200])
    rows = [
        {"time": int(time), "metric": name, "value": float(value)}
        for time, values in zip(few.time, few.values, strict=True)
        for name, value in zip(NAMES, values, strict=True)
    ]
    by_rows = score_rows(System(), rows)
    told = next(iter(opinions(System(), [few]))).scores
    assert np.array_equal(told[~np.isnan(told)], by_rows[~np.isnan(by_rows)])
