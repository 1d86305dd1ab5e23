"""The owner's page over real HTTP: who gets in, what it shows, what it refuses."""

import contextlib
import http.client
import signal
import socket
import ssl
import subprocess
import threading
import time
from urllib.parse import urlencode

import pytest

from dijkwacht_agent.cli import main
from dijkwacht_agent.owner import pin as pins
from dijkwacht_agent.owner.device_names import read_names
from dijkwacht_agent.owner.page import (
    IDLE_S,
    MAX_OF_ONE,
    REQUEST_S,
    PageServer,
    Place,
    Sessions,
    read_place,
)
from dijkwacht_agent.owner.pin import PIN_FILE, Guard, read_pin, set_pin
from dijkwacht_agent.owner.unmasked_log import read_log
from dijkwacht_records.errors import SettingsError

PIN = "271828"


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Browser:
    """Keeps the cookie, as a browser does; ``sent`` are the headers of the last answer."""

    def __init__(self, place, context=None):
        self.place, self.context = place, context
        self.cookie, self.status, self.sent = "", 0, {}

    def ask(self, method, path, body=None, **headers):
        name = f"{self.place.host}:{self.place.port}"
        kind = http.client.HTTPSConnection if self.context else http.client.HTTPConnection
        options = {"context": self.context} if self.context else {}
        connection = kind(self.place.host, self.place.port, timeout=20, **options)
        given = {"Host": name, "Cookie": self.cookie}
        if method == "POST":
            given["Origin"] = f"http{'s' * bool(self.context)}://{name}"
            given["Content-Type"] = "application/x-www-form-urlencoded"
        given |= {k.replace("_", "-"): v for k, v in headers.items()}
        given = {k: v for k, v in given.items() if v is not None}
        connection.request(method, path, urlencode(body) if isinstance(body, dict) else body, given)
        answer = connection.getresponse()
        self.status, self.sent = answer.status, answer.headers
        if cookie := answer.headers["Set-Cookie"]:
            self.cookie = cookie.partition(";")[0]
        text = answer.read().decode()
        connection.close()
        return text

    def enter(self, pin=PIN, **headers):
        return self.ask("POST", "/enter?lang=en", {"pin": pin}, **headers)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def serve(site, clock):
    servers = []

    def start(place):
        set_pin(site.state, PIN)
        server = PageServer(site.state, place, clock)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def server(serve):
    return serve(Place("127.0.0.1", 0, False, frozenset()))


@pytest.fixture
def browser(server):
    return Browser(server.place)


@pytest.fixture
def inside(browser):
    browser.enter()
    assert browser.status == 303
    return browser


def test_nothing_is_shown_before_the_pin(browser, hidden):
    page = browser.ask("GET", "/?lang=en")
    assert browser.status == 200
    assert "PIN" in page
    assert "10.1.2.3" not in page
    assert "10.1.2.3" not in browser.ask("POST", "/who", {"text": f"~{hidden[0]}"})
    assert browser.status == 403
    browser.ask("POST", "/name", {"device": "x", "name": "y"})
    assert browser.status == 403


def test_a_pseudonym_and_a_whole_message(inside, hidden, site):
    page = inside.ask("POST", "/who?lang=en", {"text": f" ~{hidden[0]} "})
    assert inside.status == 200
    assert "10.1.2.3" in page
    assert "Annas-Laptop" in page
    page = inside.ask("POST", "/who?lang=nl", {"text": f"Haal ~{hidden[1]} van het net."})
    assert f"~{hidden[1]} [00:1b:21:00:00:01, Annas-Laptop]" in page
    assert "Wie is dit?" in page
    entries = [entry for entry in read_log(site.state) if entry.way == "page"]
    assert [entry.what for entry in entries] == [[f"~{hidden[0]}"], [f"~{hidden[1]}"]]
    assert entries[0].client == "127.0.0.1"


def test_what_is_none_says_so_and_is_never_html(inside):
    page = inside.ask("POST", "/who?lang=en", {"text": '<script>alert("x")</script>'})
    assert "is no pseudonym" in page
    assert "<script" not in page


def test_the_list_of_devices_and_a_name_for_one(inside, hidden, site):
    page = inside.ask("GET", "/?lang=en")
    assert "Annas-Laptop" in page
    assert f"~{hidden[0]}" in page
    inside.ask("POST", "/name?lang=en", {"device": "00:1b:21:00:00:01", "name": "till <1>"})
    assert inside.status == 303
    assert read_names(site.state) == {"00:1b:21:00:00:01": "till <1>"}
    assert "till &lt;1&gt;" in inside.ask("GET", "/?lang=en")
    assert any(entry.way == "list" for entry in read_log(site.state))


def test_the_page_is_sent_with_what_a_browser_must_obey(inside):
    inside.ask("GET", "/")
    policy = inside.sent["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert inside.sent["Cache-Control"] == "no-store"
    assert inside.sent["X-Content-Type-Options"] == "nosniff"
    assert "Python" not in inside.sent["Server"]


def test_the_cookie_is_for_this_page_alone(browser):
    browser.enter()
    cookie = browser.sent["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8471", "127.0.0.1", "", "10.0.0.1"])
def test_a_strangers_name_for_this_machine_reads_nothing(inside, host):
    inside.ask("GET", "/", Host=host)
    assert inside.status == 421


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "https://127.0.0.1"])
def test_a_form_of_a_strangers_page_does_nothing(inside, hidden, site, origin):
    inside.ask("POST", "/name", {"device": "00:1b:21:00:00:01", "name": "x"}, Origin=origin)
    assert inside.status == 403
    assert read_names(site.state) == {}


def test_wrong_pins_slow_down_and_a_right_one_must_wait_as_well(browser, clock):
    for _ in range(pins.FREE_TRIES):
        assert "not right" in browser.enter("000001")
        assert browser.status == 403
    browser.enter("000001")
    assert browser.status == 429
    assert "Too many wrong PINs" in browser.enter(PIN)
    assert browser.status == 429
    clock.now += 3
    browser.enter(PIN)
    assert browser.status == 303


def test_many_clients_together_are_slowed_down_too(tmp_path, clock):
    set_pin(tmp_path, PIN)
    guard = Guard(lambda: read_pin(tmp_path), clock)
    for number in range(pins.MOST_OF_ALL):
        assert not guard.allows(f"client-{number}", "000001")
        clock.now += 1
    assert guard.wait_s("nobody yet") > 0
    assert not guard.allows("nobody yet", PIN)
    clock.now += pins.LONGEST_WAIT_S
    assert guard.allows("nobody yet", PIN)


def test_the_pause_doubles_up_to_a_quarter_of_an_hour(tmp_path, clock):
    set_pin(tmp_path, PIN)
    guard, pauses = Guard(lambda: read_pin(tmp_path), clock), []
    for _ in range(16):
        guard.allows("one", "000001")
        pauses.append(guard.wait_s("one"))
        clock.now += pauses[-1]
    assert pauses[:6] == [0, 0, 0, 2, 4, 8]
    assert max(pauses) == pins.LONGEST_WAIT_S


def test_a_session_ends_when_nobody_looks_and_when_it_is_locked(inside, clock):
    inside.ask("POST", "/leave?lang=en")
    assert 'name="pin"' in inside.ask("GET", "/")
    inside.enter()
    assert 'name="pin"' not in inside.ask("GET", "/")
    clock.now += IDLE_S + 1
    assert 'name="pin"' in inside.ask("GET", "/")


def test_sessions_are_bounded(clock):
    sessions = Sessions(clock)
    tokens = []
    for _ in range(100):
        clock.now += 1
        tokens.append(sessions.begin())
    assert not sessions.goes_on(tokens[0])
    assert sessions.goes_on(tokens[-1])
    assert not sessions.goes_on("")


def test_bodies_and_paths_that_nobody_needs_are_refused(inside):
    for path, body, status in [
        ("/who", {"text": "x" * 100_000}, 413),
        ("/who", "&".join("a=b" for _ in range(99)), 413),
        ("/other", {}, 404),
    ]:
        inside.ask("POST", path, body)
        assert inside.status == status
    inside.ask("GET", "/../privacy.key")
    assert inside.status == 404


def test_the_pin_is_kept_stretched_and_never_twice_the_same(tmp_path):
    set_pin(tmp_path, PIN)
    first = (tmp_path / PIN_FILE).read_text()
    set_pin(tmp_path, PIN)
    assert PIN not in first
    assert (tmp_path / PIN_FILE).read_text() != first
    assert (tmp_path / PIN_FILE).stat().st_mode & 0o077 == 0
    for short in ("", "12345", "111111"):
        with pytest.raises(SettingsError):
            set_pin(tmp_path, short)


def test_the_command_for_the_pin_reads_it_from_standard_input(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", __import__("io").StringIO(f"{PIN}\n"))
    assert main(["--state", str(tmp_path), "pin", "--lang", "nl"]) == 0
    assert "ingesteld" in capsys.readouterr().out
    assert read_pin(tmp_path)


def test_there_is_no_page_without_a_pin(site, capsys):
    command = ["--state", str(site.state), "page", "--listen", "127.0.0.1:8471", "--lang", "en"]
    assert main(command) == 1
    assert "there is no PIN yet" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0.0.0.0:8471", "[::]:8471", "8471", "till:80", "224.0.0.1:1"])
def test_it_listens_on_one_address_that_was_named(text):
    with pytest.raises(SettingsError):
        read_place(text)


def test_loopback_is_plain_and_anything_else_is_not():
    assert read_place("127.0.0.1:8471").url == "http://127.0.0.1:8471/"
    assert read_place("[::1]:8471").url == "http://[::1]:8471/"
    assert read_place("192.168.1.5:8471").url == "https://192.168.1.5:8471/"


def test_by_tls_with_a_certificate_of_its_own_that_stays(serve, site):
    # Another loopback address stands for one of the LAN.
    place = Place("127.0.0.1", 0, True, frozenset())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "dijkwacht_agent.owner.page._place",
            lambda host, port: Place(host, port, True, frozenset({f"{host}:{port}"})),
        )
        server, again = serve(place), serve(place)
    assert server.fingerprint == again.fingerprint
    (path,) = site.state.glob("page-*.pem")
    assert path.stat().st_mode & 0o077 == 0
    pem = path.read_text()
    context = ssl.create_default_context(cadata=pem[pem.index("-----BEGIN CERTIFICATE") :])
    browser = Browser(server.place, context)
    browser.enter()
    assert browser.status == 303
    assert "Secure" in browser.sent["Set-Cookie"]
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        browser.ask("GET", "/")


def test_the_command_says_where_it_is_and_serves_until_it_is_told_to_stop(site, python):
    set_pin(site.state, PIN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*python, "-m", "dijkwacht_agent", "--state", site.state, "page", "--lang", "nl"]
    with subprocess.Popen(
        [*command, "--listen", f"127.0.0.1:{port}"], stdout=subprocess.PIPE, text=True
    ) as page:
        assert f"http://127.0.0.1:{port}/" in page.stdout.readline()
        browser = Browser(Place("127.0.0.1", port, False, frozenset()))
        browser.enter()
        assert browser.status == 303
        page.send_signal(signal.SIGINT)
        assert page.wait(20) == 1


def test_a_port_that_is_taken_is_one_clear_line(site, capsys):
    set_pin(site.state, PIN)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main(["--state", str(site.state), "page", "--listen", listen, "--lang", "en"]) == 1
    assert "this cannot be listened on" in capsys.readouterr().err


def test_x509_is_only_in_the_childs_memory(python, site):
    code = "import sys, dijkwacht_agent.owner.page; print('cryptography.x509' in sys.modules)"
    done = subprocess.run([*python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_who_sends_a_byte_now_and_then_is_hung_up_on(browser, clock):
    place = browser.place
    slow = [socket.create_connection((place.host, place.port), 20) for _ in range(MAX_OF_ONE)]
    for line in slow:
        line.sendall(b"GET / HTTP/1.1\r\nX-")
    with socket.create_connection((place.host, place.port), 20) as more:
        assert more.recv(1) == b""  # room is left for other addresses
    clock.now += REQUEST_S
    for line in slow:
        assert line.recv(1) == b""
        line.close()
    late = time.monotonic() + 20
    while browser.status != 200 and time.monotonic() < late:
        with contextlib.suppress(http.client.HTTPException, OSError):
            browser.ask("GET", "/")
    assert browser.status == 200
