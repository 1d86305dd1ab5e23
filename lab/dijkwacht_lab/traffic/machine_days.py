"""Machines by day: what their metrics are while people work, updates come, scans run, and backups are made.

A `Machine` is drawn from its seed: a desktop, a laptop, a file server or a web server, with metrics of its own
size and jobs of its own. A job is an activity at its hours: each night, once a week, or at random while
somebody is there. Metrics are means of ten seconds, as an agent's are; activities add up, and what a
machine can do at most bounds them. Some jobs are `UNSEEN`: no calibration has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_lab.traffic.habit import WEEKDAY, WEEKEND

READING_US: Final = 10_000_000
DAY_US: Final = 86_400_000_000
READINGS: Final = DAY_US // READING_US
"""Of a day."""
_HOUR: Final = READINGS // 24
MONDAY_US: Final = 1_773_619_200_000_000
"""A Monday, 00:00 UTC."""

Floats = NDArray[np.float64]
Effects = Mapping[str, float]
"""Metric → what an activity adds: a ratio, degrees, or times what the machine does at rest."""


class Usual(NamedTuple):
    """At rest, the most there can be, how it varies from reading to reading, and how much machines differ."""

    rest: float
    most: float
    varies: float
    differs: float = 0.5
    adds: bool = False
    """Effects are added as they are, and not times what is there at rest."""


METRICS: Final[Mapping[str, Usual]] = {
    "cpu_ratio": Usual(0.03, 1.0, 0.4, adds=True),
    "load_ratio": Usual(0.05, 8.0, 0.3, adds=True),
    "cpu_iowait_ratio": Usual(0.002, 0.9, 0.8, adds=True),
    "cpu_busiest_process_ratio": Usual(0.015, 1.0, 0.5, adds=True),
    "cpu_temperature_celsius": Usual(42.0, 98.0, 0.02, 0.1, adds=True),
    "memory_used_ratio": Usual(0.4, 0.99, 0.002, 0.2, adds=True),
    "swap_used_ratio": Usual(0.02, 1.0, 0.01, adds=True),
    "disk_used_ratio": Usual(0.5, 1.0, 0.0001, 0.2, adds=True),
    "disk_read_bytes": Usual(4e4, 4e9, 1.0),
    "disk_write_bytes": Usual(4e5, 3e9, 0.7),
    "blocked_processes": Usual(0.05, 60.0, 1.0),
    "net_in_bytes": Usual(3e4, 1.2e9, 0.8),
    "net_out_bytes": Usual(2e4, 1.2e9, 0.8),
    "net_in_packets": Usual(200.0, 9e5, 0.5),
    "net_out_packets": Usual(150.0, 9e5, 0.5),
    "context_switches": Usual(1200.0, 4e5, 0.2),
    "started_processes": Usual(2.0, 3000.0, 0.8),
    "running_processes": Usual(1.0, 64.0, 0.4, 0.1),
    "processes_total": Usual(210.0, 5000.0, 0.01, 0.2),
    "file_handles_total": Usual(2500.0, 5e5, 0.02),
    "tcp_established_sockets": Usual(14.0, 60_000.0, 0.08),
    "tcp_syn_recv_sockets": Usual(0.02, 512.0, 1.0),
    "tcp_time_wait_sockets": Usual(5.0, 60_000.0, 0.3),
    "tcp_passive_opens": Usual(1.0, 50_000.0, 0.6),
}
"""Of a desktop. Amounts are of one second, counted as an agent's are."""
NAMES: Final = tuple(METRICS)
_PLACE: Final = {name: place for place, name in enumerate(NAMES)}


class Job(NamedTuple):
    """What a machine does now and then: effects, minutes, and when.

    ``hours`` are the first and last in which it may begin; ``each`` is ``night`` (daily, at an hour of its
    own), ``week`` (at an hour of the week of its own), or ``random``, ``often`` times a week.
    ``late`` is by how many minutes it wanders.
    """

    name: str
    effects: Effects
    minutes: tuple[float, float]
    each: str
    hours: tuple[int, int]
    often: float = 1.0
    late: float = 3.0
    chance: float = 0.5
    """Of a machine to have it."""
    kinds: tuple[str, ...] = ()
    """Of machine that may have it; empty for all."""


_PEOPLE: Final = ("desktop", "laptop")
_SERVERS: Final = ("files", "web")
JOBS: Final = (
    Job("update", {
        "cpu_ratio": 0.45, "load_ratio": 0.8, "cpu_iowait_ratio": 0.08, "cpu_busiest_process_ratio": 0.25,
        "cpu_temperature_celsius": 14, "memory_used_ratio": 0.05, "disk_read_bytes": 150, "disk_write_bytes": 60,
        "blocked_processes": 20, "net_in_bytes": 60, "net_in_packets": 12, "net_out_packets": 8,
        "context_switches": 4, "started_processes": 8, "running_processes": 1, "file_handles_total": 0.1,
    }, (8, 45), "random", (0, 23), often=1.2, chance=1.0),
    Job("virus scan", {
        "cpu_ratio": 0.4, "load_ratio": 0.7, "cpu_iowait_ratio": 0.12, "cpu_busiest_process_ratio": 0.38,
        "cpu_temperature_celsius": 15, "memory_used_ratio": 0.03, "disk_read_bytes": 900, "blocked_processes": 30,
        "context_switches": 3, "running_processes": 1, "file_handles_total": 0.15,
    }, (20, 90), "week", (8, 19), chance=0.6, late=8),
    Job("backup", {
        "cpu_ratio": 0.2, "load_ratio": 0.4, "cpu_iowait_ratio": 0.1, "cpu_busiest_process_ratio": 0.18,
        "cpu_temperature_celsius": 8, "disk_read_bytes": 700, "blocked_processes": 25, "net_out_bytes": 900,
        "net_out_packets": 60, "net_in_packets": 25, "context_switches": 3, "running_processes": 0.8,
        "tcp_established_sockets": 0.1,
    }, (15, 80), "night", (19, 30), chance=0.7),
    Job("indexing", {
        "cpu_ratio": 0.25, "load_ratio": 0.35, "cpu_iowait_ratio": 0.06, "cpu_busiest_process_ratio": 0.2,
        "cpu_temperature_celsius": 7, "disk_read_bytes": 200, "disk_write_bytes": 8, "blocked_processes": 10,
        "context_switches": 2, "file_handles_total": 0.05,
    }, (4, 20), "random", (0, 23), often=6, chance=0.7),
    Job("video call", {
        "cpu_ratio": 0.3, "load_ratio": 0.4, "cpu_busiest_process_ratio": 0.22, "cpu_temperature_celsius": 12,
        "memory_used_ratio": 0.05, "net_in_bytes": 80, "net_out_bytes": 70, "net_in_packets": 14, "net_out_packets": 14,
        "context_switches": 6, "tcp_established_sockets": 0.3, "running_processes": 0.6,
    }, (20, 70), "random", (8, 16), often=5, chance=0.7, kinds=_PEOPLE),
    Job("heavy work", {
        "cpu_ratio": 0.8, "load_ratio": 1.2, "cpu_busiest_process_ratio": 0.75, "cpu_temperature_celsius": 28,
        "memory_used_ratio": 0.15, "disk_read_bytes": 60, "disk_write_bytes": 15, "context_switches": 2,
        "running_processes": 3,
    }, (3, 40), "random", (9, 16), often=4, chance=0.35, kinds=_PEOPLE),
    Job("weekly report", {
        "cpu_ratio": 0.6, "load_ratio": 0.9, "cpu_iowait_ratio": 0.05, "cpu_busiest_process_ratio": 0.5,
        "cpu_temperature_celsius": 18, "memory_used_ratio": 0.08, "disk_read_bytes": 400, "disk_write_bytes": 40,
        "blocked_processes": 10, "context_switches": 3, "running_processes": 1.5, "started_processes": 2,
    }, (15, 120), "week", (0, 23), chance=0.4),
    Job("night rotation", {
        "cpu_ratio": 0.3, "load_ratio": 0.4, "cpu_busiest_process_ratio": 0.28, "disk_read_bytes": 150,
        "disk_write_bytes": 40, "started_processes": 5, "blocked_processes": 8,
    }, (2, 9), "night", (23, 31), chance=0.8),
    Job("many visitors", {
        "cpu_ratio": 0.25, "load_ratio": 0.4, "net_in_packets": 8, "net_out_packets": 10, "net_out_bytes": 20,
        "net_in_bytes": 8, "tcp_established_sockets": 3, "tcp_time_wait_sockets": 8, "tcp_passive_opens": 10,
        "context_switches": 4, "cpu_temperature_celsius": 8, "tcp_syn_recv_sockets": 20,
    }, (10, 90), "random", (8, 22), often=3, chance=0.7, kinds=("web",)),
    Job("copying to the share", {
        "cpu_ratio": 0.15, "load_ratio": 0.3, "cpu_iowait_ratio": 0.1, "disk_write_bytes": 250, "net_in_bytes": 600,
        "net_in_packets": 50, "net_out_packets": 20, "blocked_processes": 15, "context_switches": 3,
    }, (2, 25), "random", (8, 17), often=6, chance=0.9, kinds=("files",)),
)  # fmt: skip
"""What calibration has."""
UNSEEN: Final = (
    Job("photos are converted", {
        "cpu_ratio": 0.7, "load_ratio": 1.0, "cpu_busiest_process_ratio": 0.6, "cpu_temperature_celsius": 24,
        "disk_read_bytes": 120, "disk_write_bytes": 30, "running_processes": 2, "memory_used_ratio": 0.1,
    }, (10, 50), "random", (9, 17), often=1.0, chance=0.4, kinds=_PEOPLE),
    Job("a database is tidied", {
        "cpu_ratio": 0.35, "load_ratio": 0.8, "cpu_iowait_ratio": 0.25, "disk_read_bytes": 500, "disk_write_bytes": 200,
        "blocked_processes": 60, "context_switches": 3, "cpu_busiest_process_ratio": 0.3,
    }, (20, 150), "week", (18, 30), chance=0.5, kinds=_SERVERS),
    Job("files are mirrored", {
        "cpu_ratio": 0.1, "load_ratio": 0.2, "net_in_bytes": 900, "net_in_packets": 70, "net_out_packets": 30,
        "disk_write_bytes": 300, "context_switches": 2, "tcp_established_sockets": 0.2,
    }, (10, 60), "night", (18, 30), chance=0.4),
    Job("a game", {
        "cpu_ratio": 0.5, "load_ratio": 0.7, "cpu_busiest_process_ratio": 0.45, "cpu_temperature_celsius": 25,
        "memory_used_ratio": 0.2, "net_in_packets": 6, "net_out_packets": 5, "context_switches": 8,
    }, (20, 50), "week", (12, 13), chance=0.15, kinds=_PEOPLE),
    Job("a lesson on film", {
        "cpu_ratio": 0.15, "cpu_busiest_process_ratio": 0.1, "net_in_bytes": 150, "net_in_packets": 18,
        "context_switches": 5, "cpu_temperature_celsius": 8,
    }, (15, 60), "random", (9, 17), often=2, chance=0.5, kinds=_PEOPLE),
)  # fmt: skip
"""What only judges have: written apart, of other lengths, hours and metrics."""
_WORK: Final[Mapping[str, Effects]] = {
    "desktop": {
        "cpu_ratio": 0.12, "load_ratio": 0.15, "cpu_busiest_process_ratio": 0.07, "cpu_temperature_celsius": 6,
        "memory_used_ratio": 0.12, "disk_read_bytes": 8, "disk_write_bytes": 2, "net_in_bytes": 12, "net_out_bytes": 6,
        "net_in_packets": 5, "net_out_packets": 4, "context_switches": 2.5, "started_processes": 2,
        "running_processes": 0.4, "processes_total": 0.1, "file_handles_total": 0.3, "tcp_established_sockets": 1.5,
        "tcp_time_wait_sockets": 2, "blocked_processes": 3,
    },
    "files": {
        "cpu_ratio": 0.06, "load_ratio": 0.08, "cpu_iowait_ratio": 0.01, "disk_read_bytes": 40, "disk_write_bytes": 6,
        "net_in_bytes": 30, "net_out_bytes": 60, "net_in_packets": 10, "net_out_packets": 14, "context_switches": 2,
        "tcp_established_sockets": 0.8, "file_handles_total": 0.2, "blocked_processes": 5, "cpu_temperature_celsius": 2,
    },
    "web": {
        "cpu_ratio": 0.08, "load_ratio": 0.1, "net_in_bytes": 8, "net_out_bytes": 20, "net_in_packets": 8,
        "net_out_packets": 10, "tcp_established_sockets": 2, "tcp_time_wait_sockets": 6, "tcp_passive_opens": 6,
        "tcp_syn_recv_sockets": 8, "context_switches": 2, "started_processes": 1, "cpu_temperature_celsius": 3,
    },
}  # fmt: skip
ATTACKS: Final[Mapping[str, Job]] = {
    job.name: job
    for job in (
        Job("miner", {
            "cpu_ratio": 0.8, "load_ratio": 0.9, "cpu_busiest_process_ratio": 0.8, "cpu_temperature_celsius": 25,
            "running_processes": 3, "context_switches": 0.5, "memory_used_ratio": 0.02,
        }, (240, 480), "random", (0, 23)),
        Job("encryptor", {
            "cpu_ratio": 0.35, "load_ratio": 0.8, "cpu_iowait_ratio": 0.15, "cpu_busiest_process_ratio": 0.3,
            "cpu_temperature_celsius": 12, "disk_read_bytes": 1500, "disk_write_bytes": 400, "blocked_processes": 40,
            "context_switches": 4, "file_handles_total": 0.05, "running_processes": 1,
        }, (20, 60), "random", (0, 23)),
        Job("SYN flood", {
            "cpu_ratio": 0.15, "net_in_packets": 300, "net_out_packets": 200, "net_in_bytes": 100, "net_out_bytes": 80,
            "tcp_syn_recv_sockets": 20_000, "context_switches": 4, "load_ratio": 0.1,
        }, (15, 60), "random", (0, 23)),
        Job("slow HTTP", {
            "cpu_ratio": 0.01, "net_in_packets": 2, "net_out_packets": 2, "tcp_established_sockets": 40,
            "tcp_passive_opens": 15, "tcp_time_wait_sockets": 3, "processes_total": 0.6, "file_handles_total": 0.3,
        }, (30, 120), "random", (0, 23)),
        Job("runaway process", {
            "cpu_ratio": 0.25, "load_ratio": 1.0, "cpu_busiest_process_ratio": 0.25, "cpu_temperature_celsius": 9,
            "memory_used_ratio": 0.25, "running_processes": 1, "context_switches": 0.2,
        }, (120, 480), "random", (0, 23)),
    )
}  # fmt: skip
"""What attacks, and a program gone wrong, do to a machine."""
_STARTS: Final[Effects] = {
    "cpu_ratio": 0.5, "load_ratio": 1.0, "cpu_iowait_ratio": 0.15, "cpu_busiest_process_ratio": 0.2,
    "disk_read_bytes": 600, "disk_write_bytes": 10, "started_processes": 10, "blocked_processes": 40,
    "net_in_bytes": 10, "cpu_temperature_celsius": 10,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Activity:
    """Effects from one reading (counted from the machine's first) until another, as strong as ``strength``."""

    begin: int
    end: int
    effects: Effects
    strength: float = 1.0


class Day(NamedTuple):
    """Metrics of one day: ``time`` int64[n], and ``values`` float64[n, len(NAMES)]."""

    time: NDArray[np.int64]
    values: Floats


class Machine:
    """A machine and its jobs, drawn from ``seed``; ``jobs`` are those that it may have.

    ``kind`` is one of desktop, laptop, files and web; ``always_on`` says whether it is on at night.
    """

    def __init__(self, seed: int, jobs: Sequence[Job] = JOBS) -> None:
        self._rng = rng = np.random.default_rng([seed, 0x6D])
        self.seed = seed
        self.kind = str(rng.choice(["desktop", "laptop", "files", "web"], p=[0.35, 0.3, 0.2, 0.15]))
        usual = list(METRICS.values())
        self._rest = np.array([m.rest * rng.lognormal(0, m.differs) for m in usual])
        self._most = np.array([m.most for m in usual])
        self._varies = np.array([m.varies for m in usual])
        self._adds = np.array([m.adds for m in usual])
        self._power = rng.lognormal(0, 0.3)
        self._shift = float(rng.normal(0, 0.7))
        self._weekend = self.kind in _SERVERS or rng.random() < 0.4
        self.always_on = self.kind in _SERVERS or (self.kind == "desktop" and rng.random() < 0.5)
        self.jobs = [
            (job, float(rng.uniform(*job.hours)), int(rng.integers(7)), rng.lognormal(0, 0.25))
            for job in jobs
            if (not job.kinds or self.kind in job.kinds) and rng.random() < job.chance
        ]
        self._drift = 0.0

    def days(self, days: int, attacks: Sequence[Activity] = (), first: int = 0) -> Iterator[Day]:
        """Day by day, from day ``first`` of a week (0 is Monday); readings in which it is off are left out."""
        running: list[Activity] = list(attacks)
        for day in range(days):
            running = [a for a in running if a.end > day * READINGS]
            running += self._begun(day, first)
            yield self._day(day, first, running)

    def _begun(self, day: int, first: int) -> Iterator[Activity]:
        rng = self._rng
        weekday = (day + first) % 7
        for job, hour, own, strength in self.jobs:
            if job.each == "random":
                works = weekday < 5 or job.hours == (0, 23) or self.kind in _SERVERS
                times = int(rng.poisson(job.often / 5)) if works else 0
                begins = rng.uniform(*job.hours, times).tolist()
            else:
                begins = [hour] if job.each == "night" or weekday == own else []
            for begin in begins:
                at = (begin * 60 + abs(float(rng.normal(0, job.late)))) * 6 + day * READINGS
                lasts = rng.uniform(*job.minutes) if job.each == "random" else _between(hour, job)
                lasts *= float(rng.lognormal(0, 0.12))
                yield Activity(
                    int(at),
                    int(at + lasts * 6) + 1,
                    job.effects,
                    strength * float(rng.lognormal(0, 0.1)),
                )

    def _day(self, day: int, first: int, running: Sequence[Activity]) -> Day:
        rng, begin = self._rng, day * READINGS
        weekday = (day + first) % 7
        hours = (np.arange(READINGS) / _HOUR - self._shift) % 24
        busy = np.interp(hours, np.arange(25) + 0.5, [*WEEKDAY, WEEKDAY[0]])
        busy *= 1.0 if weekday < 5 else WEEKEND
        # people do much for a minute, then nothing for another
        busy *= np.exp(_wanders(rng, READINGS, 30, 0.6)) * rng.lognormal(0, 0.15)
        more = np.zeros((READINGS, len(NAMES)))
        _add(more, _WORK.get(self.kind, _WORK["desktop"]), busy * self._power)
        for each in running:
            span = slice(max(each.begin - begin, 0), max(min(each.end - begin, READINGS), 0))
            many = span.stop - span.start
            if many > 0:
                # noise of its own: what is not there changes nothing of what is
                own = np.random.default_rng([self.seed, day, each.begin])
                wave = np.exp(_wanders(own, many, 6, 0.25)) * each.strength
                _add(more[span], each.effects, wave)
        on = np.full(READINGS, True)
        if not self.always_on:
            on = (hours > 7.5) & (hours < 18.5) & (weekday < 5 or self._weekend)
            starts = int(np.argmax(on)) if on.any() else 0
            minutes = int(rng.uniform(6, 24))
            _add(
                more[starts : starts + minutes],
                _STARTS,
                np.ones(len(more[starts : starts + minutes])),
            )
        values = self._rest * np.where(self._adds, 1.0, 1.0 + more) + np.where(
            self._adds, more, 0.0
        )
        values *= np.exp(self._varies * _wanders(rng, READINGS, 2, 1.0, len(NAMES)))
        self._drift += float(rng.normal(0, 0.01))
        values[:, _PLACE["memory_used_ratio"]] += self._drift
        values = np.maximum(values, 0.0)
        for name in (
            "blocked_processes",
            "running_processes",
            "tcp_syn_recv_sockets",
            "started_processes",
        ):
            place = _PLACE[name]
            values[:, place] = rng.poisson(values[:, place] * 10) / 10
        values = np.minimum(values, self._most)
        time = MONDAY_US + (first * READINGS + begin + np.arange(READINGS)) * READING_US
        return Day(time[on], values[on])


def _between(hour: float, job: Job) -> float:
    """How long a job by the clock takes: each machine's its own, whenever it runs."""
    return job.minutes[0] + (job.minutes[1] - job.minutes[0]) * (hour * 7.31 % 1.0)


def _add(more: Floats, effects: Effects, strength: Floats) -> None:
    for name, effect in effects.items():
        if name in _PLACE:
            more[:, _PLACE[name]] += effect * strength


def _wanders(
    rng: np.random.Generator, many: int, lasts: int, spread: float, metrics: int = 0
) -> Floats:
    """Noise that stays alike for about ``lasts`` readings, of variance ``spread``², around 0."""
    shape = (many + lasts, metrics) if metrics else (many + lasts,)
    steps = np.cumsum(rng.normal(0, spread / np.sqrt(lasts), shape), axis=0)
    found: Floats = steps[lasts:] - steps[:-lasts]
    return found
