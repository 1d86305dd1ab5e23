"""What handshakes over TCP and over QUIC have in common: one row, within a second, and nothing kept after it."""

from __future__ import annotations

from dijkwacht_agent.flow import Conversation, Flow
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_agent.protocols.handshake import TLS_TABLE, Handshake
from dijkwacht_agent.protocols.opening import Opening


class HandshakeConversation(Conversation):
    """Over once its row is made, a second after it began at the latest."""

    __slots__ = ("_flow", "_from_orig", "_handshakes", "_made", "_said", "_table", "_waits")
    opens = True

    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self._flow, self._table, self._made = opening.flow, opening.table, opening.made
        self._from_orig = opening.from_orig  # whether the originator is the client
        self._handshakes = opening.memory.handshakes
        self._said = Handshake()
        self._waits = False

    def give_up(self, time: int, made: MadeRows) -> None:
        """The server did not answer in time, or not in full."""
        if not self.over:
            self._finish(time, made)

    def facts(self, flow: Flow, made: MadeRows) -> None:
        """With the flow's last part, what was said so far."""
        if flow.ended and not self.over:
            self._finish(flow.last, made)

    def _read_rest(self) -> None:
        """Take in the ClientHello as far as it came."""
        raise NotImplementedError

    def _wait(self, time: int) -> None:
        if not self._waits:
            self._waits = True
            self._table.wait(self, time)

    def _finish(self, time: int, made: MadeRows) -> None:
        """Make the row of what was said."""
        if self._said.hello is None:
            self._read_rest()
        row = self._said.row(time, self._flow, from_orig=self._from_orig)
        if row is not None:
            made.add(TLS_TABLE, row)
        self._leave()

    def _leave(self) -> None:
        """Nothing of it is kept with the flow, which may live on for long."""
        self.over = True
        self._handshakes.release(self)
        self._table.room.release(self._flow)
        self._flow.listening = False
        self._flow.conversation = None

    def forget(self) -> None:
        """Others need the room."""
        raise NotImplementedError
