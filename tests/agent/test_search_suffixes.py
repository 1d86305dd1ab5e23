"""What a site's own names end in, learnt from what passes by."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.privacy import Pseudonyms
from dijkwacht_agent.protocols import dhcp
from dijkwacht_agent.public_domains import TOP_LEVEL_DOMAINS
from dijkwacht_agent.search_suffixes import MAX_SUFFIXES, SearchSuffixes, own_suffixes
from dijkwacht_records.tables import TABLE, TABLES

KEY = bytes(range(32))
# mill.nl, sales.mill.nl (which points back to the first), and vos.ad
SEARCH = b"\x04mill\x02nl\x00" + b"\x05sales\xc0\x00" + b"\x03vos\x02ad\x00"


def answer(*options, op=2):
    boot = BOOTP(op=op, yiaddr="10.0.0.9", chaddr=bytes(6), xid=7)
    return boot / DHCP(options=[("message-type", 5), *options, "end"])


def meter_of(inside, *packets):
    meter = Meter(inside)
    for place, packet in enumerate(packets):
        data = bytes(Ether() / packet)
        meter.feed(block_of([(place, 1, data, len(data), 0)]))
    return meter


def from_server(message):
    return IP(src="10.0.0.1", dst="255.255.255.255") / UDP(sport=67, dport=68) / message


def question(name):
    return (
        IP(src="10.0.0.9", dst="10.0.0.1") / UDP(sport=5000, dport=53) / DNS(qd=DNSQR(qname=name))
    )


def test_a_dhcp_server_tells_its_domain_and_search_list():
    inside = LocalNetworks()
    meter_of(inside, from_server(answer(("domain", b"Bakery.NL\x00"), (119, SEARCH))))
    assert inside.suffixes.known == {"bakery.nl", "mill.nl", "sales.mill.nl", "vos.ad"}


@pytest.mark.parametrize("cut", range(1, len(SEARCH)))
def test_a_search_list_may_come_in_two_options(cut):
    message = bytes(answer((119, SEARCH[:cut]), (119, SEARCH[cut:])))
    assert dhcp.read_suffixes(message) == ["mill.nl", "sales.mill.nl", "vos.ad"]


def test_a_client_teaches_nothing():
    assert dhcp.read_suffixes(bytes(answer(("domain", b"bakery.nl"), op=1))) == []


def test_several_domains_in_the_option_for_one():
    assert dhcp.read_suffixes(bytes(answer(("domain", b"mill.nl vos.ad")))) == ["mill.nl", "vos.ad"]


@pytest.mark.parametrize(
    "of_a_directory", ["_ldap._tcp.zaandam._sites.dc._msdcs", "_ldap._tcp.zaandam._sites", "_msdcs"]
)
def test_a_member_of_a_domain_tells_it_by_looking_for_its_controller(of_a_directory):
    inside = LocalNetworks()
    meter_of(inside, question(f"{of_a_directory}.vos.ad"), question("web_sites.mill.nl"))
    assert inside.suffixes.known == {"vos.ad"}


@pytest.mark.parametrize("wait", [False, True])
def test_names_are_hidden_once_the_suffix_was_seen(wait):
    inside = LocalNetworks()
    before = [question("pc-jan.vos.ad")] if not wait else []
    meter = meter_of(
        inside, *before, from_server(answer(("domain", b"vos.ad"))), question("pc-jan.vos.ad")
    )
    rows = Pseudonyms(KEY, inside).hide(meter.take()).rows()
    place = TABLE["dns"].index("query")
    queries = [row[place] for number, row in rows if TABLES[number].name == "dns"]
    assert len(queries) == len(before) + 1
    assert all(re.fullmatch(r"h-[0-9a-f]{10}\.vos\.ad", query) for query in queries)


@pytest.mark.parametrize(
    "name", ["", ".", "nl", "co.uk", "com.au", "lan", "vos.local", "bakery", "x y", "\\x00.nl\\x00"]
)
def test_what_hides_everything_or_is_hidden_anyway_is_no_suffix(name):
    assert not SearchSuffixes([name]).known


def test_they_stay_few():
    suffixes = SearchSuffixes(f"bakery{n}.nl" for n in range(1000))
    suffixes.learn(f"mill{n}.nl" for n in range(1000))
    assert len(suffixes.known) == MAX_SUFFIXES
    assert "mill999.nl" in suffixes.known


def test_who_tells_many_pushes_out_neither_the_own_machines_nor_what_is_met_again():
    suffixes = SearchSuffixes(["bakery.nl"])
    for n in range(1000):
        suffixes.learn([f"mill{n}.nl"])
        if n % 20 == 0:
            suffixes.learn_from_query("_ldap._tcp.dc._msdcs.vos.ad")
    assert {"bakery.nl", "vos.ad"} <= suffixes.known


def test_those_of_the_own_machine(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# search not.nl\nnameserver 10.0.0.1\nsearch mill.nl sales.mill.nl\ndomain vos.ad\n\n"
    )
    assert own_suffixes(path) == ["mill.nl", "sales.mill.nl", "vos.ad"]
    assert own_suffixes(tmp_path / "none") == []


def test_the_top_level_domains_are_those_of_the_public_dns():
    assert len(TOP_LEVEL_DOMAINS) > 1400
    assert {"nl", "com", "arpa", "ad", "box", "xn--p1ai"} <= TOP_LEVEL_DOMAINS
    assert not {"local", "lan", "home", "corp", "internal", "ziggo", "test"} & TOP_LEVEL_DOMAINS
    assert all(re.fullmatch(r"[a-z]{2,24}|xn--[a-z0-9-]+", each) for each in TOP_LEVEL_DOMAINS)


@given(st.binary(max_size=300))
def test_no_bytes_surprise_the_readers(data):
    message = b"\x02\x01\x06" + bytes(233) + b"\x63\x82\x53\x63" + data
    SearchSuffixes(dhcp.read_suffixes(message))
    search = b"\x77" + bytes([len(data) & 255]) + data
    SearchSuffixes(dhcp.read_suffixes(message[:240] + search))
