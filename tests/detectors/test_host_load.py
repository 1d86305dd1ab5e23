"""Joint machine metrics: what is strange together, what is usual at its hour, and what cannot be trained."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.host_load import METRICS, PARTS, HostLoad
from dijkwacht_lab.machine_hours import opinions
from dijkwacht_lab.traffic.machine_days import ATTACKS, NAMES, READINGS, Activity, Machine

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
WEEK = 7 * DAY
REST = {
    "cpu_ratio": 0.05,
    "disk_read_bytes": 4e4,
    "disk_write_bytes": 2e5,
    "net_in_packets": 300.0,
    "tcp_established_sockets": 12.0,
}
LOCKED = {"cpu_ratio": 0.7, "disk_read_bytes": 6e7, "disk_write_bytes": 5e7}


class Soon(HostLoad):
    """Speaks after an hour."""

    warm_up_s = 3600


def minutes(begin, many, seed=1, **other):
    """Readings a minute apart, a little different each."""
    rng = np.random.default_rng([seed, begin // MINUTE])
    told = []
    for n in range(many):
        for metric, value in {**REST, **other}.items():
            noise = rng.lognormal(0, 0.2)
            told.append(
                {"time": begin + n * MINUTE, "metric": metric, "value": float(value * noise)}
            )
    return told


def top(detector, rows):
    return float(np.nanmax(np.append(score_rows(detector, rows), 0.0)))


def score_after(detector, before, rows):
    harness = Harness(detector)
    harness.feed(before)
    scores, facts = harness.feed(rows)
    best = int(np.nanargmax(scores))
    return float(scores[best]), dict(zip(detector.facts, facts[best], strict=True))


def test_nothing_is_said_in_the_first_week():
    days = minutes(0, 8 * 24 * 60, **REST)
    scores = score_rows(HostLoad(), days)
    spoke = [row["time"] for row, score in zip(days, scores, strict=True) if not np.isnan(score)]
    assert WEEK <= spoke[0] < WEEK + 10 * MINUTE
    assert np.nanmax(scores) < 7.0


def test_a_disk_and_a_processor_together_for_minutes():
    rest, locked = minutes(0, 240), minutes(240 * MINUTE, 20, **LOCKED)
    score, facts = score_after(Soon(), rest, locked)
    peak, _ = score_after(
        Soon(), rest, minutes(240 * MINUTE, 1, **LOCKED) + minutes(241 * MINUTE, 9)
    )
    assert score > peak + 2.0
    assert facts["disk"] > facts["network"]
    assert facts["processor"] > 2.0


def test_less_than_usual_is_nothing():
    idle = {metric: value / 100 for metric, value in REST.items()}
    assert score_after(Soon(), minutes(0, 240), minutes(240 * MINUTE, 60, **idle))[0] < 1.0


def test_what_always_rises_together_is_less_strange_than_what_never_did():
    """Twice a day a copy reads and sends; then as much is read and sent, and as much read and worked."""
    rows = []
    for hour in range(24 * 5):
        copies = {"disk_read_bytes": 3e7, "net_in_packets": 9e4} if hour % 9 == 4 else {}
        rows += minutes(hour * HOUR, 20, **copies) + minutes(hour * HOUR + 20 * MINUTE, 40)
    at = 24 * 5 * HOUR
    harness = [Harness(Soon()) for _ in range(2)]
    found = []
    for one, other in zip(harness, ("net_in_packets", "tcp_established_sockets"), strict=True):
        one.feed(rows)
        strange = {"disk_read_bytes": 3e7, other: REST[other] * 300}
        _, facts = one.feed(minutes(at + 2 * HOUR, 20, **strange))
        found.append(facts[:, 0].max())
    assert found[1] > 1.2 * found[0]


def test_a_weekly_job_is_told_once():
    rows, jobs = [], []
    for hour in range(24 * 16):
        job = LOCKED if hour % 168 == 50 else {}
        jobs.append(hour) if job else None
        rows += minutes(hour * HOUR, 30, **job) + minutes(hour * HOUR + 30 * MINUTE, 30)
    scores = score_rows(Soon(), rows)
    hours = np.array([row["time"] // HOUR for row in rows])
    first, second = (np.nanmax(scores[hours == hour]) for hour in jobs[:2])
    assert second < first - 3.0


def test_a_nightly_job_is_known_the_next_night_and_an_hour_beside():
    def night(hour):
        return minutes(0, hour * 60) + minutes(hour * HOUR, 30, **LOCKED) + minutes(
            hour * HOUR + 30 * MINUTE, 24 * 60 - hour * 60 - 30
        )  # fmt: skip

    rows = night(3)
    second = [row | {"time": row["time"] + DAY} for row in night(2)]
    third = [row | {"time": row["time"] + DAY} for row in night(12)]
    harness = Harness(Soon())
    first = np.nanmax(harness.feed(rows)[0])
    known = np.nanmax(harness.feed(second)[0])
    assert known < first - 3.0
    harness = Harness(Soon())
    harness.feed(rows)
    assert np.nanmax(harness.feed(third)[0]) > known + 1.0


def test_an_attack_of_hours_does_not_make_itself_usual():
    """What today's earlier hours were is not asked when it is asked what is usual."""
    harness = Harness(Soon())
    harness.feed(minutes(0, 5 * 24 * 60))
    found = harness.feed(minutes(5 * DAY, 3 * 60, **LOCKED))[0]
    found = found[~np.isnan(found)]
    assert found[-1] > found[60] + 0.5
    assert np.all(np.diff(found[5:]) > -0.01)


def test_training_slowly_does_not_hide_ten_times_as_much():
    """For nine days an intruder reads and sends a little more each day at noon; then ten times that."""
    rows, before = [], 9 * 24
    for hour in range(before):
        much = 1.0 + 1.5 * (hour // 24) if hour % 24 == 12 else 1.0
        more = {name: REST[name] * much for name in ("disk_read_bytes", "net_in_packets")}
        rows += minutes(hour * HOUR, 60, **more)
    last = 1.0 + 1.5 * 8

    def then(times):
        attack = {n: REST[n] * last * times for n in ("disk_read_bytes", "net_in_packets")}
        return score_after(
            Soon(), rows, minutes(before * HOUR, 720) + minutes((before + 12) * HOUR, 30, **attack)
        )[0]

    assert then(10.0) > then(1.0) + 3.0


def test_another_machine_of_the_site_changes_nothing():
    rows = minutes(0, 240) + minutes(240 * MINUTE, 20, **LOCKED)
    alone = score_rows(Soon(), [row | {"agent": "a"} for row in rows])
    both = sorted(
        [row | {"agent": "a"} for row in rows]
        + [row | {"agent": "b"} for row in minutes(0, 300, 7)],
        key=lambda row: (row["time"], row["agent"]),
    )
    together = score_rows(Soon(), both)
    assert np.array_equal(alone, together[[row["agent"] == "a" for row in both]], equal_nan=True)


@pytest.mark.parametrize("size", [1, 7, 500])
def test_cuts_and_moves_change_nothing(size):
    rows = minutes(0, 200) + minutes(200 * MINUTE, 20, **LOCKED)
    whole = score_rows(Soon(), rows)
    harness, found = Harness(Soon()), []
    for edge in range(0, len(rows), size):
        found.append(harness.feed(rows[edge : edge + size])[0])
        if edge == size * (len(rows) // size // 2):
            harness = harness.moved()
    assert np.array_equal(whole, np.concatenate(found), equal_nan=True)


def test_how_often_an_agent_samples_changes_nothing():
    rows = minutes(0, 200) + minutes(200 * MINUTE, 20, **LOCKED)
    seconds = [row | {"time": row["time"] + n * SECOND} for row in rows for n in range(5)]
    seconds.sort(key=lambda row: row["time"])
    assert top(Soon(), seconds) == pytest.approx(top(Soon(), rows), abs=1e-6)


def test_a_pause_is_no_attack_and_ends_one():
    rest, locked = minutes(0, 240), minutes(240 * MINUTE, 20, **LOCKED)
    harness = Harness(Soon())
    during = np.nanmax(harness.feed(rest + locked)[0])
    after = harness.feed(minutes(40 * HOUR, 5))[0][len(REST) :]
    assert np.nanmax(after) < 2.0 < during


def test_other_metrics_and_nonsense_are_passed_over():
    rows = minutes(0, 240)
    odd = [
        {"time": row["time"], "metric": metric, "value": value}
        for row in rows[:: len(REST)]
        for metric, value in (
            ("tcp_listen_sockets", 1e9), ("cpu_rati", 1.0), ("cpu_ratio", np.nan), ("load_ratio", np.inf),
        )
    ]  # fmt: skip
    mixed = sorted(rows + odd, key=lambda row: row["time"])
    assert top(Soon(), mixed) == top(Soon(), rows)


def test_every_part_has_metrics_and_every_metric_its_part():
    assert {metric.part for metric in METRICS.values()} == set(range(len(PARTS)))
    assert all(not metric.moves or "memory" in n or "swap" in n for n, metric in METRICS.items())


@pytest.mark.parametrize(
    ("part", "technique"),
    [("processor", ""), ("disk", "T1486"), ("network", "T1499"), ("memory", "")],
)
def test_words_say_what_is_strange(part, technique):
    facts = dict.fromkeys(HostLoad.facts, 0.0) | {part: 9.0, "distance": 12.0}
    told = HostLoad().explain(facts)
    assert told.technique == technique
    words = {"processor": "processor", "disk": "disk", "network": "network", "memory": "memory"}
    assert words[part] in told.title_en
    others = [word for word in words if word != part]
    assert not any(word in told.title_en for word in others)


def test_two_parts_are_joined():
    told = HostLoad().explain(dict.fromkeys(HostLoad.facts, 5.0))
    assert told.title_en.endswith(
        "the processor, the memory, the disk, the network and running programs."
    )
    assert told.title_nl.endswith(
        "de processor, het geheugen, de schijf, het netwerk en draaiende programma's."
    )


def test_a_miner_is_told_on_a_generated_machine():
    """After eight days of work, by far more than the days before reached."""
    at = 8 * READINGS + 9 * 360
    attack = [Activity(at, at + 4 * 360, ATTACKS["miner"].effects)]
    seed = next(s for s in itertools.count(1) if Machine(s).kind == "files")
    days = list(opinions(HostLoad(), Machine(seed).days(9, attack)))
    assert set(NAMES) - set(METRICS) == {"disk_used_ratio"}
    seen = days[8]
    begin = int(seen.time[0])
    before = seen.scores[seen.time < begin + 9 * HOUR]
    during = seen.scores[(seen.time >= begin + 9 * HOUR) & (seen.time < begin + 13 * HOUR)]
    assert np.nanmax(during) > np.nanmax(before) + 2.0
