"""SMB 2 and 3 ([MS-SMB2]): the commands that log in, connect, open, read, write and change."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple

from dijkwacht_agent.protocols.rpc_rows import Counter
from dijkwacht_agent.protocols.smb_shares import Shares
from dijkwacht_records.vocabulary import RpcVia, ShareKind

HEADER: Final = 64
MAGIC: Final = b"\xfeSMB"
_SESSION, _TREE, _LEAVE, _CREATE, _CLOSE, _READ, _WRITE, _CONTROL, _SET = (
    1,
    3,
    4,
    5,
    6,
    8,
    9,
    11,
    17,
)
_RESPONSE: Final = 1
_ASYNC: Final = 2
_RELATED: Final = 4
_TRANSCEIVE: Final = 0x0011C017  # FSCTL_PIPE_TRANSCEIVE
_DELETE_ON_CLOSE: Final = 0x1000
_FILE_INFO: Final = 1
_RENAMES: Final = frozenset({10, 65})  # FileRenameInformation, ...Ex
_DISPOSITIONS: Final = frozenset({13, 64})  # FileDispositionInformation, ...Ex
_VIA: Final = RpcVia.SMB2

_header = Struct("<4xHHIHHIIQ").unpack_from
_tree = Struct("<I").unpack_from
_u16 = Struct("<H").unpack_from
_u32 = Struct("<I").unpack_from
_place = Struct("<HH").unpack_from  # offset from the header, length
_data = Struct("<HI").unpack_from
_far_data = Struct("<II").unpack_from


class Command(NamedTuple):
    """One command, or its answer, with its tree and how many bytes it has on the wire."""

    time: int
    data: bytes
    size: int
    number: tuple[str, int]
    tree: int
    status: int


class Smb2:
    """Commands of one flow. Keeps, besides `Shares`, the tree of the latest command of each side."""

    __slots__ = ("_shares", "_trees")

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._trees = [0, 0]

    def read(self, time: int, data: bytes, size: int, *, from_orig: bool) -> None:
        """One command that begins with its header; raises ``struct.error`` or ``IndexError``."""
        _, _, status, command, _, flags, _, message = _header(data)
        asks = not flags & _RESPONSE
        if not self._shares.exchange.is_client(from_orig=from_orig, asks=asks):
            return
        if not flags & _ASYNC and not (flags & _RELATED and asks):
            (self._trees[asks],) = _tree(data, 36)
        readers = _REQUESTS if asks else _RESPONSES
        reader = readers.get(command)
        if reader is not None:
            number = ("smb2", message)
            reader(self, Command(time, data, size, number, self._trees[asks], status))

    def _ask_session(self, it: Command) -> None:
        at, length = _place(it.data, HEADER + 12)
        token = it.data[at : at + length]
        self._shares.ask_session(it.time, _VIA, it.number, token)

    def _ask_tree(self, it: Command) -> None:
        at, length = _place(it.data, HEADER + 4)
        self._shares.ask_tree(it.time, _VIA, it.number, _text(it.data[at : at + length]))

    def _ask_create(self, it: Command) -> None:
        (options,) = _u32(it.data, HEADER + 40)
        at, length = _place(it.data, HEADER + 44)
        name = _text(it.data[at : at + length])
        deletes = bool(options & _DELETE_ON_CLOSE)
        self._shares.ask_open(it.time, _VIA, it.number, it.tree, name, deletes=deletes)

    def _ask_read(self, it: Command) -> None:
        handle = it.data[HEADER + 16 : HEADER + 32]
        if self._shares.is_pipe(handle, it.tree):
            self._shares.ask_pipe(it.time, _VIA, it.number, handle)

    def _ask_write(self, it: Command) -> None:
        at, length = _data(it.data, HEADER + 2)
        handle = it.data[HEADER + 16 : HEADER + 32]
        data = it.data[at : at + length] if at else b""
        pipe = self._shares.pipe(handle, it.tree, _VIA, data)
        if pipe is not None:
            pipe.read(it.time, data, length, from_client=True)
        if pipe is not None or self._shares.share_of(it.tree) is ShareKind.IPC:
            self._shares.ask_pipe(it.time, _VIA, it.number, None)

    def _ask_control(self, it: Command) -> None:
        (code,) = _u32(it.data, HEADER + 4)
        if code != _TRANSCEIVE:
            return
        handle = it.data[HEADER + 8 : HEADER + 24]
        at, length = _far_data(it.data, HEADER + 24)
        data = it.data[at : at + length]
        pipe = self._shares.pipe(handle, it.tree, _VIA, data)
        if pipe is not None:
            self._shares.ask_pipe(it.time, _VIA, it.number, handle)
            pipe.read(it.time, data, length, from_client=True)

    def _ask_set(self, it: Command) -> None:
        kind, information = it.data[HEADER + 2], it.data[HEADER + 3]
        (at,) = _u16(it.data, HEADER + 8)
        if kind != _FILE_INFO:
            return
        if information in _RENAMES:
            change = Counter.RENAMES
        elif information in _DISPOSITIONS and it.data[at] & 1:
            change = Counter.DELETES
        else:
            return
        self._shares.ask_change(it.time, _VIA, it.number, it.tree, change)

    def _ask_close(self, it: Command) -> None:
        self._shares.close(it.data[HEADER + 8 : HEADER + 24])

    def _ask_leave(self, it: Command) -> None:
        self._shares.disconnect(it.tree)

    def _settle(self, it: Command) -> None:
        handle = it.data[HEADER + 64 : HEADER + 80]
        self._shares.settle(it.time, it.number, it.status, it.tree, handle)

    def _read_answer(self, it: Command) -> None:
        (length,) = _u32(it.data, HEADER + 4)
        self._carry(it, it.data[HEADER + 2], length)

    def _control_answer(self, it: Command) -> None:
        at, length = _far_data(it.data, HEADER + 32)
        if self._shares.exchange.peek(it.number) is not None:
            self._carry(it, at, length)

    def _carry(self, it: Command, at: int, length: int) -> None:
        """What was read is a pipe's, or a file's."""
        request = self._shares.exchange.peek(it.number)
        if request is None:
            self._shares.moved(it.time, _VIA, it.tree, it.status, read=length)
            return
        data = it.data[at : at + length]
        pipe = self._shares.pipe(request.handle, it.tree, _VIA, data)
        self._shares.settle(it.time, it.number, it.status)
        if pipe is not None and at >= HEADER:
            pipe.read(it.time, data, length, from_client=False)

    def _write_answer(self, it: Command) -> None:
        if self._shares.exchange.peek(it.number) is not None:
            self._shares.settle(it.time, it.number, it.status)
            return
        (written,) = _u32(it.data, HEADER + 4)
        self._shares.moved(it.time, _VIA, it.tree, it.status, written=written)


_Reader = Callable[[Smb2, Command], None]
_REQUESTS: Final[dict[int, _Reader]] = {
    _SESSION: Smb2._ask_session,  # noqa: SLF001  # its own
    _TREE: Smb2._ask_tree,  # noqa: SLF001
    _LEAVE: Smb2._ask_leave,  # noqa: SLF001
    _CREATE: Smb2._ask_create,  # noqa: SLF001
    _CLOSE: Smb2._ask_close,  # noqa: SLF001
    _READ: Smb2._ask_read,  # noqa: SLF001
    _WRITE: Smb2._ask_write,  # noqa: SLF001
    _CONTROL: Smb2._ask_control,  # noqa: SLF001
    _SET: Smb2._ask_set,  # noqa: SLF001
}
_RESPONSES: Final[dict[int, _Reader]] = {
    _SESSION: Smb2._settle,  # noqa: SLF001
    _TREE: Smb2._settle,  # noqa: SLF001
    _CREATE: Smb2._settle,  # noqa: SLF001
    _READ: Smb2._read_answer,  # noqa: SLF001
    _WRITE: Smb2._write_answer,  # noqa: SLF001
    _CONTROL: Smb2._control_answer,  # noqa: SLF001
    _SET: Smb2._settle,  # noqa: SLF001
}


def _text(raw: bytes) -> str:
    return raw.decode("utf-16-le", "replace")
