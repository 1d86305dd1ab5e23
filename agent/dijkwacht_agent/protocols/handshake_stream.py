"""One side of a TLS handshake over TCP: from segments through records to messages, as they pass."""

from __future__ import annotations

from typing import Final, NamedTuple

CLIENT_HELLO: Final = 1
SERVER_HELLO: Final = 2
CERTIFICATE: Final = 11
SERVER_KEY_EXCHANGE: Final = 12
SERVER_HELLO_DONE: Final = 14
CHANGE_CIPHER: Final = 256
ALERT: Final = 257
"""Kinds of `Message`: those of handshakes (RFC 8446, B.3), and two more that are records of their own."""

MAX_HELLO: Final = 8192
MAX_LEAF: Final = 4096
MAX_BYTES: Final = 16 * 1024
"""Of a side's bytes, so many are read."""
_MAX_RECORD: Final = 16 * 1024 + 2048
_MAX_MESSAGES: Final = 16
_WANTED: Final = {CLIENT_HELLO: MAX_HELLO, SERVER_HELLO: 2048, CERTIFICATE: MAX_LEAF}
_CHANGE_CIPHER, _ALERT, _HANDSHAKE = 20, 21, 22
_HEADER: Final = 5
_HELLO_AT: Final = 9
_LEAF_AT: Final = 10
"""In a Certificate: its own header, then the lengths of the list and of the leaf."""


class Message(NamedTuple):
    """A message's kind and body. ``whole``: the body is not cut, by the capture or for its size."""

    kind: int
    body: bytes
    whole: bool


class HandshakeStream:
    """Gives each message once it is whole, and keeps at most one that is not, up to `MAX_HELLO`.

    Of a Certificate only the list's first is kept, up to `MAX_LEAF`; of messages that nobody asks for,
    nothing. ``over``: nothing more can be read, because what follows is encrypted, is no TLS, or is
    missing.
    """

    __slots__ = (
        "_expected",
        "_head",
        "_kind",
        "_left",
        "_message",
        "_messages",
        "_skip",
        "_total",
        "over",
    )

    def __init__(self) -> None:
        self.over = False
        self._expected = -1  # sequence number of what comes next
        self._head = b""  # of a record, or an alert: not whole yet
        self._kind = self._left = 0  # of the record that is being read
        self._message = bytearray()
        self._skip = 0  # bytes of the message that are not wanted
        self._messages = self._total = 0

    @property
    def begun(self) -> bool:
        """Something was fed to it."""
        return self._expected >= 0

    @property
    def kept(self) -> int:
        """Bytes that are held."""
        return len(self._message) + len(self._head)

    @property
    def growing(self) -> bool:
        """Bytes of a message are held."""
        return bool(self._message)

    def feed(self, payload: bytes, size: int, sequence: int) -> list[Message]:
        """The messages that end in ``payload``; see `Conversation.read` for the arguments.

        What was read before is left alone, and so is what does not follow: the right segment may still come.
        """
        if self.over:
            return []
        if self._expected < 0:
            self._expected = sequence
            if _is_one_hello(payload, size):  # as nearly all begin: nothing to be put together
                self._expected = (sequence + size) & 0xFFFFFFFF
                self._total, self._messages = size, 1
                return [Message(CLIENT_HELLO, payload[_HELLO_AT:], whole=True)]
        seen = (self._expected - sequence) & 0xFFFFFFFF
        if seen >= size:  # all of it, or there is a gap
            return []
        self._expected = (sequence + size) & 0xFFFFFFFF
        self._total += size - seen
        found: list[Message] = []
        self._read_records(self._head + payload[seen:] if seen else self._head + payload, found)
        if len(payload) < size or self._total > MAX_BYTES:
            found += self.held()  # nothing can be joined to it
            self.forget()
        return found

    def has_read(self, size: int, sequence: int) -> bool:
        """A segment of ``size`` bytes at ``sequence`` is nothing new."""
        return self._expected >= 0 and size <= (self._expected - sequence) & 0xFFFFFFFF < 1 << 31

    def held(self) -> list[Message]:
        """The message that is not whole yet, as far as it came; empty without one."""
        message = self._message
        if len(message) <= 4:
            return []
        begin = _LEAF_AT if message[0] == CERTIFICATE else 4
        return [Message(message[0], bytes(message[begin:]), whole=False)]

    def forget(self) -> None:
        """Hold nothing, and read no more."""
        self.over = True
        self._head = b""
        self._message.clear()

    def _read_records(self, data: bytes, found: list[Message]) -> None:
        at = 0
        while at < len(data) and not self.over:
            if not self._left:
                if len(data) - at < _HEADER:
                    break
                self._kind, self._left = data[at], data[at + 3] << 8 | data[at + 4]
                at += _HEADER
                if data[at - 4] != 3 or self._left > _MAX_RECORD or not self._is_clear():
                    self.over = True
                continue
            if self._kind != _HANDSHAKE:
                if len(data) - at < self._left:
                    break
                self._tell_record(data[at : at + self._left], found)
                at += self._left
                self._left = 0
                continue
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            self._read_messages(piece, found)
        self._head = b"" if self.over else data[at:]

    def _is_clear(self) -> bool:
        """The record that begins now may be read: alerts that are encrypted are longer."""
        return self._kind == _HANDSHAKE or (
            self._left == {_CHANGE_CIPHER: 1, _ALERT: 2}.get(self._kind, -1)
        )

    def _tell_record(self, body: bytes, found: list[Message]) -> None:
        found.append(Message(ALERT if self._kind == _ALERT else CHANGE_CIPHER, body, whole=True))
        self._count()

    def _read_messages(self, piece: bytes, found: list[Message]) -> None:
        message = self._message
        if self._skip:
            skipped = min(self._skip, len(piece))
            self._skip -= skipped
            piece = piece[skipped:]
        message += piece
        while len(message) >= 4 and not self.over:
            length = message[1] << 16 | message[2] << 8 | message[3]
            begin, own = 4, length
            if message[0] == CERTIFICATE and length >= _LEAF_AT - 4:
                if len(message) < _LEAF_AT:
                    return
                begin, own = _LEAF_AT, message[7] << 16 | message[8] << 8 | message[9]
            end = begin + min(own, _WANTED.get(message[0], 0), 4 + length - begin)
            if len(message) < end:
                return
            whole = end == begin + own
            found.append(Message(message[0], bytes(message[begin:end]), whole))
            self._skip = max(4 + length - len(message), 0)
            del message[: 4 + length]
            self._count()

    def _count(self) -> None:
        self._messages += 1
        if self._messages >= _MAX_MESSAGES:
            self.forget()


def _is_one_hello(payload: bytes, size: int) -> bool:
    """All of ``payload`` is one record with one ClientHello."""
    return (
        _HELLO_AT < size == len(payload) <= MAX_HELLO
        and payload[:2] == b"\x16\x03"
        and payload[5:6] == b"\x01"
        and (payload[3] << 8 | payload[4]) == size - _HEADER
        and (payload[6] << 16 | payload[7] << 8 | payload[8]) == size - _HELLO_AT
    )
