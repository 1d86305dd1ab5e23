"""Incidents, and the events in their life."""

from __future__ import annotations

import hashlib
from typing import Final, Literal, NamedTuple

import msgspec

ALERT_SEVERITY: Final = 3
"""From this ``severity_id`` on a person is asked to look; what is below is context."""
CONTEXT_SEVERITY: Final = 2
ABSENT_US: Final = 30 * 24 * 3_600_000_000
"""What is open is closed by the event time of an agent that did not contribute only after so long a silence."""

Activity = Literal["create", "update", "close"]
Status = Literal["new", "closed", "normal", "confirmed"]
"""``new`` is open, ``closed`` fell quiet; the owner or an operator answered that it is ``normal``,
or ``confirmed`` that it was an attack."""


class Ends(NamedTuple):
    """A machine, and its ``peer``: the address at the other end, "" if there is none or it is one of many."""

    machine: str
    peer: str = ""


class Evidence(msgspec.Struct, frozen=True, array_like=True):
    """One observation that supports an incident: who, against whom, when, how strange.

    Addresses are 16 bytes as on the wire; ``facts`` are the detector's named numbers, and
    ``score`` is on that detector's own scale.
    """

    time: int
    score: float
    src_h: bytes
    src_mac: int
    dst_h: bytes
    dst_p: int
    facts: dict[str, float] = {}
    name: str = ""
    detector: str = ""


class Incident(msgspec.Struct, frozen=True):
    """One incident as it stands; a later event carries the whole of it again.

    ``kind`` is the class (``finding_info.types[0]`` of OCSF). Times are µs UTC of events, never
    of clocks. ``rarity`` is how often a site like this one would see the like by chance, in
    incidents a week. ``evidences``: at most five, strongest first. ``agents``: the last of those whose
    rows are in it, whose clocks say when it is quiet; none in one kept before they were named.
    ``answered``: when a person's last word on it came in, µs UTC of the collector's clock, 0 if none did;
    ``answered_by`` whose that is. An answer that was taken back is such a word, too. ``machine``: the inside
    end of its first evidence, "" in one kept before it was named. ``story``: the uid of the story that it
    is part of, "" in one kept before there were any; ``interrupted``: whether that has interrupted somebody.
    ``ends``: between whom it was, `MOST_ENDS` at most; none if they were more, in one kept before they were
    named, and of knocks at a door. ``standing``: about a door that stays open: it is not over after an hour, but when its story would be.
    ``together``: the detectors that found something rare on its machine which only all of it made worth telling.
    """

    uid: str
    site: str
    kind: str
    detector: str
    technique: str
    subject: str
    ordinal: int
    severity_id: int
    confidence: int
    rarity: float
    start: int
    end: int
    count: int
    title_en: str
    title_nl: str
    desc_en: str
    desc_nl: str
    evidences: tuple[Evidence, ...]
    status: Status = "new"
    revision: int = 0
    agents: tuple[str, ...] = ()
    answered_by: str = ""
    answered: int = 0
    machine: str = ""
    story: str = ""
    interrupted: bool = False
    standing: bool = False
    together: tuple[str, ...] = ()
    ends: tuple[Ends, ...] = ()


class IncidentEvent(msgspec.Struct, frozen=True):
    """A step in an incident's life, at journal ``position``; (uid, revision) never repeats."""

    activity: Activity
    incident: Incident
    position: int

    @property
    def site(self) -> str:
        """Whose it is."""
        return self.incident.site

    @property
    def uid(self) -> str:
        """That of the incident."""
        return self.incident.uid

    @property
    def revision(self) -> int:
        """That of the incident after this step."""
        return self.incident.revision

    @property
    def told(self) -> Incident:
        """What it is about, as that stands now."""
        return self.incident

    @property
    def kinds(self) -> tuple[str, ...]:
        """Its class, as a story has several."""
        return (self.incident.kind,)


def incident_uid(site: str, kind: str, subject: str, first_event: int, ordinal: int) -> str:
    """Name an incident by what it is, so that the same journal always gives the same names."""
    text = f"{site}\n{kind}\n{subject}\n{first_event}\n{ordinal}"
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
