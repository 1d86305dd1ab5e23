"""Suricata's smb, dcerpc, krb5 and rdp records → rows of the tables ``rpc`` and ``auth``.

Names of shares, pipes, files and accounts are looked up or counted, and then forgotten.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from dijkwacht_collector.readers.accounts import AccountsTried
from dijkwacht_collector.readers.auth_words import FAILURES, etype_of, refusal_of
from dijkwacht_collector.readers.eve_event import Event, port_of
from dijkwacht_collector.readers.rows import NumberedRow, row_of
from dijkwacht_collector.readers.rpc_words import interface_of, share_kind
from dijkwacht_records.rpc_interfaces import RpcInterface, interface_of_pipe
from dijkwacht_records.tables import Value
from dijkwacht_records.vocabulary import (
    AuthMethod,
    AuthService,
    AuthStatus,
    RpcKind,
    RpcStatus,
    RpcVia,
    ShareKind,
)

_STATUSES: Final = {
    "STATUS_SUCCESS": RpcStatus.SUCCESS, "STATUS_MORE_PROCESSING_REQUIRED": RpcStatus.CONTINUED,
    "STATUS_PENDING": RpcStatus.CONTINUED, "STATUS_ACCESS_DENIED": RpcStatus.DENIED,
    "STATUS_NETWORK_ACCESS_DENIED": RpcStatus.DENIED,
    "STATUS_OBJECT_NAME_NOT_FOUND": RpcStatus.NOT_FOUND,
    "STATUS_OBJECT_PATH_NOT_FOUND": RpcStatus.NOT_FOUND, "STATUS_NO_SUCH_FILE": RpcStatus.NOT_FOUND,
    "STATUS_BAD_NETWORK_NAME": RpcStatus.NOT_FOUND, "STATUS_NOT_SUPPORTED": RpcStatus.UNSUPPORTED,
    "STATUS_NOT_IMPLEMENTED": RpcStatus.UNSUPPORTED, "": RpcStatus.UNANSWERED,
}  # fmt: skip
_KINDS: Final = {
    "REQUEST": RpcKind.CALL, "BIND": RpcKind.BIND, "ALTER_CONTEXT": RpcKind.BIND,
}  # fmt: skip
_ANSWERS: Final = {
    "RESPONSE": RpcStatus.SUCCESS, "FAULT": RpcStatus.FAULT, "BINDACK": RpcStatus.SUCCESS,
    "ALTER_CONTEXT_RESP": RpcStatus.SUCCESS, "BINDNAK": RpcStatus.DENIED,
}  # fmt: skip
_MOST_KEPT: Final = 4096
_UNTOLD: Final = frozenset({"", "<empty>", "<none>", "<null>"})
"""What Suricata writes where a message did not say."""
_REFUSED: Final = ("_BY_SERVER", "_ON_SERVER", "_REQUIRED")


class _Interface(Struct):
    uuid: str = ""


class _Request(Struct):
    opnum: int = -1


class _Call(Struct):
    request: str = ""
    response: str = ""
    opnum: int = -1
    req: _Request = msgspec.field(default_factory=_Request)
    interface: _Interface = msgspec.field(default_factory=_Interface)
    interfaces: list[_Interface] = []

    @property
    def operation(self) -> int:
        """The operation called, -1 for none: a record of `dcerpc` has it a level below one of `smb`."""
        found = self.opnum if self.opnum >= 0 else self.req.opnum
        return found if 0 <= found <= 0xFFFF else -1

    @property
    def uuid(self) -> str:
        """Of the interface bound or called, empty where the record does not say."""
        return next((i.uuid for i in (self.interface, *self.interfaces) if i.uuid), "")


class _Account(Struct):
    user: str = ""
    domain: str = ""


class _Smb(Struct):
    command: str = ""
    status: str = ""
    share: str = ""
    share_type: str = ""
    named_pipe: str = ""
    filename: str = ""
    tree_id: int = 0
    rename: msgspec.Raw = msgspec.Raw()
    dcerpc: _Call | None = None
    ntlmssp: _Account | None = None
    kerberos: msgspec.Raw = msgspec.Raw()


class _SmbEvent(Event):
    smb: _Smb = msgspec.field(default_factory=_Smb)


class _RpcEvent(Event):
    dcerpc: _Call = msgspec.field(default_factory=_Call)


class _Krb5(Struct):
    msg_type: str = ""
    failed_request: str = ""
    error_code: str = ""
    cname: str = ""
    realm: str = ""
    encryption: str = ""
    ticket_encryption: str = ""


class _Krb5Event(Event):
    krb5: _Krb5 = msgspec.field(default_factory=_Krb5)


class _Rdp(Struct):
    event_type: str = ""
    error_code: str = ""
    reason: str = ""
    cookie: str = ""


class _RdpEvent(Event):
    rdp: _Rdp = msgspec.field(default_factory=_Rdp)


class EveRemote:
    """Makes the rows; it counts accounts over all records of one file."""

    def __init__(self) -> None:
        self._accounts = AccountsTried()
        self._bound: dict[int, RpcInterface] = {}
        self._trees: dict[tuple[int, int], ShareKind] = {}

    def dcerpc(self, line: bytes) -> list[NumberedRow]:
        """A call over TCP."""
        event = _rpc_event.decode(line)
        return self._call(event, event.dcerpc, RpcVia.TCP)

    def smb(self, line: bytes) -> list[NumberedRow]:
        """A session, a tree, a pipe, a call through one, or a file operation."""
        event = _smb_event.decode(line)
        smb, ends = event.smb, _ends(event)
        version, _, command = smb.command.partition("_COMMAND_")
        via = RpcVia.SMB1 if version == "SMB1" else RpcVia.SMB2
        status = _status(smb.status)
        if smb.dcerpc is not None:
            return self._call(event, smb.dcerpc, via)
        row = {**ends, "via": int(via), "op": -1, "status": int(status), "count": 1}
        if command.startswith("SESSION_SETUP"):
            rows = [row_of("rpc", **row, kind=int(RpcKind.SESSION))]
            return rows + self._log_in(event, status)
        tree = event.flow, smb.tree_id
        if command.startswith("TREE_CONNECT"):
            is_pipe = smb.named_pipe or smb.share_type == "PIPE"
            kind = ShareKind.IPC if is_pipe else share_kind(smb.share, smb.share_type)
            _keep(self._trees, tree, kind)
            return [row_of("rpc", **row, kind=int(RpcKind.TREE), share=int(kind))]
        share = self._trees.get(tree, share_kind(smb.share, smb.share_type))
        counter = _counter(command, smb)
        if counter == "creates":
            pipe = interface_of_pipe(smb.filename)
            if share is ShareKind.IPC or pipe is not RpcInterface.UNKNOWN:
                kept = int(ShareKind.IPC)
                return [row_of("rpc", **row, kind=int(RpcKind.PIPE), iface=int(pipe), share=kept)]
        if not counter or share is ShareKind.IPC:
            return []
        return [row_of("rpc", **row, kind=int(RpcKind.FILES), share=int(share), **{counter: 1})]

    def _call(self, event: Event, call: _Call, via: RpcVia) -> list[NumberedRow]:
        """A call or a bind; what is neither makes no row. A call is of what its flow last bound."""
        kind = _KINDS.get(call.request)
        if kind is None:
            return []
        if call.uuid:
            _keep(self._bound, event.flow, interface_of(call.uuid))
        return [
            row_of(
                "rpc",
                **_ends(event),
                via=int(via),
                kind=int(kind),
                iface=int(self._bound.get(event.flow, RpcInterface.UNKNOWN)),
                op=call.operation if kind is RpcKind.CALL else -1,
                status=int(_ANSWERS.get(call.response, RpcStatus.UNANSWERED)),
                count=1,
            )
        ]

    def krb5(self, line: bytes) -> list[NumberedRow]:
        """A ticket given or refused."""
        event = _krb5_event.decode(line)
        krb5 = event.krb5
        refused = krb5.msg_type == "KRB_ERROR"
        kind = krb5.failed_request if refused else krb5.msg_type
        if not kind.startswith(("KRB_AS", "KRB_TGS")):
            return []
        method = AuthMethod.KERBEROS_AS if kind.startswith("KRB_AS") else AuthMethod.KERBEROS_TGS
        status = refusal_of(krb5.error_code) if refused else AuthStatus.NONE
        if status is None:
            return []
        account = f"{krb5.cname}/{krb5.realm}" if krb5.cname not in _UNTOLD else ""
        by_account = method is AuthMethod.KERBEROS_AS
        counts = 0, 1
        if refused:
            counts = int(status is not AuthStatus.PREAUTH_REQUIRED), 0
        # What a guesser can try passwords on: a service's ticket, but the account's own part.
        cipher = krb5.encryption if by_account else krb5.ticket_encryption or krb5.encryption
        row = {
            "service": int(AuthService.KERBEROS),
            "method": int(method),
            "status": int(status),
            "etype": int(etype_of("" if cipher in _UNTOLD else cipher)),
        }
        return self._row(event, row, counts, account if by_account else "")

    def rdp(self, line: bytes) -> list[NumberedRow]:
        """A desktop asked for: whether the log-in succeeds is encrypted, a refusal before it is not."""
        event = _rdp_event.decode(line)
        rdp = event.rdp
        refused = rdp.reason.upper().replace(" ", "_").endswith(_REFUSED)
        if rdp.event_type != "initial_request" and not refused:
            return []
        row = {
            "service": int(AuthService.RDP),
            "status": int(AuthStatus.RESTRICTED if refused else AuthStatus.NONE),
        }
        return self._row(event, row, (int(refused), 0), rdp.cookie)

    def _log_in(self, event: _SmbEvent, status: RpcStatus) -> list[NumberedRow]:
        account, by_ticket = event.smb.ntlmssp or _Account(), bool(bytes(event.smb.kerberos))
        if event.smb.ntlmssp is None and not by_ticket:
            return []
        if status in (RpcStatus.CONTINUED, RpcStatus.UNANSWERED):
            return []
        name = account.user if account.user not in _UNTOLD else ""
        by_name = AuthMethod.NTLM if name else AuthMethod.ANONYMOUS
        succeeded = status is RpcStatus.SUCCESS
        told = event.smb.status.removeprefix("STATUS_")
        row = {
            "service": int(AuthService.SMB),
            "method": int(AuthMethod.KERBEROS if by_ticket else by_name),
            "status": int(AuthStatus.NONE if succeeded else FAILURES.get(told, AuthStatus.OTHER)),
        }
        counts = int(not succeeded), int(succeeded)
        return self._row(event, row, counts, f"{account.domain}\\{name}" if name else "")

    def _row(
        self, event: Event, values: dict[str, int], counts: tuple[int, int], account: str
    ) -> list[NumberedRow]:
        """``counts``: failed, succeeded; one whose outcome does not show where both are 0."""
        ends = _ends(event)
        tried = self._accounts.count(event.time, event.ends[0], values["service"], account)
        return [
            row_of(
                "auth",
                **ends,
                **values,
                failed=counts[0],
                succeeded=counts[1],
                unknown=int(not any(counts)),
                accounts=tried,
            )
        ]


_K = TypeVar("_K")
_V = TypeVar("_V")


def _keep(kept: dict[_K, _V], key: _K, value: _V) -> None:
    """Remember the latest; the oldest go."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > _MOST_KEPT:
        del kept[next(iter(kept))]


def _status(text: str) -> RpcStatus:
    if text.removeprefix("STATUS_") in FAILURES and text not in _STATUSES:
        return RpcStatus.LOGON_FAILED
    return _STATUSES.get(text, RpcStatus.OTHER)


def _counter(command: str, smb: _Smb) -> str:
    if bytes(smb.rename) or command == "RENAME":
        return "renames"
    if command in ("CREATE", "NT_CREATE_ANDX", "OPEN_ANDX"):
        return "creates"
    return {"READ": "reads", "READ_ANDX": "reads", "WRITE": "writes", "WRITE_ANDX": "writes",
            "DELETE": "deletes"}.get(command, "")  # fmt: skip


def _ends(event: Event) -> dict[str, Value]:
    orig_h, resp_h = event.ends
    return {
        "time": event.time,
        "flow_id": event.flow,
        "orig_h": orig_h,
        "resp_h": resp_h,
        "resp_p": port_of(event.dest_port),
    }


_rpc_event: Final = msgspec.json.Decoder(_RpcEvent)
_smb_event: Final = msgspec.json.Decoder(_SmbEvent)
_krb5_event: Final = msgspec.json.Decoder(_Krb5Event)
_rdp_event: Final = msgspec.json.Decoder(_RdpEvent)
