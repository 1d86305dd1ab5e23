"""What sites call normal: of a class and subject nothing is reported until a time.

What was said last of a class and subject counts, by the position of the entry that said it; so what is
learned from a store of incidents and what the journal says may be put together in any order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from copy import copy
from typing import Final

import msgspec

from dijkwacht_collector.incidents.incident import Incident

NORMAL_US: Final = 30 * 24 * 3_600_000_000
"""How long "this is normal" exempts the same kind and subject, from the answer or the incident's end on."""
FOR_EVER_US: Final = 1 << 62
"""What lasts longer lasts so long: no checkpoint could hold any number."""
MOST_EXEMPTED: Final = 1000
"""What one site may have called normal at once; past it, what would end first goes."""

Key = tuple[str, str, str]
"""Site, kind and subject."""


class Exempted(msgspec.Struct, array_like=True):
    """Nothing of ``kind`` and ``subject`` is reported before ``until``, µs UTC of event time.

    ``until`` is 0 where that was taken back. ``since``: when the entry at ``position`` arrived, µs UTC,
    that said so; ``by`` whom; ``uid``: the incident that was answered, "" if none was. ``hidden``: the
    findings that were not reported for it.
    """

    kind: str
    subject: str
    until: int
    since: int = 0
    by: str = ""
    uid: str = ""
    hidden: int = 0
    position: int = 0

    @property
    def id(self) -> str:
        """How a person names it: it stays the same when it is said again.

        >>> Exempted("scan", "192.168.1.7", 1).id
        '2d7b5819930f'
        """
        text = f"{self.kind}\n{self.subject}"
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()

    def told(self) -> dict[str, str | int]:
        """It as programs are told; times are µs UTC."""
        return {
            "id": self.id, "class": self.kind, "subject": self.subject, "since": self.since,
            "until": self.until, "by": self.by, "incident": self.uid, "hidden": self.hidden,
        }  # fmt: skip


class Exemptions:
    """The exemptions of all sites.

    ``changed``: sites of which somebody said something since it was emptied; ``counted``: those where
    something was hidden since. ``hidden``: by site, how much since it was taken.
    """

    def __init__(self) -> None:
        self.changed: set[str] = set()
        self.counted: set[str] = set()
        self.hidden: dict[str, int] = {}
        self._rows: dict[str, dict[Key, Exempted]] = {}

    def covers(self, key: Key, time: int) -> bool:
        """Whether a finding of this event time is what the site calls normal."""
        row = self._rows.get(key[0], {}).get(key)
        return row is not None and time < row.until

    def hides(self, key: Key, time: int) -> bool:
        """Whether a finding of this event time is not to be reported; it is counted if so."""
        row = self._rows.get(key[0], {}).get(key)
        if row is None or time >= row.until:
            return False
        row.hidden += 1
        self.counted.add(key[0])
        self.hidden[key[0]] = self.hidden.get(key[0], 0) + 1
        return True

    def heed(self, incident: Incident, position: int) -> None:
        """Do what the answer to ``incident`` asks, which the entry at ``position`` gave."""
        said = max(incident.answered, incident.end)
        until = said + NORMAL_US if incident.status == "normal" else 0
        known = self._rows.get(incident.site, {}).get(_key(incident))
        if until and known is not None:
            if not known.uid and known.until >= until:
                return  # it was exempt for longer, and not for the sake of an answer
            until = max(until, known.until)
        row = Exempted(
            incident.kind, incident.subject, until, incident.answered or incident.end,
            incident.answered_by, incident.uid, position=position,
        )  # fmt: skip
        self.say(incident.site, row)

    def say(self, site: str, row: Exempted) -> None:
        """Take ``row``, unless what is known was said later."""
        key = (site, row.kind, row.subject)
        rows = self._rows.setdefault(site, {})
        known = rows.pop(key, None)
        if known is not None and known.position >= row.position > 0:
            rows[key] = known
            return
        if known is not None and known.until and row.until:
            row.hidden = known.hidden
        # What ended so long ago can be brought back by nothing that is still kept.
        over = [k for k, old in rows.items() if max(old.until, old.since) + NORMAL_US < row.since]
        for old_key in over:
            del rows[old_key]
        if len(rows) >= MOST_EXEMPTED:
            del rows[min(rows, key=lambda k: rows[k].until)]
        rows[key] = row
        self.changed.add(site)

    def of(self, site: str) -> list[Exempted]:
        """What is remembered of a site, with what was taken back; later changes do not show in it."""
        return [copy(row) for row in self._rows.get(site, {}).values()]

    def put(self, site: str, rows: Iterable[Exempted]) -> None:
        """Remember of a site what `of` returned, and nothing else."""
        kept = {(site, row.kind, row.subject): copy(row) for row in rows}
        if kept or site in self._rows:
            self._rows[site] = kept
            self.changed.add(site)


def _key(incident: Incident) -> Key:
    return incident.site, incident.kind, incident.subject
