"""From facts to what a page shows: plain values, in one reader's language, nothing escaped yet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from gettext import NullTranslations
from typing import Final

from dijkwacht_collector.console import words
from dijkwacht_collector.console.data import ConsoleData, SiteView
from dijkwacht_collector.console.figures import Figures
from dijkwacht_collector.console.language import Language
from dijkwacht_collector.console.row_sums import RowSums, row_sums
from dijkwacht_collector.console.titles import title
from dijkwacht_collector.incidents import TECHNIQUES, Evidence, Incident
from dijkwacht_collector.metrics import AgentHealth
from dijkwacht_collector.policy import NOT_RARE
from dijkwacht_records.addresses import UNSPECIFIED, format_address, format_mac

MAX_CARDS: Final = 100
MAX_ROWS: Final = 50
_UNKNOWN: Final = "–"
_DATED_AFTER_DAYS: Final = 60
_STATE_ORDER: Final = ("offline", "late", "up", "waited", "revoked", "removed")
_ABSENT: Final = frozenset({"offline", "late"})


@dataclass(frozen=True, slots=True)
class Moment:
    """A time to show: relative words, and the exact moment for machines and tooltips."""

    words: str
    iso: str
    clock: str


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One observation as text."""

    when: Moment
    who: str
    who_mac: str
    whom: str
    port: int
    name: str
    facts: list[tuple[str, str]]
    score: str


@dataclass(frozen=True, slots=True)
class Card:
    """One incident as text. ``answered``: when that was said, or taken back, if anything was."""

    uid: str
    site: str
    severity: str
    style: str
    kind: str
    title: str
    description: str
    who: str
    whom: str
    technique: str
    technique_name: str
    detector: str
    since: Moment
    last: Moment
    count: str
    confidence: int
    chance: str
    """Empty where that is no question."""
    status: str
    is_open: bool
    answer: words.Given
    answered: Moment | None
    answered_by: str
    evidences: list[EvidenceRow]


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent as text; ``style`` is its state's name."""

    site: str
    name: str
    state: str
    style: words.AgentState
    seen: Moment
    packets: str
    dropped: str
    losing: bool
    spool: str
    shed: int
    disk_full: bool


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One site as text, with the worst that is open there.

    ``absent_agents`` are late or offline; ``watched`` if an agent is up or late.
    """

    name: str
    open: int
    worst: str
    style: str
    agents: int
    absent_agents: int
    watched: bool


@dataclass(frozen=True, slots=True)
class Board:
    """The first page: what asks for a person, what is context, and how the watch itself does.

    ``trouble``: what keeps the collector from taking in anything, empty if nothing does.
    ``style`` is that of the headline: the worst severity, ``quiet`` if all is well, else
    ``unwatched``. Agents that are gone, or were never heard, are listed and not counted.
    """

    calls: list[Card]
    context: list[Card]
    sites: list[SiteRow]
    agents: list[AgentRow]
    rows: list[RowSums]
    call_count: int
    site_count: int
    agent_count: int
    listed_agent_count: int
    absent_agent_count: int
    unwatched_site_count: int
    style: str
    trouble: str


class Reader:
    """Turns facts into the text of one language, at one moment (µs UTC)."""

    def __init__(self, language: Language, catalogue: NullTranslations, now_us: int) -> None:
        self._language: Final = language
        self._catalogue: Final = catalogue
        self._figures: Final = Figures(language)
        self._now: Final = now_us

    def board(self, data: ConsoleData) -> Board:
        """Everything the first page shows. Calls ``data``: not on the event loop."""
        incidents = sorted(data.open_incidents(), key=lambda i: (-i.severity_id, -i.end, i.uid))
        calls = [i for i in incidents if i.severity_id > 2]
        agents = data.agents()
        counted = [agent for agent in agents if agent.standing not in words.STATE_OF]
        absent = sum(self._state(agent) in _ABSENT for agent in counted)
        known = data.sites()
        sites = self._sites(known, incidents, agents)
        by_name = sorted(known, key=lambda site: _natural(site.name))
        unwatched = sum(not site.watched for site in sites)
        trouble = data.trouble()
        style = "unwatched" if absent or unwatched or trouble or not counted else "quiet"
        if calls:
            style = words.SEVERITY_STYLE[min(calls[0].severity_id, max(words.SEVERITY_STYLE))]
        return Board(
            calls=[self.card(i, detailed=False) for i in calls[:MAX_CARDS]],
            context=[self.card(i, detailed=False) for i in incidents[len(calls) :][:MAX_CARDS]],
            sites=sites[:MAX_ROWS],
            agents=self._agents(agents),
            rows=row_sums(by_name, agents, self._figures)[:MAX_ROWS],
            call_count=len(calls),
            site_count=len(sites),
            agent_count=len(counted),
            listed_agent_count=len(agents),
            absent_agent_count=absent,
            unwatched_site_count=unwatched,
            style=style,
            trouble=self._translate(words.TROUBLE[trouble]) if trouble else "",
        )

    def card(self, incident: Incident, *, detailed: bool = True) -> Card:
        """One incident; with its evidence rows if ``detailed``."""
        dutch = self._language == "nl"
        severity = min(max(incident.severity_id, 2), 5)
        evidences = incident.evidences
        technique = TECHNIQUES.get(incident.technique)
        return Card(
            uid=incident.uid,
            site=incident.site,
            severity=self._translate(words.SEVERITY[severity]),
            style=words.SEVERITY_STYLE[severity],
            kind=self._translate(words.KIND.get(incident.kind, words.KIND["other"])),
            title=title(incident, self._language),
            description=incident.desc_nl if dutch else incident.desc_en,
            who=self._parties([_source(incident, e) for e in evidences]),
            whom=self._parties([(e.dst_h, 0) for e in evidences]),
            technique=incident.technique,
            technique_name=technique.name if technique else "",
            detector=incident.detector,
            since=self.moment(incident.start),
            last=self.moment(incident.end),
            count=self._figures.few(incident.count),
            confidence=incident.confidence,
            chance=self._chance(incident.rarity) if incident.rarity < NOT_RARE else "",
            status=self._translate(words.STATUS[incident.status]),
            is_open=incident.status == "new",
            answer=words.GIVEN[incident.status],
            answered=self.moment(incident.answered) if incident.answered else None,
            answered_by=incident.answered_by,
            evidences=[self._evidence(incident, e) for e in evidences] if detailed else [],
        )

    def moment(self, time_us: int) -> Moment:
        """A time in µs UTC, as "3 minutes ago" and exactly; the date if it is months ago."""
        try:
            exact = datetime.fromtimestamp(time_us / 1e6, UTC)
        except (OverflowError, ValueError, OSError):
            return Moment(_UNKNOWN, "", _UNKNOWN)
        seconds = max(self._now - time_us, 0) // 1_000_000
        ngettext = self._catalogue.ngettext
        if seconds < 60:
            text = self._translate(words.N_("just now"))
        elif seconds < 3600:
            text = ngettext("%(num)d minute ago", "%(num)d minutes ago", seconds // 60)
            text %= {"num": seconds // 60}
        elif seconds < 2 * 86400:
            text = ngettext("%(num)d hour ago", "%(num)d hours ago", seconds // 3600)
            text %= {"num": seconds // 3600}
        elif seconds < _DATED_AFTER_DAYS * 86400:
            text = ngettext("%(num)d day ago", "%(num)d days ago", seconds // 86400)
            text %= {"num": seconds // 86400}
        else:
            text = f"{exact:%Y-%m-%d}"
        return Moment(text, f"{exact:%Y-%m-%dT%H:%M:%SZ}", f"{exact:%Y-%m-%d %H:%M:%S} UTC")

    def _never(self) -> Moment:
        return Moment(self._translate(words.N_("never")), "", _UNKNOWN)

    def _chance(self, weekly: float) -> str:
        """How often the like is met by chance, from times a week."""
        weeks = 1 / max(weekly, 1e-9)
        if weeks > 5200:
            return self._translate(words.N_("less than once in a century"))
        if weeks > 78:
            return self._translate(words.N_("once in %(num)d years")) % {"num": round(weeks / 52)}
        if weeks > 51:
            return self._translate(words.N_("once a year"))
        if weeks > 1.5:
            return self._translate(words.N_("once in %(num)d weeks")) % {"num": round(weeks)}
        if weeks > 0.7:
            return self._translate(words.N_("once a week"))
        return self._translate(words.N_("%(num)d times a week")) % {"num": round(weekly)}

    def _translate(self, text: str) -> str:
        return self._catalogue.gettext(text)

    def _parties(self, parties: Sequence[tuple[bytes, int]]) -> str:
        names = dict.fromkeys(_party(h, mac) for h, mac in parties if h != UNSPECIFIED or mac)
        if len(names) <= 2:
            return ", ".join(names)
        more = self._catalogue.ngettext(
            "%(first)s and %(num)d other", "%(first)s and %(num)d others", len(names) - 1
        )
        return more % {"first": next(iter(names)), "num": len(names) - 1}

    def _evidence(self, incident: Incident, evidence: Evidence) -> EvidenceRow:
        metric = words.METRIC.get(evidence.name) if incident.kind == "host" else None
        return EvidenceRow(
            when=self.moment(evidence.time),
            who=format_address(evidence.src_h),
            who_mac=format_mac(evidence.src_mac),
            whom=format_address(evidence.dst_h),
            port=evidence.dst_p,
            name=self._translate(metric) if metric else evidence.name,
            facts=[
                (self._fact(name), self._figures.few(value))
                for name, value in evidence.facts.items()
                if name != "score"
            ],
            score=self._figures.few(evidence.score),
        )

    def _fact(self, name: str) -> str:
        known = words.FACT.get(name)
        return self._translate(known) if known else name.replace("_", " ")

    def _state(self, agent: AgentHealth) -> words.AgentState:
        if agent.standing in words.STATE_OF:
            return words.STATE_OF[agent.standing]
        age_s = (self._now - agent.last_seen) / 1e6
        if age_s > words.OFFLINE_AFTER_S:
            return "offline"
        return "late" if age_s > words.LATE_AFTER_S else "up"

    def _agents(self, agents: Sequence[AgentHealth]) -> list[AgentRow]:
        rows = [self._agent(agent) for agent in agents]
        rows.sort(
            key=lambda r: (
                _STATE_ORDER.index(r.style), not (r.losing or r.disk_full), _natural(r.site), _natural(r.name)
            )
        )  # fmt: skip
        return rows[:MAX_ROWS]

    def _agent(self, agent: AgentHealth) -> AgentRow:
        state = self._state(agent)
        lost = agent.dropped / agent.packets_seen if agent.packets_seen else 0.0
        return AgentRow(
            site=agent.site,
            name=agent.agent,
            state=self._translate(words.AGENT_STATE[state]),
            style=state,
            seen=self.moment(agent.last_seen) if agent.last_seen else self._never(),
            packets=self._figures.short(agent.packets_seen) if agent.heard else _UNKNOWN,
            dropped=self._figures.lost(agent.dropped, lost) if agent.heard else _UNKNOWN,
            losing=lost > 0.001,
            spool=self._figures.short(agent.spool_bytes, 1024, "B") if agent.heard else _UNKNOWN,
            shed=agent.rows_shed,
            disk_full=agent.disk_full,
        )

    def _sites(
        self,
        sites: Sequence[SiteView],
        incidents: Sequence[Incident],
        agents: Sequence[AgentHealth],
    ) -> list[SiteRow]:
        severities: dict[str, list[int]] = {}
        for incident in incidents:
            severities.setdefault(incident.site, []).append(incident.severity_id)
        states: dict[str, list[words.AgentState]] = {}
        for agent in agents:
            if agent.standing in words.STATE_OF:
                continue
            states.setdefault(agent.site, []).append(self._state(agent))
        rows = []
        for site in sites:
            worst = min(max(severities.get(site.name, [0])), 5)
            here = states.get(site.name, [])
            absent = sum(state in _ABSENT for state in here)
            row = SiteRow(
                name=site.name,
                open=len(severities.get(site.name, [])),
                worst=self._translate(words.SEVERITY[max(worst, 2)]) if worst else "",
                style=words.SEVERITY_STYLE[max(worst, 2)] if worst else "quiet",
                agents=len(here),
                absent_agents=absent,
                watched=any(state != "offline" for state in here),
            )
            rows.append((-worst, row.watched, -absent, _natural(site.name), row))
        return [row for *_, row in sorted(rows, key=lambda r: r[:4])]


def _natural(name: str) -> list[tuple[int, str]]:
    """The order in which people count: runs of digits by their number.

    >>> sorted(["site-10", "site-2", "site-1", "cafe"], key=_natural)
    ['cafe', 'site-1', 'site-2', 'site-10']
    """
    parts = [(0, part) for part in re.split(r"([0-9]+)", name)]
    # By length first, and not by int(): a hostile name may be longer than Python reads as a number.
    parts[1::2] = [(len(d), d) for d in (part.lstrip("0") for _, part in parts[1::2])]
    return [*parts, (0, name)]


def _source(incident: Incident, evidence: Evidence) -> tuple[bytes, int]:
    """Who did it: where the incident is about hardware, the address is only what it claims to be."""
    if evidence.src_mac and incident.subject == format_mac(evidence.src_mac):
        return UNSPECIFIED, evidence.src_mac
    return evidence.src_h, evidence.src_mac


def _party(address: bytes, mac: int) -> str:
    return format_address(address) or format_mac(mac)
