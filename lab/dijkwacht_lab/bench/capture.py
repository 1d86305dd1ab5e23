"""How fast the reference meter is: packets per CPU-second, from a file to rows, names included.

Four generated recordings: plain TCP, an office's mix, the same where servers answer the handshakes and a tenth
of the connections is work on a file server, and a SYN flood in which every packet is a new flow. CPU time is that of this process, user and system.
"""

from __future__ import annotations

import random
import resource
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.sources.recording import Recording
from dijkwacht_lab.bench.speech import file_work, handshake

Timed = tuple[float, bytes]
"""Seconds since the start, and an Ethernet frame."""

_MACS = bytes.fromhex("001b21000001001b21000002")
_SYN, _SYN_ACK, _ACK, _PUSH, _FIN = 0x02, 0x12, 0x10, 0x18, 0x11


def _ipv4(proto: int, src: bytes, dst: bytes, body: bytes) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, proto, 0)
    return _MACS + b"\x08\x00" + head + src + dst + body


def _ipv6(proto: int, src: bytes, dst: bytes, body: bytes) -> bytes:
    head = struct.pack(">IHBB", 6 << 28, len(body), proto, 64)
    return _MACS + b"\x86\xdd" + head + src.rjust(16, b"\x20") + dst.rjust(16, b"\x20") + body


def _tcp(sport: int, dport: int, flags: int, payload: bytes = b"", seq: int = 0) -> bytes:
    return struct.pack(">HHIIBBHHH", sport, dport, seq, 0, 0x50, flags, 8192, 0, 0) + payload


def _udp(sport: int, dport: int, payload: bytes) -> bytes:
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


def _dns(name: bytes, *, answer: bool) -> bytes:
    labels = b"".join(bytes([len(label)]) + label for label in name.split(b"."))
    question = labels + b"\x00\x00\x01\x00\x01"
    head = struct.pack(">HHHHHH", 7, 0x8180 if answer else 0x0100, 1, int(answer), 0, 0)
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"
    return head + question + (record if answer else b"")


def _hosts(rng: random.Random) -> tuple[bytes, bytes, int]:
    host = bytes((10, 0, rng.randrange(4), rng.randrange(1, 255)))
    server = bytes((93, 184, rng.randrange(256), rng.randrange(256)))
    return host, server, rng.randrange(32768, 61000)


def _connection(
    rng: random.Random, *, names: bool = False, speech: bool = False
) -> Iterator[bytes]:
    """The frames of one TCP connection, sometimes over IPv6 or in a VLAN.

    ``names``: it begins with a ClientHello; ``speech``: of which servers take notice, or it is SMB.
    """
    host, server, port = _hosts(rng)
    kind = rng.random() if names else 1.0
    wrap: Callable[[int, bytes, bytes, bytes], bytes] = _ipv6 if kind < 0.05 else _ipv4
    tag = b"\x81\x00\x00\x0a" if 0.05 <= kind < 0.1 else b""
    on_files = speech and 0.1 <= kind < 0.2
    service = 445 if on_files else 443
    sequence = [1, 1]

    def frame(sent: bool, flags: int, payload: bytes = b"") -> bytes:
        ports = (port, service) if sent else (service, port)
        ends = (host, server) if sent else (server, host)
        data = wrap(6, *ends, _tcp(*ports, flags, payload, sequence[sent]))
        sequence[sent] += len(payload) + (flags & (_SYN | _FIN) > 0)
        return data[:12] + tag + data[12:]

    yield frame(True, _SYN)
    yield frame(False, _SYN_ACK)
    yield frame(True, _ACK)
    if on_files:
        for sent, segment in file_work(rng):
            yield frame(sent, _PUSH, segment)
    elif names:
        said = handshake(rng, b"host%d.example.org" % rng.randrange(500))
        for sent, segment in said if speech else islice(said, 1):
            yield frame(sent, _PUSH, segment)
    else:
        yield frame(True, _PUSH, bytes(100))
    for _ in range(0 if on_files else int(rng.paretovariate(1.2) * 10) % 2000):
        yield frame(False, _PUSH, bytes(rng.choice((200, 1400, 1400))))
        if rng.random() < 0.5:
            yield frame(True, _ACK)
    yield frame(True, _FIN)
    yield frame(False, _FIN)
    yield frame(True, _ACK)


def _lookup(rng: random.Random) -> Iterator[bytes]:
    host, _, port = _hosts(rng)
    name = b"www%d.example.com" % rng.randrange(1000)
    resolver = b"\x0a\x00\x00\x01"
    yield _ipv4(17, host, resolver, _udp(port, 53, _dns(name, answer=False)))
    yield _ipv4(17, resolver, host, _udp(53, port, _dns(name, answer=True)))


def plain_tcp(rng: random.Random) -> Iterator[Timed]:
    """200 connections at a time, 10,000 packets a second."""
    yield from _interleaved(rng, lambda: _connection(rng))


def office_mix(rng: random.Random) -> Iterator[Timed]:
    """As above, with names: two lookups for each TLS connection, some IPv6, some VLAN."""
    yield from _interleaved(
        rng, lambda: _connection(rng, names=True) if rng.random() < 0.34 else _lookup(rng)
    )


def office_speech(rng: random.Random) -> Iterator[Timed]:
    """The same, with all that the meter reads of it."""
    yield from _interleaved(
        rng,
        lambda: _connection(rng, names=True, speech=True) if rng.random() < 0.34 else _lookup(rng),
    )


def syn_flood(rng: random.Random) -> Iterator[Timed]:
    """100,000 SYNs a second, each from another address and port."""
    moment = 0.0
    while True:
        moment += 1e-5
        yield (
            moment,
            _ipv4(
                6, rng.randbytes(4), b"\x0a\x00\x00\x50", _tcp(rng.randrange(1024, 65536), 80, _SYN)
            ),
        )


def _interleaved(rng: random.Random, begin: Callable[[], Iterator[bytes]]) -> Iterator[Timed]:
    running = [begin() for _ in range(200)]
    moment = 0.0
    while True:
        moment += 1e-4
        place = rng.randrange(len(running))
        frame = next(running[place], None)
        if frame is None:
            running[place] = begin()
        else:
            yield moment, frame


def write_recording(path: Path, frames: Iterator[Timed], count: int) -> None:
    """Write ``count`` frames as a pcap file."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for moment, data in islice(frames, count):
            micros = int(moment * 1_000_000)
            stamp = 1_700_000_000 + micros // 1_000_000, micros % 1_000_000
            file.write(struct.pack("<IIII", *stamp, len(data), len(data)) + data)


def packets_per_cpu_second(path: Path) -> float:
    """Meter ``path`` from file to rows."""
    meter = Meter(LocalNetworks())
    started = time.process_time()
    recording = Recording([path])
    for block in recording.blocks():
        meter.feed(block)
        meter.take()
    meter.finish()
    meter.take()
    return meter.counters["packets_seen"] / (time.process_time() - started)


def measure(packets: int = 300_000, repeats: int = 3) -> dict[str, float]:
    """Return the figures: the best of ``repeats``, since other load only ever slows down."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in (
            ("packets_per_cpu_second", office_mix),
            ("speech_packets_per_cpu_second", office_speech),
            ("plain_tcp_packets_per_cpu_second", plain_tcp),
            ("syn_flood_packets_per_cpu_second", syn_flood),
        ):
            path = Path(folder) / f"{name}.pcap"
            dice = random.Random(7)  # noqa: S311  # dice, not secrets
            write_recording(path, make(dice), packets)
            figures[name] = round(max(packets_per_cpu_second(path) for _ in range(repeats)))
    figures["rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return figures
