"""DCE/RPC ([C706], [MS-RPCE]): which interface is bound, which operation is called, and how it was answered.

Numbers of operations are clear even where calls are encrypted. A call counts by its first fragment.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct, error
from typing import TYPE_CHECKING, Final

from dijkwacht_agent.dissect import TCP
from dijkwacht_agent.protocols import ntlm
from dijkwacht_agent.protocols.gss import method_of
from dijkwacht_agent.protocols.log_ins import Outcome
from dijkwacht_agent.protocols.rpc_exchange import (
    Exchange,
    ExchangeConversation,
    Request,
    count_log_in,
)
from dijkwacht_agent.protocols.segments import Segments
from dijkwacht_records.rpc_interfaces import INTERFACES, RpcInterface
from dijkwacht_records.vocabulary import (
    AuthMethod,
    AuthService,
    AuthStatus,
    RpcKind,
    RpcStatus,
    RpcVia,
)

if TYPE_CHECKING:
    from dijkwacht_agent.flow import Flow
    from dijkwacht_agent.made_rows import MadeRows
    from dijkwacht_agent.protocols.opening import Opening

MAX_CONTEXTS: Final = 16
"""Presentation contexts of an association that are remembered; the oldest is forgotten."""
HEADER: Final = 16
_REQUEST, _RESPONSE, _FAULT, _BIND, _BIND_ACK, _BIND_NAK, _ALTER, _ALTERED, _AUTH_3 = (
    0,
    2,
    3,
    11,
    12,
    13,
    14,
    15,
    16,
)
_BY_CLIENT: Final = frozenset({_REQUEST, _BIND, _ALTER, _AUTH_3, 18, 19})
_BY_SERVER: Final = frozenset({_RESPONSE, _FAULT, _BIND_ACK, _BIND_NAK, _ALTERED, 17})
_BINDS: Final = frozenset(bytes([kind]) for kind in (_BIND, _BIND_ACK, _ALTER, _ALTERED))
_KNOWN: Final = _BY_CLIENT | _BY_SERVER
_FIRST_FRAGMENT: Final = 1
_LITTLE: Final = 0x10
_ORDERS: Final = frozenset({0x00, 0x01, 0x10, 0x11})
_MAX_FLOAT: Final = 3
_SYNTAX: Final = 20
_FAULTS: Final = {
    0x00000005: RpcStatus.DENIED,  # access
    0x1C010002: RpcStatus.UNSUPPORTED,  # number of the operation
    0x1C010003: RpcStatus.UNSUPPORTED,  # interface
}
_DENIED: Final = 5

_U16: Final = (Struct(">H").unpack_from, Struct("<H").unpack_from)
_U32: Final = (Struct(">I").unpack_from, Struct("<I").unpack_from)


def pdu_size(data: bytes) -> int:
    """Bytes of the message that ``data`` begins with, 0 if too few are here, -1 if it begins with none.

    >>> pdu_size(bytes.fromhex("05000b03100000004800"))
    72
    """
    if len(data) < 10:
        return 0 if b"\x05".startswith(data[:1]) else -1
    if data[0] != 5 or data[1] > 1 or data[2] not in _KNOWN or data[4] not in _ORDERS:
        return -1
    if data[5] > _MAX_FLOAT or data[6] or data[7]:
        return -1
    (size,) = _U16[data[4] >> 4](data, 8)
    return size if size >= HEADER else -1


def sends_as_client(data: bytes) -> bool:
    """Whether a client sends the message that ``data`` begins with."""
    return data[2] in _BY_CLIENT


def binds(data: bytes) -> bool:
    """Whether ``data`` begins with a message that says something of several interfaces, one by one."""
    return data[2:3] in _BINDS


class Association:
    """One connection of a client with interfaces, over TCP or through a pipe.

    Keeps `MAX_CONTEXTS` contexts; what waits for an answer waits in the flow's `Exchange`. ``led_to`` is
    what calls count for whose context was not seen. ``log_ins``: they are counted here.
    """

    __slots__ = ("_contexts", "_led_to", "_log_ins", "_proof", "_serial", "_via", "exchange")

    def __init__(
        self,
        exchange: Exchange,
        via: RpcVia,
        serial: int,
        led_to: RpcInterface = RpcInterface.UNKNOWN,
        *,
        log_ins: bool = False,
    ) -> None:
        self.exchange, self._via, self._serial, self._led_to = exchange, via, serial, led_to
        self._log_ins = log_ins
        self._contexts: dict[int, RpcInterface] = {}
        self._proof: AuthMethod | None = None

    def read(self, time: int, data: bytes) -> None:
        """One message, of which ``data`` holds the beginning; raises ``struct.error`` or ``IndexError``."""
        reader = _READERS.get(data[2])
        if reader is not None:
            little = data[4] >> 4
            (number,) = _U32[little](data, 12)
            reader(self, time, data, little, number)

    def leave(self) -> None:
        """Nothing more comes."""
        if self._proof is not None:
            self.exchange.log_ins().count(Outcome.UNKNOWN, self._proof)
            self._proof = None

    def _request(self, time: int, data: bytes, little: int, number: int) -> None:
        if not data[3] & _FIRST_FRAGMENT:
            return
        (context,), (op,) = _U16[little](data, 20), _U16[little](data, 22)
        iface = self._contexts.get(context, self._led_to)
        call = Request(self._via, RpcKind.CALL, iface, op)
        self.exchange.ask(time, (self._serial, _REQUEST, number), call)

    def _response(self, time: int, data: bytes, _little: int, number: int) -> None:
        if data[3] & _FIRST_FRAGMENT:
            self._answer(time, number, RpcStatus.SUCCESS)
            self._prove(AuthStatus.NONE)

    def _fault(self, time: int, data: bytes, little: int, number: int) -> None:
        (status,) = _U32[little](data, 24)
        self._answer(time, number, _FAULTS.get(status, RpcStatus.FAULT))
        self._prove(AuthStatus.REFUSED if status == _DENIED else AuthStatus.NONE)

    def _answer(self, time: int, number: int, status: RpcStatus) -> None:
        call = self.exchange.answered((self._serial, _REQUEST, number))
        if call is not None:
            self.exchange.settle(time, call, status)

    def _bind(self, time: int, data: bytes, little: int, number: int) -> None:
        offered: list[RpcInterface] = []
        at = 28
        for _ in range(min(data[24], MAX_CONTEXTS)):
            if len(data) < at + 24:
                break
            (context,) = _U16[little](data, at)
            iface = INTERFACES.get(_little_uuid(data[at + 4 : at + 20], little))
            self._learn(context, iface or RpcInterface.UNKNOWN)
            offered.append(iface or RpcInterface.UNKNOWN)
            at += 24 + _SYNTAX * data[at + 2]
        for iface in dict.fromkeys(offered):
            places = tuple(n for n, other in enumerate(offered) if other is iface)
            bind = Request(self._via, RpcKind.BIND, iface, handle=places)
            self.exchange.ask(time, (self._serial, _BIND, number, iface), bind)
        self._read_proof(time, data, little)

    def _bind_ack(self, time: int, data: bytes, little: int, number: int) -> None:
        results: list[int] = []
        if data[2] == _BIND_ACK or len(data) > 28:
            (length,) = _U16[little](data, 24)
            at = (26 + length + 3) & ~3
            if at < len(data):
                for n in range(min(data[at], MAX_CONTEXTS)):
                    results += _U16[little](data, at + 4 + 24 * n)
        self._settle_bind(time, number, results)

    def _bind_nak(self, time: int, _data: bytes, _little: int, number: int) -> None:
        self._settle_bind(time, number, [1] * MAX_CONTEXTS)
        self._prove(AuthStatus.REFUSED)

    def _settle_bind(self, time: int, number: int, results: list[int]) -> None:
        """``results``: 0 for each context that was accepted; those that are not there were."""
        for iface in RpcInterface:
            bind = self.exchange.answered((self._serial, _BIND, number, iface))
            if bind is None:
                continue
            places = bind.handle if isinstance(bind.handle, tuple) else ()
            accepted = any(n >= len(results) or results[n] == 0 for n in places)
            status = RpcStatus.SUCCESS if accepted else RpcStatus.UNSUPPORTED
            self.exchange.settle(time, bind, status)

    def _auth_3(self, time: int, data: bytes, little: int, _number: int) -> None:
        self._read_proof(time, data, little)

    def _read_proof(self, time: int, data: bytes, little: int) -> None:
        """A token that proves who calls: whether it is accepted shows with the next answer to a call."""
        (length,), (size,) = _U16[little](data, 10), _U16[little](data, 8)
        if not self._log_ins or not length:
            return
        token = data[max(size - length, HEADER) : size]
        method = method_of(token)
        if method is AuthMethod.NTLM and ntlm.message_type(token) != ntlm.AUTHENTICATE:
            return
        if method is not AuthMethod.UNKNOWN:
            self.leave()
            self._proof = method
            self.exchange.log_ins().note_account(time, ntlm.read_account(token))

    def _prove(self, refusal: AuthStatus) -> None:
        if self._proof is not None:
            count_log_in(self.exchange, self._proof, refusal)
            self._proof = None

    def _learn(self, context: int, iface: RpcInterface) -> None:
        self._contexts.pop(context, None)
        if len(self._contexts) >= MAX_CONTEXTS:
            del self._contexts[next(iter(self._contexts))]
        self._contexts[context] = iface


_READERS: Final[dict[int, Callable[[Association, int, bytes, int, int], None]]] = {
    _REQUEST: Association._request,  # noqa: SLF001  # its own
    _RESPONSE: Association._response,  # noqa: SLF001
    _FAULT: Association._fault,  # noqa: SLF001
    _BIND: Association._bind,  # noqa: SLF001
    _BIND_ACK: Association._bind_ack,  # noqa: SLF001
    _BIND_NAK: Association._bind_nak,  # noqa: SLF001
    _ALTER: Association._bind,  # noqa: SLF001
    _ALTERED: Association._bind_ack,  # noqa: SLF001
    _AUTH_3: Association._auth_3,  # noqa: SLF001
}


def _little_uuid(uuid: bytes, little: int) -> bytes:
    """A UUID in the order that a little-endian message has it in."""
    if little:
        return uuid
    return uuid[3::-1] + uuid[5:3:-1] + uuid[7:5:-1] + uuid[8:]


class Pdus(Segments):
    """DCE/RPC's own messages over TCP."""

    __slots__ = ()

    def measure(self, data: bytes) -> int:  # noqa: D102  # inherited
        return pdu_size(data)


class RpcConversation(ExchangeConversation):
    """DCE/RPC on a port of its own: one `Association`, two `Pdus`."""

    __slots__ = ("_association",)

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening, AuthService.RPC, (Pdus(), Pdus()))
        self._association = Association(self.exchange, RpcVia.TCP, 0, log_ins=True)

    def read(  # noqa: D102  # inherited
        self, time: int, payload: bytes, size: int, sequence: int, *, from_orig: bool
    ) -> None:
        messages = self.sides[from_orig].read(sequence, payload, size)
        self.messages = len(messages)
        for message in messages:
            try:
                asks = sends_as_client(message.data)
                if self.exchange.is_client(from_orig=from_orig, asks=asks):
                    self._association.read(time, message.data)
            except (error, IndexError):
                continue  # cut short, or none after all

    def facts(self, flow: Flow, made: MadeRows) -> None:  # noqa: D102  # inherited
        if flow.ended:
            self._association.leave()
        super().facts(flow, made)


def recognise_rpc(opening: Opening) -> RpcConversation | None:
    """The conversation of a flow whose payload begins with a message of DCE/RPC, on whatever port."""
    if opening.payload[0] != 5 or opening.flow.proto != TCP or pdu_size(opening.payload) <= 0:
        return None
    return RpcConversation(opening)
