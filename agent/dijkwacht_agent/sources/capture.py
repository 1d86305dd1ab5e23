"""Frames from a live interface: an AF_PACKET ring (TPACKET_V3) from plain Python.

The kernel fills blocks of a ring that we share; one wake-up hands over a block of many frames. The
layouts are those of ``linux/if_packet.h``.
"""

from __future__ import annotations

import errno
import ipaddress
import mmap
import os
import select
import socket
from collections.abc import Iterator
from struct import Struct, pack
from typing import Final

import psutil

from dijkwacht_agent.error_words import worded
from dijkwacht_agent.frames import Block
from dijkwacht_agent.sources.bpf import as_option, passing, refusing
from dijkwacht_records.errors import CaptureError

RING_BYTES: Final = 8 * 1024 * 1024
SNAP_BYTES: Final = 4096
"""Long enough for the longest names; offloads make frames of up to 64 KiB."""
_BLOCK_BYTES: Final = 256 * 1024
_FRAME_BYTES: Final = 2048  # of no meaning to version 3, but it must divide the block
_RETIRE_MS: Final = 100
_IDLE_MS: Final = 250
HELD_US: Final = (2 * _RETIRE_MS + 50) * 1000
"""How old a frame may be that the kernel still holds: its timer looks at a block twice before it hands
over one that is not full, and may ring late."""

_SOL_PACKET: Final = 263
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION = 1, 5, 6, 10
_PROMISCUOUS: Final = 1
_TPACKET_V3: Final = 2
_ATTACH_FILTER: Final = 26
_ETH_P_ALL: Final = 3
_OUTGOING: Final = 4
_READY: Final = 1
_VLAN_VALID: Final = 0x10
_STATUS_AT: Final = 8
_PACKET_TYPE_AT: Final = 58

_ETHERNET, _RAW_IP = 1, 101
_LOOPBACK: Final = 772
_LINK_TYPES: Final = {
    1: _ETHERNET,
    _LOOPBACK: _ETHERNET,
    768: _RAW_IP,
    769: _RAW_IP,
    776: _RAW_IP,
    801: 105,
    803: 127,
    65534: _RAW_IP,
}
"""What the kernel calls a kind of interface (ARPHRD) → LINKTYPE."""

_block_head = Struct("=IIII").unpack_from  # status, frames, place of the first, bytes used
_frame_head = Struct("=IIIIIIHHII").unpack_from
_statistics = Struct("=III").unpack
_word = Struct("=I")


class LiveCapture:
    """A `FrameSource` over ``interface``, both directions, promiscuous.

    ``refuse`` is an (address of 16 bytes, TCP port) that must not be captured: where the agent ships
    to. Opening raises `CaptureError` that names the missing right or interface; so does reading, once
    the interface is gone. ``dropped`` counts what the kernel could not put into the ring.
    """

    def __init__(
        self,
        interface: str,
        *,
        ring_bytes: int = RING_BYTES,
        snap_bytes: int = SNAP_BYTES,
        refuse: tuple[bytes, int] | None = None,
    ) -> None:
        self.interface = interface
        self.dropped = 0
        self._blocks = max(ring_bytes // _BLOCK_BYTES, 2)
        self._snap = snap_bytes
        self._refuse = refuse
        self._ring: mmap.mmap | None = None
        self._socket = self._open()
        try:
            self._set_up()
        except OSError as error:
            self.close()
            raise self._explained(error) from None

    def blocks(self) -> Iterator[Block]:
        """Yield the frames of one ring block after another, or nothing each quarter second."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLERR)
        place = 0
        while (ring := self._ring) is not None:
            start = place * _BLOCK_BYTES
            status, count, first, used = _block_head(ring, start + _STATUS_AT)
            if not status & _READY:
                if not self._wait(poll):
                    self._count_dropped()
                    yield self._walk(b"", 0, 0)  # time passed
                continue
            data = ring[start : start + used]
            _word.pack_into(ring, start + _STATUS_AT, 0)  # the block is the kernel's again
            place = (place + 1) % self._blocks
            self._count_dropped()
            if block := self._walk(data, first, count):
                yield block

    def close(self) -> None:
        """Close ring and socket."""
        if self._ring is not None:
            self._count_dropped()
            self._ring.close()
            self._ring = None
        self._socket.close()

    def _open(self) -> socket.socket:
        if not hasattr(socket, "AF_PACKET"):
            raise worded(CaptureError, "capture_system")
        try:
            # Protocol 0 receives nothing until it is bound, with filter and ring in place.
            return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except OSError as error:
            raise self._explained(error) from None

    def _set_up(self) -> None:
        sock = self._socket
        sock.bind((self.interface, 0))
        kind = sock.getsockname()[3]
        if kind not in _LINK_TYPES:
            raise worded(CaptureError, "interface_kind", name=self.interface, kind=kind)
        self._link_type = _LINK_TYPES[kind]
        self._loopback = kind == _LOOPBACK
        program = passing(self._snap)
        if self._refuse is not None and self._link_type in {_ETHERNET, _RAW_IP}:
            ip_at = 14 if self._link_type == _ETHERNET else 0
            program = refusing(*self._refuse, ip_at, self._snap)
        option, memory = as_option(program)
        sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, option)
        del memory  # the kernel has its own copy now
        sock.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
        size = self._blocks * _BLOCK_BYTES
        request = pack(
            "=7I",
            _BLOCK_BYTES,
            self._blocks,
            _FRAME_BYTES,
            size // _FRAME_BYTES,
            _RETIRE_MS,
            0,
            0,
        )
        sock.setsockopt(_SOL_PACKET, _RX_RING, request)
        self._ring = mmap.mmap(sock.fileno(), size)
        index = socket.if_nametoindex(self.interface)
        sock.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, pack("=iHH8x", index, _PROMISCUOUS, 0))
        sock.bind((self.interface, _ETH_P_ALL))
        self._count_dropped()

    def _walk(self, data: bytes, at: int, count: int) -> Block:
        """Find the ``count`` frames in the bytes of a ring block, the first at ``at``."""
        loopback = self._loopback
        times: list[int] = []
        begins: list[int] = []
        ends: list[int] = []
        wire_lens: list[int] = []
        vlans: list[int] = []
        for _ in range(count):
            step, seconds, nanos, length, wire_len, status, mac, _, _, tag = _frame_head(data, at)
            # A loopback shows every packet twice: as it leaves and as it comes.
            if not (loopback and data[at + _PACKET_TYPE_AT] == _OUTGOING):
                times.append(seconds * 1_000_000 + nanos // 1000)
                begins.append(at + mac)
                ends.append(at + mac + length)
                wire_lens.append(wire_len)
                vlans.append(tag & 0x0FFF if status & _VLAN_VALID else 0)
            at += step
        return Block(data, self._link_type, times, begins, ends, wire_lens, vlans)

    def _wait(self, poll: select.poll) -> bool:
        """Wait for a block; ``False`` if none came in time."""
        events = poll.poll(_IDLE_MS)
        if events and events[0][1] & (select.POLLERR | select.POLLNVAL):
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            raise self._explained(OSError(code, os.strerror(code)))
        return bool(events)

    def _count_dropped(self) -> None:
        """Add what was lost since the last look: the kernel forgets it when asked."""
        raw = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12)
        self.dropped += _statistics(raw)[1]

    def _explained(self, error: OSError) -> CaptureError:
        name = self.interface
        if error.errno in {errno.EPERM, errno.EACCES}:
            return worded(CaptureError, "capture_right", name=name)
        if error.errno in {errno.ENODEV, errno.ENXIO}:
            there = ", ".join(known for _, known in socket.if_nameindex())
            return worded(CaptureError, "interface_missing", name=name, there=there)
        if error.errno == errno.ENETDOWN:
            return worded(CaptureError, "interface_gone", name=name)
        if error.errno == errno.ENOMEM:
            size = self._blocks * _BLOCK_BYTES >> 20
            return worded(CaptureError, "capture_memory", name=name, mebibytes=size)
        why = error.strerror or type(error).__name__
        return worded(CaptureError, "capture_other", name=name, why=why)


def own_prefixes(interface: str) -> list[str]:
    """The prefixes of the interface's own addresses, for `LocalNetworks`; empty if it has none."""
    found = []
    for address in psutil.net_if_addrs().get(interface, []):
        if address.family not in {socket.AF_INET, socket.AF_INET6} or not address.netmask:
            continue
        mask = int(ipaddress.ip_address(address.netmask))
        text = f"{address.address.partition('%')[0]}/{mask.bit_count()}"
        found.append(str(ipaddress.ip_network(text, strict=False)))
    return found
