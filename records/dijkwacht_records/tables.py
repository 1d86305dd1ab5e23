"""The tables of the contract: every field, its unit and its meaning. The product's glossary.

Field names follow Zeek and IPFIX. A value that is not known is 0, or the empty text, unless the
field says otherwise. A row is a tuple of values in the order of its table's columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

Kind = Literal["int", "float", "addr", "text"]
"""How a column is stored: signed 64-bit integer, IEEE double, 16-byte address, UTF-8 text."""

MAX_TEXT_BYTES = 1024
"""Longest text that a field may hold; longer ones are cut by whoever makes the row."""


class FlowState(IntEnum):
    """Where in a flow's life a part was cut."""

    OPEN = 0
    UPDATE = 1
    END = 2


class ConnState(IntEnum):
    """Zeek's ``conn_state``, in Zeek's own words; UDP and ICMP use S0, SF, SHR and OTH."""

    OTH = 0  # no SYN seen, midstream traffic
    S0 = 1  # attempt seen, no reply
    S1 = 2  # established, not ended
    SF = 3  # normal establishment and end
    REJ = 4  # attempt rejected
    S2 = 5  # established, only the originator tried to close
    S3 = 6  # established, only the responder tried to close
    RSTO = 7  # established, originator aborted
    RSTR = 8  # responder aborted
    RSTOS0 = 9  # originator sent SYN then RST, no SYN-ACK seen
    RSTRH = 10  # responder sent SYN-ACK then RST, no SYN seen
    SH = 11  # originator sent SYN then FIN, no SYN-ACK seen
    SHR = 12  # responder sent SYN-ACK then FIN, no SYN seen


NO_ANSWER = 255
"""``dns.rcode`` of a row that carries no answer."""


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a table.

    ``default``: what a row of an earlier contract has in it, for a number that came with a later one;
    an address or a text is then unspecified or empty.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    default: int | float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A named, ordered set of columns. Every table begins with ``time``."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    def index(self, column: str) -> int:
        """Position of ``column`` in a row. Raises ``KeyError`` for an unknown name."""
        for position, known in enumerate(self.columns):
            if known.name == column:
                return position
        raise KeyError(f"{self.name} has no column {column!r}")


def _columns(*rows: tuple[str, Kind, str, str]) -> tuple[Column, ...]:
    return (
        Column("time", "int", "µs UTC", "when the row's last packet or sample was seen"),
        *(Column(*row) for row in rows),
    )


FLOWS = Table(
    "flows",
    "a part of a flow: what moved since the previous part",
    _columns(
        ("start", "int", "µs UTC", "first packet of the whole flow"),
        ("flow_id", "int", "", "same for all parts of a flow, unique within agent and boot"),
        ("part", "int", "", "0 for the first part; a flow counts once, at part 0"),
        ("state", "int", "FlowState", "open, update or end"),
        ("orig_h", "addr", "", "who began"),
        ("resp_h", "addr", "", "who was called"),
        ("orig_p", "int", "", "originator's port, or ICMP type"),
        ("resp_p", "int", "", "responder's port, or ICMP code"),
        ("proto", "int", "IANA", "IP protocol number"),
        ("vlan", "int", "", "802.1Q id, 0 if none"),
        ("conn_state", "int", "ConnState", "as far as it is known at this part"),
        ("orig_flags", "int", "TCP flags", "flags the originator set since the previous part"),
        ("resp_flags", "int", "TCP flags", "flags the responder set since the previous part"),
        ("orig_pkts", "int", "packets", "from the originator since the previous part"),
        ("resp_pkts", "int", "packets", "from the responder since the previous part"),
        ("orig_bytes", "int", "bytes", "payload from the originator since the previous part"),
        ("resp_bytes", "int", "bytes", "payload from the responder since the previous part"),
        ("local_orig", "int", "0 or 1", "the originator is inside the site"),
        ("local_resp", "int", "0 or 1", "the responder is inside the site"),
    ),
)
DNS = Table(
    "dns",
    "a DNS question, an answer, or both in one row where the source pairs them",
    _columns(
        ("orig_h", "addr", "", "who asked"),
        ("resp_h", "addr", "", "who was asked"),
        ("resp_p", "int", "", "port asked: 53, 5353 (mDNS), 5355 (LLMNR)"),
        ("query", "text", "", "name asked for, lower case, no final dot"),
        ("qtype", "int", "IANA", "1 A, 16 TXT, 28 AAAA, ..."),
        ("question", "int", "0 or 1", "the row holds the question (count questions by this)"),
        ("rcode", "int", "IANA", "0 found, 3 no such name, 255 no answer in this row"),
        ("answers", "int", "records", "resource records in the answer section"),
        ("answer_bytes", "int", "bytes", "size of the answering message, 0 without one"),
    ),
)
TLS = Table(
    "tls",
    "a TLS ClientHello",
    _columns(
        ("flow_id", "int", "", "the flow it opened"),
        ("orig_h", "addr", "", "client"),
        ("resp_h", "addr", "", "server"),
        ("resp_p", "int", "", "server's port"),
        ("version", "int", "TLS", "highest version offered: 0x0303 is 1.2, 0x0304 is 1.3"),
        ("server_name", "text", "", "server name indication"),
    ),
)
DHCP = Table(
    "dhcp",
    "a DHCP message",
    _columns(
        ("client_mac", "int", "", "hardware address of the client (keyed hash after privacy)"),
        ("msg_type", "int", "RFC 2132", "1 discover, 2 offer, 3 request, 5 ack, 7 release, ..."),
        ("client_h", "addr", "", "address the client has or is given"),
        ("requested_h", "addr", "", "address the client asks for"),
        ("server_h", "addr", "", "server identifier, or the sender of a server's message"),
        ("host_name", "text", "", "name the client gives itself"),
    ),
)
ARP = Table(
    "arp",
    "an ARP message",
    _columns(
        ("op", "int", "RFC 826", "1 request, 2 reply"),
        ("eth_src", "int", "", "sender of the frame"),
        ("sender_mac", "int", "", "hardware address that claims sender_h"),
        ("sender_h", "addr", "", "address claimed (IPv4 mapped)"),
        ("target_mac", "int", "", "hardware address asked for or answered"),
        ("target_h", "addr", "", "address asked for or answered"),
    ),
)
SYSTEM = Table(
    "system",
    "one metric of one machine at one moment",
    _columns(
        ("metric", "text", "", "Prometheus-style name with its unit: cpu_ratio, net_in_bytes"),
        ("value", "float", "as the name says", "reading, or the change since the last sample"),
    ),
)
AGENT = Table(
    "agent",
    "the agent's own health; also its heartbeat, which moves event time",
    _columns(
        ("packets_seen", "int", "packets", "since boot: metered + all dropped"),
        ("packets_metered", "int", "packets", "since boot"),
        ("dropped_ring", "int", "packets", "the kernel's ring was full"),
        ("dropped_truncated", "int", "packets", "too short to hold its own headers"),
        ("dropped_malformed", "int", "packets", "headers that contradict themselves"),
        ("dropped_unsupported", "int", "packets", "neither IP nor ARP, or an unknown link type"),
        ("flows_active", "int", "flows", "in the table now"),
        ("flows_evicted", "int", "flows", "ended early because the table was full, since boot"),
        ("names_shed", "int", "messages", "name messages left undissected under load, since boot"),
        ("rows_made", "int", "rows", "since the agent's first start, all tables"),
        ("rows_shed", "int", "rows", "of these, lost: no room, damage, or refused for good"),
        ("spool_bytes", "int", "bytes", "waiting on disk"),
        ("clock_offset", "int", "µs", "collector's clock minus ours at the last reply"),
    ),
)

TABLES: tuple[Table, ...] = (FLOWS, DNS, TLS, DHCP, ARP, SYSTEM, AGENT)
"""All tables; a table's position here is its number on the wire and never changes."""

TABLE: dict[str, Table] = {table.name: table for table in TABLES}

Value = int | float | bytes | str
Row = tuple[Value, ...]
"""``int`` and ``float`` as they are, ``addr`` as 16 bytes (IPv4 mapped), ``text`` as ``str``."""
