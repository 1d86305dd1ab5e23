"""Stories: what one machine did, and what was done to it, as one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from dijkwacht_collector.incidents.incident import Activity, Incident, IncidentEvent, Status

MOST_PARTS: Final = 32
"""Findings that a story names; it says how many there are besides."""


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One finding of a story, as it stood when it was last told. Times are event time, µs UTC."""

    uid: str
    kind: str
    detector: str
    technique: str
    title_en: str
    title_nl: str
    severity_id: int
    rarity: float
    start: int
    end: int
    count: int = 1
    status: Status = "new"

    @classmethod
    def of(cls, incident: Incident) -> Part:
        """As ``incident`` stands."""
        return cls(
            incident.uid, incident.kind, incident.detector, incident.technique,
            incident.title_en, incident.title_nl, incident.severity_id, incident.rarity,
            incident.start, incident.end, incident.count, incident.status,
        )  # fmt: skip


class Call(msgspec.Struct, frozen=True, array_like=True):
    """A story interrupted somebody at ``time``, µs UTC of event time.

    ``detector`` made it, which pays for it: ``fusion`` if several parts did together. ``finding`` is
    the uid of the one it was for, ``kind`` its class. ``knock``: that was what strangers tried at it.
    """

    time: int
    detector: str
    kind: str
    finding: str
    knock: bool = False


class Story(msgspec.Struct, frozen=True):
    """The findings of one machine, until a day passes without any, as they stand.

    ``machine``: its inside address, hardware address or agent's name; "" where several machines are one
    story. ``start`` and ``end``: first and last evidence, µs UTC of event time. ``parts``: the findings, in
    the order in which they joined, ``MOST_PARTS`` at most; ``more`` is how many there are besides.
    ``calls``: when it interrupted, two at most; none if it is context. ``severity_id``: the highest of its
    findings. ``answered`` and ``answered_by`` as in `Incident`.
    """

    uid: str
    site: str
    machine: str
    start: int
    end: int
    parts: tuple[Part, ...]
    severity_id: int
    calls: tuple[Call, ...] = ()
    more: int = 0
    status: Status = "new"
    revision: int = 0
    answered_by: str = ""
    answered: int = 0

    @property
    def interrupted(self) -> bool:
        """Whether it asked a person to look."""
        return bool(self.calls)

    @property
    def gravest(self) -> Part:
        """The finding that says most: of the highest severity the one that chance explains least."""
        return min(self.parts, key=lambda part: (-part.severity_id, part.rarity, part.start))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The classes of its findings, in the order in which they joined."""
        return tuple(dict.fromkeys(part.kind for part in self.parts))

    def with_findings(self, findings: Iterable[Incident]) -> Story:
        """It with these of its findings as they stand: a story is not told again at each of their steps."""
        known = {incident.uid: Part.of(incident) for incident in findings}
        parts = tuple(known.get(part.uid, part) for part in self.parts)
        end = max((part.end for part in parts), default=self.end)
        return msgspec.structs.replace(self, parts=parts, end=max(self.end, end))


class StoryEvent(msgspec.Struct, frozen=True):
    """A step in a story's life, at journal ``position``; (uid, revision) never repeats."""

    activity: Activity
    story: Story
    position: int

    @property
    def site(self) -> str:
        """Whose it is."""
        return self.story.site

    @property
    def uid(self) -> str:
        """That of the story."""
        return self.story.uid

    @property
    def revision(self) -> int:
        """That of the story after this step."""
        return self.story.revision

    @property
    def told(self) -> Story:
        """What it is about, as that stands now."""
        return self.story

    @property
    def kinds(self) -> tuple[str, ...]:
        """The classes of its findings."""
        return self.story.kinds


Event = IncidentEvent | StoryEvent
"""What an engine says; a finding's step comes before that of its story."""


def story_uid(site: str, machine: str, first_finding: str) -> str:
    """Name a story by its machine and the finding that it begins with."""
    text = f"{site}\n{machine}\n{first_finding}"
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
