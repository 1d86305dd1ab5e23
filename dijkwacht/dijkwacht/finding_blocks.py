"""Stories and their incidents as blocks of text for a terminal, in the console's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dijkwacht.blocks import INDENT
from dijkwacht.progress import clock_text
from dijkwacht.terminal import Screen, Style
from dijkwacht_collector.console import words
from dijkwacht_collector.console.language import translations
from dijkwacht_collector.console.story_view import only_together, severity_of
from dijkwacht_collector.console.view import Card, Reader
from dijkwacht_collector.incidents import Incident, Story
from dijkwacht_collector.policy import FUSION

_STYLES: Final[dict[str, Style]] = {
    "low": "cyan",
    "medium": "yellow",
    "high": "red",
    "critical": "red",
}


def finding_blocks(
    stories: Sequence[Story], incidents: Sequence[Incident], screen: Screen, *, clear: bool = True
) -> str:
    """A head for every story, and below it a block for each of its incidents, an empty line after each.

    A head says whose story it is, when, and whether it interrupted; a block how bad, who and whom, when,
    what to do. Incidents without a story come last, without a head. Unless addresses are ``clear``, pseudonyms
    carry their mark.
    """
    reader = _reader(clear=clear)
    below: dict[str, list[Incident]] = {}
    for incident in incidents:
        below.setdefault(incident.story, []).append(incident)
    blocks: list[str] = []
    for story in stories:
        blocks.append("\n".join(_head(reader, story, screen)))
        blocks += (_finding(reader, one, screen, INDENT) for one in below.pop(story.uid, ()))
    blocks += (_finding(reader, one, screen) for found in below.values() for one in found)
    return _paragraphs(blocks)


def story_blocks(stories: Sequence[Story], screen: Screen, *, clear: bool = True) -> str:
    """Every story as one block: whose, when, whether it interrupted and why, and what is in it."""
    reader = _reader(clear=clear)
    blocks: list[str] = []
    for story in stories:
        lines = _head(reader, story, screen)
        for part in story.parts:
            severity = severity_of(part.severity_id)
            what = f"{reader.say(words.SEVERITY[severity])} · {reader.kind(part.kind)} · {reader.title(part)}"
            lines.append(screen.wrapped(f"{clock_text(part.start)} · {what}", INDENT))
        if story.more:
            lines.append(screen.wrapped(f"and {story.more:,} more", INDENT, "faint"))
        blocks.append("\n".join(lines))
    return _paragraphs(blocks)


def _reader(*, clear: bool) -> Reader:
    return Reader("en", translations("en"), now_us=0, clear=clear)


def _paragraphs(blocks: Sequence[str]) -> str:
    return "\n" * bool(blocks) + "".join(f"{block}\n\n" for block in blocks)


def _head(reader: Reader, story: Story, screen: Screen) -> list[str]:
    """Whether it asks for a person, whose it is and how much is in it; when; and for what it called."""
    asks = "Asks you to look" if story.interrupted else "For context"
    number = len(story.parts) + story.more
    much = "1 incident" if number == 1 else f"{number:,} incidents"
    head = f"{asks} · {reader.told(story.machine) or 'several machines'} · {much}"
    style = words.SEVERITY_STYLE[severity_of(story.severity_id)]
    lines = _coloured(head, asks, _STYLES[style], screen)
    lines.append(screen.wrapped(_span(story.start, story.end), INDENT, "faint"))
    together = only_together(story.calls)
    for call in story.calls:
        also = ", with what else stood out" if call.detector == FUSION and not together else ""
        called = f"called at {clock_text(call.time)} ({reader.kind(call.kind)}{also})"
        lines.append(screen.wrapped(called, INDENT, "faint"))
    if together:
        lines.append(screen.wrapped(words.TOGETHER, INDENT))
    return lines


def _finding(reader: Reader, incident: Incident, screen: Screen, indent: str = "") -> str:
    card = reader.card(incident, detailed=False)
    parties = " → ".join(filter(None, (card.who or reader.told(incident.subject), card.whom)))
    head = f"{card.severity} · {card.kind} · {parties}" if parties else card.severity
    lines = _coloured(head, card.severity, _STYLES[card.style], screen, indent)
    within = indent + INDENT
    lines.append(screen.wrapped(_span(incident.start, incident.end), within, "faint"))
    lines.append(screen.wrapped(card.title, within, "bold"))
    if card.description:
        lines.append(screen.wrapped(card.description, within))
    lines.append(screen.wrapped(_footing(incident, card), within, "faint"))
    return "\n".join(lines)


def _coloured(head: str, begin: str, style: Style, screen: Screen, indent: str = "") -> list[str]:
    """``head`` in lines that fit; ``begin``, with which it begins, is in a style as far as it fits in one."""
    first, _, rest = screen.wrapped(head, indent).partition("\n")
    shown = first.removeprefix(indent)
    if shown.startswith(begin):
        first = indent + screen.paint(begin, style) + shown.removeprefix(begin)
    return [first, *([rest] if rest else [])]


def _footing(incident: Incident, card: Card) -> str:
    """Technique, odds, and what it rests on."""
    parts = [f"{card.technique} {card.technique_name}".rstrip()]
    if card.chance:
        parts.append(f"expected by chance {card.chance} on a site like this")
    times = "1 observation" if incident.count == 1 else f"{incident.count:,} observations"
    parts.append(f"{times}, found by {card.detector}")
    return " · ".join(filter(None, parts))


def _span(begin_us: int, end_us: int) -> str:
    """From when to when; a date or a zone that both have is said once."""
    begin, end = clock_text(begin_us), clock_text(end_us)
    if begin == end:
        return begin
    (day, *_), (last_day, *_) = begun, ended = begin.split(" ", 2), end.split(" ", 2)
    if begun[2:] == ended[2:]:
        begin = " ".join(begun[:2])
    return f"{begin} – {' '.join(ended[1:]) if day == last_day else end}"
