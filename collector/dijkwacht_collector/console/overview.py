"""The facts behind the console's pages, and an operator's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from dijkwacht_collector.console.data import Fault, Normal, Promise, SiteView
from dijkwacht_collector.incidents import Incident, Story, StorySeen, Trial, changes
from dijkwacht_collector.journal import Answer, Log, Verdict, partition_of
from dijkwacht_collector.metrics import AgentHealth, Telemetry
from dijkwacht_collector.policy import WEEK_US
from dijkwacht_collector.sinks import IncidentStore
from dijkwacht_collector.sites import GONE, ChosenBudget, Sites, TakenBack

_MOST_SHOWN: Final = 1000
_LOOKS: Final = 20
_LOOK_S: Final = 0.05
"""So often, so far apart, is looked whether an answer shows; then the page says that it is being noted."""


class Overview:
    """As `ConsoleData`. ``clock`` gives µs UTC."""

    def __init__(
        self,
        store: IncidentStore,
        sites: Sites,
        telemetry: Telemetry,
        log: Log,
        clock: Callable[[], int],
        trouble: Callable[[], Fault],
    ) -> None:
        self._store, self._sites, self._telemetry = store, sites, telemetry
        self._log, self._clock, self._trouble = log, clock, trouble

    def open_stories(self) -> Sequence[Story]:
        """As `ConsoleData.open_stories`, the latest thousand that interrupted, and of the others."""
        return [
            story
            for called in (True, False)
            for story in self._store.stories(only_open=True, limit=_MOST_SHOWN, called=called)
        ]

    def story(self, uid: str) -> Story | None:
        """As `ConsoleData.story`."""
        return self._store.story(uid)

    def findings(self, story: Story) -> Sequence[Incident]:
        """As `ConsoleData.findings`."""
        return self._store.named([part.uid for part in story.parts])

    def tried(self, uid: str) -> Trial | None:
        """As `ConsoleData.tried`."""
        return self._store.try_normal(uid, self._clock())

    def normal(self, site: str) -> Sequence[Normal]:
        """As `ConsoleData.normal`."""
        self._sites.choices.check_site(site)
        waiting = {
            msgspec.json.decode(choice.body, type=TakenBack).id
            for choice in self._sites.choices.waiting(site)
            if choice.kind == TakenBack.kind
        }
        rows = self._store.exemptions(site, self._clock())
        return [Normal(row, self._path(row.uid), row.id in waiting) for row in rows]

    def take_back(self, site: str, id_: str, by: str) -> None:
        """As `ConsoleData.take_back`; the next round of maintenance passes it on."""
        found = next((one.row for one in self.normal(site) if one.row.id == id_), None)
        if found is None:
            raise KeyError(f"site {site!r} calls nothing normal under {id_!r}")
        self._sites.choices.choose(site, found.taken_back(), by, self._clock())

    def _path(self, uid: str) -> str:
        if not uid:
            return ""
        if self._store.incident(uid) is not None:
            return f"/incidents/{uid}"
        return f"/stories/{uid}" if self._store.story(uid) is not None else ""

    def lone_incidents(self) -> Sequence[Incident]:
        """As `ConsoleData.lone_incidents`, of the latest thousand that are open."""
        found = self._store.incidents(only_open=True, limit=_MOST_SHOWN)
        return [incident for incident in found if not incident.story]

    def incident(self, uid: str) -> Incident | None:
        """As `ConsoleData.incident`."""
        return self._store.incident(uid)

    def unreported_until(self, incident: Incident) -> int:
        """As `ConsoleData.unreported_until`."""
        row = self._store.exemption_of(incident, self._clock())
        return row.until if row is not None else 0

    def sites(self) -> Sequence[SiteView]:
        """As `ConsoleData.sites`."""
        rejected = self._telemetry.rows_rejected
        return [
            SiteView(site.name, joined=site.created, rows_rejected=rejected(site.name))
            for site in self._sites.sites()
        ]

    def promise(self, site: str) -> Promise:
        """As `ConsoleData.promise`; a week ago by the collector's clock, calls by event time."""
        since = self._clock() - WEEK_US
        stories = self._store.stories(site, since=since, limit=_MOST_SHOWN, called=True)
        calls = sum(call.time > since for story in stories for call in story.calls)
        chosen = self._sites.choices.budget(site)
        if chosen is None:
            return Promise(calls)
        return Promise(calls, msgspec.json.decode(chosen.body, type=ChosenBudget).per_week)

    def agents(self) -> Sequence[AgentHealth]:
        """As `ConsoleData.agents`: those heard since start, known from before, or gone."""
        heard = {(health.site, health.agent): health for health in self._telemetry.agents()}
        for row in self._sites.agents():
            name, last_seen = (row.site, row.agent), row.last_seen
            known = AgentHealth(*name, last_seen, heard=False, standing=row.standing)
            if row.standing in GONE:
                heard[name] = known
            else:
                heard.setdefault(name, known)
        return [heard[key] for key in sorted(heard)]

    def now(self) -> int:
        """µs UTC, by the clock that judges them."""
        return self._clock()

    def trouble(self) -> Fault:
        """As `ConsoleData.trouble`."""
        return self._trouble()

    async def answer(self, uid: str, answer: Answer, by: str) -> int:
        """As `ConsoleData.answer`."""
        revision = await self.note(uid, answer, by)
        for _ in range(_LOOKS if revision >= 0 else 0):
            shown = await asyncio.to_thread(self._told, uid)
            if shown is None or shown.revision > revision:
                break
            await asyncio.sleep(_LOOK_S)
        return revision

    async def note(self, uid: str, answer: Answer, by: str) -> int:
        """Journal a verdict: as `ConsoleData.answer`, but it waits for nothing else."""
        seen = await asyncio.to_thread(self._store.seen, uid)
        if seen is None:
            raise KeyError("there is no such incident or story")
        told = seen.story if isinstance(seen, StorySeen) else seen
        about = msgspec.msgpack.encode(seen)
        draft = Verdict(uid, answer, by, about).draft(told.site, self._clock())
        await self._log.append(partition_of(told.site), draft)
        return told.revision if changes(answer, told) else -1

    def _told(self, uid: str) -> Incident | Story | None:
        return self._store.incident(uid) or self._store.story(uid)
