"""Who is asking: agents by their token, operators by theirs, and where the question came from."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from dijkwacht_collector.sites.sites import Sites, digest
from dijkwacht_collector.sites.speaker import Speaker
from dijkwacht_records import enrolment
from dijkwacht_records.enrolment import CodeKeys, Enrolment, agent_proof, is_proof
from dijkwacht_records.errors import ForeignCollector, NotAuthorised, RejectedBatch
from dijkwacht_records.joincode import read_code

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

AGENT_PATHS: Final = frozenset(
    {
        "/v1/batches", "/v1/join", "/v1/pairing", "/v1/selftest", "/healthz",
        enrolment.PATH, enrolment.RENEWAL_PATH, enrolment.SELF_PATH,
    }
)  # fmt: skip
"""What an operator's token has nothing to do with."""
_FORWARDED: Final = frozenset({"forwarded", "via", "x-real-ip"})
AGENT_ORDERS: Final = "/v1/orders/"
"""Nor with anything below this."""
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Joined(NamedTuple):
    """What a join code was traded for: the site, the agent's credential, how many agents are there besides."""

    site: str
    credential: str
    others: int


class Admitted(NamedTuple):
    """What the proof of a join code was traded for: a certificate, with all roots to trust, or a token.

    ``keys`` prove it. ``expires``: µs UTC.
    """

    site: str
    keys: CodeKeys
    others: int
    token: str = ""
    certificate: str = ""
    authorities: str = ""
    expires: int = 0


class Renewed(NamedTuple):
    """A certificate in place of the one that was shown; as in `Admitted`."""

    speaker: Speaker
    certificate: str
    authorities: str
    expires: int


class Revoked(NotAuthorised):
    """The token was good once: an agent that is gone goes on sending. On the wire it is no other word."""


class Authenticator(Protocol):
    """Determines who makes a request: by a token, or by a certificate (`certificate_access`)."""

    def agent_of(self, request: web.BaseRequest) -> Speaker:
        """The agent and its site. Raises `NotAuthorised`."""

    def known(self, request: web.BaseRequest) -> Speaker:
        """The same for who only asks, and does not begin to use what it shows."""

    def refresh(self) -> bool:
        """Look again at what credentials are good: have they changed? Blocks."""

    def waits(self, code: str) -> bool:
        """Whether ``code`` is a join code that was not used when they were looked at last."""

    def join(self, code: str, agent: str, now: int) -> Joined:
        """Trade a join code for a credential. Blocks. Raises `NotAuthorised`."""

    def waits_for(self, name: bytes) -> bool:
        """The same of a code that is known by its name."""

    def enrol(self, asked: Enrolment, seen: bytes, now: int) -> Admitted:
        """Trade the proof of a join code for a credential. Blocks.

        ``seen``: SHA-256 of the certificate that this connection shows, empty without TLS. Raises
        `NotAuthorised`, `ForeignCollector` where the agent saw another one, `MalformedBatch`.
        """

    def renew(self, request: web.BaseRequest, asked: bytes, now: int) -> Renewed:
        """A new certificate for whoever shows one that may be renewed. Blocks. Raises `TransferError`."""


class TokenAuthenticator:
    """``Authorization: Bearer TOKEN``; knows tokens by their hash only.

    Looking up the hash takes the same time for a near miss as for any other token.
    """

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._good: Mapping[bytes, Speaker] = {}
        self._codes: frozenset[bytes] = frozenset()
        self._names: frozenset[bytes] = frozenset()
        self._revoked: frozenset[bytes] = frozenset()
        self._version = -1
        self._turn = threading.Lock()

    def refresh(self) -> bool:
        """Read the good tokens again if another process changed the sites: did one? Blocks."""
        with self._turn:
            version = self._sites.version()
            if version == self._version:
                return False
            # Read last and put first: at no moment is a token that was revoked in neither, and unknown.
            good, codes = self._sites.tokens(), self._sites.unused_codes()
            self._revoked, self._names = self._sites.revoked_tokens(), self._sites.names_of_codes()
            self._good, self._codes = good, codes
            self._version = version
            return True

    def waits(self, code: str) -> bool:
        """As `Authenticator.waits`."""
        with contextlib.suppress(ValueError):
            return digest(read_code(code)[1]) in self._codes
        return False

    def join(self, code: str, agent: str, now: int) -> Joined:
        """As `Authenticator.join`; the token is good from now on."""
        with self._turn:
            site, token = self._sites.join(code, agent, now)
            self._good = {**self._good, digest(token): Speaker(site, agent)}
            self._codes -= {digest(read_code(code)[1])}
            self._version = -1  # one agent more: the next look says so
            return Joined(site, token, self._sites.others(site, agent))

    def waits_for(self, name: bytes) -> bool:
        """As `Authenticator.waits_for`."""
        return name in self._names

    def enrol(self, asked: Enrolment, seen: bytes, now: int) -> Admitted:
        """As `Authenticator.enrol`: a token, that is good from now on."""
        site, keys = self._proved(asked, seen, now)
        with self._turn:
            token = self._sites.trade_for_token(asked.id, asked.agent, now)
            self._good = {**self._good, digest(token): Speaker(site, asked.agent)}
            self._version = -1
            return Admitted(site, keys, self._sites.others(site, asked.agent), token=token)

    def renew(self, request: web.BaseRequest, asked: bytes, now: int) -> Renewed:  # noqa: ARG002  others need it
        """As `Authenticator.renew`: a token does not run out."""
        raise RejectedBatch("there are no certificates without TLS")

    def known(self, request: web.BaseRequest) -> Speaker:
        """As `Authenticator.known`."""
        return self.agent_of(request)

    def _proved(self, asked: Enrolment, seen: bytes, now: int) -> tuple[str, CodeKeys]:
        """Site and keys of the code that ``asked`` proves to have."""
        site, keys = self._sites.find_code(asked.id, now)
        if not is_proof(asked.proof, agent_proof(keys, asked)):
            raise NotAuthorised("that is no proof of a join code")
        if asked.seen != seen:  # said by who has the code, so it is no stranger's word
            raise ForeignCollector("the agent saw another certificate than this collector shows")
        return site, keys

    def agent_of(self, request: web.BaseRequest) -> Speaker:
        """As `Authenticator.agent_of`."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        held = digest(token.strip()) if scheme.lower() == "bearer" else b""
        speaker = self._good.get(held)
        if speaker is None:
            refusal = Revoked if held in self._revoked else NotAuthorised
            raise refusal("the token is unknown or revoked")
        return speaker


class Operators:
    """Lets operators in: by their token, or because only this machine can ask.

    The token comes as a bearer token or as the password of HTTP basic authentication, which every
    browser can do. Without a token, on loopback, the ``Host`` must be this machine, or a page
    elsewhere could reach us by a name that it lets point here; and nothing may have been forwarded,
    or whoever reaches a proxy on this machine would pass for somebody who is on it.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token.encode() if token is not None else None

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Middleware for everything that is not an agent's."""
        if request.path not in AGENT_PATHS and not request.path.startswith(AGENT_ORDERS):
            self._admit(request)
            if request.method not in {"GET", "HEAD"}:
                _refuse_strangers(request)
        return await handler(request)

    def _admit(self, request: web.Request) -> None:
        if self._token is None:
            if _host_name(f"//{request.host}") not in _LOOPBACK_NAMES:
                raise web.HTTPForbidden(text="this collector answers on its own machine only\n")
            if _forwarded(request):
                raise web.HTTPForbidden(
                    text="what another program forwards needs an operators' token:"
                    " set operator_token_file\n"
                )
        elif not hmac.compare_digest(_given(request), self._token):
            raise web.HTTPUnauthorized(
                text="the operators' token is needed\n",
                headers={"WWW-Authenticate": 'Basic realm="Dijkwacht", charset="UTF-8"'},
            )


def _given(request: web.Request) -> bytes:
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""


def _refuse_strangers(request: web.Request) -> None:
    """Refuse a request that changes something and was made by another origin's page."""
    fetched = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if fetched not in {"same-origin", "none"} or (
        origin is not None and not is_own_origin(request, origin)
    ):
        raise web.HTTPForbidden(text="asked by a page of another origin\n")


def is_own_origin(request: web.Request, origin: str) -> bool:
    """Whether a page of ``origin`` was at the very address that ``request`` came to: scheme, host and port.

    By which scheme a browser came to a proxy before us only that one knows; it may not say.
    """
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    told = request.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
    if request.secure:
        schemes = {"https"}
    elif told:
        schemes = {told}
    elif _host_name(f"//{request.host}") in _LOOPBACK_NAMES:
        schemes = {"http"}
    else:
        schemes = {"http", "https"}
    return parts.scheme in schemes and parts.netloc == request.host


def _forwarded(request: web.Request) -> bool:
    """Whether a proxy says that it speaks for somebody else."""
    return any(
        name in _FORWARDED or name.startswith("x-forwarded-")
        for name in map(str.lower, request.headers)
    )


def _host_name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
