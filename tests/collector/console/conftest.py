"""A console over facts held in memory."""

import dataclasses
from dataclasses import replace
from types import SimpleNamespace

import pytest
from aiohttp import web
from msgspec import structs

from dijkwacht_collector.console import Feed, SiteView, add_console
from dijkwacht_collector.console.data import Promise
from dijkwacht_collector.incidents import (
    ANSWERED,
    Call,
    Evidence,
    Incident,
    IncidentEvent,
    Part,
    Story,
    StoryEvent,
    exempted_if_normal,
    try_normal,
)
from dijkwacht_collector.metrics import AgentHealth
from dijkwacht_records.addresses import pack_address

NOW_US = 1_790_000_000_000_000
MINUTE = 60_000_000


def an_incident(uid="a1", **changes):
    fields = {
        "uid": uid,
        "site": "bakery",
        "kind": "scan",
        "detector": "scan",
        "technique": "T1046",
        "subject": "10.0.0.7",
        "ordinal": 0,
        "severity_id": 4,
        "confidence": 92,
        "rarity": 0.004,
        "start": NOW_US - 9 * MINUTE,
        "end": NOW_US - 2 * MINUTE,
        "count": 3,
        "title_en": "10.0.0.7 tries the doors of 10.0.0.2",
        "title_nl": "10.0.0.7 voelt aan de deuren van 10.0.0.2",
        "desc_en": "It knocked on 998 different ports in four seconds, and nearly all were closed.",
        "desc_nl": "Het klopte in vier seconden op 998 poorten, en bijna alle waren dicht.",
        "evidences": (
            Evidence(
                time=NOW_US - 3 * MINUTE,
                score=7.25,
                src_h=pack_address("10.0.0.7"),
                src_mac=0x001B21000007,
                dst_h=pack_address("10.0.0.2"),
                dst_p=443,
                facts={"ports": 998.0, "refused_ratio": 0.991},
            ),
        ),
    }
    return Incident(**(fields | changes))


def an_event(incident=None, activity="create", position=1):
    return IncidentEvent(activity, incident or an_incident(), position)


def a_story(*findings, uid="s1", called=(), by="", **changes):
    """A story of ``findings``; it called for those whose uid is in ``called``, ``by`` a detector of its own."""
    findings = findings or (an_incident(story=uid),)
    calls = [
        Call(one.start, by or one.detector, one.kind, one.uid)
        for one in findings
        if one.uid in called
    ]
    fields = {
        "uid": uid,
        "site": findings[0].site,
        "machine": "10.0.0.7",
        "start": min(one.start for one in findings),
        "end": max(one.end for one in findings),
        "parts": tuple(map(Part.of, findings)),
        "severity_id": max(one.severity_id for one in findings),
        "calls": tuple(calls),
    }
    return Story(**(fields | changes))


def a_story_event(story=None, activity="create", position=1):
    return StoryEvent(activity, story or a_story(called={"a1"}), position)


class Facts:
    """`ConsoleData` in memory."""

    def __init__(self):
        self.incidents = {}
        self.stories = {}
        self.promises = {}
        self.exempted = {}
        self.known_sites = []
        self.health = []
        self.answers = []
        self.in_trouble = ""
        self.slow = False
        self.until = 0

    def hold(self, *incidents):
        self.incidents.update({incident.uid: incident for incident in incidents})

    def tell(self, *stories):
        self.stories.update({story.uid: story for story in stories})

    def lone_incidents(self):
        return [i for i in self.incidents.values() if i.status == "new" and not i.story]

    def open_stories(self):
        return [s for s in self.stories.values() if s.status == "new"]

    def story(self, uid):
        return self.stories.get(uid)

    def findings(self, story):
        return [self.incidents[p.uid] for p in story.parts if p.uid in self.incidents]

    def tried(self, uid):
        held = list(self.incidents.values())
        meant = [i for i in held if uid in {i.uid, i.story}]
        if not meant:
            return None
        return try_normal(
            exempted_if_normal(meant, NOW_US), held, self.stories.values(), (0, NOW_US)
        )

    def normal(self, site):
        if site not in self.exempted:
            raise KeyError(site)
        return self.exempted[site]

    def take_back(self, site, id_, by):
        self.answers.append((id_, "undone", by))
        self.exempted[site] = [replace(one, ending=one.row.id == id_) for one in self.normal(site)]

    def incident(self, uid):
        return self.incidents.get(uid)

    def unreported_until(self, incident):
        assert incident in self.incidents.values()
        return self.until

    def sites(self):
        return self.known_sites

    def promise(self, site):
        return self.promises.get(site, Promise())

    def agents(self):
        return self.health

    def trouble(self):
        return self.in_trouble

    async def answer(self, uid, verdict, by):
        known = self.incidents.get(uid) or self.stories[uid]
        self.answers.append((uid, verdict, by))
        if not self.slow:
            self.obey()
        return known.revision

    def obey(self):
        """What an engine does when it reads the last answer."""
        uid, verdict, by = self.answers[-1]
        for kept in (self.incidents, self.stories):
            if known := kept.get(uid):
                kept[uid] = structs.replace(
                    known, status=ANSWERED[verdict], revision=known.revision + 1, answered_by=by,
                    answered=NOW_US - 3 * MINUTE,
                )  # fmt: skip


def an_agent(agent="till", **changes):
    health = AgentHealth(
        "bakery", agent, NOW_US - 5_000_000, packets_seen=48_211_904, spool_bytes=0
    )
    return dataclasses.replace(health, **changes)


@pytest.fixture
def make():
    """The makers of this file, for tests: importlib mode has no cross imports."""
    return SimpleNamespace(
        incident=an_incident, event=an_event, agent=an_agent, now_us=NOW_US, minute=MINUTE,
        story=a_story, story_event=a_story_event,
    )  # fmt: skip


@pytest.fixture
def facts():
    facts = Facts()
    facts.known_sites = [SiteView("bakery"), SiteView("clinic")]
    facts.health = [an_agent(), an_agent("desk", site="clinic")]
    return facts


@pytest.fixture
def feed():
    return Feed("run")


@pytest.fixture
def app(facts, feed):
    app = web.Application()
    add_console(app, facts, feed, clock=lambda: NOW_US / 1e6)
    return app


@pytest.fixture
async def client(app, aiohttp_client):
    return await aiohttp_client(app)
