"""From notices to one message that a person reads, and to the JSON that a webhook gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

NoticeLanguage = Literal["en", "nl", "both"]
MOST_BYTES: Final = 1 << 16
MOST_LINES: Final = 20
"""Of a message and a language; of the others it is said how many there are."""
_LONGEST_TITLE: Final = 150
_LANGUAGES: Final[dict[NoticeLanguage, tuple[int, ...]]] = {"en": (0,), "nl": (1,), "both": (1, 0)}
_OVER: Final = ("Over: ", "Voorbij: ")
_MORE: Final = ("and {more} more", "en nog {more}")


class Notice(msgspec.Struct, frozen=True):
    """Something that is wrong, in English and Dutch: what is said when it begins, and when it is over."""

    begun: tuple[str, str]
    over: tuple[str, str]


class Letter(msgspec.Struct, frozen=True):
    """A message. As JSON it is the body of the webhook: ``text`` is all of it, for people.

    ``source``: who tells. ``began`` and ``ended``: what it is about, by name, for programs.
    """

    text: str
    title: str
    source: str
    began: list[str] = []
    ended: list[str] = []


def compose(
    source: str,
    language: NoticeLanguage,
    began: Sequence[tuple[str, Notice]],
    ended: Sequence[tuple[str, Notice]] = (),
    most_bytes: int = MOST_BYTES,
) -> Letter:
    r"""One message about all of it; of what would be more than ``most_bytes`` it says how much there is.

    >>> silent = Notice(("till is silent.", "till is stil."), ("till is back.", "till is er weer."))
    >>> compose("Dijkwacht", "en", [("silent till", silent)]).text
    'till is silent.\n\nDijkwacht'
    """
    most = MOST_LINES
    text = _text(source, blocks := _blocks(language, began, ended, most))
    while most > 1 and len(text.encode()) > most_bytes:
        most -= 1
        text = _text(source, blocks := _blocks(language, began, ended, most))
    if len(text.encode()) > most_bytes:
        text = text.encode()[: most_bytes - 3].decode("utf-8", "ignore") + "…"
    title = blocks[0][0]
    if (others := len(began) + len(ended) - 1) > 0:
        title = f"{title[: _LONGEST_TITLE - 8]} (+{others})"
    return Letter(
        text=text,
        title=_readable(title[:_LONGEST_TITLE]),
        source=_sayable(source),
        began=[_sayable(about) for about, _ in began][:MOST_LINES],
        ended=[_sayable(about) for about, _ in ended][:MOST_LINES],
    )


def _sayable(text: str) -> str:
    """Half a surrogate, as in the name of a file, has no bytes: a letter with one would never leave."""
    return text.encode("utf-8", "replace").decode()


def _readable(text: str) -> str:
    """What can be shown, and new lines: the rest may steer a terminal, or be no mail."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text)


def _blocks(
    language: NoticeLanguage,
    began: Sequence[tuple[str, Notice]],
    ended: Sequence[tuple[str, Notice]],
    most: int,
) -> list[list[str]]:
    """The lines in each language, ``most`` and how many there are besides."""
    blocks = []
    for at in _LANGUAGES[language]:
        lines = [notice.begun[at] for _, notice in began]
        lines += [_OVER[at] + notice.over[at] for _, notice in ended]
        if len(lines) > most:
            lines = [*lines[:most], _MORE[at].format(more=len(lines) - most)]
        blocks.append(lines)
    return blocks


def _text(source: str, blocks: list[list[str]]) -> str:
    return _readable("\n\n".join("\n".join(lines) for lines in [*blocks, [source]]))
