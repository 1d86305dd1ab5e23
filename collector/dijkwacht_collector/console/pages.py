"""The pages of the console, and the stream that keeps them live."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from aiohttp import web

from dijkwacht_collector.console import words
from dijkwacht_collector.console.board import BoardReader
from dijkwacht_collector.console.data import ConsoleData
from dijkwacht_collector.console.feed import Feed
from dijkwacht_collector.console.language import (
    LANGUAGES,
    Language,
    choose_language,
    environment,
    translations,
)
from dijkwacht_collector.console.normal_view import NormalReader
from dijkwacht_collector.console.refusals import busy, refusal, wants_refusal
from dijkwacht_collector.console.signer import signer
from dijkwacht_collector.console.story_view import StoryReader, goes_on
from dijkwacht_collector.console.view import Reader
from dijkwacht_collector.incidents import ANSWERED, Incident, Story
from dijkwacht_collector.sites.access import is_own_origin

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEARTBEAT_S: Final = 15.0
RETRY_MS: Final = 3000
MAX_READERS: Final = 256
SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_STATIC: Final = Path(__file__).parent / "static"
_PROGRAM_PATHS: Final = ("/metrics", "/healthz")
"""What programs ask for: there an error is no page."""
_KEPT_HEADERS: Final = ("Allow", "Retry-After", "WWW-Authenticate")
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def add_console(
    app: web.Application,
    data: ConsoleData,
    feed: Feed,
    clock: Callable[[], float] = time.time,
    names: frozenset[str] = frozenset({"localhost"}),
) -> None:
    """Add the console's routes to ``app``: its pages, ``/events`` and ``/static/``.

    The pages are ``/``, ``/stories/{uid}``, ``/incidents/{uid}`` and ``/sites/{name}/normal``. Errors of the whole app become pages too, for browsers, and refusals in JSON for programs that
    ask for it or ask below ``/v1/``; others get them as they are.
    ``clock`` gives seconds UTC. ``names`` are the host names the console answers to, besides any
    bare address: a stranger's page that points its own name at this machine reads nothing.
    The feed ends with the app.
    """
    console = _Console(data, feed, clock, names)
    # Outermost, so that it sees what the other middlewares refuse.
    app.middlewares.insert(0, console.errors)
    app.router.add_get("/", console.board)
    app.router.add_get("/parts/board", console.board_part)
    app.router.add_get("/incidents/{uid}", console.incident)
    app.router.add_get("/stories/{uid}", console.story)
    app.router.add_post("/{folder:incidents|stories}/{uid}/verdict", console.verdict)
    app.router.add_get("/sites/{name}/normal", console.normal)
    app.router.add_post("/sites/{name}/normal/{id}", console.take_back)
    app.router.add_get("/events", console.events)
    app.router.add_get("/static/{name}", console.static)

    async def end_streams(_app: web.Application) -> None:
        feed.close()

    app.on_shutdown.append(end_streams)


class _NoSuchThing(web.HTTPNotFound):
    """``title``: what the page says that is not there."""

    def __init__(self, title: str) -> None:
        super().__init__(text=f"{title}.\n")
        self.title = title


_UNKNOWN: Final = {"incidents": words.NO_SUCH_INCIDENT, "stories": words.NO_SUCH_STORY}
"""What is not there, by the folder that it would be in."""


class _Console:
    def __init__(
        self, data: ConsoleData, feed: Feed, clock: Callable[[], float], names: frozenset[str]
    ) -> None:
        self._data: Final = data
        self._feed: Final = feed
        self._clock: Final = clock
        self._names: Final = names
        self._templates: Final = {language: environment(language) for language in LANGUAGES}
        self._catalogues: Final = {language: translations(language) for language in LANGUAGES}
        self._static: Final = {
            path.name: (path.read_bytes(), _TYPES[path.suffix])
            for path in _STATIC.iterdir()
            if path.suffix in _TYPES
        }

    async def board(self, request: web.Request) -> web.Response:
        """The first page."""
        return await self._board(request, "index.html")

    async def board_part(self, request: web.Request) -> web.Response:
        """What changes on the first page, for the script that swaps it in."""
        return await self._board(request, "board.html")

    async def _board(self, request: web.Request, template: str) -> web.Response:
        language = self._admit(request)
        last_id = self._feed.last_id
        reader = self._reader(language)

        def draw() -> str:
            board = BoardReader(reader).board(self._data)
            return self._draw(request, language, template, board=board, last_id=last_id)

        return self._page(request, language, await asyncio.to_thread(draw))

    async def incident(self, request: web.Request) -> web.Response:
        """One incident: what, who, why we think so, what to do, the owner's answer, and its story."""
        language = self._admit(request)
        reader, uid = self._reader(language), request.match_info["uid"]

        def draw() -> str:
            incident = self._data.incident(uid)
            if incident is None:
                raise _NoSuchThing(words.NO_SUCH_INCIDENT)
            until = self._data.unreported_until(incident)
            story = self._data.story(incident.story) if incident.story else None
            story = story and story.with_findings(self._data.findings(story))
            stories = StoryReader(reader)
            return self._draw(
                request,
                language,
                "incident.html",
                incident=reader.card(incident),
                unreported=reader.moment(until) if until else None,
                trial=NormalReader(reader).trial(self._data.tried(uid), [uid]),
                story=stories.card(story) if story else None,
                line=stories.time_line(story) if story else None,
                here=uid,
                **_told(request, incident),
            )

        return self._page(request, language, await asyncio.to_thread(draw))

    async def story(self, request: web.Request) -> web.Response:
        """One story: what a machine did, on one line of time, and the owner's answer to all of it."""
        language = self._admit(request)
        reader, uid = self._reader(language), request.match_info["uid"]

        def draw() -> str:
            story = self._data.story(uid)
            if story is None:
                raise _NoSuchThing(words.NO_SUCH_STORY)
            findings = self._data.findings(story)
            story = story.with_findings(findings)
            stories = StoryReader(reader)
            return self._draw(
                request,
                language,
                "story.html",
                story=stories.card(story),
                line=stories.time_line(story),
                findings=stories.findings(findings),
                goes_on=goes_on(story, findings),
                trial=NormalReader(reader).trial(
                    self._data.tried(uid), [finding.uid for finding in findings]
                ),
                here="",
                **_told(request, story),
            )

        return self._page(request, language, await asyncio.to_thread(draw))

    async def verdict(self, request: web.Request) -> web.Response:
        """The owner's answer, from our own page only; then back to what was answered."""
        language = self._admit(request)
        _check_own_page(request)
        verdict = await _answer_in(request)
        if verdict not in ANSWERED:
            raise web.HTTPBadRequest(text="Expected verdict=normal, attack or undone.\n")
        folder, uid = request.match_info["folder"], request.match_info["uid"]
        try:
            with busy():
                revision = await self._data.answer(uid, verdict, signer(request))
        except KeyError:
            raise _NoSuchThing(_UNKNOWN[folder]) from None
        after = f"&after={revision}" if revision >= 0 else ""
        raise web.HTTPSeeOther(f"/{folder}/{uid}?lang={language}&answered={verdict}{after}")

    async def normal(self, request: web.Request) -> web.Response:
        """What a site calls normal, and a way to take it back."""
        language = self._admit(request)
        reader, site = self._reader(language), request.match_info["name"]

        def draw() -> str:
            try:
                said = self._data.normal(site)
            except KeyError:
                raise _NoSuchThing(words.NO_SUCH_SITE) from None
            rows = NormalReader(reader).rows(said)
            return self._draw(request, language, "normal.html", site=site, rows=rows)

        return self._page(request, language, await asyncio.to_thread(draw))

    async def take_back(self, request: web.Request) -> web.Response:
        """This is not normal any more, from our own page only; then back to the list."""
        language = self._admit(request)
        _check_own_page(request)
        site, id_ = request.match_info["name"], request.match_info["id"]
        with busy(), contextlib.suppress(KeyError):  # what is not there any more need not go
            await asyncio.to_thread(self._data.take_back, site, id_, signer(request))
        raise web.HTTPSeeOther(f"/sites/{quote(site, safe='')}/normal?lang={language}")

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events, and a comment every `HEARTBEAT_S` without any."""
        self._admit(request)
        if self._feed.readers >= MAX_READERS:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "10"})
        after = request.headers.get("Last-Event-ID") or request.query.get("after", "")
        response = web.StreamResponse(
            headers={
                **SECURITY,
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        await response.prepare(request)
        # A browser that goes away is no error.
        with self._feed.reader(after) as queue, contextlib.suppress(ConnectionResetError):
            await response.write(f"retry: {RETRY_MS}\n\n".encode())
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
                except TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                if event is None:
                    break
                await response.write(event.encode())
        return response

    async def static(self, request: web.Request) -> web.Response:
        """A style sheet, script or picture of ours; read once, at start."""
        found = self._static.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        body, content_type = found
        headers = {**SECURITY, "Cache-Control": "no-cache"}
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)

    @web.middleware
    async def errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Middleware: an error is a page in the reader's language, a refusal in JSON, or plain text."""
        try:
            return await handler(request)
        except web.HTTPError as error:
            if wants_refusal(request):
                return refusal(error)
            wants_page = "text/html" in request.headers.get("Accept", "")
            if not wants_page or request.path.startswith(_PROGRAM_PATHS):
                raise
            return self._error_page(request, error)

    def _error_page(self, request: web.Request, error: web.HTTPError) -> web.Response:
        language = self._language(request)
        title = words.ERROR.get(error.status, words.ERROR_OF_ANY_OTHER_STATUS)
        if isinstance(error, _NoSuchThing):
            title = error.title
        plain = error.text or ""
        text = self._draw(
            request,
            language,
            "error.html",
            # The address asked for may be a stranger's text: it is in no link.
            path="/",
            title=self._catalogues[language].gettext(title),
            status=error.status,
            detail="" if error.status == 404 or plain.startswith(str(error.status)) else plain,
        )
        page = self._page(request, language, text)
        page.set_status(error.status)
        page.headers.update({n: error.headers[n] for n in _KEPT_HEADERS if n in error.headers})
        return page

    def _admit(self, request: web.Request) -> Language:
        name = _host_name(request.host)
        if name not in self._names and not _is_address(name):
            raise web.HTTPMisdirectedRequest(
                text="The console does not answer to this name; use localhost or its address.\n"
            )
        return self._language(request)

    @staticmethod
    def _language(request: web.Request) -> Language:
        asked = request.query.get("lang") or request.cookies.get("lang")
        return choose_language(asked, request.headers.get("Accept-Language", ""))

    def _reader(self, language: Language) -> Reader:
        return Reader(language, self._catalogues[language], int(self._clock() * 1e6))

    def _draw(
        self, request: web.Request, language: Language, template: str, **context: object
    ) -> str:
        drawn = self._templates[language].get_template(template)
        shown = {"path": request.path} | context
        return drawn.render(shown, language=language, languages=LANGUAGES)

    def _page(self, request: web.Request, language: Language, text: str) -> web.Response:
        headers = {**SECURITY, "Cache-Control": "no-store", "Content-Language": language}
        page = web.Response(text=text, content_type="text/html", headers=headers)
        if request.query.get("lang") in LANGUAGES:
            page.set_cookie("lang", language, max_age=31_536_000, httponly=True, samesite="Lax")
        return page


def _told(request: web.Request, answered: Incident | Story) -> dict[str, object]:
    """What the page says of an answer just given: that it is being noted, or what it does."""
    answer, after = request.query.get("answered"), request.query.get("after", "")
    noting = after.isdecimal() and answered.revision <= int(after[:18])
    shows = answer in ANSWERED and answered.status == ANSWERED[answer] and not noting
    return {"noting": noting, "told": answer if shows else ""}


def _check_own_page(request: web.Request) -> None:
    """Raises for what a stranger's page sends."""
    if not is_own_origin(request, request.headers.get("Origin", "")):
        raise web.HTTPForbidden(text="An answer must come from the console's own page.\n")


async def _answer_in(request: web.Request) -> str:
    """What a form says; nothing if it is none."""
    try:
        return str((await request.post()).get("verdict"))
    except (ValueError, LookupError):  # no boundary, a character set that is none
        return ""


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
