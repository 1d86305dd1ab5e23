"""The way back: orders come with replies, and their outcomes and what they asked for are sent.

A thread of its own does it, begun with the first order, so that neither capture nor uplink ever waits
for it. Nothing is kept for later here: the collector hands an order out with every reply until it has
heard the outcome, so what could not be said, or sent, is tried again by itself.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_agent.collector_line import CollectorLine
from dijkwacht_agent.diagnostics import Diagnostics
from dijkwacht_agent.orders import TRY_AGAIN, Ability, Answer, Orders
from dijkwacht_agent.pacing import wall_clock
from dijkwacht_agent.renewal import Renewal
from dijkwacht_agent.settings import Settings
from dijkwacht_agent.uplink import Who
from dijkwacht_records.errors import DijkwachtError
from dijkwacht_records.orders import SealedOrder
from dijkwacht_records.replies import Reply

log: Final = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0


class WayBack:
    """Obeys by ``orders`` and tells the collector over ``line`` how each ended."""

    def __init__(
        self,
        orders: Orders,
        line: CollectorLine,
        pauses: tuple[float, float] = (FIRST_PAUSE_S, LONGEST_PAUSE_S),
    ) -> None:
        self._orders, self._line = orders, line
        self._first_pause_s, self._longest_pause_s = pauses
        self._pause_s = self._first_pause_s
        self._waiting: list[SealedOrder] = []
        self._turn = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, reply: Reply) -> None:
        """The orders of ``reply``, in place of those of an earlier one. At once: from the uplink's thread."""
        if not reply.sealed or self._stopping.is_set():
            return
        with self._turn:
            self._waiting = reply.sealed
            if self._thread is None:
                self._begin()
            self._turn.notify()

    def _begin(self) -> None:
        thread = threading.Thread(target=self._run, name="way back", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no thread to be had: the next reply tries again
            log.warning("orders wait", extra={"why": str(error)})
        else:
            self._thread = thread

    def stop(self, limit_s: float = 1.0) -> None:
        """Obey what has come, for at most so long; what is under way then is begun again by the next start."""
        self._stopping.set()
        with self._turn:
            self._turn.notify()
        if self._thread is not None:
            self._thread.join(limit_s)

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._waiting or self._stopping.is_set())
                orders, self._waiting = self._waiting, []
            if not orders:
                return
            if self._obey(orders):
                self._pause_s = self._first_pause_s
            elif self._stopping.wait(self._pause_s):
                return
            else:
                self._pause_s = min(2 * self._pause_s, self._longest_pause_s)

    def _obey(self, orders: list[SealedOrder]) -> bool:
        """Each of them, whatever becomes of the others: has all been done and said?"""
        well = True
        for sealed in orders:
            try:
                answer = self._orders.receive(sealed)
                if answer is not None:
                    self._say(answer)
            except (DijkwachtError, *TRY_AGAIN) as error:
                log.info("order waits", extra={"why": str(error)})
                well = False
            except Exception:
                # Whatever it was, the next order and the uplink have nothing to do with it.
                log.exception("order not understood")
                well = False
        return well

    def _say(self, answer: Answer) -> None:
        body = msgspec.json.encode(answer.outcome)
        self._line.ask("POST", f"/v1/orders/{answer.id}/outcome", body)


def way_back(settings: Settings, state: Path, who: Who, renewal: Renewal) -> WayBack:
    """That of an agent whose state is in the folder ``state``; ``renewal``: of its certificate."""
    line = CollectorLine(settings.url or "", who, settings.ca_file)
    diagnostics = Diagnostics(settings, state, line)
    able = {"diagnostics": Ability(diagnostics.send)}
    if renewal.able:
        able["renew"] = Ability(renewal.obey)
    return WayBack(Orders(settings, state / "orders.log", wall_clock, able), line)
