"""Frames from recordings: pcap and pcapng, one file or many merged by time.

Formats are recognised by content. What cannot be read is a line in ``problems``, and what can be read is
read.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Final

from dijkwacht_agent.frames import Block, in_blocks
from dijkwacht_agent.sources.packet_file import PacketFile, is_recording
from dijkwacht_records.errors import UnreadableInput

__all__ = ["MAX_PROBLEMS", "Recording", "is_recording"]

MAX_PROBLEMS: Final = 100
_CHUNK: Final = 256 * 1024
_MIN_CHUNK: Final = 16 * 1024
_ALL_CHUNKS: Final = 16 * 1024 * 1024


class Recording:
    """A `FrameSource` over one or more files, merged by time into one recording.

    What cannot be read is counted in ``problem_count``; ``problems`` holds the first `MAX_PROBLEMS` of
    them as ``file: place: what``. Raises `UnreadableInput` where no file is pcap or pcapng, and at the
    end of `blocks` where there were problems and not one frame.
    """

    def __init__(self, paths: Sequence[Path | str]) -> None:
        self.dropped = 0
        self.problem_count = 0
        self._problems: list[UnreadableInput] = []
        self._files: list[PacketFile] = []
        chunk = min(max(_ALL_CHUNKS // max(len(paths), 1), _MIN_CHUNK), _CHUNK)
        for path in paths:
            try:
                self._files.append(PacketFile(Path(path), self._note, chunk))
            except UnreadableInput as error:
                self._note(error)
        if self._problems and not self._files:
            raise self._problems[0]

    @property
    def problems(self) -> list[str]:
        """What could not be read, so far."""
        return [str(problem) for problem in self._problems]

    def blocks(self) -> Iterator[Block]:
        """Yield every frame, oldest first as far as each file is in order."""
        nothing = True
        for block in self._merged():
            nothing = False
            yield block
        if nothing and self._problems:
            raise self._problems[0]

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    def _merged(self) -> Iterator[Block]:
        if len(self._files) == 1:
            yield from self._files[0].blocks()
            return
        streams = [chain.from_iterable(map(Block.frames, file.blocks())) for file in self._files]
        yield from in_blocks(heapq.merge(*streams, key=itemgetter(0)))

    def _note(self, problem: UnreadableInput) -> None:
        self.problem_count += 1
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(problem)
