"""What a person's answer makes of an incident or a story."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from dijkwacht_collector.incidents.incident import Incident, Status
from dijkwacht_collector.incidents.story import Part, Story
from dijkwacht_collector.journal import Answer, Entry, Verdict, person

ANSWERED: Final[dict[Answer, Status]] = {
    "normal": "normal",
    "attack": "confirmed",
    "undone": "closed",
}
"""The status that an answer gives."""


class Said(NamedTuple):
    """A person's answer: the status that it gives, by whom, and when it came in, µs UTC, at which position.

    ``story``: the uid of the story that was answered, "" if a single incident was.
    """

    answer: Answer
    status: Status
    by: str
    arrival: int
    position: int
    story: str = ""

    @classmethod
    def of(cls, entry: Entry, verdict: Verdict) -> Said:
        """What ``entry`` brings."""
        status = ANSWERED[verdict.verdict]
        return cls(verdict.verdict, status, person(verdict.by), entry.arrival, entry.position)


class StorySeen(NamedTuple):
    """A story and its findings, as a person saw them who answers it."""

    story: Story
    findings: tuple[Incident, ...] = ()


def seen_by(verdict: Verdict) -> Incident | StorySeen | None:
    """What a person saw who said so; None if that was not written. Raises ``ValueError``."""
    if not verdict.about:
        return None
    return msgspec.msgpack.decode(verdict.about, type=Incident | StorySeen)


def changes(answer: Answer, told: Incident | Story) -> bool:
    """Whether ``answer`` says anything new; only what was answered can be taken back."""
    if answer == "undone":
        return told.status in {"normal", "confirmed"}
    return told.status != ANSWERED[answer]


def status_by(parts: Iterable[Part], more: int) -> Status | None:
    """What the answers to its findings make of a story: an attack if one was, normal if all of them are."""
    answers = {part.status for part in parts}
    if "confirmed" in answers:
        return "confirmed"
    return "normal" if answers == {"normal"} and not more else None
