"""QUIC Initial packets: encrypted under keys that everybody on the path can derive (RFC 9001, 5.2)."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_SALT_1: Final = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
_SALT_2: Final = bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")
_SALT_29: Final = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")
_SALT_23: Final = bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502")
_VERSION_2: Final = 0x6B3343CF
SALTS: Final = {
    1: _SALT_1,
    _VERSION_2: _SALT_2,
    **dict.fromkeys(range(0xFF000017, 0xFF00001D), _SALT_23),  # drafts 23 to 28
    **dict.fromkeys(range(0xFF00001D, 0xFF000021), _SALT_29),  # drafts 29 to 32
    **dict.fromkeys(range(0xFF000021, 0xFF000023), _SALT_1),  # drafts 33 and 34
    0xFACEB002: _SALT_23,  # a draft 27 of Facebook's
}
"""Versions that can be read, and what their keys are made with."""
_MAX_CONNECTION_ID: Final = 20
_MAX_PACKETS: Final = 4
_MAX_FRAMES: Final = 256
_MAX_PAYLOAD: Final = 4096
"""Of a packet that much is looked at; paths to the outside carry 1,500 bytes."""
_PADDING, _PING, _ACK, _ACK_ECN, _CRYPTO, _CLOSE = 0x00, 0x01, 0x02, 0x03, 0x06, 0x1C
_OF_TLS: Final = 0x100
"""Errors of QUIC from here on, for a byte, are alerts of TLS."""


class Initial(NamedTuple):
    """Where a packet stands in its datagram: from ``begin`` to ``end``, its number at ``number_at``."""

    version: int
    connection: bytes
    begin: int
    number_at: int
    end: int


class Frames(NamedTuple):
    """``crypto``: offset and bytes of each piece of the handshake; ``alert``: that ended it, or -1."""

    crypto: list[tuple[int, bytes]]
    alert: int


class Keys:
    """What one side of the connection that the client called ``connection`` encrypts its Initials with."""

    def __init__(self, version: int, connection: bytes, *, client: bool) -> None:
        secret = hmac.digest(SALTS[version], connection, "sha256")
        secret = _expand(secret, b"client in" if client else b"server in", 32)
        name = b"quicv2 " if version == _VERSION_2 else b"quic "
        self._cipher = AESGCM(_expand(secret, name + b"key", 16))
        self._iv = int.from_bytes(_expand(secret, name + b"iv", 12), "big")
        header = _expand(secret, name + b"hp", 16)
        # ECB on purpose: header protection is one block of AES (RFC 9001, 5.4.3).
        self._mask = Cipher(algorithms.AES(header), modes.ECB()).encryptor().update  # noqa: S305

    def open(self, data: bytes, packet: Initial) -> bytes | None:
        """The payload of ``packet`` in the datagram ``data``; ``None`` if it is not under these keys."""
        at = packet.number_at
        sample = data[at + 4 : at + 20]
        if len(sample) < 16:
            return None
        mask = self._mask(sample)
        first = data[packet.begin] ^ (mask[0] & 0x0F)
        size = (first & 3) + 1
        number = bytes(data[at + n] ^ mask[1 + n] for n in range(size))
        head = bytes([first]) + data[packet.begin + 1 : at] + number
        nonce = (self._iv ^ int.from_bytes(number, "big")).to_bytes(12, "big")
        try:
            return self._cipher.decrypt(nonce, data[at + size : packet.end], head)
        except InvalidTag:
            return None


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446, 7.1) of one block."""
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\x00\x01"
    return hmac.digest(secret, info, "sha256")[:size]


def begins_initial(data: bytes) -> bool:
    """Whether a datagram begins with an Initial of a known version."""
    if len(data) < 5 or data[0] < 0xC0:
        return False
    version = int.from_bytes(data[1:5], "big")
    return version in SALTS and data[0] >> 4 & 3 == (1 if version == _VERSION_2 else 0)


def initials_in(data: bytes) -> Iterator[Initial]:
    """The Initials of a datagram, which may hold other packets beside them."""
    begin = 0
    for _ in range(_MAX_PACKETS):
        if len(data) - begin < 7 or data[begin] < 0xC0:
            return
        version = int.from_bytes(data[begin + 1 : begin + 5], "big")
        kind = data[begin] >> 4 & 3
        if version not in SALTS:
            return
        if version == _VERSION_2:
            kind = (kind - 1) & 3
        if kind == 3:  # a Retry has no length: it is alone
            return
        try:
            at = begin + 6 + data[begin + 5]
            connection = data[begin + 6 : at]
            at += 1 + data[at]
            if kind == 0:
                token, at = _number(data, at)
                at += token
            length, at = _number(data, at)
        except IndexError:
            return
        end = at + length
        if end > len(data) or len(connection) > _MAX_CONNECTION_ID:
            return
        if kind == 0:
            yield Initial(version, connection, begin, at, end)
        begin = end


def read_frames(payload: bytes) -> Frames:
    """The frames of an Initial that say something of the handshake, up to the first that is none.

    Of 256 frames at most.
    """
    crypto: list[tuple[int, bytes]] = []
    alert, at = -1, 0
    payload = payload[:_MAX_PAYLOAD]
    try:
        for _ in range(_MAX_FRAMES):
            if at >= len(payload):
                break
            kind = payload[at]
            if kind == _PADDING:
                at = len(payload) - len(payload[at:].lstrip(b"\x00"))
            elif kind == _PING:
                at += 1
            elif kind in {_ACK, _ACK_ECN}:
                at = _skip_ack(payload, at + 1, kind)
            elif kind == _CRYPTO:
                offset, at = _number(payload, at + 1)
                length, at = _number(payload, at)
                crypto.append((offset, payload[at : at + length]))
                at += length
            else:
                if kind == _CLOSE:
                    error, at = _number(payload, at + 1)
                    alert = error & 0xFF if error >> 8 == _OF_TLS >> 8 else -1
                break
    except IndexError:
        pass  # what was read stands
    return Frames(crypto, alert)


def _skip_ack(payload: bytes, at: int, kind: int) -> int:
    _, at = _number(payload, at)  # largest
    _, at = _number(payload, at)  # delay
    ranges, at = _number(payload, at)
    for _ in range(1 + 2 * min(ranges, len(payload)) + (3 if kind == _ACK_ECN else 0)):
        _, at = _number(payload, at)
    return at


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and the place after it. Raises ``IndexError`` at the end."""
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1), at + size
