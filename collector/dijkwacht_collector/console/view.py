"""From facts to what a page shows: plain values, in one reader's language, nothing escaped yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from gettext import NullTranslations
from typing import Final

from dijkwacht_collector.console import words
from dijkwacht_collector.console.figures import Figures
from dijkwacht_collector.console.language import Language
from dijkwacht_collector.console.titles import title
from dijkwacht_collector.incidents import TECHNIQUES, Evidence, Incident, Part
from dijkwacht_collector.policy import NOT_RARE
from dijkwacht_records.addresses import UNSPECIFIED, format_address, format_mac
from dijkwacht_records.pseudonyms import MARK, marked

UNKNOWN: Final = "–"
"""Where there is nothing to say."""
_DATED_AFTER_DAYS: Final = 60
_MOST_HIDDEN: Final = 4


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
    hidden: list[str]
    """Pseudonyms among who and whom, the first few."""
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


class Reader:
    """Turns facts into the text of one language, at one moment (µs UTC).

    Pseudonyms carry their mark, unless the addresses are ``clear``, as in a recording of one's own.
    """

    def __init__(
        self,
        language: Language,
        catalogue: NullTranslations,
        now_us: int,
        *,
        clear: bool = False,
    ) -> None:
        self.language: Final = language
        self.catalogue: Final = catalogue
        self.figures: Final = Figures(language)
        self.now: Final = now_us
        self.clear: Final = clear

    def told(self, text: str) -> str:
        """``text`` with the mark before every pseudonym in it."""
        return marked(text, clear=self.clear)

    def title(self, of: Incident | Part) -> str:
        """The title of an incident, or of a story's part."""
        return title(of, self.language, clear=self.clear)

    def say(self, text: str) -> str:
        """``text`` in the reader's language."""
        return self.catalogue.gettext(text)

    def kind(self, kind: str) -> str:
        """What a class of incidents is called."""
        return self.say(words.KIND.get(kind, words.KIND["other"]))

    def card(self, incident: Incident, *, detailed: bool = True) -> Card:
        """One incident; with its evidence rows if ``detailed``."""
        dutch = self.language == "nl"
        severity = min(max(incident.severity_id, 2), 5)
        evidences = incident.evidences
        technique = TECHNIQUES.get(incident.technique)
        return Card(
            uid=incident.uid,
            site=incident.site,
            severity=self.say(words.SEVERITY[severity]),
            style=words.SEVERITY_STYLE[severity],
            kind=self.kind(incident.kind),
            title=self.title(incident),
            description=self.told(incident.desc_nl if dutch else incident.desc_en),
            who=self._parties([_source(incident, e) for e in evidences]),
            whom=self._parties([(e.dst_h, 0) for e in evidences]),
            hidden=self._hidden(incident),
            technique=incident.technique,
            technique_name=technique.name if technique else "",
            detector=incident.detector,
            since=self.moment(incident.start),
            last=self.moment(incident.end),
            count=self.figures.few(incident.count),
            confidence=incident.confidence,
            chance=self._chance(incident.rarity) if incident.rarity < NOT_RARE else "",
            status=self.say(words.STATUS[incident.status]),
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
            return Moment(UNKNOWN, "", UNKNOWN)
        seconds = max(self.now - time_us, 0) // 1_000_000
        ngettext = self.catalogue.ngettext
        if seconds < 60:
            text = self.say(words.N_("just now"))
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

    def _chance(self, weekly: float) -> str:
        """How often the like is met by chance, from times a week."""
        weeks = 1 / max(weekly, 1e-9)
        if weeks > 5200:
            return self.say(words.N_("less than once in a century"))
        if weeks > 78:
            return self.say(words.N_("once in %(num)d years")) % {"num": round(weeks / 52)}
        if weeks > 51:
            return self.say(words.N_("once a year"))
        if weeks > 1.5:
            return self.say(words.N_("once in %(num)d weeks")) % {"num": round(weeks)}
        if weeks > 0.7:
            return self.say(words.N_("once a week"))
        return self.say(words.N_("%(num)d times a week")) % {"num": round(weekly)}

    def _parties(self, parties: Sequence[tuple[bytes, int]]) -> str:
        names = self._named(parties)
        if len(names) <= 2:
            return ", ".join(names)
        more = self.catalogue.ngettext(
            "%(first)s and %(num)d other", "%(first)s and %(num)d others", len(names) - 1
        )
        return more % {"first": names[0], "num": len(names) - 1}

    def _named(self, parties: Sequence[tuple[bytes, int]]) -> list[str]:
        known = [(h, mac) for h, mac in parties if h != UNSPECIFIED or mac]
        return list(dict.fromkeys(self.told(_party(h, mac)) for h, mac in known))

    def _hidden(self, incident: Incident) -> list[str]:
        ends = ((_source(incident, e), (e.dst_h, 0)) for e in incident.evidences)
        named = self._named([one for both in ends for one in both])
        return [name for name in named if name.startswith(MARK)][:_MOST_HIDDEN]

    def _evidence(self, incident: Incident, evidence: Evidence) -> EvidenceRow:
        metric = words.METRIC.get(evidence.name) if incident.kind == "host" else None
        return EvidenceRow(
            when=self.moment(evidence.time),
            who=self.told(format_address(evidence.src_h)),
            who_mac=self.told(format_mac(evidence.src_mac)),
            whom=self.told(format_address(evidence.dst_h)),
            port=evidence.dst_p,
            name=self.say(metric) if metric else self.told(evidence.name),
            facts=[
                (self._fact(name), self.figures.few(value))
                for name, value in evidence.facts.items()
                if name != "score"
            ],
            score=self.figures.few(evidence.score),
        )

    def _fact(self, name: str) -> str:
        known = words.FACT.get(name)
        return self.say(known) if known else name.replace("_", " ")


def _source(incident: Incident, evidence: Evidence) -> tuple[bytes, int]:
    """Who did it: where the incident is about hardware, the address is only what it claims to be."""
    if evidence.src_mac and incident.subject == format_mac(evidence.src_mac):
        return UNSPECIFIED, evidence.src_mac
    return evidence.src_h, evidence.src_mac


def _party(address: bytes, mac: int) -> str:
    return format_address(address) or format_mac(mac)
