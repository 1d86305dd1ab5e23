"""The thread that renews this agent's certificate at half its life, with a fresh key each time.

It never holds capture or uplink up. A certificate that could not be renewed is trouble from three
quarters of its life on; one that ran out is renewed all the same, which the collector allows for a year.
"""

from __future__ import annotations

import http.client
import threading
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from dijkwacht_agent.changeover import alone
from dijkwacht_agent.collector_line import CollectorLine
from dijkwacht_agent.error_words import error_message, worded
from dijkwacht_agent.identity import Identity, make_key, write_identity
from dijkwacht_agent.uplink import Who
from dijkwacht_records.enrolment import RENEWAL_PATH, Grant, RenewalRequest
from dijkwacht_records.errors import DijkwachtError, Message, SettingsError, TransferError
from dijkwacht_records.orders import Order
from dijkwacht_records.replies import decode_json

LOOK_S: Final = 60.0
"""How often it is looked at whether it is time."""
PAUSES_S: Final = (60.0, 3600.0)
"""After a failure: at first, and at most."""
REPLACED: Final = "identity_replaced"
_DAY_US: Final = 86_400_000_000


class Renewal:
    """Of the certificate of ``identity``, at the collector at ``url``; nothing to do without one.

    ``trouble`` is what is wrong at present, or ``None``.
    """

    well_again = "the certificate was renewed"

    def __init__(self, url: str, who: Who, state: Path) -> None:
        self._identity = who if isinstance(who, Identity) else None
        self._line = CollectorLine(url, who)
        self._secure = urlsplit(url).scheme == "https"
        self._state = state
        self._failed: Message | None = None
        self._pause_s = PAUSES_S[0]
        self._one = threading.Lock()
        """Of an order to renew and the half of its life."""
        self._turn = threading.Condition()
        self._stopping = self._asked = False
        self._thread = threading.Thread(target=self._run, name="renewal", daemon=True)

    @property
    def trouble(self) -> Message | None:
        """What its owner should know: that the certificate is late."""
        identity = self._identity
        if identity is None:
            return None
        if self._failed is not None and self._failed.key == REPLACED:
            return self._failed
        if self._failed is not None:
            now = identity.now()
            left = identity.expires - now
            if left <= 0:
                return Message("renewal_over", {"why": self._failed})
            if identity.late(now):
                # Whole days, or it would be another trouble each time that it is looked at.
                days = round(left / _DAY_US)
                return Message("renewal_late", {"days": days, "why": self._failed})
        return None

    def start(self) -> None:
        """Begin to look after it."""
        if self.able:
            self._thread.start()

    def hasten(self) -> None:
        """Renew now: it has run out, as the collector says."""
        with self._turn:
            self._asked = True
            self._turn.notify()

    def stop(self, limit_s: float = 1.0) -> None:
        """Stop; what is under way is begun again by the next start."""
        with self._turn:
            self._stopping = True
            self._turn.notify()
        if self._thread.is_alive():
            self._thread.join(limit_s)
        if self._identity is not None:
            self._identity.note()

    @property
    def able(self) -> bool:
        """There is a certificate to be renewed."""
        return self._identity is not None and self._secure

    def obey(self, _order: Order) -> str:
        """Renew it now, as an order asks; words for the log. Raises as `renew`."""
        self.renew()
        return "renewed"

    def due(self) -> bool:
        """Half of its life is over, by what time it is at least, as far as is known."""
        identity = self._identity
        return identity is not None and identity.now() >= (
            identity.issued + (identity.expires - identity.issued) // 2
        )

    def renew(self) -> None:
        """Renew it now. Raises a `DijkwachtError`, ``OSError`` or ``HTTPException``."""
        assert self._identity is not None
        made = make_key()
        body = msgspec.json.encode(RenewalRequest(made.request))
        # Held while it is asked, too: the collector forgets what it gave before and nobody has used.
        with self._one, alone(self._state):
            self._ensure_own(self._identity)
            try:
                grant = decode_json(self._line.ask("POST", RENEWAL_PATH, body), Grant)
            except msgspec.MsgspecError:
                raise worded(TransferError, "certificate_unusable") from None
            write_identity(self._state, made.key, grant)
            self._identity.read()
            self._identity.renewed(grant.clock)
            self._failed, self._pause_s = None, PAUSES_S[0]

    @staticmethod
    def _ensure_own(identity: Identity) -> None:
        """Who joined or renewed while we ran is another, whose place is not ours to take."""
        if identity.replaced:
            raise worded(SettingsError, REPLACED)

    def _run(self) -> None:
        while not self._wait(self._pause_s if self._failed else LOOK_S):
            try:
                if self._take_asked() or self.due():
                    self.renew()
            except (DijkwachtError, OSError, http.client.HTTPException) as error:
                self._failed = error_message(error)
                self._pause_s = min(2 * self._pause_s, PAUSES_S[1])
            if self._identity is not None:
                self._identity.note()

    def _wait(self, seconds: float) -> bool:
        """Whether to stop, after so long or as soon as somebody asks."""
        with self._turn:
            self._turn.wait_for(lambda: self._stopping or self._asked, seconds)
            return self._stopping

    def _take_asked(self) -> bool:
        with self._turn:
            asked, self._asked = self._asked, False
            return asked
