"""Log-ins of one flow, counted: rows of the table ``auth``."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from dijkwacht_agent.dissect import endpoints
from dijkwacht_agent.flow import Conversation
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_records.tables import AUTH, TABLES
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus, EtypeClass

if TYPE_CHECKING:
    from dijkwacht_agent.flow import Flow
    from dijkwacht_agent.memory.accounts import AccountsTried
    from dijkwacht_agent.protocols.opening import Opening

_AUTH: Final = TABLES.index(AUTH)
_MAX_ACCOUNT: Final = 256
_KEPT, _KEPT_A_COUNT = 2048, 205


class Outcome(IntEnum):
    """Of one attempt; its place among a row's counts."""

    FAILED = 0
    SUCCEEDED = 1
    UNKNOWN = 2


class LogIns(Conversation):
    """Counts attempts by how they were made and answered, and keeps nothing of who made them."""

    __slots__ = ("_accounts", "_client_is_orig", "_counts", "_ends", "_service")

    def __init__(self, opening: Opening, service: AuthService, *, client_is_orig: bool) -> None:
        super().__init__()
        self._service = service
        self._client_is_orig = client_is_orig
        self._ends = endpoints(opening.flow.key)
        self._accounts: AccountsTried = opening.memory.accounts
        self._counts: dict[tuple[AuthMethod, EtypeClass, AuthStatus], list[int]] = {}

    def count(
        self,
        outcome: Outcome,
        method: AuthMethod,
        status: AuthStatus = AuthStatus.NONE,
        etype: EtypeClass = EtypeClass.NONE,
    ) -> None:
        """One attempt."""
        self._counts.setdefault((method, etype, status), [0, 0, 0])[outcome] += 1

    def note_account(self, time: int, account: bytes) -> None:
        """An attempt at ``time`` (µs) is for ``account``: it counts, and is forgotten."""
        if account:
            account = account[:_MAX_ACCOUNT].lower()
            self._accounts.count(time, self._client, self._service, account)

    def kept(self) -> int:  # noqa: D102  # inherited
        return _KEPT + _KEPT_A_COUNT * len(self._counts)

    def leave(self) -> None:
        """Nothing more comes: count what still waits for its answer."""

    def facts(self, flow: Flow, made: MadeRows) -> None:  # noqa: D102  # inherited
        if flow.ended and not self.over:
            self.leave()
        if not self._counts:
            return
        orig_h, resp_h, resp_p = *self._ends, flow.resp_p
        if not self._client_is_orig:
            orig_h, resp_h, resp_p = resp_h, orig_h, flow.orig_p
        accounts = self._accounts.count(flow.last, orig_h, self._service)
        for (method, etype, status), counts in self._counts.items():
            how = (int(self._service), int(method), int(etype), int(status))
            made.add(
                _AUTH, (flow.last, flow.flow_id, orig_h, resp_h, resp_p, *how, *counts, accounts)
            )
        self._counts.clear()

    @property
    def _client(self) -> bytes:
        return self._ends[0 if self._client_is_orig else 1]
