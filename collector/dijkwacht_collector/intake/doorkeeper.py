"""What both ways of joining begin and end with: who failed too often waits, and who joins has a name."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from aiohttp import web

from dijkwacht_collector.intake.attempts import Attempts
from dijkwacht_collector.intake.bodies import read_struct
from dijkwacht_collector.intake.client_addresses import client_address
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.sites import OrderKey
from dijkwacht_collector.sites.access import Authenticator
from dijkwacht_records.enrolment import MAX_REQUEST_BYTES, Enrolment
from dijkwacht_records.errors import CollectorBusy, MalformedBatch
from dijkwacht_records.replies import JoinRequest
from dijkwacht_records.wire import NAME

_Asked = TypeVar("_Asked", JoinRequest, Enrolment)


class Offer(NamedTuple):
    """What is said to whoever joins: the key that signs orders, and the versions that are read."""

    order_key: OrderKey
    reads: tuple[int, ...]


class Door(NamedTuple):
    """What joining needs. ``clock`` gives µs UTC; ``per_minute``: attempts of one address that may fail."""

    authenticator: Authenticator
    offer: Offer
    telemetry: Telemetry
    clock: Callable[[], int]
    per_minute: int


class Doorkeeper:
    """One for both ways, with one count: whoever tries both has no more tries.

    Who failed too often is told to wait, unless he names a code that waits to be used: a stranger who
    shares an owner's address does not keep him out.
    """

    def __init__(self, door: Door) -> None:
        self._telemetry = door.telemetry
        self._attempts = Attempts(door.per_minute, time.monotonic)

    async def hear(
        self, request: web.Request, kind: type[_Asked], has_waiting_code: Callable[[_Asked], bool]
    ) -> _Asked:
        """What is asked, which counts as failed until `let_in`.

        Raises as `read_struct`, `CollectorBusy`, and `MalformedBatch` where there is no name.
        """
        address = client_address(request)
        wait = self._attempts.wait(address)
        self._attempts.begin(address)
        asked = await read_struct(request, kind, MAX_REQUEST_BYTES)
        if wait and not has_waiting_code(asked):
            raise CollectorBusy("too many failed attempts to join from there", wait)
        if not NAME.fullmatch(asked.agent):  # a token speaks for an agent, so it needs its name
            raise MalformedBatch("agent is not a name")
        return asked

    def let_in(self, request: web.Request, site: str) -> None:
        """Who asked has joined ``site``."""
        self._attempts.succeed(client_address(request))
        self._telemetry.know_site(site)  # its agent is known by its first batch, or never was there
