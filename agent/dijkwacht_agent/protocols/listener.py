"""From payloads to conversations: what a flow speaks is told by its first messages, on any port."""

from __future__ import annotations

from struct import Struct
from typing import Final

from dijkwacht_agent.budget import Budget
from dijkwacht_agent.dissect import TCP, Packet
from dijkwacht_agent.flow import LOOKS, Conversation, Flow
from dijkwacht_agent.flows import FlowTable
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_agent.protocols.names import MAX_PER_SECOND
from dijkwacht_agent.protocols.opening import Memory, Opening
from dijkwacht_agent.protocols.recognisers import RECOGNISERS, RECOGNISERS_BEHIND_LENGTH

MAX_MESSAGES: Final = 5000
"""Messages read in one second of event time, of what is more than the opening of a connection; 15 µs each."""

_u32 = Struct(">I").unpack_from


class Listener:
    """Hands payloads to the conversation of their flow, within budgets of event time: openings have one of their own."""

    def __init__(
        self,
        table: FlowTable,
        made: MadeRows,
        limit: int = MAX_PER_SECOND,
        messages: int = MAX_MESSAGES,
    ) -> None:
        self.budget = Budget(messages)
        self.handshakes = Budget(limit)
        self.memory = Memory()
        self._table, self._made = table, made

    @property
    def shed(self) -> int:
        """Messages that were left unread, and conversations that were broken off."""
        unread = self.budget.shed + self.handshakes.shed
        return unread + self.memory.handshakes.shed + self._table.room.given_up

    def listen(self, time: int, data: bytes, packet: Packet, flow: Flow) -> None:
        """A payload of ``flow``, which is listened to: clears ``flow.listening`` when that is over."""
        key, proto, _, _, _, transport_at, at, size = packet
        if at >= len(data):
            return  # cut off by the capture, or a later fragment
        conversation, from_orig = flow.conversation, key == flow.key
        fresh = conversation is None
        if conversation is None:
            conversation = flow.conversation = self._recognise(data, packet, flow, from_orig)
            if conversation is None:
                flow.listening -= 1
                return
        (sequence,) = _u32(data, transport_at + 4) if proto == TCP else (0,)
        if conversation.passes(size, sequence, from_orig=from_orig):
            return
        budget = self.handshakes if conversation.opens else self.budget
        if not budget.allows(time):
            if fresh:
                self._hold(flow, conversation, time)
            return
        payload = data[at : at + size]
        conversation.read(time, payload, size, sequence, from_orig=from_orig)
        if conversation.messages > 1:
            budget.spend(conversation.messages - 1)
        if conversation.over:
            flow.listening = 0
        if flow.conversation is not None:  # else it keeps nothing any more
            self._hold(flow, conversation, time)

    def _hold(self, flow: Flow, conversation: Conversation, time: int) -> None:
        """Make room for what ``conversation`` keeps now."""
        for other in self._table.room.hold(flow, conversation.kept()):
            self._part(other, time)

    def _part(self, flow: Flow, time: int) -> None:
        """``flow`` tells what it heard, forgets the rest, and is listened to like one that begins."""
        conversation = flow.conversation
        if conversation is None:
            return
        conversation.give_up(time, self._made)
        cut, flow.cut = flow.cut, flow.last  # as with its last part: nothing waits any longer
        conversation.facts(flow, self._made)
        flow.cut = cut
        flow.conversation = None
        flow.listening = 0 if conversation.over else LOOKS - 1  # its first payload is past

    def _recognise(
        self, data: bytes, packet: Packet, flow: Flow, from_orig: bool
    ) -> Conversation | None:
        proto, at, size = packet[1], packet[6], packet[7]
        first = data[at]
        if first or proto != TCP:
            recognisers = RECOGNISERS[proto][first]
        elif len(data) > at + 4:
            recognisers = RECOGNISERS_BEHIND_LENGTH[data[at + 4]]
        else:
            return None
        if recognisers:
            payload = data[at : at + size]
            opening = Opening(flow, payload, size, from_orig, self._table, self._made, self.memory)
            for recogniser in recognisers:
                found = recogniser(opening)
                if found is not None:
                    return found
        return None
