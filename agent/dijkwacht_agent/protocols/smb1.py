"""SMB 1 ([MS-CIFS], [MS-SMB]): the commands that log in, connect, open, read, write and change."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple

from dijkwacht_agent.protocols.rpc_rows import Counter
from dijkwacht_agent.protocols.smb_shares import Shares
from dijkwacht_records.vocabulary import AuthMethod, RpcVia, ShareKind

HEADER: Final = 32
MAGIC: Final = b"\xffSMB"
WORDS: Final = HEADER + 1
"""Where a command's words begin; those of a chained one begin elsewhere."""
_CLOSE, _DELETE, _RENAME, _TRANS, _OPEN, _READ, _WRITE, _TRANS_2 = (
    0x04,
    0x06,
    0x07,
    0x25,
    0x2D,
    0x2E,
    0x2F,
    0x32,
)
_LEAVE, _SESSION, _TREE, _CREATE, _NT_RENAME = 0x71, 0x73, 0x75, 0xA2, 0xA5
_CHAINED: Final = frozenset({0x24, _OPEN, _READ, _WRITE, _SESSION, 0x74, _TREE, _CREATE})
_MAX_CHAIN: Final = 8
_NO_MORE: Final = 0xFF
_RESPONSE: Final = 0x80
_UNICODE: Final = 0x8000
_EXTENDED: Final = 12
"""Words of a session set-up that carries a security token."""
_TRANSACT: Final = 0x26  # TransactNmPipe
_DELETE_ON_CLOSE: Final = 0x1000
_RAW_START: Final = 0x0C
"""Mode of a write to a pipe whose data begins with the message's length, two bytes."""
_SET_PATH, _SET_FILE = 6, 8
_RENAMES: Final = frozenset({1010})  # FileRenameInformation, passed through
_DISPOSITIONS: Final = frozenset({0x0102, 1013})
_MAX_ACCOUNT: Final = 512
_VIA: Final = RpcVia.SMB1

_header = Struct("<4xBIBH12xHHHH").unpack_from  # command, status, flags, more, tree, pid, user, id
_u16 = Struct("<H").unpack_from
_u32 = Struct("<I").unpack_from
_trans = Struct("<HHHH").unpack_from  # parameters' count and place, data's count and place


class Command(NamedTuple):
    """One command, or its answer. ``words``: where its words begin in the message."""

    time: int
    data: bytes
    words: int
    number: tuple[str, int, int, int]
    tree: int
    status: int
    unicode: bool

    def u16(self, at: int) -> int:
        """Two bytes at ``at`` in the words."""
        return int(_u16(self.data, self.words + at)[0])

    def u32(self, at: int) -> int:
        """Four bytes at ``at`` in the words."""
        return int(_u32(self.data, self.words + at)[0])

    @property
    def rest(self) -> int:
        """Where the bytes behind the words and their count begin."""
        return self.words + 2 * self.data[self.words - 1] + 2

    def text(self, at: int) -> tuple[str, int]:
        """The text at ``at`` in the message, up to its zero, and where it ends."""
        if not self.unicode:
            end = self.data.find(b"\x00", at)
            end = len(self.data) if end < 0 else end
            return self.data[at:end].decode("latin-1"), end + 1
        at += at & 1  # counted from the message's begin
        raw = self.data[at:]
        text, _, _ = raw.decode("utf-16-le", "replace").partition("\x00")
        return text, at + 2 * len(text) + 2


class Smb1:
    """Commands of one flow; all that is kept is in `Shares`."""

    __slots__ = ("_shares",)

    def __init__(self, shares: Shares) -> None:
        self._shares = shares

    def read(self, time: int, data: bytes, *, from_orig: bool) -> None:
        """One message with the commands chained in it; raises ``struct.error`` or ``IndexError``."""
        command, status, flags, more, tree, pid, _, message = _header(data)
        asks = not flags & _RESPONSE
        if not self._shares.exchange.is_client(from_orig=from_orig, asks=asks):
            return
        readers = _REQUESTS if asks else _RESPONSES
        at = HEADER
        for _ in range(_MAX_CHAIN):
            reader = readers.get(command)
            if reader is not None:
                number = ("smb1", command, pid, message)
                unicode = bool(more & _UNICODE)
                reader(self, Command(time, data, at + 1, number, tree, status, unicode))
            if command not in _CHAINED or data[at] < 2:
                return
            command = data[at + 1]
            (following,) = _u16(data, at + 3)
            if command == _NO_MORE or following <= at:
                return
            at = following

    def _ask_session(self, it: Command) -> None:
        if it.data[it.words - 1] == _EXTENDED:
            token = it.data[it.rest : it.rest + it.u16(14)]
            self._shares.ask_session(it.time, _VIA, it.number, token)
            return
        lm, nt = it.u16(14), it.u16(16)
        user, at = it.text(it.rest + lm + nt)
        domain, _ = it.text(at)
        method = AuthMethod.NTLM if user else AuthMethod.ANONYMOUS
        account = f"{user}\0{domain}".lower().encode("utf-16-le")[:_MAX_ACCOUNT] if user else b""
        self._shares.ask_log_in(it.time, _VIA, it.number, method, account)

    def _ask_tree(self, it: Command) -> None:
        path, _ = it.text(it.rest + it.u16(6))
        self._shares.ask_tree(it.time, _VIA, it.number, path)

    def _ask_create(self, it: Command) -> None:
        name, _ = it.text(it.rest)
        deletes = bool(it.u32(39) & _DELETE_ON_CLOSE)
        self._shares.ask_open(it.time, _VIA, it.number, it.tree, name, deletes=deletes)

    def _ask_open(self, it: Command) -> None:
        name, _ = it.text(it.rest)
        self._shares.ask_open(it.time, _VIA, it.number, it.tree, name, deletes=False)

    def _ask_read(self, it: Command) -> None:
        handle = it.u16(4)
        if self._shares.is_pipe(handle, it.tree):
            self._shares.ask_pipe(it.time, _VIA, it.number, handle)

    def _ask_write(self, it: Command) -> None:
        handle, mode = it.u16(4), it.u16(14)
        size, at = it.u16(18) << 16 | it.u16(20), it.u16(22)
        if mode & _RAW_START == _RAW_START and size >= 2:
            size, at = size - 2, at + 2
        data = it.data[at : at + size]
        pipe = self._shares.pipe(handle, it.tree, _VIA, data)
        if pipe is not None:
            pipe.read(it.time, data, size, from_client=True)
        if pipe is not None or self._shares.share_of(it.tree) is ShareKind.IPC:
            self._shares.ask_pipe(it.time, _VIA, it.number, None)

    def _ask_transaction(self, it: Command) -> None:
        if not it.data[it.words + 26] or it.u16(28) != _TRANSACT:
            return
        handle = it.u16(30)
        _, _, size, at = _trans(it.data, it.words + 18)
        data = it.data[at : at + size]
        pipe = self._shares.pipe(handle, it.tree, _VIA, data)
        if pipe is not None:
            self._shares.ask_pipe(it.time, _VIA, it.number, handle)
            pipe.read(it.time, data, size, from_client=True)

    def _ask_transaction_2(self, it: Command) -> None:
        if not it.data[it.words + 26]:
            return
        function = it.u16(28)
        _, parameters, _, at = _trans(it.data, it.words + 18)
        if function not in {_SET_PATH, _SET_FILE}:
            return
        (level,) = _u16(it.data, parameters + (2 if function == _SET_FILE else 0))
        if level in _RENAMES:
            self._ask_change(it, Counter.RENAMES)
        elif level in _DISPOSITIONS and it.data[at] & 1:
            self._ask_change(it, Counter.DELETES)

    def _ask_rename(self, it: Command) -> None:
        self._ask_change(it, Counter.RENAMES)

    def _ask_delete(self, it: Command) -> None:
        self._ask_change(it, Counter.DELETES)

    def _ask_change(self, it: Command, change: Counter) -> None:
        self._shares.ask_change(it.time, _VIA, it.number, it.tree, change)

    def _ask_close(self, it: Command) -> None:
        self._shares.close(it.u16(0))

    def _ask_leave(self, it: Command) -> None:
        self._shares.disconnect(it.tree)

    def _settle(self, it: Command) -> None:
        self._shares.settle(it.time, it.number, it.status, it.tree)

    def _settle_create(self, it: Command) -> None:
        handle = it.u16(5) if not it.status else None
        self._shares.settle(it.time, it.number, it.status, it.tree, handle)

    def _settle_open(self, it: Command) -> None:
        handle = it.u16(4) if not it.status else None
        self._shares.settle(it.time, it.number, it.status, it.tree, handle)

    def _read_answer(self, it: Command) -> None:
        whole = it.data[it.words - 1] >= _EXTENDED
        size = it.u16(14) << 16 | it.u16(10) if whole else 0
        self._carry(it, it.u16(12) if whole else 0, size)

    def _transaction_answer(self, it: Command) -> None:
        if it.data[it.words - 1] >= 10 and not it.u16(16):
            self._carry(it, it.u16(14), it.u16(12))
        else:
            self._settle(it)

    def _carry(self, it: Command, at: int, size: int) -> None:
        """What was read is a pipe's, or a file's."""
        request = self._shares.exchange.peek(it.number)
        if request is None:
            if it.number[1] == _READ:
                self._shares.moved(it.time, _VIA, it.tree, it.status, read=size)
            return
        data = it.data[at : at + size]
        pipe = self._shares.pipe(request.handle, it.tree, _VIA, data)
        self._settle(it)
        if pipe is not None and at >= HEADER:
            pipe.read(it.time, data, size, from_client=False)

    def _write_answer(self, it: Command) -> None:
        if self._shares.exchange.peek(it.number) is not None:
            self._settle(it)
            return
        written = it.u16(8) << 16 | it.u16(4) if it.data[it.words - 1] >= 6 else 0
        self._shares.moved(it.time, _VIA, it.tree, it.status, written=written)


_Reader = Callable[[Smb1, Command], None]
_REQUESTS: Final[dict[int, _Reader]] = {
    _CLOSE: Smb1._ask_close,  # noqa: SLF001  # its own
    _DELETE: Smb1._ask_delete,  # noqa: SLF001
    _RENAME: Smb1._ask_rename,  # noqa: SLF001
    _NT_RENAME: Smb1._ask_rename,  # noqa: SLF001
    _TRANS: Smb1._ask_transaction,  # noqa: SLF001
    _TRANS_2: Smb1._ask_transaction_2,  # noqa: SLF001
    _OPEN: Smb1._ask_open,  # noqa: SLF001
    _READ: Smb1._ask_read,  # noqa: SLF001
    _WRITE: Smb1._ask_write,  # noqa: SLF001
    _LEAVE: Smb1._ask_leave,  # noqa: SLF001
    _SESSION: Smb1._ask_session,  # noqa: SLF001
    _TREE: Smb1._ask_tree,  # noqa: SLF001
    _CREATE: Smb1._ask_create,  # noqa: SLF001
}
_RESPONSES: Final[dict[int, _Reader]] = {
    _DELETE: Smb1._settle,  # noqa: SLF001
    _RENAME: Smb1._settle,  # noqa: SLF001
    _NT_RENAME: Smb1._settle,  # noqa: SLF001
    _TRANS: Smb1._transaction_answer,  # noqa: SLF001
    _TRANS_2: Smb1._settle,  # noqa: SLF001
    _OPEN: Smb1._settle_open,  # noqa: SLF001
    _READ: Smb1._read_answer,  # noqa: SLF001
    _WRITE: Smb1._write_answer,  # noqa: SLF001
    _SESSION: Smb1._settle,  # noqa: SLF001
    _TREE: Smb1._settle,  # noqa: SLF001
    _CREATE: Smb1._settle_create,  # noqa: SLF001
}
