"""Rows of a capture in an office: whose they become, when, and what stays as it was."""

import pytest

from dijkwacht_lab.traffic.site import Device
from dijkwacht_lab.transplant import Office, cast_roles, merged, transplanted
from dijkwacht_records.addresses import format_address, pack_address
from dijkwacht_records.tables import AGENT, ARP, DNS, FLOWS, TABLES, TLS

HOUR = 3_600_000_000
VICTIM, PEER, SILENT, RESOLVER, OUTSIDE = map(
    pack_address, ("172.16.5.10", "172.16.5.20", "172.16.5.30", "172.16.5.1", "198.51.100.7")
)
HOST = Device(pack_address("10.1.2.30"), 0x30, "pc-1")
SERVER = Device(pack_address("10.1.2.2"), 0x02, "nas")
GATEWAY = Device(pack_address("10.1.2.1"), 0x01, "gateway")


def row(table, **values):
    nothing = {"int": 0, "float": 0.0, "addr": bytes(16), "text": ""}
    return TABLES.index(table), tuple(values.get(c.name, nothing[c.kind]) for c in table.columns)


def flow(time, orig, resp, **values):
    return row(FLOWS, time=time, start=time - 5, orig_h=orig, resp_h=resp, **values)


ROWS = [
    row(ARP, time=100, sender_h=VICTIM, sender_mac=0xAA, target_h=PEER),
    row(ARP, time=101, sender_h=PEER, sender_mac=0xBB, eth_src=0xBB, target_mac=0xAA),
    row(DNS, time=102, orig_h=VICTIM, resp_h=RESOLVER, resp_p=53, query="a.test"),
    flow(110, VICTIM, PEER, flow_id=7, resp_pkts=3, local_orig=1, local_resp=1),
    flow(111, VICTIM, SILENT, flow_id=8, local_orig=1, local_resp=1),
    row(TLS, time=112, flow_id=9, orig_h=VICTIM, resp_h=OUTSIDE),
    flow(113, VICTIM, OUTSIDE, flow_id=9, resp_pkts=2, local_orig=1),
    row(AGENT, time=120, packets_seen=5),
]


@pytest.fixture
def moved():
    roles = cast_roles(ROWS, VICTIM, Office(HOST, [SERVER], GATEWAY))
    rows = transplanted(ROWS, roles, HOST.address, 10 * HOUR, 1)
    return [
        (TABLES[number].name, dict(zip((c.name for c in TABLES[number].columns), r, strict=True)))
        for number, r in rows
    ]


def ends(moved):
    return [
        tuple(format_address(r[end]) for end in ("orig_h", "resp_h"))
        for name, r in moved
        if name in {"flows", "dns", "tls"}
    ]


def test_who_spoke_becomes_somebody_and_who_did_not_stays_nobody(moved):
    assert ends(moved) == [
        ("10.1.2.30", "10.1.2.1"),  # whoever answers for names
        ("10.1.2.30", "10.1.2.2"),
        ("10.1.2.30", "10.1.2.30".replace(".30", ".10")),  # silent: never the machine itself
        ("10.1.2.30", "198.51.100.7"),
        ("10.1.2.30", "198.51.100.7"),
    ]


def test_hardware_addresses_go_with_their_machines(moved):
    asked, answered = (r for name, r in moved if name == "arp")
    assert (asked["sender_h"], asked["sender_mac"]) == (HOST.address, HOST.mac)
    assert (answered["sender_h"], answered["sender_mac"]) == (SERVER.address, SERVER.mac)
    assert (answered["eth_src"], answered["target_mac"]) == (SERVER.mac, HOST.mac)


def test_all_times_move_alike(moved):
    times = [r["time"] - 10 * HOUR for _, r in moved]
    assert times == [0, 1, 2, 10, 11, 12, 13]
    assert {r["time"] - r["start"] for name, r in moved if name == "flows"} == {5}


def test_flows_have_names_of_their_own_that_still_agree(moved):
    flows = [r["flow_id"] for name, r in moved if name == "flows"]
    assert len(set(flows)) == 3
    assert next(r["flow_id"] for name, r in moved if name == "tls") == flows[2]
    assert min(flows) > 1 << 60


def test_what_the_sensor_says_of_itself_stays_behind(moved):
    assert "agent" not in {name for name, _ in moved}


def test_a_machine_with_an_outside_address_is_inside_now():
    rows = [flow(1, OUTSIDE, VICTIM, flow_id=1, resp_pkts=1, local_resp=1)]
    roles = cast_roles(rows, OUTSIDE, Office(HOST, [SERVER], GATEWAY))
    ((_, new),) = transplanted(rows, roles, HOST.address, 0, 0)
    assert [new[FLOWS.index(name)] for name in ("local_orig", "local_resp")] == [1, 1]


def test_recordings_are_merged_by_the_time_they_have_reached():
    office = [flow(at, VICTIM, PEER, orig_p=1) for at in (10, 30, 20, 40)]
    part = [flow(at, VICTIM, PEER, orig_p=2) for at in (25, 15, 35)]
    rows = [(r[0], r[FLOWS.index("orig_p")]) for _, r in merged(office, part)]
    # each in its own order, late ones with what came before them
    assert rows == [(10, 1), (25, 2), (15, 2), (30, 1), (20, 1), (35, 2), (40, 1)]
