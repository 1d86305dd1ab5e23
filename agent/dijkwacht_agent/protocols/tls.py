"""TLS over TCP: a row for each handshake, once the server's side of it is known."""

from __future__ import annotations

from typing import Final

from dijkwacht_agent.dissect import TCP
from dijkwacht_agent.flow import Conversation
from dijkwacht_agent.protocols.certificate import read_certificate
from dijkwacht_agent.protocols.client_hello import read_client_hello
from dijkwacht_agent.protocols.handshake_conversation import HandshakeConversation
from dijkwacht_agent.protocols.handshake_stream import (
    ALERT,
    CERTIFICATE,
    CHANGE_CIPHER,
    CLIENT_HELLO,
    SERVER_HELLO,
    SERVER_HELLO_DONE,
    SERVER_KEY_EXCHANGE,
    HandshakeStream,
    Message,
)
from dijkwacht_agent.protocols.opening import Opening
from dijkwacht_agent.protocols.server_hello import TLS_1_3, read_server_hello

_HANDSHAKE: Final = 0x16
_FATAL: Final = 2
_RECORDS: Final = frozenset({20, 21, 22})
_HELLO_BEGINS: Final = b"\x16\x03"
_KIND_AT: Final = 5


def recognise(opening: Opening) -> Conversation | None:
    """A handshake record that begins with a ClientHello, whichever side sends it."""
    payload = opening.payload
    if payload[0] != _HANDSHAKE or opening.flow.proto != TCP:
        return None
    if not _HELLO_BEGINS.startswith(payload[:2]) or (
        len(payload) > _KIND_AT and payload[_KIND_AT] != CLIENT_HELLO
    ):
        return None
    return TlsConversation(opening)


class TlsConversation(HandshakeConversation):
    """One handshake over TCP.

    With TLS 1.3 the ServerHello is all that the server shows. Before, the row waits for what the client
    says to the certificate, which may be that it refuses it. Bounds: two `HandshakeStream`, of which 256
    in all flows together hold bytes.
    """

    __slots__ = ("_answered", "_client", "_server")

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)
        self._client, self._server = HandshakeStream(), HandshakeStream()
        self._answered = False

    def read(self, time: int, payload: bytes, size: int, sequence: int, *, from_orig: bool) -> None:
        """See `Conversation.read`."""
        if self.over:
            return
        self._wait(time)
        if from_orig == self._from_orig:
            over = self._read_client(payload, size, sequence)
        else:
            over = self._read_server(time, payload, size, sequence)
        if over:
            self._finish(time, self._made)
        elif self._client.growing or self._server.growing:
            self._handshakes.hold(self)
        else:
            self._handshakes.release(self)

    def kept(self) -> int:  # noqa: D102  # inherited
        return super().kept() + self._client.kept + self._server.kept

    def forget(self) -> None:
        """Others need the room: a hello that is not whole is lost, of an answer what was not read."""
        self._server.forget()
        if self._said.hello is None:
            self._client.forget()
            self._leave()

    def _read_client(self, payload: bytes, size: int, sequence: int) -> bool:
        """Whether there is nothing more to wait for."""
        said = self._said
        if self._answered and self._client.has_read(size, sequence):
            return False
        for message in self._client.feed(payload, size, sequence):
            if message.kind == CLIENT_HELLO and said.hello is None:
                said.hello = read_client_hello(message.body, "t", whole=message.whole)
            elif message.kind == ALERT and self._alert(message):
                return True
        return self._answered or (self._client.over and said.hello is None)

    def _read_server(self, time: int, payload: bytes, size: int, sequence: int) -> bool:
        """Whether there is nothing more to wait for."""
        if not self._server.begun and payload[0] not in _RECORDS:
            return True  # it speaks something else
        for message in self._server.feed(payload, size, sequence):
            if self._hear(time, message):
                return True
        return self._server.over

    def _hear(self, time: int, message: Message) -> bool:
        """Take in a message of the server: is it the last that is waited for?"""
        said, kind = self._said, message.kind
        if kind == SERVER_HELLO:
            answer = read_server_hello(message.body, whole=message.whole)
            if answer is None:
                return False
            said.answer = answer
            return answer.version >= TLS_1_3 and not answer.retry
        if kind == CERTIFICATE:
            if said.certificate is None and message.body:
                name = said.hello.server_name if said.hello is not None else ""
                said.certificate = read_certificate(message.body, time, name)
            self._answered = True
        elif kind in {SERVER_KEY_EXCHANGE, SERVER_HELLO_DONE}:
            self._answered = True
        elif kind == CHANGE_CIPHER:
            renewed = said.answer is not None and not said.answer.retry
            said.renewed = renewed and not self._answered
            return renewed
        elif kind == ALERT:
            return self._alert(message)
        return False

    def _alert(self, message: Message) -> bool:
        """Note an alert that ends the handshake."""
        if message.body[0] == _FATAL:
            self._said.alert = message.body[1] + 1
            return True
        return False

    def _read_rest(self) -> None:
        for message in self._client.held():
            if message.kind == CLIENT_HELLO:
                self._said.hello = read_client_hello(message.body, "t", whole=False)
