"""Incidents and strange rows as blocks of text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dijkwacht.progress import clock_text
from dijkwacht.terminal import Screen, Style
from dijkwacht_collector.incidents import ALERT_SEVERITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dijkwacht.strangest import Strange
    from dijkwacht_collector.console.view import Card
    from dijkwacht_collector.incidents import Incident

_STYLES: Final[dict[str, Style]] = {
    "low": "cyan",
    "medium": "yellow",
    "high": "red",
    "critical": "red",
}
_INDENT: Final = "  "


def incident_blocks(incidents: Sequence[Incident], screen: Screen) -> str:
    """Every incident as a block with an empty line after it: how bad, who and whom, when, what to do."""
    # Only a terminal needs the console's words, and what they import.
    from dijkwacht_collector.console.language import translations  # noqa: PLC0415
    from dijkwacht_collector.console.view import Reader  # noqa: PLC0415

    reader = Reader("en", translations("en"), now_us=0)
    blocks: list[str] = []
    for incident in incidents:
        card = reader.card(incident, detailed=False)
        parties = " → ".join(filter(None, (card.who or incident.subject, card.whom)))
        head = f"{card.severity} · {card.kind} · {parties}" if parties else card.severity
        first, _, rest = screen.wrapped(head).partition("\n")
        coloured = screen.paint(card.severity, _STYLES[card.style])
        lines = [coloured + first.removeprefix(card.severity), *([rest] if rest else [])]
        lines.append(screen.wrapped(_span(incident.start, incident.end), _INDENT, "faint"))
        lines.append(screen.wrapped(card.title, _INDENT, "bold"))
        if card.description:
            lines.append(screen.wrapped(card.description, _INDENT))
        lines.append(screen.wrapped(_footing(incident, card), _INDENT, "faint"))
        blocks.append("\n".join(lines) + "\n\n")
    return "\n" * bool(blocks) + "".join(blocks)


def _footing(incident: Incident, card: Card) -> str:
    """Technique, odds, and what it rests on."""
    parts = [f"{card.technique} {card.technique_name}".rstrip()]
    if card.chance:
        parts.append(f"expected by chance {card.chance} on a site like this")
    times = "1 observation" if incident.count == 1 else f"{incident.count:,} observations"
    parts.append(f"{times}, found by {card.detector}")
    return " · ".join(filter(None, parts))


def tally(incidents: Sequence[Incident]) -> str:
    """How many there are, and how many of them ask a person to look."""
    found = "1 incident" if len(incidents) == 1 else f"{len(incidents):,} incidents"
    asking = sum(incident.severity_id >= ALERT_SEVERITY for incident in incidents)
    if not incidents or asking == len(incidents):
        return found
    return f"{found} ({asking:,} to look at, {len(incidents) - asking:,} for context)"


def strange_blocks(found: Sequence[Strange], screen: Screen) -> str:
    """Every strange row as a block: score, when, who and whom; then why."""
    blocks: list[str] = []
    for row in found:
        whom = f"{row.dst}:{row.port}" if row.port else row.dst
        parties = " → ".join(filter(None, (row.src, whom or row.name)))
        merged = f"strongest of {row.rows:,} rows" if row.rows > 1 else ""
        head = (f"{row.score:.4g}", clock_text(row.time), parties, merged)
        blocks += (
            screen.wrapped(" · ".join(filter(None, head)), style="bold"),
            screen.wrapped(row.sentence, _INDENT),
        )
    return "".join(f"{block}\n" for block in blocks)


def _span(begin_us: int, end_us: int) -> str:
    """From when to when; a date or a zone that both have is said once."""
    begin, end = clock_text(begin_us), clock_text(end_us)
    if begin == end:
        return begin
    (day, *_), (last_day, *_) = begun, ended = begin.split(" ", 2), end.split(" ", 2)
    if begun[2:] == ended[2:]:
        begin = " ".join(begun[:2])
    return f"{begin} – {' '.join(ended[1:]) if day == last_day else end}"
