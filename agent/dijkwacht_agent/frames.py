"""What a source of frames gives the meter, live or recorded: the same thing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

Frame = tuple[int, int, bytes, int, int]
"""``(time, link_type, data, wire_len, vlan)``.

``time`` is µs UTC; ``link_type`` is a LINKTYPE number of pcap; ``data`` begins at the link header and
may be cut; ``wire_len`` is the length it had on the wire; ``vlan`` is the 802.1Q id that the kernel
took out of the frame, 0 if it took none.
"""


class FrameSource(Protocol):
    """Where frames come from."""

    dropped: int
    """Frames lost before anybody could read them, since the source was opened."""

    def blocks(self) -> Iterator[list[Frame]]:
        """Yield frames as they come. An empty list: time passed and no frame came."""
        ...

    def close(self) -> None:
        """Release files and sockets; safe to call twice."""
        ...
