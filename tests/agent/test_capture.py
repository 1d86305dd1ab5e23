"""The live ring, between two network namespaces of our own."""

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.sources.bpf import passing, refusing
from dijkwacht_agent.sources.capture import LiveCapture, own_prefixes
from dijkwacht_agent.sources.recording import Recording
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.errors import CaptureError

PATIENCE_S = 20
CLONE_NEWNET = 0x40000000
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def run(program: list, data: bytes) -> int:
    """A classic BPF machine: what the kernel would return for ``data``."""
    accumulator = at = 0
    while True:
        code, yes, no, k = program[at]
        at += 1
        if code == 0x06:
            return k
        if code in (0x20, 0x28, 0x30):
            size = {0x20: 4, 0x28: 2, 0x30: 1}[code]
            if k + size > len(data):
                return 0
            accumulator = int.from_bytes(data[k : k + size], "big")
        else:
            hit = accumulator == k if code == 0x15 else bool(accumulator & k)
            at += yes if hit else no


@pytest.mark.parametrize("ip", [IP, IPv6])
@pytest.mark.parametrize("ip_at", [0, 14])
def test_the_filter_refuses_our_own_shipping_and_nothing_else(ip, ip_at):
    us, them, other = (
        ("10.0.0.1", "10.0.0.2", "10.0.0.3") if ip is IP else ("fd::1", "fd::2", "fd::3")
    )
    program = refusing(pack_address(them), 8470, ip_at, 99)

    def verdict(packet) -> int:
        return run(program, bytes(ETHER / packet)[14 - ip_at :])

    assert verdict(ip(src=us, dst=them) / TCP(sport=5, dport=8470) / Raw(b"x")) == 0
    assert verdict(ip(src=them, dst=us) / TCP(sport=8470, dport=5)) == 0
    assert verdict(ip(src=us, dst=them) / TCP(sport=5, dport=8471)) == 99
    assert verdict(ip(src=us, dst=other) / TCP(sport=5, dport=8470)) == 99
    assert verdict(ip(src=them, dst=us) / TCP(sport=5, dport=8470)) == 99
    assert verdict(ip(src=us, dst=them) / UDP(sport=5, dport=8470)) == 99
    another = (IPv6 if ip is IP else IP)() / TCP(sport=5, dport=8470)
    assert verdict(another) == 99
    assert run(passing(99), b"") == 99


def enter(namespace: str) -> None:
    """Move this thread into a network namespace; ``os.setns`` came with Python 3.12."""
    with Path("/run/netns", namespace).open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


@pytest.fixture
def inside_namespace(tmp_path):
    """Run a function in a thread within a fresh namespace that holds a veth pair, dw0 and dw1."""
    names = [f"dw-{os.getpid()}-{side}" for side in "ab"]

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    with contextlib.ExitStack() as stack:
        for name in names:
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
        ip("-n", names[0], "link", "add", "dw0", "type", "veth", "peer", "dw1", "netns", names[1])
        for name, interface in zip(names, ("dw0", "dw1"), strict=True):
            ip("netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            ip("-n", name, "addr", "add", f"192.0.2.{interface[-1]}/24", "dev", interface)
            ip("-n", name, "link", "set", interface, "up")
            ip("-n", name, "link", "set", "lo", "up")

        def call(side: int, function):
            results: list = []

            def within() -> None:
                enter(names[side])
                try:
                    results.append(function())
                except Exception as error:  # noqa: BLE001 - carried over to the test's thread
                    results.append(error)

            thread = threading.Thread(target=within)
            thread.start()
            thread.join(PATIENCE_S)
            (result,) = results
            if isinstance(result, Exception):
                raise result
            return result

        yield call


def raw_socket(interface: str) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((interface, 0))
    return sock


def read_until(capture: LiveCapture, frames: int) -> list:
    """Frames of ``capture`` until there are ``frames`` of them, or patience ends."""
    read: list = []
    deadline = time.monotonic() + PATIENCE_S
    for block in capture.blocks():
        read += block.frames()
        if len(read) >= frames or time.monotonic() > deadline:
            return read
    return read


@pytest.mark.live
def test_what_is_sent_is_captured_as_a_recording_would_hold_it(inside_namespace, tmp_path):
    packets = [
        bytes(ETHER / packet / Raw(bytes([number]) * 60))
        for number in range(50)
        for packet in (
            IP(src="192.0.2.0", dst="192.0.2.9") / UDP(sport=4000 + number, dport=99),
            IP(src="192.0.2.0", dst="192.0.2.9") / TCP(sport=4000 + number, dport=99, flags="S"),
            Dot1Q(vlan=7) / IP(src="192.0.2.0", dst="192.0.2.9") / UDP(sport=4000, dport=99),
        )
    ]
    sender = inside_namespace(0, lambda: raw_socket("dw0"))
    capture = inside_namespace(1, lambda: LiveCapture("dw1", ring_bytes=1 << 20))
    with sender, contextlib.closing(capture):
        for packet in packets:
            sender.send(packet)
        live = read_until(capture, len(packets))
    assert capture.dropped == 0
    path = tmp_path / "same.pcap"
    records = [
        struct.pack("<IIII", frame[0] // 1_000_000, frame[0] % 1_000_000, len(data), len(data))
        + data
        for frame, data in zip(live, packets, strict=True)
    ]
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records))
    both = []
    for blocks in ([block_of(live)], Recording([path]).blocks()):
        meter = Meter(LocalNetworks())
        for block in blocks:
            meter.feed(block)
        meter.finish()
        both.append(list(meter.take().rows()))
    assert both[0] == both[1]
    assert sum(row[14] for _, row in both[0]) == len(packets)
    assert {row[10] for _, row in both[0]} == {0, 7}


@pytest.mark.live
def test_time_passes_when_nothing_comes(inside_namespace):
    capture = inside_namespace(1, lambda: LiveCapture("dw1", ring_bytes=1 << 19))
    with contextlib.closing(capture):
        deadline = time.monotonic() + PATIENCE_S
        assert any(not block and time.monotonic() < deadline for block in capture.blocks())


@pytest.mark.live
def test_loopback_shows_each_packet_once_and_our_shipping_never(inside_namespace):
    refused = (pack_address("127.0.0.1"), 8470)

    def exchange() -> list:
        with (
            contextlib.closing(LiveCapture("lo", ring_bytes=1 << 19, refuse=refused)) as capture,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
            socket.create_server(("127.0.0.1", 8470)) as server,
        ):
            with socket.create_connection(server.getsockname()) as client:
                client.send(b"a batch")
            for _ in range(5):
                sender.sendto(b"x", ("127.0.0.1", 9))
            return read_until(capture, 10)  # each with the answer that the port is closed

    frames = inside_namespace(0, exchange)
    meter = Meter(LocalNetworks())
    meter.feed(block_of(frames))
    meter.finish()
    assert sorted((row[9], row[14]) for _, row in meter.take().rows()) == [(1, 5), (17, 5)]


@pytest.mark.live
def test_long_frames_are_cut_and_count_in_full(inside_namespace):
    packet = bytes(ETHER / IP(src="192.0.2.0", dst="192.0.2.9") / UDP() / Raw(bytes(1200)))
    sender = inside_namespace(0, lambda: raw_socket("dw0"))
    capture = inside_namespace(1, lambda: LiveCapture("dw1", ring_bytes=1 << 19, snap_bytes=128))
    with sender, contextlib.closing(capture):
        sender.send(packet)
        ((_, _, data, wire_len, _),) = read_until(capture, 1)
    assert data == packet[:128]
    assert wire_len == len(packet)


@pytest.mark.live
def test_what_did_not_fit_is_counted(inside_namespace):
    packet = bytes(ETHER / IP(src="192.0.2.0", dst="192.0.2.9") / UDP() / Raw(bytes(1400)))
    sent = 2000
    sender = inside_namespace(0, lambda: raw_socket("dw0"))
    capture = inside_namespace(1, lambda: LiveCapture("dw1", ring_bytes=1 << 19))
    with sender, contextlib.closing(capture):
        for _ in range(sent):
            sender.send(packet)
        deadline = time.monotonic() + PATIENCE_S
        seen = 0
        for block in capture.blocks():
            seen += len(block)
            if seen + capture.dropped >= sent or time.monotonic() > deadline:
                break
    assert capture.dropped > 0
    assert seen + capture.dropped == sent


@pytest.mark.live
def test_an_interface_that_goes_away_is_named(inside_namespace):
    capture = inside_namespace(1, lambda: LiveCapture("dw1", ring_bytes=1 << 19))
    inside_namespace(
        1, lambda: subprocess.run(["ip", "link", "del", "dw1"], check=True, capture_output=True)
    )
    with (
        contextlib.closing(capture),
        pytest.raises(CaptureError, match="dw1: the interface is down"),
    ):
        read_until(capture, 1)


@pytest.mark.live
def test_the_prefix_of_the_interface_is_inside(inside_namespace):
    assert inside_namespace(1, lambda: own_prefixes("dw1")) == ["192.0.2.0/24"]
    assert inside_namespace(1, lambda: own_prefixes("nothing")) == []


@pytest.mark.live
def test_an_interface_that_is_not_there_is_named_with_those_that_are(inside_namespace):
    with pytest.raises(CaptureError, match=r"no interface dw9; there are: .*dw0"):
        inside_namespace(0, lambda: LiveCapture("dw9"))


def test_a_missing_right_is_named(monkeypatch):
    def forbidden(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", forbidden)
    with pytest.raises(CaptureError, match="eth0: capturing needs the right CAP_NET_RAW"):
        LiveCapture("eth0")


def test_a_system_without_packet_sockets_is_told_so(monkeypatch):
    monkeypatch.delattr(socket, "AF_PACKET")
    with pytest.raises(CaptureError, match="needs Linux"):
        LiveCapture("eth0")
