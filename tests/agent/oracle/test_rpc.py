"""Remote calls and file operations, as Wireshark's dissectors of SMB and DCE/RPC see them.

The facts are: calls by interface and number, binds, session set-ups, tree connects and pipes opened,
each with how it was answered; files opened, read, written, renamed and deleted, and the bytes of it.
All are summed up over a client, a server and its port: how rows are cut has tests of its own.
What an NT status means is the contract's closed list, and is not in question here.
"""

from collections import Counter
from uuid import UUID

import pytest

from dijkwacht_agent.protocols.ntstatus import PENDING, status_class
from dijkwacht_records.addresses import format_address
from dijkwacht_records.rpc_interfaces import INTERFACES, RpcInterface, interface_of_pipe
from dijkwacht_records.vocabulary import RpcKind, RpcStatus, RpcVia, ShareKind

COUNTERS = ("reads", "writes", "creates", "renames", "deletes")
BYTES = ("read_bytes", "write_bytes")
REQUEST, RESPONSE, FAULT, BIND, ACK, NAK, ALTER, ALTERED = 0, 2, 3, 11, 12, 13, 14, 15
FAULTS = {5: RpcStatus.DENIED, 0x1C010002: RpcStatus.UNSUPPORTED, 0x1C010003: RpcStatus.UNSUPPORTED}
SHARES = {"ipc$": ShareKind.IPC, "admin$": ShareKind.ADMIN, "print$": ShareKind.PRINTER}
SHARES |= {"sysvol": ShareKind.DOMAIN, "netlogon": ShareKind.DOMAIN}
SESSION, TREE, CREATE, READ, WRITE, SET = 1, 3, 5, 8, 9, 17
SMB1 = {0x73: SESSION, 0x75: TREE, 0xA2: CREATE, 0x2D: CREATE, 0x2E: READ, 0x2F: WRITE}
"""Commands of SMB 1 by those of SMB 2 that do the same."""
RENAMES = {10, 65}
PORTS = {139, 445}


@pytest.mark.captures
@pytest.mark.timeout(7200)
@pytest.mark.tools("tshark")
def test_calls_and_operations_are_what_wireshark_reads(compare):
    assert compare("rpc", ours, theirs) > 100


def ours(rows):
    seen, sums = Counter(), Counter()
    for row in rows["rpc"]:
        ends = (*(format_address(row[name]) for name in ("orig_h", "resp_h")), row["resp_p"])
        key = (*ends, row["via"], row["kind"])
        about = {
            RpcKind.CALL: (row["iface"], row["op"]),
            RpcKind.BIND: (row["iface"],),
            RpcKind.PIPE: (row["iface"],),
            RpcKind.TREE: (row["share"],),
            RpcKind.FILES: (row["share"],),
        }.get(row["kind"], ())
        seen[*key, *about, row["status"]] += row["count"]
        for name in COUNTERS:
            seen[*key, *about, name] += row[name]
        for name in BYTES:
            sums[*key, *about, name] += row[name]
    return facts(seen, sums)


def facts(seen, sums):
    """Each sum of bytes is one fact."""
    return +seen + Counter((*key, size) for key, size in sums.items() if size)


def theirs(packets):
    flows = {}
    for packet in packets:
        if packet.tunnelled or packet.proto != 6:
            continue
        carrier = None
        for name, fields in packet.layers:
            if name in {"smb", "smb2"}:
                carrier = (name, fields)
            if name in {"smb", "smb2", "dcerpc"}:
                flow = flows.setdefault(packet.stream, Flow())
                flow.read(packet, name, fields, carrier)
    seen, sums = Counter(), Counter()
    for flow in flows.values():
        flow.leave()
        seen.update(flow.seen)
        sums.update(flow.sums)
    return facts(seen, sums)


class Flow:
    """One connection: requests that wait, handles and what they lead to, contexts and interfaces."""

    def __init__(self):
        self.seen, self.sums = Counter(), Counter()
        self.waiting = {}
        self.pipes = {}
        self.about = {}
        self.contexts = {}
        self.client = None

    def read(self, packet, name, fields, carrier):
        if name == "smb2" and "smb2.cmd" not in fields:
            if number(fields, "smb2.protocol_id") == 0xFD534D42:
                asks = packet.sport not in PORTS
                unread = (RpcKind.ENCRYPTED, RpcStatus.UNANSWERED)
                self.count(packet, asks, RpcVia.SMB3_ENCRYPTED, *unread)
        elif name == "smb2":
            command = number(fields, "smb2.cmd")
            self.smb(packet, fields, "smb2", command, ("smb2", number(fields, "smb2.msg_id")))
        elif name == "smb":
            for text in fields.get("smb.cmd", ())[:1]:
                command = int(text, 0)
                which = (command, first(fields, "smb.pid"), first(fields, "smb.mid"))
                self.smb(packet, fields, "smb", SMB1.get(command, -1), which)
        elif "dcerpc.pkt_type" in fields:
            self.rpc(packet, fields, carrier)

    def count(self, packet, asks, via, kind, *about, by=1):
        if self.client is None:
            ends = (packet.src, packet.dst, packet.dport), (packet.dst, packet.src, packet.sport)
            self.client = ends[not asks]
        self.seen[*self.client, via, kind, *about] += by

    def ask(self, packet, which, via, kind, *about, changes=()):
        self.miss(packet, which)
        self.waiting[which] = (packet, via, kind, about, changes)

    def miss(self, packet, which):
        if which in self.waiting:
            packet, via, kind, about, _ = self.waiting.pop(which)
            self.count(packet, True, via, kind, *about, RpcStatus.UNANSWERED)

    def leave(self):
        for which in list(self.waiting):
            self.miss(None, which)

    def answer(self, packet, which, status):
        """The request that is answered, if any; it counts."""
        found = self.waiting.pop(which, None)
        if found is not None:
            _, via, kind, about, changes = found
            self.count(packet, False, via, kind, *about, status)
            if status == RpcStatus.SUCCESS:
                for change in changes:
                    self.count(packet, False, via, kind, *about, change)
        return found

    def smb(self, packet, fields, name, command, which):
        via = RpcVia.SMB2 if name == "smb2" else RpcVia.SMB1
        tree = first(fields, "smb2.tree" if name == "smb2" else "smb.path")
        share = share_kind(tree) if tree else ShareKind.NONE
        handle = first(fields, f"{name}.fid")
        if first(fields, f"{name}.flags.response") in {"1", "True"}:
            asked = self.about.get(which, (share, handle))
            fields.setdefault(f"{name}.fid", (asked[1],))
            self.smb_answer(
                packet, fields, via, command, which, asked[0] or share, handle or asked[1]
            )
            return
        self.about[which] = (share, handle)
        if command == SESSION:
            self.ask(packet, which, via, RpcKind.SESSION)
        elif command == TREE:
            path = fields.get("smb2.tree", fields.get("smb.path", ("",)))[-1]
            self.ask(packet, which, via, RpcKind.TREE, share_kind(path))
        elif command == CREATE:
            file = first(fields, "smb2.filename", "smb.file")
            iface = interface_of_pipe(file)
            if share == ShareKind.IPC or (not share and iface != RpcInterface.UNKNOWN):
                self.ask(packet, which, via, RpcKind.PIPE, iface)
            else:
                deletes = first(fields, "smb.nt.create_options.delete_on_close") in {"1", "True"}
                changes = ("creates", "deletes") if deletes else ("creates",)
                self.ask(packet, which, via, RpcKind.FILES, share, changes=changes)
        elif change := changed(fields, via, command, which):
            self.ask(packet, which, via, RpcKind.FILES, share, changes=(change,))

    def smb_answer(self, packet, fields, via, command, which, share, handle):
        raw = nt_status(fields)
        if raw == PENDING:
            return
        status = status_class(raw)
        if command == SESSION and status == RpcStatus.DENIED:
            status = RpcStatus.LOGON_FAILED
        if command in {READ, WRITE}:
            self.moved(packet, fields, via, command, status, share, handle)
            return
        asked = self.answer(packet, which, status)
        if asked is not None and asked[2] == RpcKind.PIPE and status == RpcStatus.SUCCESS:
            self.pipes[handle] = asked[3][0]

    def moved(self, packet, fields, via, command, status, share, handle):
        if share == ShareKind.IPC or handle in self.pipes:
            return
        self.count(packet, False, via, RpcKind.FILES, share, status)
        if status == RpcStatus.SUCCESS:
            done = "read" if command == READ else "write"
            size = first(fields, *SIZES[via, command]) or "0"
            self.count(packet, False, via, RpcKind.FILES, share, f"{done}s")
            self.sums[*self.client, via, RpcKind.FILES, share, f"{done}_bytes"] += int(size, 0)

    def rpc(self, packet, fields, carrier):
        via, handle, led_to = RpcVia.TCP, "", RpcInterface.UNKNOWN
        if carrier is not None:
            via = RpcVia.SMB2 if carrier[0] == "smb2" else RpcVia.SMB1
            handle = first(carrier[1], f"{carrier[0]}.fid")
            led_to = self.pipes.get(handle, RpcInterface.UNKNOWN)
        kind, call = number(fields, "dcerpc.pkt_type"), first(fields, "dcerpc.cn_call_id")
        begins = first(fields, "dcerpc.cn_flags.first_frag") in {"1", "True"}
        contexts = fields.get("dcerpc.cn_ctx_id", ())
        if kind in {BIND, ALTER}:
            offered = [interface(text) for text in fields.get("dcerpc.cn_bind_to_uuid", ())]
            self.contexts.update({(handle, c): i for c, i in zip(contexts, offered, strict=False)})
            for iface in dict.fromkeys(offered):
                places = [n for n, other in enumerate(offered) if other == iface]
                self.ask(packet, (handle, call, iface), via, RpcKind.BIND, iface, changes=places)
        elif kind in {ACK, ALTERED, NAK}:
            results = [int(r, 0) for r in fields.get("dcerpc.cn_ack_result", ())]
            self.bound(packet, handle, call, [1] * 99 if kind == NAK else results)
        elif kind == REQUEST and begins:
            iface = self.contexts.get((handle, first(fields, "dcerpc.cn_ctx_id")), led_to)
            op = number(fields, "dcerpc.opnum")
            self.ask(packet, (handle, call), via, RpcKind.CALL, iface, op)
        elif kind == RESPONSE and begins:
            self.answer(packet, (handle, call), RpcStatus.SUCCESS)
        elif kind == FAULT:
            status = FAULTS.get(number(fields, "dcerpc.cn_status"), RpcStatus.FAULT)
            self.answer(packet, (handle, call), status)

    def bound(self, packet, handle, call, results):
        for iface in RpcInterface:
            if found := self.waiting.pop((handle, call, iface), None):
                accepted = any(n >= len(results) or not results[n] for n in found[4])
                status = RpcStatus.SUCCESS if accepted else RpcStatus.UNSUPPORTED
                self.count(packet, False, found[1], RpcKind.BIND, iface, status)


SIZES = {
    (RpcVia.SMB2, READ): ("smb2.olb.length",),
    (RpcVia.SMB2, WRITE): ("smb2.write.count",),
    (RpcVia.SMB1, READ): ("smb.data_len_low", "smb.data_len"),
    (RpcVia.SMB1, WRITE): ("smb.count_low", "smb.count"),
}


def changed(fields, via, command, which):
    """What a request does to a file besides opening, reading and writing it."""
    deletes = first(fields, "smb2.disposition.delete_on_close", "smb.disposition.delete_on_close")
    if via == RpcVia.SMB2:
        level = number(fields, "smb2.file_info.infolevel")
        if command != SET or level is None:
            return ""
        renames = level in RENAMES
        return "renames" if renames else "deletes" if deletes in {"1", "True"} else ""
    if which[0] in {7, 0xA5}:
        return "renames"
    return "deletes" if which[0] == 6 or deletes in {"1", "True"} else ""


def nt_status(fields):
    """An old server's class and code of an error stand in the same four bytes."""
    text = first(fields, "smb2.nt_status", "smb.nt_status")
    if text:
        return int(text, 0)
    kind, code = number(fields, "smb.error_class") or 0, number(fields, "smb.error_code") or 0
    return code << 16 | kind


def share_kind(path):
    last = path.rpartition("\\")[2].lower()
    drive = len(last) == 2 and last[0].isalpha() and last[1] == "$"
    hidden = ShareKind.HIDDEN if last.endswith("$") else ShareKind.OTHER
    return SHARES.get(last, ShareKind.DRIVE if drive else hidden)


def interface(uuid):
    return INTERFACES.get(UUID(uuid).bytes_le, RpcInterface.UNKNOWN)


def first(fields, *names):
    return next((fields[name][0] for name in names if fields.get(name)), "")


def number(fields, name):
    text = first(fields, name)
    return int(text, 0) if text else None
