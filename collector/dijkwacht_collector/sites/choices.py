"""What was chosen for sites and is on its way into the journal, which only one process may write.

Rows of ``sites.db``. Each is noted with its position once the journal has it; between the two a crash
lets it be written again, which changes nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import ClassVar, Final, Literal, NamedTuple

import msgspec

MOST_PER_WEEK: Final = 1000.0
ChoiceKind = Literal["budget", "normal"]


class ChosenBudget(msgspec.Struct, frozen=True):
    """So many calls a week without cause."""

    kind: ClassVar[ChoiceKind] = "budget"

    per_week: float


class TakenBack(msgspec.Struct, frozen=True, omit_defaults=True):
    """The exemption ``id``, of this class and subject, or machine and peer, is to end.

    ``uid``: the incident or story it came of, or "".
    """

    kind: ClassVar[ChoiceKind] = "normal"

    id: str
    incident_kind: str
    subject: str
    uid: str
    machine: str = ""
    peer: str = ""


class Choice(NamedTuple):
    """A row; ``time`` is µs UTC of the clock of whoever chose, ``position`` None until the journal has it."""

    id: int
    site: str
    kind: ChoiceKind
    body: bytes
    by: str
    time: int
    position: int | None


def check_budget(per_week: float) -> float:
    """It. Raises ``ValueError`` if no site could mean it."""
    if not 0 <= per_week <= MOST_PER_WEEK:
        raise ValueError(f"a budget is 0 to {MOST_PER_WEEK:.0f} calls a week, not {per_week:g}")
    return per_week


class ChoiceTable:
    """The table of them; ``use`` opens a transaction. Any thread of any process may use it."""

    def __init__(self, use: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        self._use = use

    def check_site(self, site: str) -> None:
        """Raises ``KeyError``, with a sentence, if there is no such site."""
        with self._use() as database:
            if database.execute("SELECT 1 FROM sites WHERE name = ?", (site,)).fetchone() is None:
                raise KeyError(f"there is no site {site!r}")

    def choose(self, site: str, what: ChosenBudget | TakenBack, by: str, now: int) -> int:
        """Keep a choice until it is in the journal; its id. Raises ``KeyError`` if there is no such site.

        A budget replaces one that still waits.
        """
        self.check_site(site)
        with self._use() as database:
            if what.kind == "budget":
                database.execute(
                    "DELETE FROM choices WHERE site = ? AND kind = 'budget' AND position IS NULL",
                    (site,),
                )
            row = (site, what.kind, msgspec.json.encode(what), by, now)
            query = "INSERT INTO choices (site, kind, body, by, time) VALUES (?, ?, ?, ?, ?) RETURNING id"
            [(id_,)] = database.execute(query, row).fetchall()
        return int(id_)

    def waiting(self, site: str | None = None) -> list[Choice]:
        """Those that the journal does not have yet, in the order in which they were made."""
        query = (
            "SELECT * FROM choices WHERE position IS NULL AND site = ifnull(?, site) ORDER BY id"
        )
        with self._use() as database:
            return [Choice(*row) for row in database.execute(query, (site,))]

    def note(self, choice: Choice, position: int) -> None:
        """The journal has it; what was chosen of its kind before is not needed any more."""
        with self._use() as database:
            database.execute("UPDATE choices SET position = ? WHERE id = ?", (position, choice.id))
            database.execute(
                "DELETE FROM choices WHERE site = ? AND kind = ? AND id < ? AND position IS NOT NULL",
                (choice.site, choice.kind, choice.id),
            )

    def budget(self, site: str) -> Choice | None:
        """The last that was chosen; None: nobody has. Raises ``KeyError`` if there is no such site."""
        self.check_site(site)
        query = "SELECT * FROM choices WHERE site = ? AND kind = 'budget' ORDER BY id DESC LIMIT 1"
        with self._use() as database:
            row = database.execute(query, (site,)).fetchone()
        return Choice(*row) if row else None
