"""The stream to browsers: a short memory of server-sent events, and one bounded queue a reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import msgspec

from dijkwacht_collector.console.language import LANGUAGES
from dijkwacht_collector.console.titles import title
from dijkwacht_collector.incidents import Event, StoryEvent

MEMORY: Final = 256
QUEUE: Final = 64


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event. ``id`` is ``run-sequence``; data is JSON, so it holds no newline."""

    id: str
    name: str
    data: bytes = b"{}"

    def encode(self) -> bytes:
        """The bytes on the wire."""
        return f"id: {self.id}\nevent: {self.name}\ndata: ".encode() + self.data + b"\n\n"


class Feed:
    """Sends events to every open stream. ``run`` names this run of the process.

    A reader too slow for its queue, or who comes back with an id that is no longer in memory,
    gets ``reload`` and misses nothing, for a page holds the whole state.
    Not thread-safe: call it on the event loop (``loop.call_soon_threadsafe(feed.publish, event)``).
    """

    def __init__(self, run: str) -> None:
        self._run: Final = run
        self._sequence = 0
        self._memory: deque[ServerEvent] = deque(maxlen=MEMORY)
        self._readers: set[asyncio.Queue[ServerEvent | None]] = set()

    @property
    def last_id(self) -> str:
        """The id of the latest event; a page carries it, so that its stream begins there."""
        return f"{self._run}-{self._sequence}"

    @property
    def readers(self) -> int:
        """How many streams are open."""
        return len(self._readers)

    def publish(self, event: Event) -> None:
        """Send one step in an incident's or a story's life to every browser."""
        told = event.story.gravest if isinstance(event, StoryEvent) else event.incident
        data: dict[str, object] = {
            "activity": event.activity,
            "site": event.site,
            "title": {language: title(told, language) for language in LANGUAGES},
        }
        if isinstance(event, StoryEvent):
            name, story = "story", event.story
            data |= {"uid": story.uid, "severity": story.severity_id, "calls": len(story.calls)}
        else:
            name, incident = "incident", event.incident
            data |= {"uid": incident.uid, "severity": incident.severity_id, "story": incident.story}
        self._sequence += 1
        sent = ServerEvent(self.last_id, name, msgspec.json.encode(data))
        self._memory.append(sent)
        for queue in self._readers:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(self._reload())
            else:
                queue.put_nowait(sent)

    def close(self) -> None:
        """End every reader's stream."""
        for queue in self._readers:
            while queue.full():
                queue.get_nowait()
            queue.put_nowait(None)

    @contextmanager
    def reader(self, last_id: str = "") -> Iterator[asyncio.Queue[ServerEvent | None]]:
        """A queue of the events after ``last_id``; ``None`` in it means the end."""
        queue: asyncio.Queue[ServerEvent | None] = asyncio.Queue(QUEUE)
        for event in self._missed(last_id):
            queue.put_nowait(event)
        self._readers.add(queue)
        try:
            yield queue
        finally:
            self._readers.discard(queue)

    def _missed(self, last_id: str) -> list[ServerEvent]:
        if not last_id:
            return []
        run, _, number = last_id.rpartition("-")
        if run == self._run and number.isdecimal() and int(number) <= self._sequence:
            behind = self._sequence - int(number)
            if behind <= min(len(self._memory), QUEUE):
                return list(self._memory)[len(self._memory) - behind :]
        return [self._reload()]

    def _reload(self) -> ServerEvent:
        return ServerEvent(self.last_id, "reload")
