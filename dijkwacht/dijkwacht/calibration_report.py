"""What a calibration of one's own detector says of itself: as text, and as a page with a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from typing import Any, Final

from dijkwacht.benign import Listened, Moment
from dijkwacht.progress import clock_text
from dijkwacht_collector.policy import OWN_SHARE, Calibration
from dijkwacht_collector.policy.spending import HIGH_FACTOR
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.reading import reads_of
from dijkwacht_lab.calibrate import line_of
from dijkwacht_lab.reached import LEFT_OUT, WEEK_HOURS, Seen
from dijkwacht_lab.tail_plot import STYLE, tail_plot

MOST_SHOWN: Final = 10
_PART: Final = Fraction(OWN_SHARE).limit_denominator(999)
_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title>
<style>
:root{{color-scheme:light dark;--ink:#1d2733;--back:#fff;--faint:#dde3ea;--counted:#1f6fb2;--fitted:#8a5a00;--line:#b3261e}}
@media(prefers-color-scheme:dark){{:root{{--ink:#e6ebf0;--back:#14191f;--faint:#36404b;--counted:#6db3f2;--fitted:#e0b050;--line:#ff8a80}}}}
body{{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);max-width:60rem;margin:0 auto;padding:1rem}}
.wide{{overflow-x:auto}} table{{border-collapse:collapse}}
th,td{{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--faint);vertical-align:top}}
td:nth-child(2){{white-space:nowrap}}
td:first-child,th:first-child{{text-align:right}} li{{overflow-wrap:anywhere}}
i{{display:inline-block;width:1.5rem;margin-right:.4rem;vertical-align:middle;border-top:3px solid}}
{style}
</style>
<h1>{title}</h1>
{plot}
<p><i style="color:var(--counted)"></i>counted <i style="color:var(--fitted);border-top-style:dashed"></i>the table
<i style="color:var(--line)"></i>the line: {share} hours a week</p>
<ul>
{lines}
</ul>
<h2>The strongest hours</h2>
<div class="wide"><table><tr><th>score<th>when (UTC)<th>hours<th>who<th>in</tr>
{hours}
</table></div>
</html>
"""


@dataclass(frozen=True)
class Calibrated:
    """One detector's new table, what it was fitted to, and all that was heard; ``before``: its line until now."""

    detector: AnyDetector
    table: Calibration
    seen: Seen
    heard: Sequence[Listened]
    before: float | None = None

    @property
    def line(self) -> float:
        """The score from which it interrupts a site that is new."""
        return line_of(self.table, OWN_SHARE)

    def hours_over(self) -> int:
        """Hours of those counted that reached the line."""
        return int((self.seen.spans[:, 1] >= self.line).sum())

    def strongest(self) -> list[tuple[Moment, int]]:
        """The strongest hour of each machine of each source, and in how many hours it was the strongest there."""
        name, best, many = self.detector.name, dict[tuple[str, str], Moment](), Counter[Any]()
        for one in self.heard:
            for moment in one.said[name].hours.values():
                key = moment.source, moment.machine
                many[key] += 1
                if key not in best or moment.score > best[key].score:
                    best[key] = moment
        chosen = sorted(best, key=lambda k: (-best[k].score, best[k].time, k))[:MOST_SHOWN]
        return [(best[key], many[key]) for key in chosen]

    def facts(self) -> dict[str, Any]:
        """The same as plain data, for ``--json``."""
        rows, scored, positive = self._counts()
        return {
            "detector": self.detector.name,
            "line": self.line,
            "line_high": line_of(self.table, OWN_SHARE / HIGH_FACTOR),
            "share": OWN_SHARE,
            "site_weeks": self.seen.weeks,
            "hours_over_the_line": self.hours_over(),
            "rows": rows,
            "rows_scored": scored,
            "rows_above_0": positive,
            "sources": [
                {
                    "name": one.source.name,
                    "hours": one.hours.hours,
                    "generated": one.hours.generated,
                }
                for one in self.heard
                if one.readable
            ],
            "strongest": [
                {"score": m.score, "time": m.time, "who": m.who, "source": m.source, "hours": many}
                for m, many in self.strongest()
            ],
        }

    def lines(self) -> list[str]:
        """What it was learned from and what that gave, a sentence a line."""
        rows, scored, positive = self._counts()
        made = [one for one in self.heard if one.hours.generated]
        read = [one for one in self.heard if one.readable and not one.hours.generated]
        hours = sum(one.hours.hours for one in self.heard)
        high = line_of(self.table, OWN_SHARE / HIGH_FACTOR)
        of = f"{_many(len(read), 'recording')} and {_many(len(made), 'generated office')}"
        told = [
            f"learned from {of}, {hours:,} hours with rows: {hours / WEEK_HOURS:.2g} site-weeks"
        ]
        if left_out := len(made) // LEFT_OUT:
            told.append(
                f"{_many(left_out, 'office')} of these, where it spoke strongest, not counted: "
                "a site learns its own habits in two hours"
            )
        tables = ", ".join(reads_of(self.detector))
        told.append(f"{scored:,} of {rows:,} rows of {tables} got a score, {positive:,} above 0")
        if self._warning():
            told.append(f"careful: {self._warning()}")
        was = "" if self.before is None else f"; it was {self.before:.2f}"
        told.append(
            f"the line is {self.line:.2f}{was}: so strange is an hour in {1 / OWN_SHARE:.0f} site-weeks, its "
            f"{_PART} of a budget of one interruption a week; severity is high from {high:.2f}"
        )
        over = self.hours_over()
        told.append(
            f"{_many(over, 'hour')} of what it learned from {'is' if over == 1 else 'are'} at the line or above"
        )
        if self.seen.weeks < 1 / OWN_SHARE:
            told.append(
                f"{self.seen.weeks:.2g} site-weeks that count are fewer than {1 / OWN_SHARE:.0f}: beyond the strongest "
                "hours the line stands on a tail that is drawn on; more benign traffic makes it firmer"
            )
        return told

    def text(self) -> str:
        """For a terminal."""
        name = self.detector.name
        lines = [f"{name}: {line}\n" for line in self.lines()]
        if strongest := self.strongest():
            lines.append(f"{'score':>10}  {'when':<19}  {'hours':>5}  {'who':<40}  in\n")
        lines += [
            f"{m.score:>10.4g}  {clock_text(m.time):<19}  {many:>5}  {m.who:<40}  {m.source}\n"
            for m, many in strongest
        ]
        return "".join(lines)

    def page(self) -> str:
        """For a browser: one file that loads nothing."""
        return _PAGE.format(
            title=escape(f"{self.detector.name}: how rare its scores are"),
            style=STYLE,
            plot=tail_plot(self.table, self.seen, self.line, OWN_SHARE),
            share=_PART,
            lines="\n".join(f"<li>{escape(line)}" for line in self.lines()),
            hours="\n".join(
                f"<tr><td>{m.score:.4g}<td>{clock_text(m.time)}<td>{many}<td>{escape(m.who)}"
                f"<td>{escape(m.source)}</tr>"
                for m, many in self.strongest()
            ),
        )

    def _counts(self) -> tuple[int, int, int]:
        said = [one.said[self.detector.name] for one in self.heard]
        return (
            sum(s.rows for s in said),
            sum(s.scored for s in said),
            sum(s.positive for s in said),
        )

    def _warning(self) -> str:
        rows, scored, positive = self._counts()
        anchor, per_week = self.detector.expected
        imagined = f"the line is what is imagined alone ({per_week:g} hours a week from {anchor:g})"
        if not rows:
            return f"no row of its tables was there; {imagined}"
        if not scored:
            return f"no row got a score; dijkwacht try says why; {imagined}"
        if not positive:
            return f"a score of 0 or below says that a row is ordinary, and all were; {imagined}"
        return ""


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
