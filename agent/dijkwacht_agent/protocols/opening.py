"""What a conversation is recognised by, and what all conversations share."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from dijkwacht_agent.flow import Flow
from dijkwacht_agent.flows import FlowTable
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_agent.memory.accounts import AccountsTried
from dijkwacht_agent.memory.answered_names import AnsweredNames
from dijkwacht_agent.memory.commanded import Commanded
from dijkwacht_agent.memory.handshakes import Handshakes


class Memory(msgspec.Struct, frozen=True):
    """What conversations share."""

    commanded: Commanded = msgspec.field(default_factory=Commanded)
    accounts: AccountsTried = msgspec.field(default_factory=AccountsTried)
    names: AnsweredNames = msgspec.field(default_factory=AnsweredNames)
    handshakes: Handshakes = msgspec.field(default_factory=Handshakes)


class Opening(NamedTuple):
    """One of the first payloads of a flow, as `Conversation.read` gets them."""

    flow: Flow
    payload: bytes
    size: int
    from_orig: bool
    table: FlowTable
    made: MadeRows
    memory: Memory
