"""From payloads to conversations: what a flow speaks is told by its first messages, on any port."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from dijkwacht_agent.budget import Budget
from dijkwacht_agent.dissect import TCP, Packet
from dijkwacht_agent.flows import Flow, FlowTable
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_agent.protocols import quic, tls
from dijkwacht_agent.protocols.conversation import Conversation
from dijkwacht_agent.protocols.dcerpc import recognise_rpc
from dijkwacht_agent.protocols.log_in_openings import recognise_log_ins
from dijkwacht_agent.protocols.opening import Memory, Opening
from dijkwacht_agent.protocols.reader import MAX_PER_SECOND
from dijkwacht_agent.protocols.smb import recognise_smb

_u32 = Struct(">I").unpack_from


Recogniser = Callable[[Opening], Conversation | None]
"""Is this the beginning of what it knows? Then the conversation, which gets the payload next."""

RECOGNISERS: Final[tuple[Recogniser, ...]] = (
    tls.recognise,
    quic.recognise,
    recognise_smb,
    recognise_rpc,
    recognise_log_ins,
)


class Listener:
    """Hands payloads to the conversation of their flow, within a budget of event time."""

    def __init__(self, table: FlowTable, made: MadeRows, limit: int = MAX_PER_SECOND) -> None:
        self.budget = Budget(limit)
        self.memory = Memory()
        self._table, self._made = table, made

    @property
    def shed(self) -> int:
        """Messages that were left unread."""
        return self.budget.shed + self.memory.handshakes.shed

    def listen(self, time: int, data: bytes, packet: Packet, flow: Flow) -> None:
        """A payload of ``flow``, which is listened to: clears ``flow.listening`` when that is over."""
        key, proto, _, _, _, transport_at, at, size = packet
        payload = data[at : at + size]
        if not payload:
            return  # cut off by the capture, or a later fragment
        from_orig = key == flow.key
        if flow.conversation is None:
            opening = Opening(flow, payload, size, from_orig, self._table, self._made, self.memory)
            flow.conversation = _recognise(opening)
            if flow.conversation is None:
                flow.listening -= 1
                return
        (sequence,) = _u32(data, transport_at + 4) if proto == TCP else (0,)
        conversation = flow.conversation
        if conversation.passes(size, sequence, from_orig=from_orig):
            return
        if not self.budget.allows(time):
            return
        conversation.read(time, payload, size, sequence, from_orig=from_orig)
        if conversation.over:
            flow.listening = 0


def _recognise(opening: Opening) -> Conversation | None:
    for recogniser in RECOGNISERS:
        found = recogniser(opening)
        if found is not None:
            return found
    return None
