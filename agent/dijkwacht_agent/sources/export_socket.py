"""Export datagrams from a UDP port, as blocks of frames: the sender's address, then what it sent."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from collections.abc import Callable, Iterator
from itertools import accumulate
from struct import Struct
from typing import Final

from dijkwacht_agent.error_words import worded
from dijkwacht_agent.frames import Block
from dijkwacht_agent.local_networks import parse_endpoint
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.errors import CaptureError

EXPORT_LINK: Final = -1
"""The kind of link of such a block; pcap has no number for it."""
LONGEST: Final = 9216
"""A jumbo frame; exporters keep to 1,500 bytes."""
_BUFFER_BYTES: Final = 1 << 20
_BLOCK_DATAGRAMS: Final = 64
_IDLE_MS: Final = 250
_SO_RXQ_OVFL: Final = 40
_count = Struct("=I")


class ExportSocket:
    """A `FrameSource` over a UDP port. ``dropped``: what the kernel had no room for.

    ``clock`` gives the times of the blocks (µs). Raises `CaptureError` when the port cannot be had.
    """

    def __init__(self, endpoint: str, clock: Callable[[], int]) -> None:
        self.dropped = 0
        host, port = parse_endpoint(endpoint)
        self._clock = clock
        self._v4 = ":" not in host
        self._socket = socket.socket(
            socket.AF_INET if self._v4 else socket.AF_INET6, socket.SOCK_DGRAM
        )
        self._closed = False
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            with contextlib.suppress(OSError):  # loss is known from sequence numbers as well
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
            self._socket.bind((host, port))
            self._socket.setblocking(False)
        except OSError as error:
            self.close()
            key = "export_port_taken" if error.errno == errno.EADDRINUSE else "export_port"
            why = error.strerror or type(error).__name__
            raise worded(CaptureError, key, endpoint=endpoint, why=why) from None

    def blocks(self) -> Iterator[Block]:
        """Yield what has come, or nothing each quarter second."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while not self._closed:
            poll.poll(_IDLE_MS)
            yield self._received()

    def close(self) -> None:
        """Close the socket."""
        self._closed = True
        self._socket.close()

    def _received(self) -> Block:
        parts: list[bytes] = []
        wire_lens: list[int] = []
        with contextlib.suppress(BlockingIOError):
            for _ in range(_BLOCK_DATAGRAMS):
                data, extra, flags, sender = self._socket.recvmsg(LONGEST, 64)
                for level, kind, value in extra:
                    if (level, kind) == (socket.SOL_SOCKET, _SO_RXQ_OVFL):
                        self.dropped += (_count.unpack(value)[0] - self.dropped) % (1 << 32)
                parts.append(self._packed(sender[0]) + data)
                wire_lens.append(len(parts[-1]) + bool(flags & socket.MSG_TRUNC))
        return export_block(parts, [self._clock()] * len(parts), wire_lens)

    def _packed(self, address: str) -> bytes:
        if self._v4:
            return V4_PREFIX + socket.inet_aton(address)
        return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])


def export_block(parts: list[bytes], times: list[int], wire_lens: list[int]) -> Block:
    """A block of export datagrams, each behind its sender's address of 16 bytes."""
    ends = list(accumulate(map(len, parts)))
    begins = [0, *ends[:-1]] if ends else []
    return Block(b"".join(parts), EXPORT_LINK, times, begins, ends, wire_lens, [0] * len(parts))
