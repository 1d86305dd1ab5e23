"""The scoreboard: what was caught, how soon, how often it cried wolf, what it cost.

A file counts as caught when an incident of an accepted class, medium or above, names an attacker as
the source of one of its evidences. Files below `LEAST` packets or rows are shown and not counted.
Benign time counts only while packets come less than an hour apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, Final, Literal

from dijkwacht_collector.engine.watched_time import GAP_US
from dijkwacht_collector.incidents import Call, Incident
from dijkwacht_lab.labels import ACCEPTED, Attackers, Labelled, attackers
from dijkwacht_records.errors import UnreadableInput

LEAST: Final = 20
"""Fewest packets or rows of a file that counts."""
MEDIUM: Final = 3
"""``severity_id`` from which a person is asked; below it is context."""
MOST_OTHERS: Final = 2
"""Incidents of other classes that an attack file may have."""
WEEK_S: Final = 7 * 86_400.0
SLOW_S: Final = 10.0


@dataclass(slots=True)
class Watched:
    """Seconds that a recording really covers. Feed row times in order of arrival, µs UTC."""

    seconds: float = 0.0
    first: int | None = None
    _last: int = 0

    def see(self, time: int) -> None:
        """Count the time since the row before, unless the recording paused for an hour."""
        if self.first is None:
            self.first = self._last = time
        elif time > self._last:
            if time - self._last < GAP_US:
                self.seconds += (time - self._last) / 1e6
            self._last = time


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay of one file from a cold start gave.

    ``noticed``: incident uid → event time at which it first reached medium, µs UTC. ``first``: time
    of the first row. ``refused``: why nothing could be read. ``crash``: an error that should not be.
    ``scored``: detector → rows that it scored, and its strongest score (NaN: none); ``spent_s``: detector →
    CPU seconds in which it scored and learned. ``calls``: the times when its stories interrupted somebody.
    """

    incidents: Sequence[Incident] = ()
    noticed: Mapping[str, int] = field(default_factory=dict)
    first: int = 0
    watched_s: float = 0.0
    packets: int = 0
    rows: int = 0
    flows: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    refused: str = ""
    crash: str = ""
    scored: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    spent_s: Mapping[str, float] = field(default_factory=dict)
    calls: Sequence[Call] = ()


Status = Literal[
    "caught",
    "missed",
    "clean",
    "false",
    "small",
    "not readable",
    "not judged",
    "survived",
    "crashed",
]


@dataclass(frozen=True, slots=True)
class Judged:
    """One file's line on the scoreboard.

    ``right``: the incident that caught it first, of all ``rights``; ``wrong``: false alarms of a benign file,
    and ``calls`` the interruptions that these were.
    """

    labelled: Labelled
    outcome: Outcome
    status: Status
    right: Incident | None = None
    rights: tuple[Incident, ...] = ()
    wrong: tuple[Incident, ...] = ()
    calls: tuple[Call, ...] = ()
    detect_s: float = math.nan
    others: int = 0
    false: int = 0
    context: int = 0
    said: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Does the file enter a ratio?"""
        return self.status not in ("small", "not readable", "not judged")


def judge(labelled: Labelled, outcome: Outcome) -> Judged:
    """Hold what a replay gave against the truth."""
    loud = [i for i in outcome.incidents if i.severity_id >= MEDIUM]
    context = len(outcome.incidents) - len(loud)
    said = tuple(sorted({i.kind for i in loud}))
    if outcome.crash:
        return Judged(labelled, outcome, "crashed")
    if labelled.class_ == "robust":
        return Judged(labelled, outcome, "survived", context=context, said=said)
    try:
        truth = attackers(labelled)
    except UnreadableInput as error:
        refused = outcome.refused or str(error)
        return Judged(labelled, replace(outcome, refused=refused), "not readable")
    if outcome.refused or labelled.class_ not in (*ACCEPTED, "benign"):
        why: Status = "not readable" if outcome.refused else "not judged"
        return Judged(labelled, outcome, why, context=context, said=said)
    if labelled.class_ == "benign":
        # Internet scanners that the file itself labels are no false alarm when they are named.
        wrong = tuple(incident for incident in loud if not _names(incident, truth))
        uids = {incident.uid for incident in wrong}
        return Judged(
            labelled,
            outcome,
            "false" if wrong else "clean",
            wrong=wrong,
            calls=tuple(call for call in outcome.calls if call.finding in uids),
            false=len(wrong),
            context=context,
            said=said,
        )
    accepted = ACCEPTED[labelled.class_]
    right = [i for i in loud if i.kind in accepted and _names(i, truth)]
    soonest = min(right, key=lambda i: outcome.noticed.get(i.uid, i.end), default=None)
    small = (labelled.size or outcome.packets or outcome.rows) < LEAST
    detect_s = math.nan
    if soonest is not None:
        detect_s = (outcome.noticed.get(soonest.uid, soonest.end) - outcome.first) / 1e6
    return Judged(
        labelled,
        outcome,
        "small" if small else "caught" if soonest is not None else "missed",
        soonest,
        tuple(right),
        detect_s=detect_s,
        others=sum(i.kind not in accepted for i in loud),
        context=context,
        said=said,
    )


def _names(incident: Incident, truth: Attackers) -> bool:
    return any(truth.include(e.src_h, e.src_mac) for e in incident.evidences)


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """The exact (Garwood) interval of a Poisson mean after ``count`` events.

    >>> [round(bound, 3) for bound in poisson_interval(2)]
    [0.242, 7.225]
    """
    tail = (1 - level) / 2
    # At the lower bound, this many or more are as unlikely as ``tail``; at the upper, this many or fewer.
    lower = 0.0 if count == 0 else _where(lambda mean: 1 - _at_most(count - 1, mean), tail, count)
    return lower, _where(lambda mean: 1 - _at_most(count, mean), 1 - tail, count)


def _at_most(count: int, mean: float) -> float:
    if mean <= 0:
        return 1.0
    log_term, log_mean, total = -mean, math.log(mean), 0.0
    for k in range(count + 1):
        total += math.exp(log_term)
        log_term += log_mean - math.log(k + 1)
    return min(total, 1.0)


def _where(rising: Any, level: float, count: int) -> float:
    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < level else (low, middle)
    return (low + high) / 2


def summary(judged: Iterable[Judged]) -> dict[str, Any]:
    """The whole table as plain data, for ``--json``: ratios, seconds, counts."""
    lines = list(judged)
    flows = sum(j.outcome.flows for j in lines)
    cpu = sum(j.outcome.cpu_s for j in lines if j.outcome.flows)
    return {
        "classes": {
            name: _class([j for j in lines if j.labelled.class_ == name])
            for name in ACCEPTED
            if any(j.labelled.class_ == name for j in lines)
        },
        "benign": _benign([j for j in lines if j.labelled.class_ == "benign" and j.counts]),
        "others": _others(lines),
        "robust": _robust([j for j in lines if j.labelled.class_ == "robust"]),
        "crashed": {j.labelled.file: j.outcome.crash for j in lines if j.status == "crashed"},
        "not_readable": [j.labelled.file for j in lines if j.status == "not readable"],
        "not_judged": [j.labelled.file for j in lines if j.status == "not judged"],
        "cpu_seconds_per_million_flows": cpu / flows * 1e6 if flows else None,
        "files": [_line(j) for j in lines if j.labelled.class_ != "robust"],
    }


def final_line(result: Mapping[str, Any], half: str, revision: str) -> str:
    """One row of a table in Markdown: revision, half, caught of files by class, false and stray."""
    caught = " · ".join(
        f"{name} {c['caught']}/{c['files']}" for name, c in result["classes"].items()
    )
    b, o = result["benign"], result["others"]
    return (
        f"| {revision} | {half} | {caught} | {b['files_with_false_incidents']} of {b['files']} "
        f"benign files | {o['median']:g}, at most {o['most']} |"
    )


def _others(lines: list[Judged]) -> dict[str, Any]:
    """Incidents of other classes on attack files."""
    counted = [j.others for j in lines if j.status in ("caught", "missed")]
    return {"median": median(counted) if counted else 0, "most": max(counted, default=0)}


def _class(lines: list[Judged]) -> dict[str, Any]:
    counted = [j for j in lines if j.counts]
    caught = [j for j in counted if j.status == "caught"]
    return {
        "files": len(counted),
        "caught": len(caught),
        "recall": len(caught) / len(counted) if counted else None,
        "detect_seconds_median": median(j.detect_s for j in caught) if caught else None,
        "files_with_too_many_others": sum(j.others > MOST_OTHERS for j in counted),
        "missed": [j.labelled.file for j in counted if j.status != "caught"],
        "small": [j.labelled.file for j in lines if j.status == "small"],
        "not_readable": [j.labelled.file for j in lines if j.status == "not readable"],
    }


def _benign(lines: list[Judged]) -> dict[str, Any]:
    weeks = sum(j.outcome.watched_s for j in lines) / WEEK_S
    false = sum(j.false for j in lines)
    low, high = poisson_interval(false)
    return {
        "files": len(lines),
        "files_with_false_incidents": sum(j.status == "false" for j in lines),
        "false_incidents": false,
        "site_weeks": weeks,
        "false_per_site_week": false / weeks if weeks else None,
        "interval_95": [low / weeks, high / weeks] if weeks else None,
    }


def _robust(lines: list[Judged]) -> dict[str, Any]:
    times = [j.outcome.wall_s for j in lines]
    return {
        "files": len(lines),
        "crashed": [j.labelled.file for j in lines if j.status == "crashed"],
        "slowest_seconds": max(times, default=0.0),
        "over_10_seconds": [j.labelled.file for j in lines if j.outcome.wall_s > SLOW_S],
        "not_readable": sum(bool(j.outcome.refused) for j in lines),
    }


def _line(judged: Judged) -> dict[str, Any]:
    return {
        "kind": judged.labelled.kind,
        "file": judged.labelled.file,
        "status": judged.status,
        "detect_seconds": None if math.isnan(judged.detect_s) else judged.detect_s,
        "other_classes": judged.others,
        "false": judged.false,
        "context": judged.context,
        "classes_said": list(judged.said),
        "packets": judged.outcome.packets,
        "rows": judged.outcome.rows,
        "cpu_seconds": judged.outcome.cpu_s,
        "reason": judged.outcome.refused or judged.outcome.crash,
    }


def table(result: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = [f"{'class':<11}{'files':>6}{'caught':>8}{'recall':>8}{'median s':>10}{'noisy':>7}"]
    for name, c in result["classes"].items():
        recall = "–" if c["recall"] is None else f"{c['recall']:.0%}"
        soon = "–" if c["detect_seconds_median"] is None else f"{c['detect_seconds_median']:.1f}"
        noisy = c["files_with_too_many_others"]
        lines.append(f"{name:<11}{c['files']:>6}{c['caught']:>8}{recall:>8}{soon:>10}{noisy:>7}")
    for name, c in result["classes"].items():
        lines += [f"missed       {name}: {file}" for file in c["missed"]]
        lines += [f"too small    {name}: {file}" for file in c["small"]]
    reasons = {one["file"]: one["reason"].partition(": ")[2] for one in result["files"]}
    lines += [
        f"not readable in this version: {file}" + (f" ({why})" if (why := reasons[file]) else "")
        for file in result["not_readable"]
    ]
    lines += [f"read, but of a class without a rule: {file}" for file in result["not_judged"]]
    lines += _benign_lines(result) + _robust_lines(result)
    if (cost := result["cpu_seconds_per_million_flows"]) is not None:
        lines.append(f"cost         {cost:.1f} CPU seconds per million flows")
    return "\n".join(lines)


def _benign_lines(result: Mapping[str, Any]) -> list[str]:
    b = result["benign"]
    if not b["files"]:
        return []
    line = (
        f"benign       {b['files_with_false_incidents']} of {b['files']} files with a false incident, "
        f"{b['false_incidents']} incidents in {b['site_weeks']:.2f} site-weeks"
    )
    if b["interval_95"]:
        low, high = b["interval_95"]
        line += f": {b['false_per_site_week']:.1f} a site-week (95 %: {low:.1f} – {high:.1f})"
    return [
        line,
        *(
            f"false        {found['false']} × {', '.join(found['classes_said'])}: {found['file']}"
            for found in result["files"]
            if found["false"]
        ),
    ]


def _robust_lines(result: Mapping[str, Any]) -> list[str]:
    r = result["robust"]
    lines = [f"crashed      {file}: {why}" for file, why in result["crashed"].items()]
    if r["files"]:
        lines.append(
            f"robust       {r['files'] - len(r['crashed'])} of {r['files']} survived, slowest "
            f"{r['slowest_seconds']:.1f} s, {len(r['over_10_seconds'])} over {SLOW_S:.0f} s"
        )
    return lines
