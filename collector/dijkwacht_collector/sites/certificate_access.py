"""Who is asking over TLS: agents by the certificate that joining gave them.

A certificate is looked up by its serial number, in memory, as tokens are by their hash; what the
connection showed was checked once, in the handshake. Its time is judged here: what ran out is refused
by a word of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Literal

from aiohttp import web

from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sites.access import Admitted, Joined, Renewed, TokenAuthenticator
from dijkwacht_collector.sites.authority import Authority
from dijkwacht_collector.sites.certificates import (
    RENEWABLE_US,
    CertificateRow,
    needing,
    superseded,
)
from dijkwacht_collector.sites.sites import Sites
from dijkwacht_collector.sites.speaker import Speaker
from dijkwacht_records.enrolment import Enrolment
from dijkwacht_records.errors import (
    CertificateExpired,
    CertificateRevoked,
    CertificateUnknown,
    NoCertificate,
)

log: Final = logging.getLogger(__name__)


def authenticator_of(
    settings: CollectorSettings, sites: Sites, authority: Authority, clock: Callable[[], int]
) -> TokenAuthenticator:
    """How agents show who they are to a collector of these settings."""
    if not settings.encrypted:
        return TokenAuthenticator(sites)
    tokens = settings.tokens_over_tls
    return CertificateAuthenticator(sites, authority, clock, tokens=tokens)


Standing = Literal["good", "revoked", "superseded"]


class _Held:
    """A certificate as it is looked up: whose it is, until when (µs UTC), whether it is to be used first."""

    __slots__ = ("expires", "row", "speaker", "standing", "unused")

    def __init__(self, row: CertificateRow, standing: Standing) -> None:
        self.row, self.standing = row, standing
        self.speaker = Speaker(row.site, row.agent)
        self.expires = row.expires
        self.unused = row.used is None


class CertificateAuthenticator(TokenAuthenticator):
    """Agents by their certificates, which ``authority`` makes. ``clock``: µs UTC.

    ``tokens``: whether a token is good enough, as while a lab lets its agents join again.
    """

    def __init__(
        self, sites: Sites, authority: Authority, clock: Callable[[], int], *, tokens: bool = False
    ) -> None:
        super().__init__(sites)
        self._authority, self._clock, self._tokens_too = authority, clock, tokens
        self._held: dict[str, _Held] = {}
        self._used: dict[str, int] = {}
        self._loaded = -1

    def refresh(self) -> bool:
        """As `Authenticator.refresh`; and keeps what was used first, and the authority's files fresh."""
        used, self._used = self._used, {}
        try:
            if used:
                self._sites.note_used(used)
                self._version = -1  # tokens may have ended with it
        except BaseException:
            self._used = used | self._used
            raise
        self._authority.refresh()
        changed = super().refresh()
        with self._turn:
            if changed or self._loaded != self._version:
                self._load()
            if not self._held and self._authority.untimely:
                log.warning("the authority is made anew: nobody has joined by it yet")
                self._authority.replace()
            self._end_rotation()
        return changed

    def agent_of(self, request: web.BaseRequest) -> Speaker:
        """As `Authenticator.agent_of`."""
        held = self._shown(request)
        if held is None:
            return self._by_token(request)
        if held.unused:
            self._use(held)
        return held.speaker

    def known(self, request: web.BaseRequest) -> Speaker:
        """As `Authenticator.known`."""
        held = self._shown(request)
        return self._by_token(request) if held is None else held.speaker

    def join(self, code: str, agent: str, now: int) -> Joined:
        """As `Authenticator.join`, for agents that know of no certificates."""
        if not self._tokens_too:
            raise NoCertificate(
                "this collector wants certificates: update the agent, or set tokens_over_tls"
            )
        return super().join(code, agent, now)

    def enrol(self, asked: Enrolment, seen: bytes, now: int) -> Admitted:
        """As `Authenticator.enrol`: a certificate, that is good from now on."""
        site, keys = self._proved(asked, seen, now)
        to = Speaker(site, asked.agent)
        leaf = self._authority.issue(asked.request, to, now)
        with self._turn:
            self._sites.trade_for_certificate(asked.id, to, leaf)
            self._load()
            return Admitted(
                site,
                keys,
                self._sites.others(site, asked.agent),
                certificate=leaf.pem,
                authorities=self._authority.bundle,
                expires=leaf.expires,
            )

    def renew(self, request: web.BaseRequest, asked: bytes, now: int) -> Renewed:
        """As `Authenticator.renew`; what ran out within a year may be renewed."""
        held = self._shown(request, RENEWABLE_US)
        if held is None:
            raise NoCertificate("there is no certificate to be renewed")
        leaf = self._authority.issue(asked, held.speaker, now)
        with self._turn:
            self._sites.renew_certificate(held.row, leaf)
            self._load()
        return Renewed(held.speaker, leaf.pem, self._authority.bundle, leaf.expires)

    def _shown(self, request: web.BaseRequest, over_us: int = 0) -> _Held | None:
        """What the connection showed, if it is good, or ran out less than ``over_us`` ago."""
        shown = request.get_extra_info("peercert")
        if not shown:
            return None
        held = self._held.get(shown["serialNumber"])
        if held is None or held.standing == "superseded":
            raise CertificateUnknown("this certificate is not kept, or a newer one is in use")
        if held.standing == "revoked":
            raise CertificateRevoked("this certificate was revoked")
        if held.expires + over_us <= self._clock():
            raise CertificateExpired("this certificate has expired")
        return held

    def _by_token(self, request: web.BaseRequest) -> Speaker:
        if not self._tokens_too:
            raise NoCertificate("agents show a certificate here")
        return super().agent_of(request)

    def _use(self, held: _Held) -> None:
        """From now on those before it are good no more."""
        held.unused = False
        self._used[held.row.serial] = self._clock()
        for other in self._held.values():
            if other.speaker == held.speaker and other.row.issued < held.row.issued:
                other.standing = "superseded"

    def _load(self) -> None:
        # What was used since they were read is not forgotten: it is written with the next round.
        rows = [
            row if row.serial not in self._used else row._replace(used=self._used[row.serial])
            for row in self._sites.certificates()
        ]
        over = superseded(rows)
        self._held = {row.serial: _Held(row, _standing(row, over)) for row in rows}
        self._loaded = self._version

    def _end_rotation(self) -> None:
        if self._authority.may_drop and self._authority.settled:
            rows = [held.row for held in self._held.values()]
            if not needing(rows, self._authority.oldest, self._clock()):
                log.info("the former authority is trusted no more: every agent knows the new one")
                self._authority.drop_oldest()


def _standing(row: CertificateRow, over: frozenset[str]) -> Standing:
    if row.revoked is not None:
        return "revoked"
    return "superseded" if row.serial in over else "good"
