"""SMB on a connection: NetBIOS' frames, compounds, compression and encryption around the commands."""

from __future__ import annotations

from struct import Struct, error
from typing import TYPE_CHECKING, Final

from dijkwacht_agent.dissect import TCP
from dijkwacht_agent.protocols import smb1, smb2
from dijkwacht_agent.protocols.rpc_exchange import ExchangeConversation
from dijkwacht_agent.protocols.rpc_rows import Key
from dijkwacht_agent.protocols.segments import Segments
from dijkwacht_agent.protocols.smb1 import Smb1
from dijkwacht_agent.protocols.smb2 import Smb2
from dijkwacht_agent.protocols.smb_shares import Shares
from dijkwacht_records.vocabulary import AuthService, RpcKind, RpcStatus, RpcVia

if TYPE_CHECKING:
    from dijkwacht_agent.protocols.opening import Opening

_FRAME: Final = 4
_ENCRYPTED: Final = b"\xfdSMB"
_COMPRESSED: Final = b"\xfcSMB"
_MAGICS: Final = frozenset({smb1.MAGIC, smb2.MAGIC, _ENCRYPTED, _COMPRESSED})
PROTOCOLS: Final = bytes(magic[0] for magic in _MAGICS)
"""First bytes of the messages of its kinds."""
_SMALLEST: Final = 32
"""The shortest SMB message: SMB1's header."""
_NEXT: Final = 20
"""Where an SMB2 header says at which distance the next command of a compound begins."""
_NETBIOS: Final = range(0x81, 0x86)
"""Session request, its answers, and keepalive: on port 139."""
_MAX_NETBIOS: Final = 256
_RAW_AT: Final = 16
"""Where what stayed as it was stands in a compressed message."""

_u24 = Struct(">I").unpack_from
_u32 = Struct("<I").unpack_from
_raw = Struct("<HHI").unpack_from  # method, chained or not, bytes that stayed as they were


class Frames(Segments):
    """SMB messages, each command of a compound on its own; the first has the frame before it."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        super().__init__()
        self._rest = 0  # of the compound

    def measure(self, data: bytes) -> int:  # noqa: D102  # inherited
        if self._rest:
            return _command_size(data, self._rest)
        if len(data) < _FRAME:
            return 0
        size = int(_u24(data)[0]) & 0xFFFFFF
        if data[0] in _NETBIOS:
            return size + _FRAME if size <= _MAX_NETBIOS else -1
        if data[0] or size < _SMALLEST:
            return -1
        command = _command_size(data[_FRAME : _FRAME + _NEXT + 4], size)
        return command + _FRAME if command > 0 else command

    def begun(self, data: bytes, size: int) -> None:  # noqa: D102  # inherited
        whole = self._rest or (int(_u24(data)[0]) & 0xFFFFFF) + _FRAME
        self._rest = whole - size if data[0] not in _NETBIOS else 0

    def lose(self) -> None:  # noqa: D102  # inherited
        super().lose()
        self._rest = 0


def _command_size(data: bytes, whole: int) -> int:
    """Bytes up to the next command of the same compound, ``whole`` if there is none."""
    if len(data) < 4:
        return 0
    if data[:4] not in _MAGICS:
        return -1
    if data[:4] != smb2.MAGIC:
        return whole
    if len(data) < _NEXT + 4:
        return 0
    following = int(_u32(data, _NEXT)[0])
    return following if smb2.HEADER <= following <= whole - smb2.HEADER else whole


class SmbConversation(ExchangeConversation):
    """SMB of any version: one `Shares`, two `Frames`."""

    __slots__ = ("_shares", "_smb1", "_smb2")

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening, AuthService.SMB, (Frames(), Frames()))
        self._shares = shares = Shares(self.exchange)
        self._smb1, self._smb2 = Smb1(shares), Smb2(shares)

    def read(  # noqa: D102  # inherited
        self, time: int, payload: bytes, size: int, sequence: int, *, from_orig: bool
    ) -> None:
        messages = self.sides[from_orig].read(sequence, payload, size)
        self.exchange.carried = len(messages)
        for message in messages:
            data = message.data if message.data[0] >= _MAGIC_FROM else message.data[_FRAME:]
            try:
                self._command(time, data, message.size, from_orig=from_orig)
            except (error, IndexError):
                continue  # cut short, or none after all
        self.messages = self.exchange.carried

    def kept(self) -> int:  # noqa: D102  # inherited
        return super().kept() + self._shares.kept()

    def _command(self, time: int, data: bytes, size: int, *, from_orig: bool) -> None:
        magic = data[:4]
        if magic == smb2.MAGIC:
            self._smb2.read(time, data, size, from_orig=from_orig)
        elif magic == smb1.MAGIC:
            self._smb1.read(time, data, from_orig=from_orig)
        elif magic == _ENCRYPTED:
            key = Key(RpcVia.SMB3_ENCRYPTED, RpcKind.ENCRYPTED, RpcStatus.UNANSWERED)
            self.exchange.rows.count(time, key)
        elif magic == _COMPRESSED:
            method, chained, length = _raw(data, 8)
            if not (chained and method) and length >= smb2.HEADER:
                raw = data[_RAW_AT : _RAW_AT + length]
                self._smb2.read(time, raw, length, from_orig=from_orig)


_MAGIC_FROM: Final = 0xFC
"""First byte of the magics; a frame begins with a smaller one."""


def recognise_smb(opening: Opening) -> SmbConversation | None:
    """The conversation of a flow whose payload begins with an SMB message, on whatever port.

    A flow that opens with a NetBIOS session request is known by the SMB message that follows.
    """
    payload = opening.payload
    if payload[4:8] not in _MAGICS or payload[0] or opening.flow.proto != TCP:
        return None
    return SmbConversation(opening)
