"""What a client does on the shares of an SMB server, in any version: trees, pipes, files, log-ins.

Of a tree is kept what kind of share it is, of a pipe which interface it leads to; names are forgotten
with the message that holds them. Bounds of one flow: `MAX_TREES`, `MAX_PIPES` (with the contexts of their
associations and `BIND_HELD` bytes each way), and those of its `Exchange`; the oldest is forgotten.
"""

from __future__ import annotations

from struct import error
from typing import Final

from dijkwacht_agent.protocols import ntlm
from dijkwacht_agent.protocols.dcerpc import Association, binds, pdu_size, sends_as_client
from dijkwacht_agent.protocols.gss import method_of
from dijkwacht_agent.protocols.ntstatus import PENDING, SUCCESS, refusal_class, status_class
from dijkwacht_agent.protocols.rpc_exchange import Exchange, Request, count_log_in
from dijkwacht_agent.protocols.rpc_rows import Counter, Key
from dijkwacht_records.rpc_interfaces import RpcInterface, interface_of_pipe
from dijkwacht_records.vocabulary import AuthMethod, RpcKind, RpcStatus, RpcVia, ShareKind

MAX_TREES: Final = 64
MAX_PIPES: Final = 64
PIPE_HELD: Final = 64
"""Bytes of a message that waits for its next write to a pipe; a longer beginning is read as it is."""
BIND_HELD: Final = 1024
"""The same of binds and answers to them, which have an entry for each interface that is remembered."""
MAX_IN_WRITE: Final = 64
"""Messages read in one write to a pipe, or one read from it."""
_KEPT_A_PIPE, _KEPT_A_TREE = 2800, 100
_SHARES: Final = {
    "ipc$": ShareKind.IPC,
    "admin$": ShareKind.ADMIN,
    "sysvol": ShareKind.DOMAIN,
    "netlogon": ShareKind.DOMAIN,
    "print$": ShareKind.PRINTER,
}

Number = tuple[object, ...]


def share_kind(path: str) -> ShareKind:
    r"""The kind of share that a path leads to, by its last part.

    >>> share_kind("\\\\10.0.0.2\\ADMIN$"), share_kind("c$"), share_kind("\\\\nas\\photos")
    (<ShareKind.ADMIN: 2>, <ShareKind.DRIVE: 3>, <ShareKind.OTHER: 15>)
    """
    last = path.rpartition("\\")[2].lower()
    known = _SHARES.get(last)
    if known is not None:
        return known
    if not last.endswith("$"):
        return ShareKind.OTHER
    return ShareKind.DRIVE if len(last) == 2 and last[0].isalpha() else ShareKind.HIDDEN


class Pipe:
    """One open pipe: its association, and the beginning of a message in each direction."""

    __slots__ = ("_association", "_held", "_skip")

    def __init__(self, association: Association) -> None:
        self._association = association
        self._held = [b"", b""]
        self._skip = [0, 0]

    def read(self, time: int, data: bytes, size: int, *, from_client: bool) -> None:
        """What was written (``from_client``) or read: ``data`` is the beginning of ``size`` bytes."""
        held = self._held[from_client]
        at = min(self._skip[from_client], size)
        self._skip[from_client] -= at
        if pdu_size(data) > 0:  # whatever was expected: here begins a message
            held, at, self._skip[from_client] = b"", 0, 0
        self._held[from_client] = b""
        for _ in range(MAX_IN_WRITE):
            if at >= len(data):
                return
            message = held + data[at:]
            total = pdu_size(message)
            if total < 0:
                return
            room = BIND_HELD if binds(message) else PIPE_HELD
            if len(message) < min(total or room, room) and len(data) == size:
                self._held[from_client] = message
                return
            if not total:
                return
            if sends_as_client(message) == from_client:
                self._association.exchange.carried += 1
                self._read(time, message[:total])
            at += total - len(held)
            held = b""
            self._skip[from_client] = max(at - size, 0)

    def _read(self, time: int, message: bytes) -> None:
        try:
            self._association.read(time, message)
        except (error, IndexError):
            return  # cut short, or none after all


class Shares:
    """Trees, pipes and files of one flow. Numbers and handles are whatever tells them apart there."""

    __slots__ = ("_pipes", "_serial", "_trees", "exchange")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._trees: dict[int, ShareKind] = {}
        self._pipes: dict[object, Pipe] = {}
        self._serial = 0

    def kept(self) -> int:
        """About how many bytes it keeps, but for its `Exchange`."""
        return _KEPT_A_PIPE * len(self._pipes) + _KEPT_A_TREE * len(self._trees)

    def share_of(self, tree: int) -> ShareKind:
        """The kind of a tree, ``NONE`` if its connect was not seen."""
        return self._trees.get(tree, ShareKind.NONE)

    def ask_session(self, time: int, via: RpcVia, number: Number, token: bytes) -> None:
        """A session set-up with a security token."""
        method = method_of(token)
        if ntlm.message_type(token) in {ntlm.NEGOTIATE, ntlm.CHALLENGE}:
            method = AuthMethod.UNKNOWN  # only its next step tells who logs in
        account = ntlm.read_account(token)
        self.ask_log_in(time, via, number, method, account)

    def ask_log_in(
        self, time: int, via: RpcVia, number: Number, method: AuthMethod, account: bytes
    ) -> None:
        """A session set-up for ``account``, which is counted."""
        self.exchange.ask(time, number, Request(via, RpcKind.SESSION, method=method))
        if account:
            self.exchange.log_ins().note_account(time, account)

    def ask_tree(self, time: int, via: RpcVia, number: Number, path: str) -> None:
        """A tree connect."""
        self.exchange.ask(time, number, Request(via, RpcKind.TREE, share=share_kind(path)))

    def ask_open(
        self, time: int, via: RpcVia, number: Number, tree: int, name: str, *, deletes: bool
    ) -> None:
        """A file or a pipe is to be opened, and perhaps deleted when it is closed."""
        share = self.share_of(tree)
        iface = interface_of_pipe(name)
        if share is ShareKind.IPC or (
            share is ShareKind.NONE and iface is not RpcInterface.UNKNOWN
        ):
            request = Request(via, RpcKind.PIPE, iface, share=ShareKind.IPC)
        else:
            changes = (Counter.CREATES, Counter.DELETES) if deletes else (Counter.CREATES,)
            request = Request(via, RpcKind.FILES, share=share, changes=changes)
        self.exchange.ask(time, number, request)

    def ask_change(
        self, time: int, via: RpcVia, number: Number, tree: int, change: Counter
    ) -> None:
        """A file is to be renamed or deleted."""
        request = Request(via, RpcKind.FILES, share=self.share_of(tree), changes=(change,))
        self.exchange.ask(time, number, request)

    def ask_pipe(self, time: int, via: RpcVia, number: Number, handle: object) -> None:
        """The answer will hold what is read from a pipe."""
        self.exchange.ask(time, number, Request(via, RpcKind.OTHER, handle=handle))

    def settle(
        self, time: int, number: Number, status: int, tree: int = 0, handle: object = None
    ) -> None:
        """A request was answered with an NT status: with the ``tree`` or the ``handle`` it asked for."""
        if status == PENDING:
            return
        request = self.exchange.answered(number)
        if request is None or request.kind is RpcKind.OTHER:
            return
        answer = status_class(status)
        if request.kind is RpcKind.SESSION and answer is RpcStatus.DENIED:
            answer = RpcStatus.LOGON_FAILED
        self.exchange.settle(time, request, answer)
        if request.kind is RpcKind.SESSION:
            self._settle_log_in(request.method, status, answer)
        elif answer is not RpcStatus.SUCCESS:
            return
        elif request.kind is RpcKind.TREE:
            self._connect(tree, request.share)
        elif request.kind is RpcKind.PIPE:
            if request.iface is RpcInterface.REMOTE_TOOL:
                self.exchange.note_command(time)
            self._open(handle, request.via, request.iface)

    def moved(
        self, time: int, via: RpcVia, tree: int, status: int, *, read: int = -1, written: int = -1
    ) -> None:
        """A file was read or written, so many bytes of it, or not: by the answer alone."""
        if status == PENDING:
            return
        answer = status_class(status)
        share = self.share_of(tree)
        counts = self.exchange.rows.count(time, Key(via, RpcKind.FILES, answer, share=share))
        if answer is RpcStatus.SUCCESS:
            if read >= 0:
                counts[Counter.READS] += 1
                counts[Counter.READ_BYTES] += read
            if written >= 0:
                counts[Counter.WRITES] += 1
                counts[Counter.WRITE_BYTES] += written

    def is_pipe(self, handle: object, tree: int) -> bool:
        """Whether ``handle`` may be a pipe's: it is known, or its tree has nothing else."""
        return handle in self._pipes or self.share_of(tree) is ShareKind.IPC

    def pipe(self, handle: object, tree: int, via: RpcVia, data: bytes) -> Pipe | None:
        """The pipe of ``handle``; also one that was opened unseen, if ``data`` is a message of DCE/RPC."""
        found = self._pipes.get(handle)
        unseen = found is None and self.share_of(tree) in {ShareKind.IPC, ShareKind.NONE}
        if unseen and pdu_size(data) > 0:
            return self._open(handle, via, RpcInterface.UNKNOWN)
        return found

    def close(self, handle: object) -> None:
        """A file or a pipe is closed."""
        self._pipes.pop(handle, None)

    def disconnect(self, tree: int) -> None:
        """A tree is left."""
        self._trees.pop(tree, None)

    def _connect(self, tree: int, share: ShareKind) -> None:
        self._trees.pop(tree, None)
        if len(self._trees) >= MAX_TREES:
            del self._trees[next(iter(self._trees))]
        self._trees[tree] = share

    def _open(self, handle: object, via: RpcVia, iface: RpcInterface) -> Pipe:
        self._pipes.pop(handle, None)
        if len(self._pipes) >= MAX_PIPES:
            del self._pipes[next(iter(self._pipes))]
        self._serial += 1
        pipe = self._pipes[handle] = Pipe(Association(self.exchange, via, self._serial, iface))
        return pipe

    def _settle_log_in(self, method: AuthMethod, status: int, answer: RpcStatus) -> None:
        """A log-in that goes on counts with its last step."""
        refusal = refusal_class(status)
        if answer is not RpcStatus.CONTINUED and (
            status != SUCCESS or method is not AuthMethod.UNKNOWN
        ):
            count_log_in(self.exchange, method, refusal)
