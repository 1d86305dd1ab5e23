"""A flow with a client and a server, whose requests are counted once they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dijkwacht_agent.dissect import endpoints
from dijkwacht_agent.flow import Conversation
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_agent.protocols.log_ins import LogIns, Outcome
from dijkwacht_agent.protocols.rpc_rows import Key, RpcRows
from dijkwacht_agent.protocols.segments import Segments
from dijkwacht_records.rpc_interfaces import EXECUTES, RpcInterface
from dijkwacht_records.tables import RPC, TABLES
from dijkwacht_records.vocabulary import (
    AuthMethod,
    AuthService,
    AuthStatus,
    RpcKind,
    RpcStatus,
    RpcVia,
    ShareKind,
)

if TYPE_CHECKING:
    from dijkwacht_agent.flow import Flow
    from dijkwacht_agent.protocols.opening import Opening

MAX_WAITING: Final = 64
"""Requests of a flow that may wait for their answer; the oldest counts as unanswered for the next."""
_TABLE: Final = TABLES.index(RPC)
_KEPT, _KEPT_A_REQUEST = 1300, 270
_SMB_PORTS: Final = frozenset({139, 445})


class Request(NamedTuple):
    """What is asked for, until it is answered. ``handle``: what an answer is about, by its protocol."""

    via: RpcVia
    kind: RpcKind
    iface: RpcInterface = RpcInterface.NONE
    op: int = -1
    share: ShareKind = ShareKind.NONE
    handle: object = None
    changes: tuple[int, ...] = ()
    """`Counter` of what is done if it succeeds."""
    method: AuthMethod = AuthMethod.UNKNOWN

    def key(self, status: RpcStatus) -> Key:
        """The row in which it counts."""
        return Key(self.via, self.kind, status, self.iface, self.op, self.share)


class Exchange:
    """What a flow's client asked and how its server answered, whichever of the two began the flow.

    Who asks first is the client. Keeps at most `MAX_WAITING` requests, and `RpcRows`.
    """

    def __init__(self, opening: Opening, service: AuthService) -> None:
        self.rows = RpcRows()
        # Of the payload, which may be long, nothing stays here for as long as the flow lives.
        self._opening, self._service = opening._replace(payload=b""), service
        self._ends = endpoints(opening.flow.key)
        key = opening.flow.key
        half = (len(key) - 7) // 2
        self._machines = key[:half], key[half : 2 * half]  # as `Commanded` knows them
        self._client_is_orig: bool | None = None
        self._waiting: dict[tuple[object, ...], Request] = {}
        self._log_ins: LogIns | None = None
        self._time = 0
        self.carried = 0
        """Messages in the payload that is being read, those through pipes among them."""

    def is_client(self, *, from_orig: bool, asks: bool) -> bool:
        """Whether a message that ``asks``, or else answers, may come from where it does."""
        if self._client_is_orig is None:
            self._client_is_orig = from_orig == asks
        return (from_orig == self._client_is_orig) == asks

    @property
    def client_is_orig(self) -> bool:
        """Who began is the client unless messages said otherwise, or nothing but its port is a server's."""
        if self._client_is_orig is None:
            flow = self._opening.flow
            return not (flow.orig_p in _SMB_PORTS and flow.resp_p not in _SMB_PORTS)
        return self._client_is_orig

    def ask(self, time: int, number: tuple[object, ...], request: Request) -> None:
        """``request`` waits for the answer of its ``number``; one that waits there gets none."""
        self._time = time
        if request.kind is RpcKind.CALL and (request.iface, request.op) in EXECUTES:
            self.note_command(time)
        old = self._waiting.pop(number, None)
        if old is None and len(self._waiting) >= MAX_WAITING:
            old = self._waiting.pop(next(iter(self._waiting)))
        self._waiting[number] = request
        if old is not None:
            self._miss(time, old)

    def peek(self, number: tuple[object, ...]) -> Request | None:
        """The request that waits under ``number``, if any."""
        return self._waiting.get(number)

    def answered(self, number: tuple[object, ...]) -> Request | None:
        """The request that waited under ``number``; it is up to the caller to `settle` it."""
        return self._waiting.pop(number, None)

    def settle(self, time: int, request: Request, status: RpcStatus) -> list[int]:
        """Count ``request`` as answered; returns the counts of its row."""
        counts = self.rows.count(time, request.key(status))
        if status is RpcStatus.SUCCESS:
            for counter in request.changes:
                counts[counter] += 1
        return counts

    def note_command(self, time: int) -> None:
        """The client makes the server execute something."""
        client, server = self._machines if self.client_is_orig else self._machines[::-1]
        self._opening.memory.commanded.note(time, server, client)

    def log_ins(self) -> LogIns:
        """Where log-ins of this flow are counted."""
        if self._log_ins is None:
            self._log_ins = LogIns(self._opening, self._service, client_is_orig=self.client_is_orig)
        return self._log_ins

    def kept(self) -> int:
        """About how many bytes it keeps."""
        own = _KEPT + _KEPT_A_REQUEST * len(self._waiting) + self.rows.kept()
        return own if self._log_ins is None else own + self._log_ins.kept()

    def facts(self, flow: Flow, made: MadeRows) -> None:
        """The rows since the part before; with the flow's last, what still waits is unanswered."""
        if flow.ended:
            for request in self._waiting.values():
                self._miss(self._time, request)
            self._waiting.clear()
        if self.client_is_orig:
            ends = (*self._ends, flow.resp_p)
        else:
            ends = (*self._ends[::-1], flow.orig_p)
        for row in self.rows.rows(flow.flow_id, *ends):
            made.add(_TABLE, row)
        if self._log_ins is not None:
            self._log_ins.facts(flow, made)

    def _miss(self, time: int, request: Request) -> None:
        if request.kind is RpcKind.OTHER:
            return  # waited only for what its answer carries
        self.rows.count(time, request.key(RpcStatus.UNANSWERED))
        if request.kind is RpcKind.SESSION and request.method is not AuthMethod.UNKNOWN:
            self.log_ins().count(Outcome.UNKNOWN, request.method)


def count_log_in(exchange: Exchange, method: AuthMethod, refusal: AuthStatus) -> None:
    """An attempt was accepted, or refused for a reason."""
    outcome = Outcome.SUCCEEDED if refusal is AuthStatus.NONE else Outcome.FAILED
    exchange.log_ins().count(outcome, method, refusal)


class ExchangeConversation(Conversation):
    """A conversation whose rows an `Exchange` makes; ``sides``: of the responder, of the originator."""

    __slots__ = ("exchange", "sides")

    def __init__(
        self, opening: Opening, service: AuthService, sides: tuple[Segments, Segments]
    ) -> None:
        super().__init__()
        self.exchange = Exchange(opening, service)
        self.sides = sides

    def passes(self, size: int, sequence: int, *, from_orig: bool) -> bool:  # noqa: D102  # inherited
        return self.sides[from_orig].passes(sequence, size)

    def kept(self) -> int:  # noqa: D102  # inherited
        return self.exchange.kept() + self.sides[0].kept + self.sides[1].kept

    def facts(self, flow: Flow, made: MadeRows) -> None:  # noqa: D102  # inherited
        self.exchange.facts(flow, made)
