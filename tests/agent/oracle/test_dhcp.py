"""DHCP messages, as Wireshark sees them: all columns of the table."""

from collections import Counter
from hashlib import blake2b

import pytest

from dijkwacht_records.addresses import format_address, format_mac

NOWHERE = "0.0.0.0"  # an address that is none
REPLY = "2"


@pytest.mark.captures
@pytest.mark.timeout(7200)
@pytest.mark.tools("tshark")
def test_messages_are_what_wireshark_reads(compare):
    assert compare("dhcp", ours, theirs) > 10


def ours(rows):
    addresses = ("client_h", "requested_h", "server_h")
    plain = ("msg_type", "host_name", "xid", "options_hash")
    return Counter(
        (
            format_mac(row["client_mac"]),
            *(shown(format_address(row[name])) for name in addresses),
            *(row[name] for name in plain),
        )
        for row in rows["dhcp"]
    )


def shown(address):
    return address or NOWHERE


def theirs(packets):
    return Counter(
        read(packet, fields)
        for packet in packets
        if not packet.tunnelled
        for fields in packet.of("dhcp")
        if "dhcp.cookie" in fields
    )


def read(packet, fields):
    def first(name, otherwise=""):
        return fields.get(f"dhcp.{name}", (otherwise,))[0]

    server = first("option.dhcp_server_id", NOWHERE)
    if server == NOWHERE and first("type") == REPLY:
        server = packet.src
    given, own = first("ip.your"), first("ip.client")
    asked = bytes(int(code) for code in fields.get("dhcp.option.request_list_item", ()))
    digest = int.from_bytes(blake2b(asked, digest_size=2).digest(), "big") if asked else 0
    return (
        first("hw.mac_addr").replace("00:00:00:00:00:00", ""),
        given if given != NOWHERE else own,
        first("option.requested_ip_address", NOWHERE),
        server,
        int(first("option.dhcp", "0")),
        first("option.hostname"),
        int(first("id"), 0),
        digest,
    )
