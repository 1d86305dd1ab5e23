"""What is called normal, and what that would have kept silent, as a page shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dijkwacht_collector.console.data import Normal
from dijkwacht_collector.console.view import Moment, Reader
from dijkwacht_collector.incidents import Exempted, Part, Trial

MOST_LINKS: Final = 5
"""Findings that an answer's form names of those that it would have kept silent."""


@dataclass(frozen=True, slots=True)
class TriedRow:
    """A finding that would not have been reported; ``called``: somebody was called for it."""

    uid: str
    title: str
    when: Moment
    called: bool


@dataclass(frozen=True, slots=True)
class TrialCard:
    """What an answer would exempt, a line each, and what else that would have kept silent lately.

    ``rows`` are the first of ``count`` findings besides what is answered, those that ``called`` first;
    ``partly``: others that would have been reported with less in them.
    """

    exempting: list[str]
    count: int
    called: int
    partly: int
    rows: list[TriedRow]


@dataclass(frozen=True, slots=True)
class NormalRow:
    """A line of the list of what a site calls normal; ``path`` is that of the answer's page, or empty."""

    id: str
    what: str
    until: str
    since: Moment
    by: str
    hidden: str
    path: str
    ending: bool


class NormalReader:
    """Turns exemptions into text for ``reader``."""

    def __init__(self, reader: Reader) -> None:
        self._reader: Final = reader

    def trial(self, trial: Trial | None, own: Iterable[str]) -> TrialCard | None:
        """``own``: the uids of the findings that are answered."""
        if trial is None:
            return None
        answered = set(own)
        others = [one for one in trial.silent if one.uid not in answered]
        named = sorted(others, key=lambda one: one.uid not in trial.called)[:MOST_LINKS]
        return TrialCard(
            exempting=[self._what(row) for row in trial.exempted],
            count=len(others),
            called=sum(one.uid in trial.called for one in others),
            partly=sum(one.uid not in answered for one in trial.partly),
            rows=[
                TriedRow(
                    one.uid,
                    self._reader.title(Part.of(one)),
                    self._reader.moment(one.end),
                    one.uid in trial.called,
                )
                for one in named
            ],
        )

    def rows(self, said: Sequence[Normal]) -> list[NormalRow]:
        """What a site calls normal."""
        return [
            NormalRow(
                id=one.row.id,
                what=self._what(one.row),
                until=self._reader.moment(one.row.until).clock[:10],
                since=self._reader.moment(one.row.since),
                by=one.row.by,
                hidden=self._reader.figures.few(one.row.hidden),
                path=one.path,
                ending=one.ending,
            )
            for one in said
        ]

    def _what(self, row: Exempted) -> str:
        """Class, machine and peer."""
        told = self._reader.kind(row.kind), row.machine or row.subject, row.peer
        return self._reader.told(" · ".join(filter(None, told)))
