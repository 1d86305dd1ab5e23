"""What a flow shows besides who, when and how much: how it is spoken, its turns, calls and log-ins."""

from __future__ import annotations

from typing import Final, NamedTuple

from dijkwacht_lab.traffic.site import AUTH, RPC
from dijkwacht_records.hints import Speech
from dijkwacht_records.rpc_interfaces import RpcInterface
from dijkwacht_records.vocabulary import (
    AuthMethod,
    AuthService,
    AuthStatus,
    EtypeClass,
    RpcKind,
    RpcStatus,
    RpcVia,
    ShareKind,
)


class Talk(NamedTuple):
    """How the two sides take turns over the whole flow.

    ``orig`` and ``resp``: usual bytes of a turn of each side, not more than the flow's bytes allow;
    ``alike``: percent of a side's turns that have them; ``spread``: of the gaps, in percent of them.
    """

    turns: int
    orig: int = 300
    resp: int = 1_200
    alike: int = 30
    spread: int = 140


class Counted(NamedTuple):
    """Something that a row of ``rpc`` or ``auth`` counts, ``after`` µs of its flow.

    ``what`` are the table's columns that tell it from others, ``counts`` those that are summed; its
    ``account``, for log-ins, is counted and forgotten as an agent does.
    """

    after: int
    table: int
    what: tuple[int, ...]
    counts: tuple[int, ...]
    account: bytes = b""


class Shown(NamedTuple):
    """What a flow shows. ``speech`` is the port's own if it is not told."""

    talk: Talk | None = None
    counted: tuple[Counted, ...] = ()
    speech: Speech = Speech.NOTHING
    resp_first: bool = False


NOTHING_SHOWN: Final = Shown()

_ONE: Final = (1, 0, 0, 0, 0, 0, 0, 0)
_NO_OPERATION: Final = -1


def _rpc(
    after: int, kind: RpcKind, iface: int, op: int, share: int, status: RpcStatus, via: RpcVia,
    counts: tuple[int, ...],
) -> Counted:  # fmt: skip
    what = (int(via), int(kind), int(iface), op, int(share), int(status))
    return Counted(after, RPC, what, counts)


def calls(
    after: int, iface: RpcInterface, *ops: int, via: RpcVia = RpcVia.SMB2
) -> tuple[Counted, ...]:
    """A client binds to ``iface`` and calls its ``ops``, by default through a pipe that it opens first."""
    told = [_rpc(after, RpcKind.BIND, iface, _NO_OPERATION, 0, RpcStatus.SUCCESS, via, _ONE)]
    if via is RpcVia.SMB2:
        pipe = (RpcKind.PIPE, iface, _NO_OPERATION, ShareKind.IPC, RpcStatus.SUCCESS, via, _ONE)
        told.insert(0, _rpc(after, *pipe))
    told += [_rpc(after, RpcKind.CALL, iface, op, 0, RpcStatus.SUCCESS, via, _ONE) for op in ops]
    return tuple(told)


def session(
    after: int, method: AuthMethod, account: str, status: AuthStatus = AuthStatus.NONE
) -> tuple[Counted, ...]:
    """An SMB session set-up: NTLM in two steps, a Kerberos ticket in one; refused if ``status`` says why."""
    good = status is AuthStatus.NONE
    final = RpcStatus.SUCCESS if good else RpcStatus.LOGON_FAILED
    steps = [final] if method is AuthMethod.KERBEROS else [RpcStatus.CONTINUED, final]
    named = "" if method is AuthMethod.KERBEROS else account
    return (
        *(
            _rpc(after, RpcKind.SESSION, 0, _NO_OPERATION, 0, step, RpcVia.SMB2, _ONE)
            for step in steps
        ),
        log_in(after, AuthService.SMB, method, named, status=status),
    )


def tree(
    after: int, share: ShareKind, status: RpcStatus = RpcStatus.SUCCESS, count: int = 1
) -> Counted:
    """``count`` trees connected to shares of one kind."""
    counts = (count, *_ONE[1:])
    return _rpc(after, RpcKind.TREE, 0, _NO_OPERATION, share, status, RpcVia.SMB2, counts)


def files(
    after: int,
    share: ShareKind = ShareKind.OTHER,
    *,
    creates: int = 0,
    reads: tuple[int, int] = (0, 0),
    writes: tuple[int, int] = (0, 0),
    changes: tuple[int, int] = (0, 0),
) -> Counted:
    """Files opened; reads and writes (operations, bytes); ``changes``: renamed, deleted; all granted."""
    renames, deletes = changes
    count = creates + reads[0] + writes[0] + renames + deletes
    counts = (count, reads[0], writes[0], creates, renames, deletes, reads[1], writes[1])
    how = (RpcStatus.SUCCESS, RpcVia.SMB2, counts)
    return _rpc(after, RpcKind.FILES, 0, _NO_OPERATION, share, *how)


def not_found(after: int, count: int, share: ShareKind = ShareKind.OTHER) -> Counted:
    """Files asked for that are not there: what programs try before they find."""
    how = (RpcStatus.NOT_FOUND, RpcVia.SMB2, (count, 0, 0, 0, 0, 0, 0, 0))
    return _rpc(after, RpcKind.FILES, 0, _NO_OPERATION, share, *how)


def sealed(after: int, count: int) -> Counted:
    """Encrypted SMB messages, of which nothing else can be said."""
    how = (RpcStatus.UNANSWERED, RpcVia.SMB3_ENCRYPTED, (count, 0, 0, 0, 0, 0, 0, 0))
    return _rpc(after, RpcKind.ENCRYPTED, 0, _NO_OPERATION, 0, *how)


def log_in(
    after: int,
    service: AuthService,
    method: AuthMethod,
    account: str = "",
    *,
    etype: EtypeClass = EtypeClass.NONE,
    status: AuthStatus = AuthStatus.NONE,
    shows: bool = True,
) -> Counted:
    """One attempt: accepted, refused if ``status`` says why, or of unknown outcome if it does not show."""
    proof_first = status is AuthStatus.PREAUTH_REQUIRED
    if proof_first or not shows:
        counts = (0, 0, 1)
    else:
        counts = (0, 1, 0) if status is AuthStatus.NONE else (1, 0, 0)
    what = (int(service), int(method), int(etype), int(status))
    return Counted(after, AUTH, what, counts, account.encode())
