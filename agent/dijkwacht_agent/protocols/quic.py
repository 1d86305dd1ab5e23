"""QUIC: the handshake's hellos out of Initial packets, as a row of ``tls``."""

from __future__ import annotations

from typing import Final

from dijkwacht_agent.dissect import UDP
from dijkwacht_agent.flow import Conversation
from dijkwacht_agent.protocols.client_hello import read_client_hello
from dijkwacht_agent.protocols.handshake_conversation import HandshakeConversation
from dijkwacht_agent.protocols.handshake_stream import CLIENT_HELLO, MAX_HELLO, SERVER_HELLO
from dijkwacht_agent.protocols.opening import Opening
from dijkwacht_agent.protocols.quic_initial import (
    Initial,
    Keys,
    begins_initial,
    initials_in,
    read_frames,
)
from dijkwacht_agent.protocols.server_hello import read_server_hello

MAX_INITIALS: Final = 4
"""Of each side so many are decrypted."""
_MAX_PIECES: Final = 128
_MAX_KEYS: Final = 4
_KEPT_A_KEY, _KEPT_A_PIECE = 2048, 130


def recognise(opening: Opening) -> Conversation | None:
    """An Initial of a version that can be read, whichever side and port it comes from."""
    if opening.payload[0] < 0xC0 or opening.flow.proto != UDP:
        return None
    return QuicConversation(opening) if begins_initial(opening.payload) else None


class CryptoPieces:
    """A handshake message in pieces that may come in any order, up to `MAX_HELLO` and 128 pieces."""

    __slots__ = ("_begin", "_held", "_pieces")

    def __init__(self) -> None:
        self._pieces: dict[int, bytes] = {}
        self._begin = self._held = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, offset: int, data: bytes) -> None:
        """Keep a piece, unless there is no room for it; the longest of those at one place counts."""
        known = len(self._pieces.get(offset, b""))
        room = self._held + len(data) - known <= MAX_HELLO and len(self._pieces) < _MAX_PIECES
        if len(data) > known and room and offset <= MAX_HELLO:
            self._pieces[offset] = data
            self._held += len(data) - known

    def joined(self) -> bytes:
        """The message from its beginning to the first gap."""
        whole = bytearray()
        for offset, data in sorted(self._pieces.items()):
            known = self._begin + len(whole)
            if offset > known:
                break
            whole += data[known - offset :]
        return bytes(whole)

    def message(self, kind: int) -> bytes | None:
        """The body of the first message, which must be of ``kind``; ``None`` if it is not whole."""
        whole = self.joined()
        end = 4 + int.from_bytes(whole[1:4], "big")
        return whole[4:end] if len(whole) >= max(end, 5) and whole[0] == kind else None

    def kept(self) -> int:
        """About how many bytes it keeps."""
        return self._held + _KEPT_A_PIECE * len(self._pieces)

    def go_on(self) -> None:
        """What comes next begins behind the first message, which is whole."""
        self._begin += 4 + int.from_bytes(self.joined()[1:4], "big")

    def clear(self) -> None:
        """Forget all."""
        self._pieces.clear()
        self._held = 0


class QuicConversation(HandshakeConversation):
    """One handshake over QUIC. Bounds: `MAX_INITIALS` and `CryptoPieces` for each side."""

    __slots__ = ("_connection", "_keys", "_pieces", "_read")

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)
        self._connection: bytes | None = None  # as the client first called it
        self._keys: dict[tuple[int, bool], Keys] = {}
        self._pieces = {True: CryptoPieces(), False: CryptoPieces()}  # of the client, of the server
        self._read = {True: 0, False: 0}

    def read(self, time: int, payload: bytes, size: int, sequence: int, *, from_orig: bool) -> None:  # noqa: ARG002
        """See `Conversation.read`."""
        client = from_orig == self._from_orig
        for packet in initials_in(payload):
            if self.over or not self._handshakes.initials.allows(time):
                return
            plain = self._open(payload, packet, client=client)
            if plain is None:
                if self._said.hello is None and client and not self._pieces[True]:
                    self._leave()  # no beginning of a connection
                continue
            self._wait(time)
            self._take_in(time, plain, client=client)
        if not self.over and (self._pieces[True] or self._pieces[False]):
            self._handshakes.hold(self)

    def kept(self) -> int:  # noqa: D102  # inherited
        pieces = self._pieces
        keys = _KEPT_A_KEY * len(self._keys)
        return super().kept() + keys + pieces[True].kept() + pieces[False].kept()

    def forget(self) -> None:
        """Others need the room: a hello that is not whole is lost."""
        for pieces in self._pieces.values():
            pieces.clear()
        if self._said.hello is None:
            self._leave()

    def _open(self, data: bytes, packet: Initial, *, client: bool) -> bytes | None:
        """The payload of an Initial under the keys of the connection's first name."""
        if self._connection is None:
            if not client:
                return None
            self._connection = packet.connection
        keys = self._keys.get((packet.version, client))
        if keys is None:
            if len(self._keys) >= _MAX_KEYS:
                return None
            keys = Keys(packet.version, self._connection, client=client)
            self._keys[packet.version, client] = keys
        plain = keys.open(data, packet)
        if plain is None and client and packet.connection != self._connection:
            # After a Retry the connection has another name, and other keys.
            keys = Keys(packet.version, packet.connection, client=True)
            plain = keys.open(data, packet)
            if plain is not None:
                self._connection = packet.connection
                self._keys = {(packet.version, True): keys}
                self._pieces[True].clear()
        return plain

    def _take_in(self, time: int, plain: bytes, *, client: bool) -> None:
        """What an Initial holds: a piece of a hello, perhaps its last, or the end of it all."""
        frames = read_frames(plain)
        for offset, data in frames.crypto:
            self._pieces[client].add(offset, data)
        self._read[client] += 1
        done = self._read[client] >= MAX_INITIALS
        if frames.alert >= 0:
            self._said.alert = frames.alert + 1
            done = True
        elif client:
            self._take_hello()
        else:
            done = self._take_answer() or done
        if done:
            self._finish(time, self._made)

    def _take_hello(self) -> None:
        pieces = self._pieces[True]
        body = pieces.message(CLIENT_HELLO) if self._said.hello is None else None
        if body is not None:
            self._said.hello = read_client_hello(body, "q")
            pieces.clear()
            self._handshakes.release(self)

    def _take_answer(self) -> bool:
        """Whether the server's hello is whole, and no retry."""
        pieces = self._pieces[False]
        body = pieces.message(SERVER_HELLO)
        if body is None:
            return False
        self._said.answer = answer = read_server_hello(body)
        pieces.go_on()
        pieces.clear()
        return answer is None or not answer.retry

    def _read_rest(self) -> None:
        whole = self._pieces[True].joined()
        if len(whole) > 4 and whole[0] == CLIENT_HELLO:
            self._said.hello = read_client_hello(whole[4:], "q", whole=False)
