"""The tables of the contract: every field, its unit and its meaning. The product's glossary.

Field names follow Zeek and IPFIX. A value that is not known is 0, or the empty text, unless the
field says otherwise. A row is a tuple of values in the order of its table's columns.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from dijkwacht_records.table import Column, Kind, Table
from dijkwacht_records.table import columns as _columns

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
        later=(
            Column(
                "hints",
                "int",
                "hints.Field",
                "what the first packets showed, since the part before",
                0,
            ),
        ),
    ),
)
DNS = Table(
    "dns",
    "a DNS question, an answer, or both in one row where the source pairs them",
    _columns(
        ("orig_h", "addr", "", "who asked"),
        ("resp_h", "addr", "", "who was asked"),
        ("resp_p", "int", "", "port asked: 53, 5353 (mDNS), 5355 (LLMNR), 137 (NBNS)"),
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
    "a TLS or QUIC ClientHello, and what the server answered",
    _columns(
        ("flow_id", "int", "", "the flow it opened"),
        ("orig_h", "addr", "", "client"),
        ("resp_h", "addr", "", "server"),
        ("resp_p", "int", "", "server's port"),
        ("version", "int", "TLS", "highest version offered: 0x0303 is 1.2, 0x0304 is 1.3"),
        ("server_name", "text", "", "server name indication"),
        later=(
            Column("proto", "int", "IANA", "6 TLS over TCP, 17 QUIC", 6),
            Column("ja4", "text", "JA4", "fingerprint of the client, empty if its hello was cut"),
            Column("hello_flags", "int", "HelloFlag", "what else the client's hello shows", 0),
            Column(
                "server_version", "int", "TLS", "version chosen, 0 if no ServerHello was read", 0
            ),
            Column("cipher", "int", "IANA", "cipher suite chosen", 0),
            Column("alpn", "int", "Alpn", "protocol chosen, or offered first", 0),
            Column("server_fp", "int", "", "fingerprint of the server's hello, 0 without one", 0),
            Column("resumed", "int", "0 or 1", "the server took up a session it had before", 0),
            Column("cert_days", "int", "days", "for how long the certificate is valid in all", 0),
            Column(
                "cert_age", "int", "days", "since it became valid; negative if it is not yet", 0
            ),
            Column("cert_flags", "int", "CertFlag", "what else the certificate shows", 0),
            Column(
                "alert", "int", "TLS + 1", "first fatal alert within the handshake, 0 for none", 0
            ),
        ),
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
        later=(
            Column("xid", "int", "", "transaction that the message belongs to", 0),
            Column(
                "options_hash", "int", "", "16-bit hash of the options asked for (55), 0 if none", 0
            ),
        ),
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
        later=(
            Column(
                "from_gateway", "int", "0 or 1", "the frame's sender carries outside traffic", 0
            ),
        ),
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
        later=(
            Column(
                "rows_rejected",
                "int",
                "rows",
                "of those shed, refused by the collector for good",
                0,
            ),
            Column("rows_waiting", "int", "rows", "of those made, not yet acknowledged", 0),
            Column("disk_full", "int", "0 or 1", "the spool cannot write", 0),
            Column(
                "messages_shed",
                "int",
                "messages",
                "of rpc, auth and tls, left unread or broken off, since boot",
                0,
            ),
            Column(
                "flows_counted",
                "int",
                "flows",
                "that left as counted rows of floods, since boot",
                0,
            ),
        ),
    ),
)

RPC = Table(
    "rpc",
    "remote procedure calls and file operations of one flow, alike and counted, since its part before",
    _columns(
        ("flow_id", "int", "", "the flow that carried them"),
        ("orig_h", "addr", "", "client: who sends the requests"),
        ("resp_h", "addr", "", "server"),
        ("resp_p", "int", "", "server's port"),
        ("via", "int", "RpcVia", "what carried them"),
        ("kind", "int", "RpcKind", "what is counted"),
        ("iface", "int", "RpcInterface", "interface called, bound or led to by a pipe"),
        ("op", "int", "opnum", "operation of a call, -1 where there is none or too many differ"),
        ("share", "int", "ShareKind", "of a tree, or of the files"),
        ("status", "int", "RpcStatus", "how it was answered"),
        ("count", "int", "messages", "requests that this row stands for"),
        ("reads", "int", "messages", "files: read"),
        ("writes", "int", "messages", "files: written"),
        ("creates", "int", "messages", "files: opened or made"),
        ("renames", "int", "messages", "files: renamed"),
        ("deletes", "int", "messages", "files: deleted, or marked for it"),
        ("read_bytes", "int", "bytes", "files: read"),
        ("write_bytes", "int", "bytes", "files: written"),
    ),
)
AUTH = Table(
    "auth",
    "log-ins over one flow, alike and counted, since its part before",
    _columns(
        ("flow_id", "int", "", "the flow that carried them"),
        ("orig_h", "addr", "", "who logs in"),
        ("resp_h", "addr", "", "where"),
        ("resp_p", "int", "", "server's port"),
        ("service", "int", "AuthService", "what is logged in to"),
        ("method", "int", "AuthMethod", "how"),
        ("etype", "int", "EtypeClass", "cipher of what Kerberos gave, or of what was asked for"),
        ("status", "int", "AuthStatus", "why they failed, or what else was said of them"),
        ("failed", "int", "attempts", "refused"),
        ("succeeded", "int", "attempts", "accepted"),
        ("unknown", "int", "attempts", "whose outcome does not show"),
        (
            "accounts",
            "int",
            "accounts",
            "distinct ones that orig_h tried at the service in an hour",
        ),
    ),
)
TALKS = Table(
    "talks",
    "how the two sides of one flow take turns, over eight turns or more",
    _columns(
        ("flow_id", "int", "", "the flow"),
        ("orig_h", "addr", "", "who began"),
        ("resp_h", "addr", "", "who was called"),
        ("resp_p", "int", "", "responder's port, or ICMP code"),
        ("proto", "int", "IANA", "IP protocol number"),
        ("first", "int", "FirstSpeaker", "whose payload came first in the flow"),
        (
            "turns",
            "int",
            "turns",
            "over: payload of one side until the other's or half a second's silence",
        ),
        ("orig_turns", "int", "turns", "of these, the originator's"),
        ("orig_size", "int", "bytes", "commonest size of the originator's turns"),
        ("orig_share", "int", "%", "share of the originator's turns that have it"),
        ("orig_sizes", "int", "sizes", "distinct sizes of the originator's turns, at most 8"),
        ("resp_size", "int", "bytes", "commonest size of the responder's turns"),
        ("resp_share", "int", "%", "share of the responder's turns that have it"),
        ("resp_sizes", "int", "sizes", "distinct sizes of the responder's turns, at most 8"),
        ("gap", "int", "ms", "mean time between beginnings of the turns of whoever spoke first"),
        ("gap_spread", "int", "%", "its standard deviation, in percent of it, at most 1000"),
        ("unlike", "int", "replies", "ICMP echo replies that do not repeat their request"),
    ),
)
FLOODS = Table(
    "floods",
    "unanswered flows that a full table ended within their first second, alike and counted",
    _columns(
        ("start", "int", "µs UTC", "first packet of the first of them"),
        ("orig_h", "addr", "", "who began, unspecified if several did"),
        ("resp_h", "addr", "", "who was called, unspecified if several were"),
        ("resp_p", "int", "", "responder's port, 0 if several"),
        ("proto", "int", "IANA", "IP protocol number"),
        ("flows", "int", "flows", "that this row stands for; none of them is in flows"),
        ("origs", "int", "addresses", "distinct originators, at most 64"),
        ("resps", "int", "addresses", "distinct responders, at most 64"),
        ("orig_pkts", "int", "packets", "from the originators"),
        ("orig_bytes", "int", "bytes", "payload from the originators"),
        ("local_orig", "int", "0 or 1", "the originators are inside the site"),
        ("local_resp", "int", "0 or 1", "the responders are inside the site"),
        ("hints", "int", "hints.Field", "of the first of them"),
    ),
)
NDP = Table(
    "ndp",
    "a message by which machines find their neighbours and routers (IPv6)",
    _columns(
        ("kind", "int", "NdpKind", "what the message is"),
        ("eth_src", "int", "", "sender of the frame"),
        ("orig_h", "addr", "", "who sends it, unspecified if it has no address yet"),
        ("resp_h", "addr", "", "to whom: a machine, or a group"),
        ("target_h", "addr", "", "address asked for, claimed or, of a redirect, to go by"),
        ("link_mac", "int", "", "hardware address that the message gives, 0 if it gives none"),
        ("flags", "int", "NdpFlag", "what the message says besides"),
        ("lifetime", "int", "s", "router: for how long to send by it all that goes outside"),
        ("preference", "int", "RFC 4191", "router: 1 high, 0 medium, -1 low"),
        ("prefixes", "int", "prefixes", "router: of which machines may make themselves addresses"),
        ("resolvers", "int", "addresses", "router: of resolvers that it gives"),
        ("from_gateway", "int", "0 or 1", "the frame's sender carries outside traffic"),
    ),
)

TABLES: tuple[Table, ...] = (
    FLOWS,
    DNS,
    TLS,
    DHCP,
    ARP,
    SYSTEM,
    AGENT,
    RPC,
    AUTH,
    TALKS,
    FLOODS,
    NDP,
)
"""All tables; a table's position here is its number on the wire and never changes."""

HARDWARE_ADDRESSES: Final = frozenset(
    ("client_mac", "eth_src", "sender_mac", "target_mac", "link_mac")
)
"""Columns whose numbers are hardware addresses, in whatever table."""

TABLE: dict[str, Table] = {table.name: table for table in TABLES}

Value = int | float | bytes | str
Row = tuple[Value, ...]
"""``int`` and ``float`` as they are, ``addr`` as 16 bytes (IPv4 mapped), ``text`` as ``str``."""

_NOTHING: Final[dict[Kind, Value]] = {"int": 0, "float": 0.0, "addr": bytes(16), "text": ""}
DEFAULTS: Final[tuple[Row, ...]] = tuple(
    tuple(c.default or _NOTHING[c.kind] for c in table.columns) for table in TABLES
)
"""By table number, a row in which nothing is known; its end completes one of an earlier contract."""
