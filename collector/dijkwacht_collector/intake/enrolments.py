"""Joining by proof and renewing: an agent's request for a certificate is answered with one.

Over plain HTTP, on this machine, who joins is given a token in its place.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

import msgspec
from aiohttp import web

from dijkwacht_collector.intake.attempts import Attempts
from dijkwacht_collector.intake.bodies import read_struct
from dijkwacht_collector.intake.connections import KNOWN
from dijkwacht_collector.intake.doorkeeper import Door, Doorkeeper
from dijkwacht_records.enrolment import (
    MAX_REQUEST_BYTES,
    Enrolled,
    Enrolment,
    Grant,
    RenewalRequest,
    Self,
    collector_proof,
)
from dijkwacht_records.errors import CollectorBusy, ForeignCollector

log: Final = logging.getLogger(__name__)


class Enrolments:
    """``POST /v1/enrol`` and ``/v1/renew``, ``GET /v1/self``."""

    def __init__(self, door: Door, keeper: Doorkeeper) -> None:
        self._authenticator, self._offer = door.authenticator, door.offer
        self._clock, self._keeper = door.clock, keeper
        self._renewals = Attempts(door.per_minute, time.monotonic)

    async def enrol(self, request: web.Request) -> web.Response:
        """A certificate for who proves to have a code, and the proof that it is from who made the code."""
        # Nobody can know a code's name who does not have the code.
        waits = self._authenticator.waits_for
        asked = await self._keeper.hear(request, Enrolment, lambda asked: waits(asked.id))
        now = self._clock()
        enrol, seen = self._authenticator.enrol, _fingerprint(request)
        try:
            admitted = await asyncio.to_thread(enrol, asked, seen, now)
        except ForeignCollector:
            log.warning(
                "an agent that has a join code saw another certificate than this collector shows:"
                " somebody stands in between, or a proxy does (then make codes with --long)"
            )
            raise
        self._keeper.let_in(request, admitted.site)
        grant = msgspec.json.encode(
            Grant(
                site=admitted.site,
                agent=asked.agent,
                clock=now,
                expires=admitted.expires,
                certificate=admitted.certificate,
                authorities=admitted.authorities,
                token=admitted.token,
                order_key=self._offer.order_key.public,
                contracts=self._offer.reads,
                others=admitted.others,
            )
        )
        return _answer(Enrolled(grant, collector_proof(admitted.keys, asked, grant)))

    async def renew(self, request: web.Request) -> web.Response:
        """Another certificate for who shows one that is good, or ran out within a year."""
        asked = await read_struct(request, RenewalRequest, MAX_REQUEST_BYTES)
        shown = request.get_extra_info("peercert") or {}
        name = str(shown.get("serialNumber", ""))
        if wait := self._renewals.wait(name):
            raise CollectorBusy("this certificate was renewed too often", wait)
        self._renewals.begin(name)
        now = self._clock()
        renewed = await asyncio.to_thread(self._authenticator.renew, request, asked.request, now)
        request[KNOWN] = True
        log.info("renewed", extra={"site": renewed.speaker.site, "agent": renewed.speaker.agent})
        return _answer(
            Grant(
                site=renewed.speaker.site,
                agent=renewed.speaker.agent,
                clock=now,
                expires=renewed.expires,
                certificate=renewed.certificate,
                authorities=renewed.authorities,
            )
        )

    async def self(self, request: web.Request) -> web.Response:
        """Who the asker is, so that it knows that it is known."""
        speaker = self._authenticator.known(request)
        request[KNOWN] = True
        return _answer(Self(*speaker, self._clock()))


def _fingerprint(request: web.Request) -> bytes:
    """SHA-256 of the certificate that this connection shows; empty without TLS."""
    context = request.get_extra_info("sslcontext")
    return getattr(context, "fingerprint", b"")


def _answer(said: msgspec.Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(said), content_type="application/json")
