"""What is wrong with an agent that runs, told once when it begins, changes or ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dijkwacht_agent.error_words import words
from dijkwacht_records.errors import Message


class Troubled(Protocol):
    """A part of the agent that may be in trouble, and the sentence for when it no longer is."""

    well_again: str

    @property
    def trouble(self) -> Message | None:
        """What is wrong at present."""
        ...


class TroubleLog:
    """Watches ``parts``; ``report`` gets the lines, in English, whenever somebody may `look`.

    ``beside`` is called as often: whoever else looks, in the agent's main thread.
    """

    def __init__(self, report: Callable[[str], None], *parts: Troubled) -> None:
        self._report = report
        self.beside: Callable[[], None] = lambda: None
        self._told: dict[Troubled, Message | None] = dict.fromkeys(parts)

    def look(self) -> None:
        """Tell what has changed."""
        for part, told in self._told.items():
            if (trouble := part.trouble) != told:
                self._told[part] = trouble
                self._report(words(trouble, "en") if trouble else part.well_again)
        self.beside()
