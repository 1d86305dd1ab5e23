"""Zeek's dce_rpc, smb_mapping and smb_files logs → rows of the table ``rpc``, one a line.

Names of shares, pipes and files are looked up in closed lists and then forgotten.
"""

from __future__ import annotations

from typing import Final

from dijkwacht_collector.readers.fields import Fields
from dijkwacht_collector.readers.rows import NumberedRow, row_of
from dijkwacht_collector.readers.rpc_words import interface_of, operation_of, share_kind
from dijkwacht_collector.readers.zeek_ends import ID, ends, flow_of
from dijkwacht_records.rpc_interfaces import RpcInterface, interface_of_pipe
from dijkwacht_records.tables import Value
from dijkwacht_records.vocabulary import RpcKind, RpcStatus, RpcVia

COLUMNS: Final = {
    "dce_rpc": ID | {"rtt", "named_pipe", "endpoint", "operation"},
    "smb_mapping": ID | {"path", "native_file_system", "share_type"},
    "smb_files": ID | {"action", "path", "name"},
}
_COUNTERS: Final = {
    "READ": "reads", "WRITE": "writes", "OPEN": "creates", "RENAME": "renames",
    "DELETE": "deletes",
}  # fmt: skip


def dce_rpc(f: Fields) -> list[NumberedRow]:
    """A call; Zeek writes the time to its answer, and no fault."""
    pipe = f.text("named_pipe")
    interface = interface_of(f.text("endpoint"), pipe)
    status = RpcStatus.SUCCESS if "rtt" in f.values else RpcStatus.UNANSWERED
    over_tcp = not pipe or pipe.isdigit()
    return [
        row_of(
            "rpc",
            **_ends(f),
            via=int(RpcVia.TCP if over_tcp else RpcVia.SMB2),
            kind=int(RpcKind.CALL),
            iface=int(interface),
            op=operation_of(interface, f.text("operation")),
            status=int(status),
            count=1,
        )
    ]


def smb_mapping(f: Fields) -> list[NumberedRow]:
    """A tree that was connected to: Zeek writes no other."""
    # Only servers of SMB 1 tell their file system.
    via = RpcVia.SMB1 if f.text("native_file_system") else RpcVia.SMB2
    return [
        row_of(
            "rpc",
            **_ends(f),
            via=int(via),
            kind=int(RpcKind.TREE),
            iface=int(RpcInterface.NONE),
            op=-1,
            share=int(share_kind(f.text("path"), f.text("share_type"))),
            status=int(RpcStatus.SUCCESS),
            count=1,
        )
    ]


def smb_files(f: Fields) -> list[NumberedRow]:
    """One operation on one file, or a pipe that was opened; nothing else makes a row."""
    what, _, action = f.text("action").rpartition("::")[2].partition("_")
    counter = _COUNTERS.get(action)
    if counter is None or (what == "PIPE" and action != "OPEN"):
        return []
    row = {
        **_ends(f),
        "via": int(RpcVia.SMB2),
        "op": -1,
        "share": int(share_kind(f.text("path"))),
        "status": int(RpcStatus.SUCCESS),
        "count": 1,
    }
    if what == "PIPE":
        pipe = interface_of_pipe(f.text("name"))
        return [row_of("rpc", **row, kind=int(RpcKind.PIPE), iface=int(pipe))]
    return [row_of("rpc", **row, kind=int(RpcKind.FILES), **{counter: 1})]


def _ends(f: Fields) -> dict[str, Value]:
    orig_h, resp_h = ends(f)
    return {
        "time": f.micros("ts"),
        "flow_id": flow_of(f),
        "orig_h": orig_h,
        "resp_h": resp_h,
        "resp_p": f.number("id.resp_p", 0xFFFF),
    }
