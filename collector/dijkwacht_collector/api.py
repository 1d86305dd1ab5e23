"""What operators and their programs ask: incidents, a verdict, whether all is well."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from aiohttp import web

from dijkwacht_collector.console import Overview, signer
from dijkwacht_collector.engine.workers import EngineWorkers
from dijkwacht_collector.incidents import encode_finding
from dijkwacht_collector.intake import refuse
from dijkwacht_collector.journal import MOST_BY, Answer, Journal
from dijkwacht_collector.sinks import IncidentStore
from dijkwacht_records.errors import CollectorBusy, JournalError
from dijkwacht_records.replies import decode_json

_MOST: Final = 10_000
_MOST_NAMED: Final = 100


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a verdict; ``by``: who says so, else as browsers say it."""

    verdict: Answer
    by: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_BY)] | None = None


class Api:
    """JSON for programs; the console's pages are drawn elsewhere."""

    def __init__(
        self,
        store: IncidentStore,
        overview: Overview,
        journal: Journal,
        workers: EngineWorkers,
        shadow: Sequence[str],
    ) -> None:
        self._store, self._overview = store, overview
        self._journal, self._workers = journal, workers
        self._shadow = list(shadow)

    async def incidents(self, request: web.Request) -> web.Response:
        """``GET /v1/incidents``: OCSF findings, latest first; ``site=NAME``, ``open=1``."""
        site = request.query.get("site")
        only_open = request.query.get("open", "") not in {"", "0"}
        body = await asyncio.to_thread(self._findings, site, only_open)
        return web.Response(body=body, content_type="application/json")

    async def verdict(self, request: web.Request) -> web.Response:
        """``POST /v1/incidents/{uid}/verdict``: 200 when the answer is durable."""
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="send application/json\n")
        try:
            body = decode_json(await request.read(), _Body)
            by = body.by or signer(request)
            await self._overview.note(request.match_info["uid"], body.verdict, by)
        except msgspec.MsgspecError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        except KeyError:
            raise web.HTTPNotFound(text="there is no such incident\n") from None
        except (CollectorBusy, JournalError) as error:
            return refuse(CollectorBusy(str(error)))
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

    def _findings(self, site: str | None, only_open: bool) -> bytes:
        events = self._store.events(site, only_open=only_open, limit=_MOST)
        return b"[" + b",".join(map(encode_finding, events)) + b"]"
