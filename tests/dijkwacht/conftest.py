"""Small recordings made by hand, and a policy that alerts at once."""

import logging
import struct

import numpy as np
import pytest

from dijkwacht_collector.policy import Calibration
from dijkwacht_records.addresses import pack_address

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
    for time, data in frames:
        parts.append(
            struct.pack("<IIII", time // SECOND, time % SECOND, len(data), len(data)) + data
        )
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
