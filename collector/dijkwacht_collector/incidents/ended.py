"""The last incidents of each site that were closed or answered: an answer may come later.

What a person saw may be behind what has been said since. So the answer is given to the latest step, as
long as it is remembered; else to what the person saw.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from dijkwacht_collector.incidents.incident import Incident

MOST_ENDED: Final = 16
"""Incidents of one site that are remembered."""
FORGOTTEN_STEPS: Final = 1000
"""More steps than an incident has: what was seen open, and is forgotten, goes on behind all it may have had."""


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

    def latest(self, site: str, uid: str, seen: bytes) -> Incident | None:
        """The latest step of an incident that is not open; ``seen``: as a person saw it, or nothing.

        None if neither says which incident of this site is meant. Raises ``ValueError`` for what is none.
        """
        body = self._known.get(site, {}).get(uid)
        if body is not None:
            return msgspec.msgpack.decode(body, type=Incident)
        if not seen:
            return None
        incident = msgspec.msgpack.decode(seen, type=Incident)
        if (incident.site, incident.uid) != (site, uid):
            return None
        if incident.status == "new":
            return msgspec.structs.replace(incident, revision=incident.revision + FORGOTTEN_STEPS)
        return incident

    def of(self, site: str) -> list[bytes]:
        """What is remembered of a site, the oldest first."""
        return list(self._known.get(site, {}).values())

    def put(self, site: str, bodies: Iterable[bytes]) -> None:
        """Remember of a site what `of` returned, and nothing else."""
        self._known.pop(site, None)
        for body in bodies:
            self.note(msgspec.msgpack.decode(body, type=Incident))
