"""Batches come in: authenticated, checked, journalled, and only then acknowledged."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from aiohttp import web

from dijkwacht_collector.intake.arrivals import Arrival, read_arrival
from dijkwacht_collector.intake.bodies import read_body
from dijkwacht_collector.intake.connections import KNOWN
from dijkwacht_collector.intake.high_water import HighWater
from dijkwacht_collector.intake.orders import PendingOrders
from dijkwacht_collector.intake.refusing import refuse
from dijkwacht_collector.intake.turns import Pace, Seats, Turns
from dijkwacht_collector.journal import Log, batch_draft, batch_key, partition_of
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.sites import Speaker
from dijkwacht_collector.sites.access import Authenticator, Revoked
from dijkwacht_records.contracts import READS
from dijkwacht_records.errors import (
    CertificateRevoked,
    CollectorBusy,
    JournalError,
    MalformedBatch,
    NotAuthorised,
    TransferError,
    UnknownContract,
)
from dijkwacht_records.replies import Reply, encode_reply
from dijkwacht_records.troubles import TROUBLE_HEADER, read_troubles
from dijkwacht_records.wire import plain_size

MAX_BYTES_IN_HAND: Final = 128 * 1024 * 1024
"""Bytes of requests that are being read or wait for the journal, and of what they unpack to."""
_LIGHT_BYTES: Final = 128 * 1024


class OverQuota(CollectorBusy):
    """A site has sent more than the engine has time for; agents are told what any busy collector says."""


class Limits(NamedTuple):
    """What is taken: bytes of a body, versions of the contract."""

    max_body_bytes: int
    reads: Collection[int] = READS


class Intake:
    """``POST /v1/batches``. ``clock`` gives µs UTC.

    ``retry_after`` says of a site after how many seconds it may send again, 0 if at once.
    """

    def __init__(
        self,
        log: Log,
        authenticator: Authenticator,
        orders: PendingOrders,
        telemetry: Telemetry,
        clock: Callable[[], int],
        limits: Limits,
    ) -> None:
        self.high_water = HighWater()
        self.retry_after: Callable[[str], float] = lambda _site: 0.0
        self.heard: dict[tuple[str, str], int] = {}
        self._log, self._authenticator = log, authenticator
        self._orders, self._telemetry, self._clock = orders, telemetry, clock
        self._max_body_bytes = limits.max_body_bytes
        self._reads = tuple(sorted(limits.reads))
        self._in_hand = 0
        self._seats, self._turns, self._pace = Seats(), Turns(), Pace()
        self._in_flight: dict[tuple[str, str], asyncio.Future[int]] = {}

    def settle(self) -> HighWater:
        """The marks, said to hold up to where the journal is: nothing of it is still to be noted here.

        From the event loop.
        """
        unsettled = {partition_of(site) for site, _ in self._in_flight}
        for partition in self.high_water.after.keys() - unsettled:
            self.high_water.after[partition] = self._log.head(partition)
        return self.high_water

    def refresh(self) -> bool:
        """Look again at credentials and waiting orders: have sites or credentials changed? Blocks."""
        self._orders.refresh()
        return self._authenticator.refresh()

    async def batches(self, request: web.Request) -> web.Response:
        """Take one batch: 200 when it is durable, else the status of the error tree."""
        site = ""
        try:
            speaker = self._authenticator.agent_of(request)
            request[KNOWN], site = True, speaker.site
            reply = await self._take(request, speaker)
        except TransferError as error:
            self._telemetry.count_rejected(_counted_as(error))
            answer = refuse(error, self._reads if isinstance(error, UnknownContract) else ())
        except JournalError as error:
            self._telemetry.count_rejected(CollectorBusy.reason)
            busy = CollectorBusy(f"the journal stands still: {error}", retry_after_s=30)
            answer = refuse(busy)
        else:
            return web.Response(body=encode_reply(reply), content_type="application/json")
        if delay := self._pace.delay(site, time.monotonic()):
            await asyncio.sleep(delay)
        return answer

    async def _take(self, request: web.Request, speaker: Speaker) -> Reply:
        site = speaker.site
        if seconds := self.retry_after(site):
            raise OverQuota("what this site has sent is not worked through yet", seconds)
        await self._seats.take(site)
        try:
            most = self._max_body_bytes
            with self._hold(min(request.content_length or most, most)):
                wire = await read_body(request, most)
                batch = await self._read(wire, site)
                self._authenticator.agent_of(request)  # it may have been revoked meanwhile
                reply = await self._take_batch(batch, wire, speaker)
            troubles = request.headers.get(TROUBLE_HEADER, "")
            self._telemetry.observe_troubles(site, batch.agent, read_troubles(troubles))
            return reply
        finally:
            self._seats.give(site)

    async def _read(self, wire: bytes, site: str) -> Arrival:
        try:
            plain = plain_size(wire)
            if plain <= _LIGHT_BYTES:  # a thread would cost more
                return read_arrival(wire, self._reads)
            await self._turns.take(site)
            try:
                with self._hold(plain):  # and no longer: what it unpacks to is not kept
                    return await asyncio.to_thread(read_arrival, wire, self._reads, keep=False)
            finally:
                self._turns.give()
        except MalformedBatch as error:
            self._telemetry.count_rows_rejected(site, error.reason, error.rows)
            raise

    @contextmanager
    def _hold(self, size: int) -> Iterator[None]:
        if self._in_hand + size > MAX_BYTES_IN_HAND:
            raise CollectorBusy("too many batches in hand")
        self._in_hand += size
        try:
            yield
        finally:
            self._in_hand -= size

    async def _take_batch(self, batch: Arrival, wire: bytes, speaker: Speaker) -> Reply:
        if (batch.site, batch.agent) != speaker:
            whose = "site" if batch.site != speaker.site else "agent"
            raise NotAuthorised(f"what was shown is another {whose}'s")
        site = speaker.site
        arrival = self._clock()
        duplicate = await self._keep(batch, wire, arrival)
        self.heard[site, batch.agent] = arrival
        if duplicate:
            self._telemetry.count_duplicate(site)
        orders = self._orders.orders_for(speaker)
        return Reply(batch.seq, duplicate, self._clock(), self._reads, orders)

    async def _keep(self, batch: Arrival, wire: bytes, arrival: int) -> bool:
        """Return once the batch is durable: whether it was, or was about to be, before."""
        key = batch_key(batch.agent, batch.boot, batch.seq)
        if self.high_water.seen(batch.site, key):
            return True
        name = (batch.site, key)
        future = self._in_flight.get(name)
        if future is not None:
            await asyncio.shield(future)
            return True
        if not self.high_water.has_room(batch.site, key, arrival):
            raise CollectorBusy("the agent starts too often, or lost too much in between", 60)
        draft = batch_draft(batch.site, key, arrival, wire, batch.batch)
        future = self._log.append(partition_of(batch.site), draft)
        self._in_flight[name] = future
        # Not in this coroutine: a sender who hangs up must not leave it unmarked and uncounted.
        future.add_done_callback(functools.partial(self._kept, name, batch, arrival))
        await asyncio.shield(future)
        return False

    def _kept(
        self, name: tuple[str, str], batch: Arrival, arrival: int, future: asyncio.Future[int]
    ) -> None:
        del self._in_flight[name]
        if not future.cancelled() and future.exception() is None:
            self.high_water.note(*name, future.result(), batch.rows, arrival)
            self._telemetry.count_batch(batch.site, batch.rows, batch.unknown)
            self._observe(batch, arrival)  # at once: a snapshot has both, or neither

    def _observe(self, batch: Arrival, arrival: int) -> None:
        if batch.beat:
            beat = batch.beat
            known = self.high_water.hear(batch, beat, arrival)
            # What waited at the heartbeat may be durable now: by our own sums it adds up.
            self._telemetry.observe_agent(batch.site, batch.agent, arrival, beat | known)


def _counted_as(error: TransferError) -> str:
    """The reason by which operators tell it; agents know fewer, or more."""
    if isinstance(error, Revoked | CertificateRevoked):
        return "revoked"
    return "over_quota" if isinstance(error, OverQuota) else error.reason
