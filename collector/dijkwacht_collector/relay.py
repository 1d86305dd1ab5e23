"""What owners and operators choose, on its way from ``sites.db`` into the journal.

The command line is another process, and only the collector writes the journal: both leave a choice in
the table, and it is passed on from there, in its order. The journal alone decides.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

import msgspec

from dijkwacht_collector.incidents import Exempted, StorySeen, Trial
from dijkwacht_collector.journal import Budget, Draft, Exemption, Log, Verdict, partition_of
from dijkwacht_collector.sinks import IncidentStore
from dijkwacht_collector.sites import (
    Choice,
    ChoiceTable,
    ChosenBudget,
    TakenBack,
    check_budget,
)

log: Final = logging.getLogger(__name__)


class Relay:
    """Passes choices on. Every method blocks. ``clock`` gives µs UTC."""

    def __init__(
        self, choices: ChoiceTable, store: IncidentStore, journal: Log, clock: Callable[[], int]
    ) -> None:
        self._choices, self._store = choices, store
        self._journal, self._clock = journal, clock
        self._turn = threading.Lock()

    def budget(self, site: str) -> Choice | None:
        """As `ChoiceTable.budget`."""
        return self._choices.budget(site)

    def choose_budget(self, site: str, per_week: float, by: str) -> None:
        """Returns when it is durable. Raises ``ValueError``, ``KeyError``, and as `pass_on`."""
        chosen = ChosenBudget(check_budget(per_week))
        self._choices.choose(site, chosen, by, self._clock())
        self.pass_on()

    def normal(self, site: str) -> list[Exempted]:
        """What the site calls normal now. Raises ``KeyError`` if there is no such site."""
        self._choices.check_site(site)
        return self._store.exemptions(site, self._clock())

    def try_normal(self, uid: str) -> Trial | None:
        """What "this is normal", said now of an incident or story, would have kept silent; None if there is none."""
        return self._store.try_normal(uid, self._clock())

    def take_back(self, site: str, id_: str, by: str) -> None:
        """End an exemption; returns when that is durable. Raises ``KeyError``, and as `pass_on`."""
        row = next((row for row in self.normal(site) if row.id == id_), None)
        if row is None:
            raise KeyError(f"site {site!r} calls nothing normal under {id_!r}")
        self._choices.choose(site, row.taken_back(), by, self._clock())
        self.pass_on()

    def pass_on(self) -> None:
        """Let the journal have what waits. Raises `CollectorBusy`, `JournalError`, ``sqlite3.Error``."""
        with self._turn:
            for choice in self._choices.waiting():
                position = 0
                try:
                    draft = self._draft(choice)
                except msgspec.MsgspecError as error:
                    log.error("choice ignored", extra={"site": choice.site, "why": str(error)})  # noqa: TRY400  # enough
                else:
                    position = self._journal.append_all([(partition_of(choice.site), draft)])
                self._choices.note(choice, position)

    def _draft(self, choice: Choice) -> Draft:
        now = self._clock()
        if choice.kind == "budget":
            chosen = msgspec.json.decode(choice.body, type=ChosenBudget)
            return Budget(chosen.per_week).draft(choice.site, now)
        what = msgspec.json.decode(choice.body, type=TakenBack)
        seen = self._store.seen(what.uid) if what.uid else None
        told = seen.story if isinstance(seen, StorySeen) else seen
        if (
            told is not None
            and told.status == "normal"
            and not self._exempts_more(choice.site, what)
        ):
            about = msgspec.msgpack.encode(seen)
            return Verdict(what.uid, "undone", choice.by, about).draft(choice.site, now)
        ended = Exemption(what.incident_kind, what.subject, 0, choice.by, what.machine, what.peer)
        return ended.draft(choice.site, now)

    def _exempts_more(self, site: str, what: TakenBack) -> bool:
        """Whether the answer that this came of holds for something else, too: that stays as it was said."""
        in_force = self._store.exemptions(site, self._clock())
        return any(row.uid == what.uid and row.id != what.id for row in in_force)
