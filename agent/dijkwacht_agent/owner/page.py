"""A small page for the owner: paste a pseudonym, see who it is, give devices names. A process of its own.

It reads the agent's state folder and talks to nobody. It listens on loopback; on an address of the LAN
only when it is named, and then by TLS with a certificate of its own making. Behind a PIN (`pin.py`):
what it shows undoes what privacy did.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import ipaddress
import secrets
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from dijkwacht_agent.error_words import error_message, worded, words
from dijkwacht_agent.local_networks import parse_endpoint
from dijkwacht_agent.owner.device_names import write_name
from dijkwacht_agent.owner.page_view import MOST_SHOWN, View
from dijkwacht_agent.owner.pin import Guard, read_pin
from dijkwacht_agent.owner.unmasked_log import Way, note_opened
from dijkwacht_agent.owner.who import Found, Who
from dijkwacht_agent.settings import write_private
from dijkwacht_records.errors import SettingsError

MAX_BODY: Final = 64 * 1024
IDLE_S: Final = 900.0
"""A session ends after so long without a request."""
MAX_SESSIONS: Final = 16
MAX_AT_ONCE: Final = 16
MAX_OF_ONE: Final = 8
"""Of one address: whoever holds that many leaves room for the owner."""
SOCKET_S: Final = 10.0
REQUEST_S: Final = 30.0
"""From the connection to the end of the answer, however often a byte comes."""
COOKIE: Final = "dijkwacht_owner"
SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STYLE: Final = Path(__file__).with_name("page.css")
_CERTIFICATE: Final = Path(__file__).with_name("page_certificate.py")


class Place(NamedTuple):
    """Where the page is: ``names`` are the values of ``Host`` that it answers to."""

    host: str
    port: int
    tls: bool
    names: frozenset[str]

    @property
    def url(self) -> str:
        """What the owner types."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' * self.tls}://{shown}:{self.port}/"


def read_place(text: str) -> Place:
    """``ADDRESS:PORT`` → where to listen. Raises `SettingsError` for what is none, or is everywhere."""
    try:
        host, port = parse_endpoint(text)
    except ValueError:
        raise worded(SettingsError, "page_listen", text=text) from None
    address = ipaddress.ip_address(host)
    if address.is_unspecified or address.is_multicast:
        raise worded(SettingsError, "page_everywhere", text=text)
    return _place(host, port)


def _place(host: str, port: int) -> Place:
    loopback = ipaddress.ip_address(host).is_loopback
    hosts = {f"[{host}]" if ":" in host else host, *(("localhost",) if loopback else ())}
    return Place(host, port, not loopback, frozenset(f"{one}:{port}" for one in hosts))


class Sessions:
    """Who has given the PIN: random words that a browser brings back. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def begin(self) -> str:
        """A new one; of too many, the one that rested longest ends."""
        with self._lock:
            token = secrets.token_urlsafe(32)
            self._until[token] = self._clock() + IDLE_S
            if len(self._until) > MAX_SESSIONS:
                del self._until[min(self._until, key=self._until.__getitem__)]
            return token

    def goes_on(self, token: str) -> bool:
        """Whether it is one; it lasts on from now."""
        with self._lock:
            now = self._clock()
            good = self._until.get(token, 0.0) > now
            if good:
                self._until[token] = now + IDLE_S
            else:
                self._until.pop(token, None)
            return good

    def end(self, token: str) -> None:
        """It is over."""
        with self._lock:
            self._until.pop(token, None)


class PageServer(http.server.ThreadingHTTPServer):
    """Serves the page of ``state`` at ``place``; `serve_forever` runs it, `shutdown` ends it.

    Raises ``OSError`` where it cannot listen, `SettingsError` without a PIN or key.
    """

    daemon_threads = True
    request_queue_size = 16

    def __init__(
        self, state: Path, place: Place, clock: Callable[[], float] = time.monotonic
    ) -> None:
        read_pin(state)
        Who(state)
        self.state = state
        self.address_family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        self.guard, self.sessions = Guard(lambda: read_pin(state), clock), Sessions(clock)
        self.style = _STYLE.read_bytes()
        self._clock = clock
        self._open: dict[socket.socket, tuple[str, float]] = {}
        """Connections that are answered: who asks, and until when."""
        self.fingerprint = ""
        super().__init__((place.host, place.port), PageHandler)
        self.place = _place(place.host, self.server_address[1])
        if place.tls:
            context, self.fingerprint = _context(state, place.host)
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:  # fmt: skip
        """Answer in a thread of its own, or not at all if too many wait already."""
        assert isinstance(request, socket.socket)
        client = str(client_address[0])
        own = sum(other == client for other, _ in list(self._open.values()))
        if len(self._open) >= MAX_AT_ONCE or own >= MAX_OF_ONE:
            self.shutdown_request(request)
            return
        self._open[request] = client, self._clock() + REQUEST_S
        super().process_request(request, client_address)

    def process_request_thread(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:  # fmt: skip
        """In that thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            assert isinstance(request, socket.socket)
            self._open.pop(request, None)

    def service_actions(self) -> None:
        """Twice a second: who takes too long is hung up on."""
        now = self._clock()
        for request, (_, until) in list(self._open.items()):
            if until <= now:
                with contextlib.suppress(OSError):  # it has just ended
                    socket.socket.shutdown(request, socket.SHUT_RDWR)  # also beneath TLS

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever goes away, or speaks no HTTP, is no news."""


class PageHandler(http.server.BaseHTTPRequestHandler):
    """One request. Nothing of it is logged but what is opened."""

    server: PageServer
    timeout = SOCKET_S
    server_version = "Dijkwacht"
    sys_version = ""

    def do_GET(self) -> None:
        """The page, or its style."""
        if not self._is_ours():
            return
        path = urlsplit(self.path).path
        if path == "/page.css":
            self._send(200, self.server.style, "text/css; charset=utf-8")
        elif path != "/":
            self._refuse(404)
        elif self._is_in():
            self._told(self._home)
        else:
            self._page(self._view().door())

    def do_POST(self) -> None:
        """A PIN, a question, a name."""
        if not self._is_ours() or not self._is_own_form():
            return
        form = self._form()
        if form is None:
            self._refuse(413)
            return
        path = urlsplit(self.path).path
        if path == "/enter":
            self._enter(form.get("pin", ""))
        elif not self._is_in():
            self._page(self._view().door(), 403)
        elif path == "/who":
            self._told(lambda: self._who(form.get("text", "")))
        elif path == "/name":
            self._told(lambda: self._name(form.get("device", ""), form.get("name", "")))
        elif path == "/leave":
            self.server.sessions.end(self._token())
            self._go_home(f"{COOKIE}=; Max-Age=0")
        else:
            self._refuse(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        """Nothing: an address of who asked, and when, would be one more trace of persons."""

    def _enter(self, pin: str) -> None:
        client, view = str(self.client_address[0]), self._view()
        if self.server.guard.allows(client, pin):
            self._go_home(f"{COOKIE}={self.server.sessions.begin()}")
            return
        wait = self.server.guard.wait_s(client)
        said = view.say("page_locked", seconds=int(wait) + 1) if wait else view.say("page_wrong")
        self._page(view.door(said), 429 if wait else 403)

    def _told(self, answer: Callable[[], None]) -> None:
        """Let ``answer`` be given; what keeps it from that is said."""
        try:
            answer()
        except (SettingsError, OSError) as error:
            if isinstance(error, OSError) and error.filename is None:
                raise  # whoever asked is gone
            view = self._view()
            why = [words(error_message(error), view.language)]
            self._page(view.home([], "", view.answer([], "", why)), 500)

    def _name(self, device: str, name: str) -> None:
        write_name(self.server.state, device[:64], name)
        self._go_home()

    def _who(self, text: str) -> None:
        who, view = Who(self.server.state), self._view()
        sentence, opened = who.sentence(text)
        found, why = list[Found](), list[str]()
        for one in opened or [text.strip()]:
            try:
                found.append(who.open(one))
            except SettingsError as error:
                why.append(words(error_message(error), view.language))
        if found:
            self._note("page", [one.pseudonym for one in found])
        is_more = len(opened) > 1 or len(text.split()) > 1
        answer = view.answer(found, sentence if opened and is_more else "", why)
        self._home(text, answer)

    def _home(self, asked: str = "", answer: str = "") -> None:
        who = Who(self.server.state)
        devices = list(who.devices())
        outside = [
            ", ".join(map(who.pseudonym, one.addresses[-1:])) for one in devices[:MOST_SHOWN]
        ]
        if devices and not answer:
            self._note("list", [f"{len(devices)}"])
        self._page(self._view().home(devices, asked, answer, outside))

    def _note(self, way: Way, what: list[str]) -> None:
        with contextlib.suppress(OSError):  # a full disk keeps nobody from knowing his own devices
            note_opened(self.server.state, way, what, str(self.client_address[0]))

    def _is_ours(self) -> bool:
        """A stranger's page that points its own name at this machine reads nothing."""
        good = self.headers.get("Host", "").lower() in self.server.place.names
        if not good:
            self._refuse(421)
        return good

    def _is_own_form(self) -> bool:
        scheme = "https" if self.server.place.tls else "http"
        origins = {f"{scheme}://{name}" for name in self.server.place.names}
        good = self.headers.get("Origin", "").lower() in origins
        if not good:
            self.close_connection = True
            self._refuse(403)
        return good

    def _form(self) -> dict[str, str] | None:
        size = self.headers.get("Content-Length", "")
        if not size.isdecimal() or int(size) > MAX_BODY:
            return None
        text = self.rfile.read(int(size)).decode("utf-8", "replace")
        try:
            return {name: values[0] for name, values in parse_qs(text, max_num_fields=8).items()}
        except ValueError:
            return None

    def _token(self) -> str:
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        except CookieError:
            return ""
        return found.value if found else ""

    def _is_in(self) -> bool:
        return self.server.sessions.goes_on(self._token())

    def _view(self) -> View:
        asked = parse_qs(urlsplit(self.path).query).get("lang", [""])[0]
        spoken = self.headers.get("Accept-Language", "").lower().startswith("nl")
        return View(asked if asked in {"en", "nl"} else "nl" if spoken else "en")

    def _go_home(self, cookie: str = "") -> None:
        headers = {"Location": f"/?lang={self._view().language}"}
        if cookie:
            secure = "; Secure" if self.server.place.tls else ""
            headers["Set-Cookie"] = f"{cookie}; Path=/; HttpOnly; SameSite=Strict{secure}"
        self._send(303, b"", "text/plain", headers)

    def _page(self, text: str, status: int = 200) -> None:
        self._send(status, text.encode(), "text/html; charset=utf-8")

    def _refuse(self, status: int) -> None:
        self._send(status, f"{status}\n".encode(), "text/plain; charset=utf-8")

    def _send(
        self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (SECURITY | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _context(state: Path, host: str) -> tuple[ssl.SSLContext, str]:
    """TLS with a certificate for ``host`` that is made once, and its fingerprint."""
    path = state / f"page-{host.replace(':', '_')}.pem"
    if not path.exists():
        command = [sys.executable, "-I", str(_CERTIFICATE), host]
        made = subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603  # our own file
        if made.returncode:
            why = made.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise worded(SettingsError, "page_no_certificate", why=why)
        write_private(path, made.stdout)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(path)
    begin = "-----BEGIN CERTIFICATE-----"
    der = ssl.PEM_cert_to_DER_cert(begin + path.read_text("ascii").partition(begin)[2])
    return context, hashlib.sha256(der).digest().hex(":").upper()  # as browsers show it
