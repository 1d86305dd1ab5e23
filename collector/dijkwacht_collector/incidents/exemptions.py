"""What sites call normal: of a class, a machine and its peer nothing is reported until a time.

What was said last of them counts, by the position of the entry that said it; so what is learned from a
store of incidents and what the journal says may be put together in any order. Earlier releases said it of
a class and subject, and so it is still said of what names no ends, or too many.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Final, NamedTuple

import msgspec

from dijkwacht_collector.incidents.answers import Said
from dijkwacht_collector.incidents.finding import Finding
from dijkwacht_collector.incidents.incident import Ends, Incident
from dijkwacht_collector.incidents.peers import NO_ENDS
from dijkwacht_collector.sites import TakenBack
from dijkwacht_records.addresses import format_address

NORMAL_US: Final = 30 * 24 * 3_600_000_000
"""How long "this is normal" exempts what it is about, from the answer or the incident's end on."""
FOR_EVER_US: Final = 1 << 62
"""What lasts longer lasts so long: no checkpoint could hold any number."""
MOST_EXEMPTED: Final = 1000
"""What one site may have called normal at once; past it, what would end first goes."""

Key = tuple[str, str, str]
"""Site, kind and subject."""


class Named(NamedTuple):
    """What an exemption is of: a class, and a subject, or a machine and its peer ("": any, or none)."""

    kind: str
    subject: str
    machine: str = ""
    peer: str = ""


class Exempted(msgspec.Struct, array_like=True):
    """Nothing of ``kind`` and ``subject``, or ``machine`` and ``peer``, is reported before ``until``.

    µs UTC of event time; 0 where that was taken back. One of a machine has no subject; its ``peer`` is "" if
    whoever is at the other end does not matter. ``since``: when the entry at ``position`` arrived, µs UTC,
    that said so; ``by`` whom; ``uid``: the incident or story that was answered, "" if none was.
    ``hidden``: the findings that were not reported for it.
    """

    kind: str
    subject: str
    until: int
    since: int = 0
    by: str = ""
    uid: str = ""
    hidden: int = 0
    position: int = 0
    machine: str = ""
    peer: str = ""

    @property
    def named(self) -> Named:
        """What it is of."""
        return Named(self.kind, self.subject, self.machine, self.peer)

    @property
    def id(self) -> str:
        """How a person names it: it stays the same when it is said again.

        >>> Exempted("scan", "192.168.1.7", 1).id
        '2d7b5819930f'
        """
        text = f"{self.kind}\n{self.subject}"
        if self.machine:
            text += f"\n{self.machine}\n{self.peer}"
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()

    def told(self) -> dict[str, str | int]:
        """It as programs are told; times are µs UTC."""
        return {
            "id": self.id, "class": self.kind, "subject": self.subject, "machine": self.machine,
            "peer": self.peer, "since": self.since, "until": self.until, "by": self.by,
            "incident": self.uid, "hidden": self.hidden,
        }  # fmt: skip

    def taken_back(self) -> TakenBack:
        """The choice to end it."""
        return TakenBack(self.id, self.kind, self.subject, self.uid, self.machine, self.peer)


def covering(
    rows: Mapping[Named, Exempted], kind: str, subject: str, ends: Ends, time: int
) -> Exempted | None:
    """What of a site's ``rows`` keeps a finding of event time ``time`` silent: the narrowest, if any does."""
    narrowest_first = Named(kind, "", *ends), Named(kind, "", ends.machine), Named(kind, subject)
    for named in narrowest_first if ends.machine else narrowest_first[2:]:
        row = rows.get(named)
        if row is not None and time < row.until:
            return row
    return None


def unreported(rows: Iterable[Exempted], incident: Incident) -> Exempted | None:
    """What of a site's ``rows``, all in force, keeps the like of ``incident`` silent: what ends first, if it does."""
    by_name = {row.named: row for row in rows}
    ends = incident.ends or (Ends(incident.machine),)
    hidden = [covering(by_name, incident.kind, incident.subject, one, 0) for one in ends]
    if any(row is None for row in hidden):
        return None
    return min((row for row in hidden if row is not None), key=lambda row: row.until)


class Exemptions:
    """The exemptions of all sites.

    ``changed``: sites of which somebody said something since it was emptied; ``counted``: those where
    something was hidden since. ``hidden``: by site, how much since it was taken.
    """

    def __init__(self) -> None:
        self.changed: set[str] = set()
        self.counted: set[str] = set()
        self.hidden: dict[str, int] = {}
        self._rows: dict[str, dict[Named, Exempted]] = {}

    def hides(self, finding: Finding) -> bool:
        """Whether it is not to be reported; it is counted if so."""
        row = self._covering(finding)
        if row is None:
            return False
        row.hidden += 1
        self.counted.add(finding.site)
        self.hidden[finding.site] = self.hidden.get(finding.site, 0) + 1
        return True

    def covers(self, finding: Finding) -> bool:
        """As `hides`, and nothing is counted."""
        return self._covering(finding) is not None

    def heed(self, incident: Incident, position: int, answered: str = "") -> None:
        """Do what the answer to ``incident`` asks, which the entry at ``position`` gave.

        ``answered``: the uid of the story that was answered, "" if the incident alone was.
        """
        since, by = incident.answered or incident.end, incident.answered_by
        uid = answered or incident.uid
        if incident.status != "normal":
            said = Said("undone", "closed", by, since, position)
            for named in _all_about(incident):
                self.say(incident.site, _over(named, uid, said))
            return
        back = self._rows.get(incident.site, {}).get(Named(incident.kind, incident.subject))
        if back is not None and not back.until and not back.uid and back.position > position > 0:
            return  # an entry has taken it back since, and named the subject
        for named in exempted_by(incident):
            until = max(incident.answered, incident.end) + NORMAL_US
            known = self._rows.get(incident.site, {}).get(named)
            if known is not None:
                if not known.uid and known.until >= until:
                    continue  # it was exempt for longer, and not for the sake of an answer
                until = max(until, known.until)
            row = Exempted(
                named.kind, named.subject, until, since, by, uid,
                position=position, machine=named.machine, peer=named.peer,
            )  # fmt: skip
            self.say(incident.site, row)

    def take_back(self, site: str, uid: str, said: Said) -> None:
        """All that the answer to ``uid`` exempted is over, as ``said``."""
        for named, row in list(self._rows.get(site, {}).items()):
            if row.uid == uid and row.until:
                self.say(site, _over(named, uid, said))

    def exempt(self, site: str, row: Exempted) -> None:
        """Take what an entry says; a subject's that is over is over in what answers said of its ends, too."""
        if not row.machine and not row.until:
            of_ends = [n for n in self._rows.get(site, {}) if n.kind == row.kind and n.machine]
            for named in of_ends:
                if row.subject in {named.machine, named.peer}:
                    said = Said("undone", "closed", row.by, row.since, row.position)
                    self.say(site, _over(named, "", said))
        self.say(site, row)

    def say(self, site: str, row: Exempted) -> None:
        """Take ``row``, unless what is known was said later."""
        rows = self._rows.setdefault(site, {})
        named = row.named
        known = rows.get(named)
        if known is not None and known.position >= row.position > 0:
            return
        if known is not None and known.until and row.until:
            row.hidden = known.hidden
        rows.pop(named, None)
        # What ended so long ago can be brought back by nothing that is still kept.
        over = [k for k, old in rows.items() if max(old.until, old.since) + NORMAL_US < row.since]
        for old_name in over:
            del rows[old_name]
        if len(rows) >= MOST_EXEMPTED:
            del rows[min(rows, key=lambda k: rows[k].until)]
        rows[named] = row
        self.changed.add(site)

    def of(self, site: str) -> list[Exempted]:
        """What is remembered of a site, with what was taken back; later changes do not show in it."""
        return [copy(row) for row in self._rows.get(site, {}).values()]

    def put(self, site: str, rows: Iterable[Exempted]) -> None:
        """Remember of a site what `of` returned, and nothing else."""
        kept = {row.named: copy(row) for row in rows}
        if kept or site in self._rows:
            self._rows[site] = kept
            self.changed.add(site)

    def _covering(self, finding: Finding) -> Exempted | None:
        rows = self._rows.get(finding.site)
        if not rows:
            return None
        kind, time = finding.kind, finding.time
        row = covering(rows, kind, finding.subject, finding.ends, time)
        if row is None and finding.door == "knock":
            # Knocks were their source's once, and who looks after the site from outside may scan it.
            row = covering(rows, kind, format_address(finding.evidence.src_h), NO_ENDS, time)
        return row


def exempted_by(incident: Incident) -> list[Named]:
    """What "this is normal" exempts, said of ``incident``: each pair of ends, any peer once that is one."""
    if not incident.ends:
        return [Named(incident.kind, incident.subject)]
    return [
        Named(incident.kind, "", *ends)
        for ends in incident.ends
        if not ends.peer or Ends(ends.machine) not in incident.ends
    ]


def _all_about(incident: Incident) -> list[Named]:
    """What would keep the like of ``incident`` silent."""
    ends = incident.ends or (Ends(incident.machine),)
    named = [Named(incident.kind, "", *one) for both in ends for one in (both, Ends(both.machine))]
    return [
        *dict.fromkeys(one for one in named if one.machine),
        Named(incident.kind, incident.subject),
    ]


def _over(named: Named, uid: str, said: Said) -> Exempted:
    """It is exempt no more, as ``said`` of ``uid``."""
    kind, subject, machine, peer = named
    return Exempted(
        kind, subject, 0, said.arrival, said.by, uid,
        position=said.position, machine=machine, peer=peer,
    )  # fmt: skip
