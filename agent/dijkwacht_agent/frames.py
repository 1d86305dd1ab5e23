"""What a source of frames gives the meter, live or recorded: the same thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, repeat
from operator import gt
from typing import Final, Protocol

import msgspec

Frame = tuple[int, int, bytes, int, int]
"""One frame by itself, as merging takes it: ``(time, link_type, data, wire_len, vlan)``, in the terms of
`Block`; ``data`` begins at the link header and may be cut."""

_BLOCK_FRAMES: Final = 1024
_BLOCK_BYTES: Final = 256 * 1024


class Block(msgspec.Struct, frozen=True):
    """Frames of one kind of link in one stretch of bytes: frame i is ``data[begins[i]:ends[i]]``.

    A frame begins at its link header and may be cut; between frames may lie what is none of theirs.
    Whoever made a block never changes it again. Raises ``ValueError`` where the sequences differ in
    length or a frame is not wholly inside ``data``: a meter reads where it is told to.
    """

    data: bytes
    link_type: int
    """LINKTYPE number of pcap."""
    times: Sequence[int]
    """µs UTC."""
    begins: Sequence[int]
    ends: Sequence[int]
    wire_lens: Sequence[int]
    """Lengths on the wire, none less than what is here of the frame."""
    vlans: Sequence[int]
    """802.1Q ids that the kernel took out of the frames, 0 where it took none."""

    def __post_init__(self) -> None:
        begins, ends, count = self.begins, self.ends, len(self.times)
        if {len(begins), len(ends), len(self.wire_lens), len(self.vlans)} != {count}:
            raise ValueError(f"a block whose sequences are not all of {count} frames")
        if count and (any(map(gt, begins, ends)) or min(begins) < 0 or max(ends) > len(self.data)):
            raise ValueError(f"a frame that is not inside the {len(self.data)} bytes of its block")

    def __len__(self) -> int:
        return len(self.times)

    def cut(self, begin: int, end: int) -> Block:
        """Frames ``begin`` to ``end`` (exclusive) as a block of their own, over the same bytes."""
        return Block(
            self.data,
            self.link_type,
            self.times[begin:end],
            self.begins[begin:end],
            self.ends[begin:end],
            self.wire_lens[begin:end],
            self.vlans[begin:end],
        )

    def frames(self) -> Iterator[Frame]:
        """The frames one by one, each with its own bytes."""
        parts = map(self.data.__getitem__, map(slice, self.begins, self.ends))
        link_types = repeat(self.link_type, len(self))
        return zip(self.times, link_types, parts, self.wire_lens, self.vlans, strict=True)


def block_of(frames: Sequence[Frame]) -> Block:
    """Put ``frames`` end to end. Raises ``ValueError`` unless there are some, all of one link type."""
    times, link_types, parts, wire_lens, vlans = zip(*frames, strict=True) if frames else [()] * 5
    if len(set(link_types)) != 1:
        raise ValueError("a block of frames needs some, all of one link type")
    ends = list(accumulate(map(len, parts)))
    return Block(b"".join(parts), link_types[0], times, [0, *ends[:-1]], ends, wire_lens, vlans)


def in_blocks(frames: Iterable[Frame]) -> Iterator[Block]:
    """Gather frames into blocks, bounded in number and in bytes, and each of one link type."""
    gathered: list[Frame] = []
    held = 0
    for frame in frames:
        if gathered and frame[1] != gathered[0][1]:
            yield block_of(gathered)
            gathered, held = [], 0
        gathered.append(frame)
        held += len(frame[2])
        if len(gathered) == _BLOCK_FRAMES or held > _BLOCK_BYTES:
            yield block_of(gathered)
            gathered, held = [], 0
    if gathered:
        yield block_of(gathered)


class FrameSource(Protocol):
    """Where frames come from."""

    dropped: int
    """Frames lost before anybody could read them, since the source was opened."""

    def blocks(self) -> Iterator[Block]:
        """Yield frames as they come. An empty block: time passed and no frame came."""
        ...

    def close(self) -> None:
        """Release files and sockets; safe to call twice."""
        ...
