"""SMB and DCE/RPC messages built by hand, and what a conversation makes of them."""

import struct
from types import SimpleNamespace
from uuid import UUID

import pytest

from dijkwacht_agent.dissect import reverse
from dijkwacht_agent.flow import Flow
from dijkwacht_agent.flows import FlowTable
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_agent.protocols.dcerpc import RpcConversation
from dijkwacht_agent.protocols.opening import Memory, Opening
from dijkwacht_agent.protocols.smb import SmbConversation
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.rpc_interfaces import INTERFACES
from dijkwacht_records.tables import AUTH, RPC, TABLES
from dijkwacht_records.vocabulary import RpcKind, RpcStatus, RpcVia, ShareKind

CLIENT, SERVER = bytes((10, 0, 0, 9)), bytes((10, 0, 0, 2))
NDR = UUID("8a885d04-1ceb-11c9-9fe8-08002b104860")
TIME = 1_000_000


def mapped(address: bytes) -> bytes:
    return V4_PREFIX + address


def ntlm_message(kind: int, user: str = "jan", domain: str = "bakery") -> bytes:
    if kind != 3:
        return b"NTLMSSP\0" + struct.pack("<I", kind) + bytes(28)
    names, at, fields = [text(domain), text(user), text("DESK")], 64, bytes(16)
    for name in names:
        fields += struct.pack("<HHI", len(name), len(name), at)
        at += len(name)
    return b"NTLMSSP\0" + struct.pack("<I", 3) + fields + bytes(12) + b"".join(names)


def text(value: str) -> bytes:
    return value.encode("utf-16-le")


def pdu(
    kind: int, body: bytes, call: int = 1, flags: int = 3, auth: bytes = b"", big=False
) -> bytes:
    order = ">" if big else "<"
    trailer = bytes([10, 2, 0, 0, 0, 0, 0, 0]) + auth if auth else b""
    size = 16 + len(body) + len(trailer)
    drep = bytes(4) if big else b"\x10\x00\x00\x00"
    head = bytes([5, 0, kind, flags]) + drep
    return head + struct.pack(order + "HHI", size, len(auth), call) + body + trailer


def uuid_of(iface) -> UUID:
    return UUID(bytes_le=next(raw for raw, known in INTERFACES.items() if known is iface))


def bind(
    ifaces: dict, call: int = 1, kind: int = 11, auth: bytes = b"", *, big: bool = False
) -> bytes:
    order = ">" if big else "<"
    body = struct.pack(order + "HHI", 4280, 4280, 0) + bytes([len(ifaces), 0, 0, 0])
    for context, iface in ifaces.items():
        uuid = iface if isinstance(iface, UUID) else uuid_of(iface)
        body += struct.pack(order + "HBB", context, 1, 0)
        for syntax in (uuid, NDR):
            body += (syntax.bytes if big else syntax.bytes_le) + struct.pack(order + "I", 2)
    return pdu(kind, body, call, auth=auth, big=big)


def bind_ack(results: list, call: int = 1, kind: int = 12, *, big: bool = False) -> bytes:
    order = ">" if big else "<"
    body = struct.pack(order + "HHIH", 4280, 4280, 1, 5) + b"1234\0" + b"\0"
    body += bytes([len(results), 0, 0, 0])
    for result in results:
        body += struct.pack(order + "HH", result, 0) + NDR.bytes_le + struct.pack(order + "I", 2)
    return pdu(kind, body, call, big=big)


def request(
    op: int, call: int = 1, context: int = 0, stub: bytes = b"stub", *, flags=3, big=False
) -> bytes:
    order = ">" if big else "<"
    return pdu(0, struct.pack(order + "IHH", len(stub), context, op) + stub, call, flags, big=big)


def response(call: int = 1, stub: bytes = b"stub", *, flags: int = 3, big: bool = False) -> bytes:
    order = ">" if big else "<"
    return pdu(2, struct.pack(order + "IHBB", len(stub), 0, 0, 0) + stub, call, flags, big=big)


def fault(status: int, call: int = 1) -> bytes:
    return pdu(3, struct.pack("<IHBBII", 0, 0, 0, 0, status, 0), call)


def framed(*commands: bytes) -> bytes:
    """One SMB message; several SMB2 commands make a compound."""
    whole = b""
    for command in commands[:-1]:
        padded = command + bytes(-len(command) % 8)
        whole += padded[:20] + struct.pack("<I", len(padded)) + padded[24:]
    whole += commands[-1]
    return struct.pack(">I", len(whole)) + whole


def smb2(
    command: int, body: bytes, number: int, *, status=None, tree: int = 0, flags: int = 0
) -> bytes:
    flags |= 0 if status is None else 1
    head = struct.pack(
        "<4sHHIHHIIQIIQ", b"\xfeSMB", 64, 0, status or 0, command, 1, flags, 0, number, 0, tree, 9
    )
    return head + bytes(16) + body


def smb2_session(number: int, token: bytes = b"", status=None) -> bytes:
    if status is None:
        return smb2(1, struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, len(token), 0) + token, number)
    return smb2(1, struct.pack("<HHHH", 9, 0, 72, 0), number, status=status)


def smb2_tree(number: int, path: str = "", status=None, tree: int = 5) -> bytes:
    if status is None:
        return smb2(3, struct.pack("<HHHH", 9, 0, 72, 2 * len(path)) + text(path), number)
    return smb2(3, struct.pack("<HBBIII", 16, 1, 0, 0, 0, 0), number, status=status, tree=tree)


def smb2_create(
    number: int, name: str = "", status=None, *, handle=b"", tree=5, options=0
) -> bytes:
    if status is None:
        body = struct.pack(
            "<HBBIQQIIIIIHHII", 57, 0, 0, 2, 0, 0, 0, 0, 7, 1, options, 120, 2 * len(name), 0, 0
        )
        return smb2(5, body + text(name), number, tree=tree)
    return smb2(
        5, bytes(64) + handle.ljust(16, b"\x01") + bytes(8), number, status=status, tree=tree
    )


def smb2_read(
    number: int, handle: bytes = b"", data: bytes = b"", status=None, *, tree: int = 5
) -> bytes:
    if status is None:
        body = struct.pack("<HBBIQ", 49, 0, 0, 4096, 0) + handle.ljust(16, b"\x01") + bytes(17)
        return smb2(8, body, number, tree=tree)
    return smb2(
        8,
        struct.pack("<HBBIII", 17, 80, 0, len(data), 0, 0) + data,
        number,
        status=status,
        tree=tree,
    )


def smb2_write(
    number: int, handle: bytes = b"", data: bytes = b"", status=None, *, tree: int = 5
) -> bytes:
    if status is None:
        body = struct.pack("<HHIQ", 49, 112, len(data), 0) + handle.ljust(16, b"\x01") + bytes(16)
        return smb2(9, body + data, number, tree=tree)
    return smb2(9, struct.pack("<HHIII", 17, 0, len(data), 0, 0), number, status=status, tree=tree)


def smb2_transceive(
    number: int, handle: bytes, data: bytes, status=None, *, tree: int = 5
) -> bytes:
    code, handle = 0x0011C017, handle.ljust(16, b"\x01")
    if status is None:
        body = (
            struct.pack("<HHI", 57, 0, code)
            + handle
            + struct.pack("<IIIIIIII", 120, len(data), 0, 0, 0, 1024, 1, 0)
        )
        return smb2(11, body + data, number, tree=tree)
    body = (
        struct.pack("<HHI", 49, 0, code)
        + handle
        + struct.pack("<IIIIII", 112, 0, 112, len(data), 0, 0)
    )
    return smb2(11, body + data, number, status=status, tree=tree)


def smb2_set(
    number: int, information: int, value: bytes = b"\x01", status=None, *, tree: int = 5
) -> bytes:
    if status is None:
        body = (
            struct.pack("<HBBIHHI", 33, 1, information, len(value), 96, 0, 0) + b"\x01" * 16 + value
        )
        return smb2(17, body, number, tree=tree)
    return smb2(17, struct.pack("<H", 2), number, status=status, tree=tree)


def smb1(
    command: int, words: bytes, rest: bytes, number: int, *, status=None, tree: int = 5
) -> bytes:
    flags = 0 if status is None else 0x80
    head = struct.pack(
        "<4sBIBH12xHHHH", b"\xffSMB", command, status or 0, flags, 0x8000, tree, 77, 1, number
    )
    return head + bytes([len(words) // 2]) + words + struct.pack("<H", len(rest)) + rest


class Talk:
    """One flow and its conversation; ``swapped``: the flow began with the server's side."""

    def __init__(self, kind: type, *, swapped: bool = False) -> None:
        ports = struct.pack(">HH", 50_000, 445)
        key = CLIENT + SERVER + ports + b"\x06\x00\x00"
        back = reverse(key)
        numbers = (50_000, 445)
        if swapped:
            key, back, numbers = back, key, numbers[::-1]
        self.flow = Flow(7, key, back, 6, *numbers, TIME)
        self.made, self.memory = MadeRows(), Memory()
        table = FlowTable(LocalNetworks(), self.made)
        self.conversation = kind(Opening(self.flow, b"", 0, True, table, self.made, self.memory))
        self.next = {True: 0xFFFFFF00, False: 7}
        self.swapped = swapped

    def say(
        self, by_client: bool, data: bytes, *, sequence: int | None = None, cut: int = 1 << 20
    ) -> None:
        at = self.next[by_client] if sequence is None else sequence
        from_orig = by_client != self.swapped
        self.conversation.read(TIME, data[:cut], len(data), at, from_orig=from_orig)
        if sequence is None:
            self.next[by_client] = (at + len(data)) % (1 << 32)

    def lose(self, by_client: bool, size: int) -> None:
        self.next[by_client] = (self.next[by_client] + size) % (1 << 32)

    def facts(self, *, last: bool = True) -> list:
        """Rows of ``rpc`` without flow and ends, as words."""
        self.flow.last = TIME + 1
        self.flow.cut = self.flow.last + (0 if last else 1)
        self.conversation.facts(self.flow, self.made)
        self.rows = list(self.made.take().rows())
        return sorted(
            (
                RpcVia(r[5]).name,
                RpcKind(r[6]).name,
                r[7],
                r[8],
                ShareKind(r[9]).name,
                RpcStatus(r[10]).name,
                *r[11:],
            )
            for number, r in self.rows
            if TABLES[number] is RPC
        )

    def log_ins(self) -> list:
        """Service, method, status, failed, succeeded, unknown, accounts of the rows of ``auth``."""
        return sorted((r[5], r[6], *r[8:]) for number, r in self.rows if TABLES[number] is AUTH)


@pytest.fixture(scope="session")
def say():
    """Builders of messages, by name."""
    return SimpleNamespace(**globals())


@pytest.fixture(scope="session")
def talk():
    """A conversation in ``smb`` or ``rpc``."""
    kinds = {"smb": SmbConversation, "rpc": RpcConversation}

    def begin(protocol: str, **options: bool) -> Talk:
        return Talk(kinds[protocol], **options)

    return begin
