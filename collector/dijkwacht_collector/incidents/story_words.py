"""A story in a few words, in both languages: its gravest finding, and how many there are besides.

Pseudonyms carry their mark, unless the addresses are ``clear``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dijkwacht_collector.incidents.story import Part, Story
from dijkwacht_records.pseudonyms import marked

_MOST_TITLES: Final = 8


def story_title(story: Story, *, clear: bool = False) -> tuple[str, str]:
    """In English and Dutch."""
    english, dutch = _title(story)
    return marked(english, clear=clear), marked(dutch, clear=clear)


def story_text(story: Story, *, clear: bool = False) -> tuple[str, str]:
    """What there was, one after another, in English and Dutch."""
    english, dutch = _text(story)
    return marked(english, clear=clear), marked(dutch, clear=clear)


def _title(story: Story) -> tuple[str, str]:
    gravest, others = story.gravest, len(story.parts) + story.more - 1
    if not story.machine:
        return (
            f"Several machines at once: {_with_more(gravest.title_en, _and_more(others))}",
            f"Meerdere computers tegelijk: {_with_more(gravest.title_nl, _en_meer(others))}",
        )
    return (
        _with_more(gravest.title_en, _and_more(others)),
        _with_more(gravest.title_nl, _en_meer(others)),
    )


def _text(story: Story) -> tuple[str, str]:
    shown = _shown(story)
    left = len(story.parts) + story.more - len(shown)
    return (
        _listed([part.title_en for part in shown], _and_more(left)),
        _listed([part.title_nl for part in shown], _en_meer(left)),
    )


def _shown(story: Story) -> Sequence[Part]:
    """The gravest, in the order in which they joined."""
    gravest = sorted(story.parts, key=lambda part: (-part.severity_id, part.rarity, part.start))
    chosen = {part.uid for part in gravest[:_MOST_TITLES]}
    return [part for part in story.parts if part.uid in chosen]


def _with_more(title: str, more: str) -> str:
    """A title may be a sentence, with its full stop: that comes last."""
    said = title.removesuffix(".")
    return said + more + title[len(said) :]


def _listed(titles: Sequence[str], more: str) -> str:
    return "; ".join(title.removesuffix(".") for title in titles) + more + "."


def _and_more(number: int) -> str:
    return f", and {number} more" if number else ""


def _en_meer(number: int) -> str:
    return f", en nog {number}" if number else ""
