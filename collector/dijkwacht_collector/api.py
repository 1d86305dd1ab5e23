"""What operators and their programs ask: incidents, stories, a verdict, whether all is well."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Final, Protocol, TypeVar

import msgspec
from aiohttp import web

from dijkwacht_collector.console import Overview, busy, signer
from dijkwacht_collector.engine.workers import EngineWorkers
from dijkwacht_collector.incidents import Event, encode_event
from dijkwacht_collector.journal import MOST_BY, Answer, Journal, person
from dijkwacht_collector.policy import DEFAULT_BUDGET
from dijkwacht_collector.relay import Relay
from dijkwacht_collector.sinks import IncidentStore
from dijkwacht_collector.sites import MOST_PER_WEEK, ChosenBudget
from dijkwacht_records.replies import decode_json

_MOST: Final = 10_000
_MOST_NAMED: Final = 100
_Struct = TypeVar("_Struct", bound=msgspec.Struct)
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_BY)]


class _Events(Protocol):
    def __call__(
        self, site: str | None = None, *, only_open: bool = False, limit: int = 1000
    ) -> Sequence[Event]: ...


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a verdict; ``by``: who says so, else as browsers say it."""

    verdict: Answer
    by: _Name | None = None


class _BudgetBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a budget."""

    per_week: Annotated[float, msgspec.Meta(ge=0, le=MOST_PER_WEEK)]
    by: _Name | None = None


class Api:
    """JSON for programs; the console's pages are drawn elsewhere."""

    def __init__(
        self,
        store: IncidentStore,
        overview: Overview,
        relay: Relay,
        journal: Journal,
        workers: EngineWorkers,
        shadow: Sequence[str],
    ) -> None:
        self._store, self._overview, self._relay = store, overview, relay
        self._journal, self._workers = journal, workers
        self._shadow = list(shadow)

    def add_to(self, app: web.Application) -> None:
        """Add its routes to ``app``."""
        app.router.add_get("/v1/incidents", self.incidents)
        app.router.add_get("/v1/stories", self.stories)
        app.router.add_get("/v1/{folder:incidents|stories}/{uid}/normal", self.try_normal)
        app.router.add_post("/v1/{folder:incidents|stories}/{uid}/verdict", self.verdict)
        app.router.add_get("/v1/agents", self.agents)
        app.router.add_get("/v1/sites/{name}/budget", self.budget)
        app.router.add_put("/v1/sites/{name}/budget", self.choose_budget)
        app.router.add_get("/v1/sites/{name}/normal", self.normal)
        app.router.add_delete("/v1/sites/{name}/normal/{id}", self.take_back)
        app.router.add_get("/healthz", self.health)

    async def incidents(self, request: web.Request) -> web.Response:
        """``GET /v1/incidents``: OCSF findings, latest first; ``site=NAME``, ``open=1``."""
        return await self._list(request, self._store.events)

    async def stories(self, request: web.Request) -> web.Response:
        """``GET /v1/stories``: OCSF Incident Findings, latest first; ``site=NAME``, ``open=1``."""
        return await self._list(request, self._store.story_events)

    async def verdict(self, request: web.Request) -> web.Response:
        """``POST /v1/incidents/{uid}/verdict``, or of a story: 200 when the answer is durable.

        To "normal" the reply says what that would have kept silent lately, as `try_normal`.
        """
        body = await _body(request, _Body)
        by = _by(body.by, request)
        told: dict[str, object] = {"durable": True}
        with _refusals():
            uid = await self._uid(request)
            if body.verdict == "normal":
                told["tried"] = await self._tried(uid)
            await self._overview.note(uid, body.verdict, by)
        return web.json_response(told)

    async def try_normal(self, request: web.Request) -> web.Response:
        """``GET /v1/incidents/{uid}/normal``, ``/v1/stories/{uid}/normal``: a trial, by which nothing changes.

        What "this is normal" would exempt, and what that would have kept silent in the site's last 30 days.
        """
        with _refusals():
            tried = await self._tried(await self._uid(request))
        return web.json_response(tried)

    async def _uid(self, request: web.Request) -> str:
        """That of the incident or story asked for. Raises ``KeyError`` if it is not in that folder."""
        uid, is_story = request.match_info["uid"], request.match_info["folder"] == "stories"
        known = self._store.story if is_story else self._store.incident
        if await asyncio.to_thread(known, uid) is None:
            raise KeyError(f"there is no such {'story' if is_story else 'incident'}")
        return uid

    async def _tried(self, uid: str) -> dict[str, object] | None:
        """None for a story of which no finding is kept."""
        trial = await asyncio.to_thread(self._relay.try_normal, uid)
        return None if trial is None else trial.told()

    async def budget(self, request: web.Request) -> web.Response:
        """``GET /v1/sites/{name}/budget``: interruptions a week, whether somebody chose so, who and when."""
        with _refusals():
            chosen = await asyncio.to_thread(self._relay.budget, request.match_info["name"])
        if chosen is None:
            return web.json_response({"per_week": DEFAULT_BUDGET, "chosen": False})
        per_week = msgspec.json.decode(chosen.body, type=ChosenBudget).per_week
        told = {"per_week": per_week, "chosen": True, "by": chosen.by, "time": chosen.time}
        return web.json_response(told)

    async def choose_budget(self, request: web.Request) -> web.Response:
        """``PUT /v1/sites/{name}/budget`` with ``{"per_week": N}``: 200 when that is durable."""
        body = await _body(request, _BudgetBody)
        by = _by(body.by, request)
        with _refusals():
            await asyncio.to_thread(
                self._relay.choose_budget, request.match_info["name"], body.per_week, by
            )
        return web.json_response({"durable": True})

    async def agents(self, request: web.Request) -> web.Response:
        """``GET /v1/agents``: every agent as the board shows it; ``site=NAME``. Times are µs UTC."""
        found = await asyncio.to_thread(self._overview.agents)
        now, site = self._overview.now(), request.query.get("site")
        told = [
            {
                "site": agent.site,
                "agent": agent.agent,
                "standing": agent.standing,
                "presence": agent.presence(now),
                "last_seen": agent.last_seen,
                "disk_full": agent.disk_full,
                "copies": agent.copies,
            }
            for agent in found
            if site in {None, agent.site}
        ]
        return web.json_response(told)

    async def normal(self, request: web.Request) -> web.Response:
        """``GET /v1/sites/{name}/normal``: what the site calls normal, what was said last first."""
        with _refusals():
            rows = await asyncio.to_thread(self._relay.normal, request.match_info["name"])
        return web.json_response([row.told() for row in rows])

    async def take_back(self, request: web.Request) -> web.Response:
        """``DELETE /v1/sites/{name}/normal/{id}``: 200 when it is durable that this has ended."""
        site, id_ = request.match_info["name"], request.match_info["id"]
        with _refusals():
            await asyncio.to_thread(self._relay.take_back, site, id_, signer(request))
        return web.json_response({"durable": True})

    async def health(self, _request: web.Request) -> web.Response:
        """``GET /healthz``: 200, or 503 with what is wrong.

        ``shadow``: detectors that never interrupt; ``left_out``: those that failed too often, by site.
        """
        troubles = self._workers.troubles
        if self._journal.failure is not None:
            troubles.append(f"journal: {self._journal.failure}")
        elif self._journal.trouble:
            troubles.append(f"journal: {self._journal.trouble}")
        left_out = self._workers.left_out
        state = {
            "status": "failing" if troubles else "ok",
            "troubles": troubles,
            "journal_position": self._journal.last,
            "engine_position": self._workers.position,
            "shadow": self._shadow,
            "left_out": [{"site": site, "detector": name} for site, name in left_out[:_MOST_NAMED]],
            "left_out_count": len(left_out),
        }
        return web.json_response(state, status=503 if troubles else 200)

    async def _list(self, request: web.Request, events: _Events) -> web.Response:
        site = request.query.get("site")
        only_open = request.query.get("open", "") not in {"", "0"}

        def lines() -> bytes:
            found = events(site, only_open=only_open, limit=_MOST)
            return b"[" + b",".join(map(encode_event, found)) + b"]"

        body = await asyncio.to_thread(lines)
        return web.Response(body=body, content_type="application/json")


def _by(named: str | None, request: web.Request) -> str:
    return signer(request) if named is None else person(named)


async def _body(request: web.Request, kind: type[_Struct]) -> _Struct:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send application/json\n")
    try:
        return decode_json(await request.read(), kind)
    except msgspec.MsgspecError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from None


@contextmanager
def _refusals() -> Iterator[None]:
    """What is unknown or cannot be done now, as a response."""
    try:
        with busy():
            yield
    except KeyError as error:
        raise web.HTTPNotFound(text=f"{error.args[0]}\n") from None
