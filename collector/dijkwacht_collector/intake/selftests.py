"""``POST /v1/selftest``: an agent asks whether what it makes arrives and is understood. Nothing is kept."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from aiohttp import web

from dijkwacht_collector.intake.bodies import read_body
from dijkwacht_collector.sites.access import Authenticator
from dijkwacht_records.contracts import READS
from dijkwacht_records.errors import NotAuthorised, TooLarge
from dijkwacht_records.selftest import MAX_BYTES, things_in
from dijkwacht_records.wire import decode, plain_size, unpack_rows


class SelfTests:
    """Says what it saw in a batch. It is in no journal, counted nowhere, and changes no verdict."""

    def __init__(self, authenticator: Authenticator, reads: Collection[int] = READS) -> None:
        self._authenticator, self._reads = authenticator, reads

    async def see(self, request: web.Request) -> web.Response:
        """Read one small batch of the agent that asks. Refuses as a batch is refused."""
        speaker = self._authenticator.agent_of(request)
        wire = await read_body(request, MAX_BYTES)
        if plain_size(wire) > MAX_BYTES:  # so small that the event loop does not feel it
            raise TooLarge(f"a self-test has {MAX_BYTES} bytes at most")
        batch = decode(wire, self._reads)
        if (batch.site, batch.agent) != speaker:
            raise NotAuthorised("this is another agent's")
        answer = msgspec.json.encode(things_in(unpack_rows(batch)))
        return web.Response(body=answer, content_type="application/json")
