"""Small recordings made by hand, and a policy that alerts at once."""

import contextlib
import logging
import os
import re
import signal
import socket
import sqlite3
import ssl
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from dijkwacht_agent.join import join, read_who
from dijkwacht_agent.uplink import Post
from dijkwacht_collector.policy import Calibration
from dijkwacht_collector.sites import Sites
from dijkwacht_collector.sites.authority import Authority
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.errors import CollectorBusy
from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import encode

SECOND = 1_000_000
BEGIN = 1_700_000_000 * SECOND
MAC = bytes.fromhex("020000000001020000000002")


def tcp(src, dst, sport, dport, flags):
    """An Ethernet frame with a bare TCP segment."""
    segment = struct.pack(">HHIIBBHHH", sport, dport, 0, 0, 0x50, flags, 1024, 0, 0)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0)
    return MAC + b"\x08\x00" + head + pack_address(src)[12:] + pack_address(dst)[12:] + segment


def write_pcap(path, frames):
    """``frames``: (µs UTC, bytes)."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for at, data in frames:
        parts.append(struct.pack("<IIII", at // SECOND, at % SECOND, len(data), len(data)) + data)
    path.write_bytes(b"".join(parts))
    return path


def knocks(count, begin=BEGIN, src="192.168.7.66", dst="192.168.7.2", step=20_000):
    """A port scan: every door is shut."""
    frames = []
    for port in range(1, count + 1):
        time = begin + port * step
        frames.append((time, tcp(src, dst, 40_000, port, 0x02)))
        frames.append((time + 300, tcp(dst, src, port, 40_000, 0x14)))
    return frames


@pytest.fixture(autouse=True)
def logs_go_nowhere_afterwards():
    """What a command sent to a test's standard error ends with the test."""
    before, level = list(logging.root.handlers), logging.root.level
    yield
    for handler in list(logging.root.handlers):
        if handler not in before and type(handler).__module__ != "_pytest.logging":
            logging.root.removeHandler(handler)
    logging.root.setLevel(level)


@pytest.fixture
def scan(tmp_path):
    """A pcap of a port scan by 192.168.7.66."""
    return write_pcap(tmp_path / "scan.pcap", knocks(300))


@pytest.fixture
def long_scan(tmp_path):
    """A pcap of a port scan of more rows than are scored at once."""
    return write_pcap(tmp_path / "long.pcap", knocks(5000))


@pytest.fixture
def slow_scan(tmp_path):
    """A pcap of a port scan, and of packets half an hour apart: minutes go by until it has been played."""
    ends = ("192.168.7.5", "192.168.7.2")
    later = [(BEGIN + n * 1800 * SECOND, tcp(*ends, 50_000 + n, 443, 0x02)) for n in range(1, 200)]
    return write_pcap(tmp_path / "slow.pcap", [*knocks(1000), *later])


@pytest.fixture
def quiet(tmp_path):
    """A pcap of one connection."""
    ends = ("192.168.7.5", "192.0.2.1")
    frames = [
        (BEGIN, tcp(*ends, 50_000, 443, 0x02)),
        (BEGIN + 9000, tcp(*ends[::-1], 443, 50_000, 0x12)),
        (BEGIN + 9900, tcp(*ends, 50_000, 443, 0x11)),
        (BEGIN + 19_900, tcp(*ends[::-1], 443, 50_000, 0x11)),
    ]
    return write_pcap(tmp_path / "quiet.pcap", frames)


@pytest.fixture
def loud(monkeypatch):
    """A policy to which any positive score is rare, so that order and form can be tested."""

    def calibration(detector):
        scores = np.logspace(-1, 6, 60)
        rates = np.logspace(-4, -9, 60)  # so rare that no hour is learned as normal
        return Calibration(detector, 1, "for a test", scores.tolist(), rates.tolist())

    monkeypatch.setattr("dijkwacht_collector.policy.calibration.load_calibration", calibration)


@pytest.fixture
def make_scan(tmp_path):
    """Write a port scan by ``src`` that begins at a time, µs UTC."""

    def make(name, begin, src):
        return write_pcap(tmp_path / name, knocks(300, begin, src))

    return make


@pytest.fixture
def far_future(tmp_path):
    """A pcapng of two packets: one of today, one some 35,000 years later by its interface's clock."""

    def block(kind, body):
        size = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + size + body + size

    def packet(interface, time):
        data = tcp("192.168.7.66", "192.168.7.2", 40_000, 80, 0x02) + bytes(2)
        length = len(data), len(data)
        head = struct.pack("<IIIII", interface, time >> 32, time & 0xFFFFFFFF, *length)
        return block(6, head + data)

    offset = struct.pack("<HHqHH", 14, 8, 1 << 40, 0, 0)
    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    interfaces = [block(1, struct.pack("<HHI", 1, 0, 0) + options) for options in (b"", offset)]
    path = tmp_path / "far.pcapng"
    path.write_bytes(b"".join([section, *interfaces, packet(1, 1), packet(0, BEGIN)]))
    return path


def until_true(true, limit_s=20.0):
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


class SecureCollector:
    """``dijkwacht collect`` over TLS on a port of this machine."""

    def __init__(self, folder):
        self.state = folder / "collector"
        settings = folder / "collector.toml"
        settings.write_text('tls = "on"\ntraining = false\njoins_per_minute = 3\n')
        words = ["collect", "--state", self.state, "--settings", settings]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dijkwacht.cli", *words, "--listen", "127.0.0.1:0"],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = []
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(r"listening on https://127\.0\.0\.1:(\d+)", line):
                break
        else:
            pytest.fail("".join(self.said))
        self.port = int(found[1])
        self.url = f"https://127.0.0.1:{self.port}"
        self.codes = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self):
        self.said.extend(self.process.stderr)

    def sites(self, act):
        sites = Sites(self.state / "sites.db")
        sites.open()
        try:
            return act(sites)
        finally:
            sites.close()

    def code(self, url=None):
        now = time.time_ns() // 1000
        made = self.sites(lambda s: s.make_join_code("bakery", url or self.url, now))
        self.codes.append(made)
        return made

    def joined(self, state, name):
        """The folder of an agent that joined, also where somebody has failed too often just before."""
        code = self.code()

        def joins():
            with contextlib.suppress(CollectorBusy):
                return join(code, state, name)

        until_true(joins)
        return state

    def send(self, state, name):
        """What it answers to a batch of the agent whose folder this is."""
        with contextlib.closing(Post(self.url, read_who(state))) as post:
            return post(self.batch(name))

    @staticmethod
    def batch(agent):
        """One heartbeat, that no other batch is."""
        beat = TABLES.index(AGENT), (1, *(0 for _ in AGENT.columns[1:]))
        return encode("bakery", agent, os.urandom(16), 0, time.time_ns() // 1000, [beat])

    def execute(self, query, *values):
        with contextlib.closing(sqlite3.connect(self.state / "sites.db")) as database, database:
            return database.execute(query, values).fetchall()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        self._listener.join()
        self.process.stderr.close()


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """A collector that speaks TLS, with the site ``bakery``."""
    running = SecureCollector(tmp_path_factory.mktemp("trust"))
    running.sites(lambda sites: sites.add("bakery", 1))
    yield running
    running.stop()


@pytest.fixture
def relay(tmp_path):
    """Makes whoever stands between an agent and what listens on a port of this machine."""
    authority = Authority(tmp_path / "other", ["127.0.0.1"], lambda: time.time_ns() // 1000)
    authority.open()
    return lambda port: Relay(port, authority.context)


class Relay:
    """Stands between an agent and the collector, with a certificate of its own."""

    def __init__(self, port, context):
        self._there, self._context = port, context
        self.heard = b""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.close()

    def _run(self):
        onward = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        onward.check_hostname, onward.verify_mode = False, ssl.CERT_NONE
        with contextlib.suppress(OSError):
            while True:
                bare, _ = self._server.accept()
                with contextlib.suppress(OSError), bare:
                    bare.settimeout(10)
                    near = self._context.wrap_socket(bare, server_side=True)
                    said = near.recv(65536)
                    while b"\r\n\r\n" not in said or not said.endswith(b"}"):
                        said += near.recv(65536)
                    self.heard += said
                    with socket.create_connection(("127.0.0.1", self._there), 10) as raw:
                        far = onward.wrap_socket(raw)
                        far.sendall(said)
                        near.sendall(far.recv(65536))
                    near.unwrap()


@pytest.fixture
def ctrl_c_heard():
    """By this process and those it starts: who runs the tests in the background may have had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
