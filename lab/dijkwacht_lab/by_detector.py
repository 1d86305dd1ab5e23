"""The scoreboard by detector: what each caught, alone or with others, what it said falsely, what it cost.

A detector has a say in an incident that is its own, or where one of the evidences is. One's own detectors are
rows like those shipped.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.incidents import Incident
from dijkwacht_collector.policy import FUSION, DetectorPolicy
from dijkwacht_lab.labels import ACCEPTED
from dijkwacht_lab.promise import promise
from dijkwacht_lab.scoreboard import MEDIUM, WEEK_S, Judged

Row = dict[str, Any]
_SILENT: Final = (0, math.nan)
_FEW: Final = 2
_LARGE: Final = 100
_HUGE: Final = 100_000


@dataclass(frozen=True, slots=True)
class Entrant:
    """A detector on the scoreboard.

    ``kind``: its incident class. ``share``: its part of the alert budget, 0 in shadow. ``line``: the score from
    which it interrupts a site without history; infinite if it never does. ``own``: not shipped.
    """

    name: str
    kind: str
    share: float
    line: float
    own: bool


def entrants_of(detectors: DetectorSet) -> list[Entrant]:
    """All of a set, in its order."""
    own = {detector.name for detector in detectors.own}
    found = []
    for detector in detectors.detectors():
        share = detectors.calibrations.share(detector)
        policy = DetectorPolicy(detectors.calibrations.table(detector), share)
        policy.make_room(1)
        line = float(policy.threshold[0]) if share else math.inf
        kind = str(getattr(detector, "kind", "other"))
        found.append(Entrant(detector.name, kind, share, line, detector.name in own))
    if FUSION not in detectors.without:
        table, share = detectors.calibrations.fusion
        policy = DetectorPolicy(table, share)
        policy.make_room(1)
        line = float(policy.threshold[0]) if share else math.inf
        found.append(Entrant(FUSION, "several", share, line, own=False))
    return found


def heard_in(incidents: Iterable[Incident]) -> set[str]:
    """Names of the detectors that had a say."""
    return {
        name
        for i in incidents
        for name in (i.detector, *(e.detector for e in i.evidences), *fused_in([i]))
    } - {""}


def fused_in(incidents: Iterable[Incident]) -> set[str]:
    """Names of those that were added up, and of what added them up."""
    return {name for i in incidents if i.together for name in (*i.together, FUSION)}


def to_leave_out(judged: Iterable[Judged]) -> list[tuple[Judged, str]]:
    """Which file to judge once more without whom, to know who catches alone.

    Only what had a say in catching a file can be missed there.
    """
    return [
        (j, name) for j in judged if j.status == "caught" for name in sorted(heard_in(j.rights))
    ]


def by_detector(
    judged: Iterable[Judged],
    entrants: Sequence[Entrant],
    alone: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Row]:
    """Name → its row, as plain data. ``alone``: name → files missed without it; None if nobody asked.

    ``caught``: files where it has a say in what caught them; ``caught_in_fusion``: those where what it said was added
    up with what others did. ``false`` and ``context``: incidents that are its
    own. Scores are on its own scale; None where there is none. Realised and promised are interruptions (calls of
    stories, which the detector that made them pays) on the benign files, a week of time in which packets came.
    """
    lines = [j for j in judged if j.labelled.class_ != "robust"]
    counted = [j for j in lines if j.counts and j.status != "crashed"]
    benign = [j for j in counted if j.labelled.class_ == "benign"]
    weeks = _weeks(benign)
    return {
        one.name: {
            "class": one.kind,
            "own": one.own,
            "share": one.share,
            "line": _finite(one.line),
            "caught": sum(j.status == "caught" and one.name in heard_in(j.rights) for j in counted),
            "caught_in_fusion": sum(
                j.status == "caught" and one.name in fused_in(j.rights) for j in counted
            ),
            "caught_alone": None if alone is None else sorted(alone.get(one.name, ())),
            "false": sum(i.detector == one.name for j in benign for i in j.wrong),
            "context": sum(
                i.detector == one.name and i.severity_id < MEDIUM
                for j in counted
                for i in j.outcome.incidents
            ),
            "rows_scored": sum(j.outcome.scored.get(one.name, _SILENT)[0] for j in lines),
            "strongest_on_attacks": _strongest(one.name, lines, ACCEPTED),
            "strongest_on_benign": _strongest(one.name, lines, ("benign",)),
            "nanoseconds_per_row": _ns(one.name, lines),
        }
        | promise(sum(c.detector == one.name for j in benign for c in j.calls), weeks, one.share)
        for one in entrants
    }


def promise_in_all(judged: Iterable[Judged], entrants: Iterable[Entrant]) -> Row:
    """Realised and promised of all detectors together, on the benign files."""
    benign = [j for j in judged if j.labelled.class_ == "benign" and j.status in ("clean", "false")]
    share = sum(one.share for one in entrants)
    return {"site_weeks": _weeks(benign), "share": share} | promise(
        sum(len(j.calls) for j in benign), _weeks(benign), share
    )


def scores_of(judged: Judged, entrants: Iterable[Entrant]) -> dict[str, list[float | None]]:
    """Detector → its strongest score on the file, and its line; those that scored nothing are left out."""
    scored = judged.outcome.scored
    return {
        one.name: [_finite(scored[one.name][1]), _finite(one.line)]
        for one in entrants
        if scored.get(one.name, _SILENT)[0]
    }


def why_missed(judged: Judged, entrants: Iterable[Entrant]) -> str:
    """What is known of why a file with an attack was missed, in a few words; "" if it was not."""
    if judged.status != "missed":
        return ""
    accepted = ACCEPTED[judged.labelled.class_]
    told = judged.outcome.incidents
    words = []
    if loud := sorted({i.kind for i in told if i.severity_id >= MEDIUM}):
        words.append(f"told as {', '.join(loud)}, not of the attacker or not as the attack")
    if low := sorted({i.detector for i in told if i.severity_id < MEDIUM and i.kind in accepted}):
        words.append(f"{', '.join(low)}: kept as context only")
    near = [
        (one.line - score, one.name, f"{score:.1f} of {one.line:.1f}")
        for one in entrants
        if one.kind in accepted and math.isfinite(one.line)
        for score in [judged.outcome.scored.get(one.name, _SILENT)[1]]
        if math.isfinite(score)
    ]
    strange = [each for each in near if not each[2].startswith("0.0 ")]
    if strange:
        _, name, score_of_line = min(strange)
        words.append(f"nearest: {name} {score_of_line}")
    elif near:
        words.append("nothing in it was strange to a detector of its class")
    return "; ".join(words) or "no detector of its class has scored a row"


def worth_showing(rows: Mapping[str, Row]) -> list[str]:
    """Names of those that had a say, and of one's own; first who alone catches most."""

    def rank(name: str) -> tuple[int, int, str]:
        return -len(rows[name]["caught_alone"] or ()), -rows[name]["caught"], name

    said = ("own", "caught", "false", "context")
    return sorted((name for name, r in rows.items() if any(r[key] for key in said)), key=rank)


def detector_table(rows: Mapping[str, Row], promised: Mapping[str, Any]) -> str:
    """The same for people, 80 characters wide: those that had a say, and one's own; the others by name."""
    shown = worth_showing(rows)
    columns = (
        f"{'caught':>7}{'alone':>6}{'fused':>6}{'false':>6}{'context':>8}{'ns/row':>7}"
        f"{'attack':>7}{'benign':>7}{'line':>7}"
    )
    lines = [f"{'detector':<19}{columns}"]
    for name in shown:
        r = rows[name]
        alone = "–" if r["caught_alone"] is None else str(len(r["caught_alone"]))
        cost = "–" if r["nanoseconds_per_row"] is None else f"{r['nanoseconds_per_row']:.0f}"
        lines.append(
            f"{name:<19}{r['caught']:>7}{alone:>6}{r['caught_in_fusion']:>6}{r['false']:>6}"
            f"{r['context']:>8}{cost:>7}"
            f"{score_text(r['strongest_on_attacks']):>7}{score_text(r['strongest_on_benign']):>7}"
            f"{score_text(r['line']):>7}"
        )
    if silent := len(rows) - len(shown):
        lines.append(f"and {silent} more that had no say in any of the files")
    lines += [
        _promise_line(name, rows[name])
        for name in shown
        if rows[name]["realised"] and rows[name]["promised"]
    ]
    if promised["promised"]:
        lines.append(_promise_line("all together", promised))
    return "\n".join(lines)


def score_text(score: float | None) -> str:
    """A score or a line in few characters; a dash for none.

    >>> [score_text(score) for score in (None, 9.6875, 300.5, 1e6)]
    ['–', '9.69', '300.5', '1e+06']
    """
    if score is None:
        return "–"
    size = abs(score)
    return f"{score:.2f}" if size < _LARGE else f"{score:.1f}" if size < _HUGE else f"{score:.3g}"


def ratio_text(ratio: float) -> str:
    """A ratio in few characters.

    >>> [ratio_text(ratio) for ratio in (0, 1.25, 98_304.4)]
    ['0.00', '1.25', '98,304']
    """
    return f"{ratio:.2f}" if ratio < _LARGE else f"{ratio:,.0f}"


def _promise_line(name: str, row: Mapping[str, Any]) -> str:
    low, high = row["interval_95"]
    told = "1 interruption" if row["realised"] == 1 else f"{row['realised']} interruptions"
    return (
        f"promise      {name}: {told} on benign files, {row['promised']:.2g} promised: "
        f"{ratio_text(row['realised_over_promised'])} times (95 %: {ratio_text(low)} – {ratio_text(high)})"
    )


def _weeks(benign: Iterable[Judged]) -> float:
    return sum(j.outcome.watched_s for j in benign) / WEEK_S


def _strongest(name: str, lines: list[Judged], classes: Collection[str]) -> float | None:
    scores = (j.outcome.scored.get(name, _SILENT)[1] for j in lines if j.labelled.class_ in classes)
    return max((score for score in scores if math.isfinite(score)), default=None)


def _ns(name: str, lines: list[Judged]) -> float | None:
    """Nanoseconds a row of any table, without the file that took it longest: what is loaded once is in it."""
    taken = sorted((j.outcome.spent_s.get(name, 0.0), j.outcome.rows) for j in lines)
    if len(taken) > _FEW:
        taken.pop()
    rows = sum(count for _, count in taken)
    return sum(seconds for seconds, _ in taken) / rows * 1e9 if rows else None


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
