"""One watched network for the live tests: a site with agent and collector, and a stranger beside it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dijkwacht_lab.office.fence import Fence
from dijkwacht_lab.office.namespaces import Namespaces

NETWORK = "10.77.5.0/24"
SITE, SITE_MAC = "10.77.5.2", "02:77:05:c1:d2:e3"
STRANGER, STRANGER_MAC = "10.77.5.66", "02:77:05:a4:b5:96"
MARKER = b"KROKETTENGEHEIM!"
"""What the payloads hold: sixteen bytes nobody would write by chance."""
URL = "https://127.0.0.1:8470"
APPEARS_S = 5.0
STARTS_S = 150.0
ENDS_S = 30.0
BIN = Path(sys.executable).parent

TRUSTING = """
import json, ssl, sys, time, urllib.request
trusted = ssl.create_default_context(cafile=sys.argv[1] + "/authority/root-1.pem")
def ask(url):
    return urllib.request.urlopen(url, timeout=5, context=trusted).read().decode()
"""
"""Whoever asks trusts the collector's own authority, and no other."""
ASK = (
    TRUSTING
    + """
print(ask(sys.argv[2]))
"""
)
WATCH = (
    TRUSTING
    + """
deadline = time.time() + float(sys.argv[3])
while time.time() < deadline:
    found = json.loads(ask(sys.argv[2] + "/v1/incidents"))
    scans = [each for each in found if each["finding_info"]["types"][0] == "scan"]
    if scans:
        print(json.dumps({"seen": time.time_ns() // 1000, "scans": scans}))
        break
    time.sleep(0.05)
"""
)
TALK = """
import socket, sys
address, marker = sys.argv[1], sys.argv[2].encode()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
    for _ in range(20):
        datagrams.sendto(marker * 8, (address, 5060))
    labels = b"".join(bytes((len(l),)) + l for l in (b"23", b"5", b"77", b"10", b"in-addr", b"arpa"))
    ask = b"\\x12\\x34\\x01\\x00\\x00\\x01" + bytes(6) + labels + b"\\x00\\x00\\x0c\\x00\\x01"
    datagrams.sendto(ask, (address, 53))
for _ in range(5):
    with socket.create_connection((address, 8080), timeout=5) as stream:
        stream.sendall(b"POST / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" + marker * 200)
        stream.shutdown(socket.SHUT_WR)
        while stream.recv(4096):
            pass
"""
ECHO = """
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.read())
with socketserver.TCPServer(("0.0.0.0", 8080), Echo) as server:
    print("ready", flush=True)
    server.serve_forever()
"""


@dataclass
class Watched:
    """What came of one watched scan. Times are µs UTC by this process's clock."""

    collector: Path
    agent: Path
    attacker: str = STRANGER
    inside: tuple[str, ...] = (SITE, STRANGER, "10.77.5.23")
    macs: tuple[str, ...] = (SITE_MAC, STRANGER_MAC)
    marker: bytes = MARKER
    scan_began: int = 0
    scan_ended: int = 0
    seen: int = 0
    scans: list = field(default_factory=list)
    metrics: str = ""

    def metric(self, name, **labels):
        """The sum of a metric's samples that carry ``labels``."""
        total, found = 0.0, False
        for line in self.metrics.splitlines():
            match = re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line)
            if match and all(f'{k}="{v}"' in (match[1] or "") for k, v in labels.items()):
                total, found = total + float(match[2]), True
        assert found, f"no {name} with {labels}"
        return total


class Site:
    """The site's namespace: collector, agent, and whoever asks them."""

    def __init__(self, spaces, watched):
        self.spaces, self.watched = spaces, watched
        self.logs = []

    def start(self, words, name):
        log = self.watched.collector.parent / f"{name}.log"
        self.logs.append(log)
        with log.open("wb") as output:
            return self.spaces.start("site", words, output, output)

    def ask(self, path):
        state = str(self.watched.collector)
        return self.spaces.run("site", [sys.executable, "-c", ASK, state, URL + path])

    def health(self):
        try:
            return json.loads(self.ask("/healthz"))
        except RuntimeError:
            return {"status": "away", "journal_position": 0, "engine_position": -1}

    def until(self, what, true, seconds):
        """Wait for ``true()``; fail with what the programs said when ``seconds`` have passed."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                pytest.fail(f"{what} not within {seconds} s\n{self.said()}")
            time.sleep(0.1)

    def said(self):
        return "\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in self.logs)


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A scan from one namespace, watched by an agent in another that ships to its collector."""
    folder = tmp_path_factory.mktemp("watched")
    result = Watched(folder / "collector", folder / "agent")
    with Namespaces() as spaces:
        _cable(spaces)
        site = Site(spaces, result)
        collector = _collect(site)
        agent = _watch(site)
        _talk(spaces)
        _scan(site)
        assert spaces.end(agent) == 0, site.said()
        site.until("all is folded", lambda: _folded(site.health()), ENDS_S)
        result.metrics = site.ask("/metrics")
        assert spaces.end(collector) == 0, site.said()
    return result


def _cable(spaces):
    spaces.add("site")
    spaces.add("stranger")
    spaces.link("site", "eth0", "stranger", "eth0", SITE_MAC)
    spaces.ip("stranger", "link", "set", "eth0", "address", STRANGER_MAC)
    spaces.ip("site", "addr", "add", f"{SITE}/24", "dev", "eth0")
    spaces.ip("stranger", "addr", "add", f"{STRANGER}/24", "dev", "eth0")


def _collect(site):
    state, settings = str(site.watched.collector), site.watched.collector.with_suffix(".toml")
    settings.write_text('tls = "on"\n')  # as beyond this machine: agents show certificates
    words = ["collect", "--state", state, "--settings", str(settings)]
    collector = site.start([str(BIN / "dijkwacht"), *words], "collector")
    site.until("the collector answers", lambda: site.health()["status"] == "ok", STARTS_S)
    return collector


def _watch(site, interface="eth0"):
    """Add a site, join it over mutual TLS, run the agent."""
    told = site.spaces.run(
        "site",
        [str(BIN / "dijkwacht"), "site", "--state", str(site.watched.collector), "add", "bakery"],
    )
    code = re.search(r"join (\S+)", told)[1]
    program = str(BIN / "dijkwacht-agent")
    with _state_directory(site.watched.agent):
        site.spaces.run("site", [program, "join", code])
        assert (site.watched.agent / "identity.pem").exists()
        assert not (site.watched.agent / "token").exists()
        agent = site.start([program, "run", "--interface", interface], "agent")
    site.until(
        "the agent is heard",
        lambda: "dijkwacht_agent_packets_total{" in site.ask("/metrics"),
        ENDS_S,
    )
    return agent


@contextlib.contextmanager
def _state_directory(folder):
    before = os.environ.get("STATE_DIRECTORY")
    os.environ["STATE_DIRECTORY"] = str(folder)
    try:
        yield
    finally:
        del os.environ["STATE_DIRECTORY"]
        if before is not None:
            os.environ["STATE_DIRECTORY"] = before


def _talk(spaces):
    """Payload with markers, by three protocols, and a name that holds an inside address."""
    echo = spaces.start("site", [sys.executable, "-c", ECHO], subprocess.PIPE)
    assert echo.stdout.readline() == b"ready\n"
    spaces.run("stranger", [sys.executable, "-c", TALK, SITE, MARKER.decode()])
    spaces.run("stranger", ["ping", "-c", "3", "-i", "0.2", "-s", "64", "-p", MARKER.hex(), SITE])
    spaces.end(echo, signal.SIGKILL)


def _scan(site):
    target = Fence([NETWORK]).target(SITE)
    words = [str(site.watched.collector), URL, str(ENDS_S + APPEARS_S)]
    watch = site.spaces.start("site", [sys.executable, "-c", WATCH, *words], subprocess.PIPE)
    watched = site.watched
    watched.scan_began = time.time_ns() // 1000
    site.spaces.run("stranger", ["nmap", "-sS", "-Pn", "-n", "-T4", "-p", "1-1000", target])
    watched.scan_ended = time.time_ns() // 1000
    with contextlib.suppress(subprocess.TimeoutExpired):
        watch.wait(ENDS_S)
    said = watch.stdout.read() if watch.poll() is not None else b""
    if not said:
        pytest.fail(f"no incident of class scan\n{site.said()}")
    found = json.loads(said)
    watched.seen, watched.scans = found["seen"], found["scans"]


def _folded(health):
    return health["engine_position"] == health["journal_position"]


LINK = "10.77.6"


@dataclass
class Link:
    """A switch whose every frame the site's agent hears, and machines at it."""

    spaces: Namespaces
    site: Site
    folder: Path
    taken: int = 2

    def machine(self, name):
        """A machine at the switch; returns its address."""
        self.taken += 1
        address = f"{LINK}.{self.taken}"
        self.spaces.add(name)
        self.spaces.link("site", f"to-{name}", name, "eth0")
        self.spaces.ip("site", "link", "set", f"to-{name}", "master", "br0")
        self.spaces.ip(name, "addr", "add", f"{address}/24", "dev", "eth0")
        return address

    def told(self, technique, seconds):
        """The first incident of ``technique`` that interrupts somebody; fails if none comes in time."""
        found = []

        def looks():
            incidents = json.loads(self.site.ask("/v1/incidents"))
            found.extend(
                each
                for each in incidents
                if each["severity_id"] >= 3
                and technique in _named(each["finding_info"]["attacks"][0])
            )
            return bool(found)

        self.site.until(f"an incident of {technique}", looks, seconds)
        return found[0]


def _named(attack):
    return {attack[way]["uid"] for way in ("technique", "sub_technique") if way in attack}


@pytest.fixture(scope="module")
def link(tmp_path_factory):
    """A site with agent and collector at a switch of its own."""
    folder = tmp_path_factory.mktemp("link")
    with Namespaces() as spaces:
        spaces.add("site")
        spaces.ip("site", "link", "add", "br0", "type", "bridge")
        spaces.ip("site", "addr", "add", f"{LINK}.2/24", "dev", "br0")
        spaces.ip("site", "link", "set", "br0", "up")
        site = Site(spaces, Watched(folder / "collector", folder / "agent"))
        _collect(site)
        _watch(site, "br0")
        yield Link(spaces, site, folder)
