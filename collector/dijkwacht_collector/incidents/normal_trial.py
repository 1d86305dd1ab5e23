"""What "this is normal" would have kept silent, tried on findings that are kept; it decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from dijkwacht_collector.incidents.evidences import MOST_EVIDENCES
from dijkwacht_collector.incidents.exemptions import NORMAL_US, Exempted, Exemptions, covering
from dijkwacht_collector.incidents.incident import ALERT_SEVERITY, Ends, Incident
from dijkwacht_collector.incidents.peers import peer_of
from dijkwacht_collector.incidents.story import Story
from dijkwacht_records.addresses import format_address
from dijkwacht_records.pseudonyms import marked

TRIED_US: Final = NORMAL_US
"""So far back findings are tried, from the last of their site."""
MOST_TRIED: Final = 10_000
"""Findings, the latest, that are tried."""
MOST_NAMED: Final = 20
"""Findings that programs are told the names of."""


class Trial(NamedTuple):
    """What would be exempt, and what came of that between ``since`` and ``until``, µs UTC of event time.

    ``silent``: findings of which nothing would have been reported, latest first; ``called`` are the uids of
    those that interrupted somebody. ``partly``: those with other ends as well; these would have been reported.
    """

    exempted: tuple[Exempted, ...]
    since: int
    until: int
    silent: tuple[Incident, ...] = ()
    partly: tuple[Incident, ...] = ()
    called: frozenset[str] = frozenset()

    def told(self) -> dict[str, object]:
        """It as programs are told: the latest `MOST_NAMED` by name, those that called first."""
        named = sorted(self.silent, key=lambda one: one.uid not in self.called)[:MOST_NAMED]
        return {
            "exempts": [
                {"class": r.kind, "subject": r.subject, "machine": r.machine, "peer": r.peer}
                for r in self.exempted
            ],
            "since": self.since, "until": self.until, "findings": len(self.silent),
            "called": len(self.called), "in_part": len(self.partly),
            "named": [
                {
                    "incident": one.uid, "class": one.kind, "title": marked(one.title_en),
                    "start": one.start, "end": one.end, "called": one.uid in self.called,
                }
                for one in named
            ],
        }  # fmt: skip


def exempted_if_normal(findings: Iterable[Incident], now: int) -> tuple[Exempted, ...]:
    """What "this is normal", said of all these findings of one site at ``now``, µs UTC, would exempt."""
    said, sites = Exemptions(), set()
    for incident in findings:
        sites.add(incident.site)
        said.heed(msgspec.structs.replace(incident, status="normal", answered=now), 1)
    return tuple(row for site in sites for row in said.of(site))


def try_normal(
    exempted: Sequence[Exempted],
    findings: Sequence[Incident],
    stories: Iterable[Story],
    span: tuple[int, int],
) -> Trial:
    """What of ``findings`` and their ``stories``, of one site and a ``span`` of time, would have been silent."""
    rows = {row.named: row for row in exempted}
    silent: list[Incident] = []
    partly: list[Incident] = []
    for incident in findings:
        ends = incident.ends or _ends_by_evidence(incident)
        # As if it had held all the time.
        hidden = [covering(rows, incident.kind, incident.subject, one, 0) for one in ends]
        if all(hidden):
            silent.append(incident)
        elif any(hidden):
            partly.append(incident)
    calls = {call.finding for story in stories for call in story.calls}
    called = frozenset(
        one.uid
        for one in silent
        if one.uid in calls or (not one.story and one.severity_id >= ALERT_SEVERITY)
    )
    return Trial(tuple(exempted), *span, tuple(silent), tuple(partly), called)


def _ends_by_evidence(incident: Incident) -> tuple[Ends, ...]:
    """Those of an incident that names none, if its evidence tells all; else its machine, as if with no peer."""
    machine, told = incident.machine, incident.evidences
    whole = len(told) < MOST_EVIDENCES and all(
        machine in {format_address(one.src_h), format_address(one.dst_h)} for one in told
    )
    if not whole or not told or incident.standing:
        return (Ends(machine),)
    return tuple(Ends(machine, peer_of(incident.kind, machine, one)) for one in told)
