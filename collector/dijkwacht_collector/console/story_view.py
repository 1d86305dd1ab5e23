"""Stories as a page shows them: a card each, and one time line of all that is in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dijkwacht_collector.console import words
from dijkwacht_collector.console.view import Card, Moment, Reader
from dijkwacht_collector.incidents import ALERT_SEVERITY, Call, Incident, Part, Story
from dijkwacht_collector.policy import FUSION

_NARROWEST: Final = 1.2
"""Percent of the line: a finding of one moment can still be seen."""


@dataclass(frozen=True, slots=True)
class StoryCard:
    """One story as text, named by its gravest finding.

    ``path`` is its page's. ``more``: its other findings; ``kinds`` the classes of all. ``machine`` is
    empty where several machines are one story. ``together`` says so if no call was for a finding alone.
    ``answered`` and ``answered_by``: of the last answer to it or a finding of it; ``partly``: one of these has
    an answer of its own.
    """

    uid: str
    path: str
    site: str
    machine: str
    severity: str
    style: str
    title: str
    kinds: list[str]
    more: int
    calls: int
    together: str
    since: Moment
    last: Moment
    status: str
    is_open: bool
    answer: words.Given
    answered: Moment | None
    answered_by: str
    partly: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """One finding on the time line: ``begin``, ``width`` and ``calls`` are percent of its length."""

    uid: str
    kind: str
    title: str
    severity: str
    style: str
    begin: float
    width: float
    calls: list[float]
    since: Moment
    last: Moment


@dataclass(frozen=True, slots=True)
class CallRow:
    """One interruption in words: ``why`` says what it was for; ``together`` that it was not for that alone."""

    when: Moment
    why: str
    together: str


@dataclass(frozen=True, slots=True)
class TimeLine:
    """A story's findings by event time; ``more`` are not among the bars."""

    bars: list[Bar]
    calls: list[CallRow]
    begin: Moment
    end: Moment
    more: int


class StoryReader:
    """Turns stories into text for ``reader``."""

    def __init__(self, reader: Reader) -> None:
        self._reader: Final = reader

    def card(self, story: Story, folder: str = "stories") -> StoryCard:
        """One story; its page is in ``folder``."""
        say, moment = self._reader.say, self._reader.moment
        severity = severity_of(story.severity_id)
        return StoryCard(
            uid=story.uid,
            path=f"/{folder}/{story.uid}",
            site=story.site,
            machine=self._reader.told(story.machine),
            severity=say(words.SEVERITY[severity]),
            style=words.SEVERITY_STYLE[severity],
            title=self._reader.title(story.gravest),
            kinds=list(dict.fromkeys(map(self._reader.kind, story.kinds))),
            more=len(story.parts) - 1 + story.more,
            calls=len(story.calls),
            together=say(words.TOGETHER) if only_together(story.calls) else "",
            since=moment(story.start),
            last=moment(story.end),
            status=say(words.STATUS[story.status]),
            is_open=story.status == "new",
            answer=words.GIVEN[story.status],
            answered=moment(story.answered) if story.answered else None,
            answered_by=story.answered_by,
            partly=any(words.GIVEN[part.status] for part in story.parts),
        )

    def time_line(self, story: Story) -> TimeLine:
        """Its findings in the order in which they joined, each as long as it lasted."""
        # A part may have gone on after the story was last told.
        begin = min((part.start for part in story.parts), default=story.start)
        end = max((part.end for part in story.parts), default=story.end)
        begin, end = min(begin, story.start), max(end, story.end)
        scale = _Scale(begin, max(end - begin, 1))
        return TimeLine(
            bars=[self._bar(part, story.calls, scale) for part in story.parts],
            calls=[self._call(call, story) for call in story.calls],
            begin=self._reader.moment(begin),
            end=self._reader.moment(end),
            more=story.more,
        )

    def findings(self, kept: Sequence[Incident]) -> list[Card]:
        """A story's findings that are ``kept``, gravest first."""
        ranked = sorted(kept, key=lambda i: (-i.severity_id, i.rarity, i.start, i.uid))
        return [self._reader.card(incident, detailed=False) for incident in ranked]

    def _bar(self, part: Part, calls: Sequence[Call], scale: _Scale) -> Bar:
        severity = severity_of(part.severity_id)
        begin = min(scale.at(part.start), 100 - _NARROWEST)
        return Bar(
            uid=part.uid,
            kind=self._reader.kind(part.kind),
            title=self._reader.title(part),
            severity=self._reader.say(words.SEVERITY[severity]),
            style=words.SEVERITY_STYLE[severity],
            begin=round(begin, 2),
            width=round(max(scale.at(part.end) - begin, _NARROWEST), 2),
            calls=[round(scale.at(call.time), 2) for call in calls if call.finding == part.uid],
            since=self._reader.moment(part.start),
            last=self._reader.moment(part.end),
        )

    def _call(self, call: Call, story: Story) -> CallRow:
        found = next((part for part in story.parts if part.uid == call.finding), None)
        why = self._reader.title(found) if found else self._reader.kind(call.kind)
        together = ""
        if call.detector == FUSION:
            only = only_together(story.calls)
            together = self._reader.say(words.TOGETHER if only else words.TOGETHER_TOO)
        return CallRow(self._reader.moment(call.time), why, together)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where on a line of ``length`` µs from ``begin`` on a time is."""

    begin: int
    length: int

    def at(self, time: int) -> float:
        """In percent of the line."""
        return min(max((time - self.begin) * 100 / self.length, 0.0), 100.0)


def only_together(calls: Sequence[Call]) -> bool:
    """Whether it called, and never for one finding alone."""
    return bool(calls) and all(call.detector == FUSION for call in calls)


def goes_on(story: Story, findings: Sequence[Incident]) -> str:
    """The story that took over all ``findings`` that are kept of this one; empty if it has one itself."""
    others = [finding.story for finding in findings]
    return "" if not others or story.uid in others else others[-1]


def alone(incident: Incident) -> Story:
    """An incident of before there were stories, as a story of its own under its own name."""
    called = incident.severity_id >= ALERT_SEVERITY
    call = Call(incident.start, incident.detector, incident.kind, incident.uid)
    return Story(
        incident.uid, incident.site, incident.machine or incident.subject, incident.start, incident.end,
        (Part.of(incident),), incident.severity_id, (call,) if called else (),
        status=incident.status, revision=incident.revision,
    )  # fmt: skip


def severity_of(severity_id: int) -> int:
    """The nearest that has a word."""
    return min(max(severity_id, min(words.SEVERITY)), max(words.SEVERITY))
