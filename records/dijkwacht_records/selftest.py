"""What a harmless crafted capture shows, named thing by thing: agent and collector tell it by the same rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from dijkwacht_records.tables import TABLES, Row, Value

SCANNED_PORTS: Final = 20
"""Ports of one machine that were shut to another: a scan."""
MAX_BYTES: Final = 64 * 1024
"""Of a batch that is sent to be looked at only, packed and unpacked."""

Fields = dict[str, Value]
_MDNS: Final = 5353
_DNS: Final = 53
_ICMP: Final = 1
_DHCP_ACK: Final = 5
_ARP_REPLY: Final = 2
_SF, _REJ = 3, 4

THINGS: Final[dict[str, tuple[str, Callable[[Fields], bool]]]] = {
    "dns_question": ("dns", lambda row: row["resp_p"] == _DNS and row["question"] == 1),
    "name_on_the_link": ("dns", lambda row: row["resp_p"] == _MDNS),
    "tls_name": ("tls", lambda row: row["server_name"] != ""),
    "dhcp_lease": ("dhcp", lambda row: row["msg_type"] == _DHCP_ACK),
    "arp_claim": ("arp", lambda row: row["op"] == _ARP_REPLY),
    "ping": ("flows", lambda row: row["proto"] == _ICMP),
    "connection": ("flows", lambda row: row["conn_state"] == _SF and row["proto"] == 6),
}
"""Thing → the table and a row of it that show it."""


class SelfTestReply(msgspec.Struct, frozen=True):
    """What the collector saw in a batch: ``seen`` are names of `ALL`; ``rows`` by table; nothing was kept."""

    seen: list[str]
    rows: dict[str, int]


ALL: Final = (*THINGS, "scan")
"""Everything the shipped capture shows, in the order in which it is told."""


def things_in(rows: Iterable[tuple[int, Row]]) -> SelfTestReply:
    """What rows, by the number of their table, show."""
    seen, counts = set[str](), dict[str, int]()
    shut: dict[tuple[Value, Value], set[Value]] = {}
    for number, row in rows:
        table = TABLES[number]
        counts[table.name] = counts.get(table.name, 0) + 1
        fields = {column.name: value for column, value in zip(table.columns, row, strict=False)}
        seen |= {
            name for name, (own, shows) in THINGS.items() if own == table.name and shows(fields)
        }
        if table.name == "flows" and fields["conn_state"] == _REJ:
            shut.setdefault((fields["orig_h"], fields["resp_h"]), set()).add(fields["resp_p"])
    if any(len(ports) >= SCANNED_PORTS for ports in shut.values()):
        seen.add("scan")
    return SelfTestReply([name for name in ALL if name in seen], counts)
