"""The last incidents and stories of each site that were closed or answered: an answer may come later.

What a person saw may be behind what has been said since. So the answer is given to the latest step, as
long as it is remembered; else to what the person saw, behind all that may have been said since.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Generic, TypeVar

import msgspec

from dijkwacht_collector.incidents.incident import Incident, IncidentEvent
from dijkwacht_collector.incidents.ocsf import encode_finding
from dijkwacht_collector.incidents.story import Story, StoryEvent
from dijkwacht_collector.incidents.story_ocsf import encode_story

MOST_ENDED: Final = 16
"""Incidents of one site that are remembered, and stories."""
OWN_STEPS: Final = 1000
"""More steps than an incident has before it is answered, in time or late."""
_LATEST: Final = 1 << 62
"""More than any number of an incident: what is beyond, databases do not hold."""

Told = TypeVar("Told", Incident, Story)


class Ended(Generic[Told]):
    """By site, the last `MOST_ENDED` of a ``kind`` that are not open, as bytes: nobody may ever ask."""

    def __init__(self, kind: type[Told]) -> None:
        self._kind: type[Told] = kind
        self._known: dict[str, dict[str, bytes]] = {}

    def note(self, told: Told) -> None:
        """This is the latest step of ``told``, and it is not open."""
        known = self._known.setdefault(told.site, {})
        known.pop(told.uid, None)
        while len(known) >= MOST_ENDED:
            del known[next(iter(known))]
        known[told.uid] = msgspec.msgpack.encode(told)

    def get(self, site: str, uid: str) -> Told | None:
        """It, if it is remembered."""
        body = self._known.get(site, {}).get(uid)
        return None if body is None else msgspec.msgpack.decode(body, type=self._kind)

    def latest(self, site: str, uid: str, position: int, seen: Told | None) -> Told | None:
        """The step that an answer at a journal ``position`` follows; ``seen``: as a person saw it, or nothing.

        What is not remembered may have had `OWN_STEPS`, and an answer at each position before. None if
        nothing says which one of this site is meant. Raises ``ValueError`` for what is none.
        """
        known = self.get(site, uid)
        if known is not None or seen is None or (seen.site, seen.uid) != (site, uid):
            return known
        _check_can_be_told(seen)
        revision = max(seen.revision, OWN_STEPS + position)
        return msgspec.structs.replace(seen, revision=revision)

    def all_of(self, site: str) -> list[Told]:
        """What is remembered of a site, the oldest first."""
        return [msgspec.msgpack.decode(body, type=self._kind) for body in self.of(site)]

    def of(self, site: str) -> list[bytes]:
        """As `all_of`, as bytes."""
        return list(self._known.get(site, {}).values())

    def put(self, site: str, bodies: Iterable[bytes]) -> None:
        """Remember of a site what `of` returned, and nothing else."""
        self._known.pop(site, None)
        for body in bodies:
            self.note(msgspec.msgpack.decode(body, type=self._kind))


def _check_can_be_told(told: Incident | Story) -> None:
    """Raises ``ValueError`` for what an engine never said: no sink could take it, ever."""
    numbers = [told.revision, told.start, told.end, told.answered]
    if isinstance(told, Incident):
        numbers.append(told.count)
    else:
        numbers += [told.more, *(time for part in told.parts for time in (part.start, part.end))]
        numbers += [call.time for call in told.calls]
    if max(numbers) >= _LATEST or min(numbers) <= -_LATEST:
        raise ValueError(f"a {_name(told)} of numbers that are none")
    try:
        if isinstance(told, Incident):
            encode_finding(IncidentEvent("update", told, 0))
        else:
            encode_story(StoryEvent("update", told, 0))
    except (LookupError, OverflowError) as error:
        raise ValueError(f"no {_name(told)}: {type(error).__name__} {error}") from None


def _name(told: Incident | Story) -> str:
    return "incident" if isinstance(told, Incident) else "story"
