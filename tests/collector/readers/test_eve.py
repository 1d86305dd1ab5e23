"""Suricata's EVE, in the layouts of its versions."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.readers import Problems
from dijkwacht_collector.readers.logs import read_logs
from dijkwacht_records import wire
from dijkwacht_records.tables import NO_ANSWER, ConnState, FlowState
from dijkwacht_records.vocabulary import Alpn, CertFlag

ENDS = {
    "timestamp": "2026-01-02T04:04:07.000006+0100", "flow_id": 7, "src_ip": "10.0.0.1",
    "src_port": 4000, "dest_ip": "192.0.2.1", "dest_port": 443, "proto": "TCP",
}  # fmt: skip
FLOW = ENDS | {
    "event_type": "flow",
    "app_proto": "tls",
    "flow": {
        "pkts_toserver": 5, "pkts_toclient": 4, "bytes_toserver": 500, "bytes_toclient": 900,
        "start": "2026-01-02T04:04:05.000006+0100", "end": "2026-01-02T04:04:06.000006+0100",
        "age": 1, "state": "closed", "reason": "timeout", "alerted": False,
    },
    "tcp": {"tcp_flags": "1b", "tcp_flags_ts": "1b", "tcp_flags_tc": "1b", "syn": True},
}  # fmt: skip
ASK = ENDS | {"event_type": "dns", "src_port": 5000, "dest_port": 53, "proto": "UDP"}
TLS = ENDS | {
    "event_type": "tls",
    "tls": {
        "subject": "CN=x", "issuerdn": "CN=x", "serial": "00", "fingerprint": "aa:bb",
        "sni": "Mail.Example", "version": "TLS 1.2", "notbefore": "2025-01-02T00:00:00",
        "notafter": "2035-01-02T00:00:00", "server_alpns": ["h2"], "session_resumed": True,
        "ja4": "t13d1516h2_8daaf6152771_e5627efa2ab1", "ja3": {"hash": "x"},
    },
}  # fmt: skip
ALERT = ENDS | {
    "event_type": "alert",
    "alert": {"signature": "ET MALWARE", "category": "A Network Trojan was detected"},
    "flow": FLOW["flow"],
    "tls": TLS["tls"],
}


@pytest.fixture
def eve(log, read_named):
    """Records → rows by name; nothing may be amiss."""

    def read(*records, name="eve.json"):
        rows, problems = read_named(log("".join(json.dumps(r) + "\n" for r in records), name))
        assert problems == []
        return rows

    return read


def test_a_flow_is_one_end_part_at_its_last_packet(eve):
    ((table, row),) = eve(FLOW)
    assert table == "flows"
    assert (row["start"], row["time"]) == (1_767_323_045_000_006, 1_767_323_046_000_006)
    assert (row["part"], row["state"], row["conn_state"]) == (0, FlowState.END, ConnState.SF)
    assert (row["orig_h"], row["orig_p"]) == ("10.0.0.1", 4000)
    assert (row["resp_h"], row["resp_p"]) == ("192.0.2.1", 443)
    assert (row["orig_flags"], row["resp_flags"]) == (0x1B, 0x1B)
    assert (row["orig_pkts"], row["resp_pkts"]) == (5, 4)
    assert (row["orig_bytes"], row["resp_bytes"]) == (500 - 5 * 54, 900 - 4 * 54)


@pytest.mark.parametrize(
    ("orig", "resp", "answers", "expected"),
    [("02", "00", 0, ConnState.S0), ("02", "14", 1, ConnState.REJ), ("12", "", 0, ConnState.S0)],
)
def test_flags_tell_the_state(eve, orig, resp, answers, expected):
    flow = {"pkts_toserver": 1, "pkts_toclient": answers, "bytes_toserver": 74}
    tcp = {"tcp_flags_ts": orig, "tcp_flags_tc": resp}
    ((_, row),) = eve(FLOW | {"flow": flow, "tcp": tcp})
    assert (row["conn_state"], row["orig_bytes"]) == (expected, 0)


def test_udp_icmp_and_vlans(eve):
    udp = {key: value for key, value in FLOW.items() if key != "tcp"} | {"proto": "UDP"}
    ((_, row),) = eve(udp | {"vlan": [100, 7]})
    assert (row["proto"], row["conn_state"], row["vlan"]) == (17, ConnState.SF, 100)
    ping = udp | {"proto": "IPv6-ICMP", "src_ip": "fe80::1", "dest_ip": "fe80::2"}
    ((_, row),) = eve(ping | {"icmp_type": 128, "icmp_code": 0})
    assert (row["proto"], row["orig_p"], row["resp_p"]) == (58, 128, 0)


def test_questions_in_every_layout(eve):
    layouts = (
        {"type": "query", "id": 5, "rrname": "WWW.Example.org", "rrtype": "AAAA", "tx_id": 0},
        {"version": 2, "type": "query", "rrname": "www.example.org.", "rrtype": "AAAA"},
        {
            "version": 3,
            "type": "request",
            "queries": [{"rrname": "www.example.org", "rrtype": "AAAA"}],
        },
    )
    for layout in layouts:
        ((table, row),) = eve(ASK | {"dns": layout})
        assert (table, row["query"], row["qtype"]) == ("dns", "www.example.org", 28)
        assert (row["question"], row["rcode"], row["answers"]) == (1, NO_ANSWER, 0)
        assert (row["orig_h"], row["resp_h"], row["resp_p"]) == ("10.0.0.1", "192.0.2.1", 53)


RECORDS = [
    {"rrname": "www.example.org", "rrtype": "A", "ttl": 9, "rdata": address}
    for address in ("192.0.2.7", "192.0.2.8")
]
ANSWER = {"id": 5, "rcode": "NOERROR", "rrname": "www.example.org", "rrtype": "A"}


@pytest.mark.parametrize(
    "layout",
    [
        ANSWER | {"version": 2, "type": "answer", "answers": RECORDS},
        ANSWER | {"version": 2, "type": "answer", "grouped": {"A": ["192.0.2.7", "192.0.2.8"]}},
        {
            "version": 3, "type": "response", "rcode": "NOERROR", "answers": RECORDS,
            "queries": [{"rrname": "www.example.org", "rrtype": "A"}],
        },
    ],
)  # fmt: skip
@pytest.mark.parametrize("turned", [False, True])
def test_answers_in_every_layout(eve, layout, turned):
    ends = ASK
    if turned:
        ends = ASK | {
            "src_ip": "192.0.2.1", "src_port": 53, "dest_ip": "10.0.0.1", "dest_port": 5000,
        }  # fmt: skip
    ((_, row),) = eve(ends | {"dns": layout})
    assert (row["query"], row["qtype"], row["rcode"]) == ("www.example.org", 1, 0)
    assert (row["question"], row["answers"]) == (0, 2)
    assert row["answer_bytes"] == 12 + 15 + 6 + 2 * (12 + 9)
    assert (row["orig_h"], row["resp_h"], row["resp_p"]) == ("10.0.0.1", "192.0.2.1", 53)


def test_the_oldest_layout_has_a_line_a_record(eve):
    lines = [ASK | {"dns": ANSWER | {"type": "answer"} | record} for record in RECORDS]
    missing = {"type": "answer", "id": 6, "rcode": "NXDOMAIN", "rrname": "no.example"}
    rows = eve(*lines, ASK | {"dns": missing}, *lines)
    assert [(row["query"], row["answers"], row["rcode"]) for _, row in rows] == [
        ("www.example.org", 2, 0),
        ("no.example", 0, 3),
        ("www.example.org", 2, 0),
    ]


def test_handshakes(eve):
    ((table, row),) = eve(TLS)
    assert (table, row["server_name"], row["server_version"]) == ("tls", "mail.example", 0x0303)
    assert (row["alpn"], row["resumed"], row["ja4"][:10]) == (Alpn.H2, 1, "t13d1516h2")
    assert row["cert_flags"] == CertFlag.SEEN | CertFlag.SELF_SIGNED
    assert (row["cert_days"], row["cert_age"]) == (3652, 365)
    old = TLS["tls"] | {"notafter": "2025-02-02T00:00:00", "subject": "", "ja4": "Jan"}
    ((_, row),) = eve(TLS | {"tls": old})
    assert row["cert_flags"] == CertFlag.SEEN | CertFlag.EMPTY_SUBJECT | CertFlag.EXPIRED
    assert row["ja4"] == ""
    ((_, row),) = eve(TLS | {"tls": {"version": "TLS 1.3", "client_alpns": ["http/1.1"]}})
    assert (row["cert_flags"], row["alpn"]) == (0, Alpn.HTTP_1_1)


def test_a_flow_and_its_handshake_keep_one_number(eve):
    (_, first), (_, second) = eve(TLS, FLOW | {"timestamp": "2026-01-02T04:04:09+0100"})
    assert first["flow_id"] == second["flow_id"]


def test_leases(eve):
    lease = {
        "type": "reply", "id": 99, "client_mac": "02:00:00:00:00:01", "assigned_ip": "10.0.0.9",
        "dhcp_type": "ack", "hostname": "till", "requested_ip": "10.0.0.8",
    }  # fmt: skip
    event = ENDS | {"event_type": "dhcp", "src_ip": "10.0.0.254", "proto": "UDP"}
    asked = lease | {"type": "request", "dhcp_type": "request", "client_ip": "0.0.0.0"}
    (_, request), (_, ack) = eve(event | {"dhcp": asked}, event | {"dhcp": lease})
    assert (ack["msg_type"], ack["client_h"], ack["server_h"]) == (5, "10.0.0.9", "10.0.0.254")
    assert (ack["xid"], ack["client_mac"], ack["host_name"]) == (99, 0x020000000001, "")
    assert (request["msg_type"], request["requested_h"]) == (3, "10.0.0.8")
    assert (request["server_h"], request["host_name"]) == ("", "till")


def test_alerts_and_other_records_are_no_rows(eve):
    stats = {"timestamp": ENDS["timestamp"], "event_type": "stats", "stats": {"uptime": 3}}
    assert eve(ALERT, stats) == []
    assert eve(ALERT, FLOW, ALERT) == eve(FLOW, name="b.json")


def test_gzip_says_the_same(log, read_named, eve):
    assert read_named(log(gzip.compress(json.dumps(FLOW).encode())))[0] == eve(FLOW)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"src_ip": "nobody"}, "an address in src_ip"),
        ({"timestamp": "soon", "flow": {}}, "a time in timestamp"),
        ({"src_port": 70_000}, "ports up to 65535"),
        ({"dest_port": "https"}, "a JSON object of Suricata's fields"),
        ({"flow": {"pkts_toserver": -1}}, "counts up to"),
        ({"tcp": {"tcp_flags_ts": "zz"}}, "TCP flags in hexadecimal"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_is_read(log, read_named, change, expected):
    lines = (json.dumps(record) + "\n" for record in (FLOW, FLOW | change, FLOW))
    rows, problems = read_named(log("".join(lines)))
    assert len(rows) == 2
    assert len(problems) == 1
    assert "a.log: line 2: expected " in problems[0]
    assert expected in problems[0]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*FLOW["flow"], *TLS["tls"], *ANSWER, "type", "queries", "answers", "grouped"]
            )
            | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@given(
    st.sampled_from([FLOW, TLS, ALERT, ASK | {"dns": ANSWER | {"type": "answer"}}]),
    st.dictionaries(
        st.sampled_from([*FLOW, "dns", "tls", "dhcp", "vlan", "icmp_type", "alert"]), ANY
    ),
)
def test_damaged_records_never_raise(tmp_path_factory, record, changes):
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_text(f"{json.dumps(FLOW)}\n{json.dumps(record | changes)}\n")
    rows = read_logs([path], lambda _: False, Problems()).rows
    assert rows
    wire.decode(wire.encode("s", "a", bytes(16), 0, 0, rows, 2), [2])


@given(ANY)
def test_alerts_never_pass(tmp_path_factory, label):
    path = tmp_path_factory.getbasetemp() / "labels.json"

    def encoded(value):
        extra = {"alert": value, "metadata": value, "label": value, "_path": value}
        flow = FLOW | {"flow": FLOW["flow"] | {"alerted": value, "label": value}} | extra
        lines = [flow, ALERT | extra, TLS | extra | {"tls": TLS["tls"] | {"ja3": value}}]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        problems = Problems()
        rows = read_logs([path], lambda _: False, problems).rows
        assert list(problems) == []
        return wire.encode("s", "a", bytes(16), 0, 0, rows, 2)

    assert encoded(label) == encoded("Malicious")
