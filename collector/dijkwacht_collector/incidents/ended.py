"""The last incidents of each site that were closed or answered: an answer may come later.

What a person saw may be behind what has been said since. So the answer is given to the latest step, as
long as it is remembered; else to what the person saw, behind all that may have been said since.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from dijkwacht_collector.incidents.incident import Incident, IncidentEvent
from dijkwacht_collector.incidents.ocsf import encode_finding

MOST_ENDED: Final = 16
"""Incidents of one site that are remembered."""
OWN_STEPS: Final = 1000
"""More steps than an incident has before it is answered, in time or late."""
_LATEST: Final = 1 << 62
"""More than any number of an incident: what is beyond, databases do not hold."""


class Ended:
    """By site, its last `MOST_ENDED` incidents that are not open, as bytes: nobody may ever ask."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, bytes]] = {}

    def note(self, incident: Incident) -> None:
        """This is the latest step of ``incident``, and it is not open."""
        known = self._known.setdefault(incident.site, {})
        known.pop(incident.uid, None)
        while len(known) >= MOST_ENDED:
            del known[next(iter(known))]
        known[incident.uid] = msgspec.msgpack.encode(incident)

    def latest(self, site: str, uid: str, position: int, seen: bytes) -> Incident | None:
        """The step that an answer at a journal ``position`` follows; ``seen``: as a person saw it, or nothing.

        What is not remembered may have had `OWN_STEPS`, and an answer at each position before. None if
        nothing says which incident of this site is meant. Raises ``ValueError`` for what is none.
        """
        body = self._known.get(site, {}).get(uid)
        if body is not None:
            return msgspec.msgpack.decode(body, type=Incident)
        if not seen:
            return None
        incident = msgspec.msgpack.decode(seen, type=Incident)
        if (incident.site, incident.uid) != (site, uid):
            return None
        _check_can_be_told(incident)
        revision = max(incident.revision, OWN_STEPS + position)
        return msgspec.structs.replace(incident, revision=revision)

    def of(self, site: str) -> list[bytes]:
        """What is remembered of a site, the oldest first."""
        return list(self._known.get(site, {}).values())

    def put(self, site: str, bodies: Iterable[bytes]) -> None:
        """Remember of a site what `of` returned, and nothing else."""
        self._known.pop(site, None)
        for body in bodies:
            self.note(msgspec.msgpack.decode(body, type=Incident))


def _check_can_be_told(incident: Incident) -> None:
    """Raises ``ValueError`` for what an engine never said: no sink could take it, ever."""
    numbers = (incident.revision, incident.start, incident.end, incident.count, incident.answered)
    if max(numbers) >= _LATEST or min(numbers) <= -_LATEST:
        raise ValueError("an incident of numbers that are none")
    try:
        encode_finding(IncidentEvent("update", incident, 0))
    except (LookupError, OverflowError) as error:
        raise ValueError(f"no incident: {type(error).__name__} {error}") from None
