"""One site through its findings, answers, restarts and upgrades."""

from __future__ import annotations

import msgspec
import pytest

from dijkwacht_collector.incidents import (
    Door,
    Event,
    EventTime,
    Evidence,
    Finding,
    Incident,
    IncidentEvent,
    OpenIncidents,
    SiteIncidents,
    StepOrder,
    Story,
    StorySeen,
    fill,
    recall,
)
from dijkwacht_collector.incidents.ended import OWN_STEPS
from dijkwacht_collector.journal import Answer, Entry, Verdict
from dijkwacht_detectors.api import Explanation
from dijkwacht_records.addresses import pack_address

WORDS = Explanation("{src} does it", "{src} doet het", "what now", "wat nu")
SITE = "bakery"


class Site:
    """Everything happens in a step of its own; ``told`` is all that came of it, the other two how that stands."""

    def __init__(self) -> None:
        self.incidents = OpenIncidents()
        self.told: list[Event] = []
        self.last: dict[str, Incident] = {}
        self.stories: dict[str, Story] = {}
        self.position = 0

    def meets(
        self, machine: str, time: int, *, rarity: float = 0.2, kind: str = "scan", subject: str = "",
        by: str = "", door: Door = "", agent: str = "till",
    ) -> Incident | None:  # fmt: skip
        """The incident of ``machine``, or of ``subject`` at it, after a finding of the detector ``kind``.

        None if there is no room for it.
        """
        self.position += 1
        evidence = Evidence(
            time, 1.0, pack_address("10.0.0.99"), 0, pack_address("10.0.0.98"), 22, detector=kind
        )
        finding = Finding(
            StepOrder(0, 2, 0, 0), self.position, SITE, agent, kind, kind, "T1046",
            subject or machine, machine, rarity, 1.0, evidence, by, door,
        )  # fmt: skip
        self.hear(self.incidents.apply([finding], [], fill_in))
        return self.incidents.open.get((SITE, kind, subject or machine))

    def passes(self, time: int, agent: str = "till") -> list[Event]:
        """Event time reaches ``time``."""
        moved = EventTime(StepOrder(0, 0, 0, time), self.position, SITE, agent, time)
        return self.hear(self.incidents.apply([], [moved], fill_in))

    def answer(
        self, verdict: Answer, uid: str, arrival: int = 1, *, seen: bool = True
    ) -> list[Event]:
        """A person answers an incident or a story; ``seen``: their step as it stands comes with it."""
        self.position += 1
        about: Incident | StorySeen
        if uid in self.stories:
            of_it = tuple(i for i in self.last.values() if i.story == uid)
            about = StorySeen(self.stories[uid], of_it)
        else:
            about = self.last[uid]
        word = Verdict(uid, verdict, "Jan", msgspec.msgpack.encode(about) if seen else b"")
        entry = Entry(self.position, "verdict", 0, arrival, SITE, b"")
        return self.hear(self.incidents.answer(entry, word, fill_in))

    def move(self) -> None:
        """Go on elsewhere, from what a checkpoint holds."""
        saved = msgspec.msgpack.encode(self.incidents.take(SITE))
        self.incidents = OpenIncidents()
        self.incidents.put(SITE, msgspec.msgpack.decode(saved, type=SiteIncidents))

    def upgrade(self, kept: SiteIncidents | None = None) -> None:
        """Go on with another release, from what the store says, and a checkpoint, if there is one."""
        last: dict[str, Event] = {event.uid: event for event in self.told}
        kept = kept if kept is not None else OpenIncidents().take(SITE)
        self.incidents = OpenIncidents()
        self.incidents.put(SITE, recall(SITE, kept, list(last.values())))

    def hear(self, events: list[Event]) -> list[Event]:
        """Note what was told, and that no step is missing."""
        for event in events:
            if isinstance(event, IncidentEvent):
                known: Incident | Story | None = self.last.get(event.uid)
                self.last[event.uid] = event.incident
            else:
                known = self.stories.get(event.uid)
                self.stories[event.uid] = event.story
            late = event.revision >= OWN_STEPS  # an answer to what is not remembered
            assert late or event.revision == (known.revision + 1 if known is not None else 0)
            assert (event.activity == "create") == (known is None)
        self.told += events
        return events

    def story_of(self, machine: str) -> Story:
        """The last one of a machine, as it was told."""
        return [story for story in self.stories.values() if story.machine == machine][-1]

    @property
    def calls(self) -> list[tuple[str, str, int]]:
        """Machine, detector and time of all interruptions, in their order."""
        seen: dict[tuple[str, int], tuple[str, str, int]] = {}
        for event in self.told:
            if not isinstance(event, IncidentEvent):
                for n, call in enumerate(event.story.calls):
                    what = event.story.machine, call.detector, call.time
                    seen.setdefault((event.uid, n), what)
        return list(seen.values())


def fill_in(_detector: str, evidence: Evidence, subject: str) -> Explanation:
    return fill(WORDS, evidence, subject)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture(scope="session")
def make_site() -> type[Site]:
    return Site
