"""The curious collector opens nothing of a site whose devices say who they are, and every planted leak."""

import hashlib
import struct

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

from dijkwacht_agent import hidden_names, privacy
from dijkwacht_agent.hidden_names import HiddenNames
from dijkwacht_agent.memory.accounts import AccountsTried
from dijkwacht_agent.privacy import Pseudonyms
from dijkwacht_agent.search_suffixes import SearchSuffixes
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.community_id import community_id

KEY = hashlib.sha256(b"a site").digest()
OTHER_KEY = hashlib.sha256(b"the same site, another key").digest()
MAC, ROUTER_MAC = "00:1b:21:aa:bb:cc", "00:1b:21:00:00:fe"
JAN, ROUTER, PRINTER, OUTSIDE = "192.168.1.7", "192.168.1.254", "10.20.30.40", "9.9.9.9"
PROVIDERS = "100.64.3.4"
ASKED = (
    "nas-jan", "printer-van-jan.ziggo", "pc-jan.vos.ad", "Jans-iPhone.lan", "_jans-iphone.local",
    "laptop-jan.fritz.box", "camera-jan.home.arpa", "www.example.nl",
    "7.1.168.192.in-addr.arpa", "7.1.168.192.zen.spamhaus.org", "192-168-1-7.0123ab.plex.direct",
    "c0a80107.cam.example.com", "0701a8c0.cam.example.com", "3232235783.cam.example.com",
    "192x168x1x7.cam.example.com", "192168001007.cam.example.com", "10.20.30.40",
    "0.4.0.3.0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.d.f.ip6.arpa",
    "fd01--2030-40.ipv6-literal.net",
)  # fmt: skip
SEQ = {b"USER iphone-van-jan\r\n": 1, b"PASS geheim\r\n": 22}
V6 = (
    "fe80::21b:21ff:feaa:bbcc", "2a02:a210:1:1:21b:21ff:feaa:bbcc", "2a02:a210::5efe:c0a8:107",
    "2002:c0a8:107::1", "64:ff9b::c0a8:107", "64:ff9b:1::c0a8:107", "2a02:a210:64::c0a8:107",
    "2a02:a210:1:2:c0:a801:700:0", "fd01::20:30:40",
)  # fmt: skip


def hello(name):
    server = struct.pack(">HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    body = b"\x03\x03" + bytes(33) + b"\x00\x02\x13\x01\x01\x00" + struct.pack(">H", len(server))
    body += server
    shake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack(">H", len(shake)) + shake


def packets():
    """A morning of Jan's devices."""
    boot = {"chaddr": bytes.fromhex(MAC.replace(":", "")), "xid": 7}
    request = [("message-type", 3), ("hostname", b"iPhone-van-Jan"), "end"]
    answer = [("message-type", 5), ("domain", b"vos.ad"), "end"]
    yield IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / BOOTP(**boot) / DHCP(options=request)  # fmt: skip
    yield IP(src=ROUTER, dst=JAN) / UDP(sport=67, dport=68) / BOOTP(op=2, yiaddr=JAN, **boot) / DHCP(options=answer)  # fmt: skip
    for name in ASKED:
        yield IP(src=JAN, dst=ROUTER) / UDP(sport=5000, dport=53) / DNS(qd=DNSQR(qname=name))
    for name in ("iphone-van-jan.local", "iphone-van-jan._airplay._tcp.local"):
        yield IP(src=JAN, dst="224.0.0.251") / UDP(sport=5353, dport=5353) / DNS(qd=DNSQR(qname=name))  # fmt: skip
    yield IP(src=JAN, dst="224.0.0.252") / UDP(sport=5000, dport=5355) / DNS(qd=DNSQR(qname="laptop-jan"))  # fmt: skip
    for port, name in enumerate((b"printer-van-jan.local.", b"jans-iphone.", b"www.example.nl"), 40_000):  # fmt: skip
        yield IP(src=JAN, dst=PRINTER) / TCP(sport=port, dport=443, flags="PA") / Raw(hello(name))
    yield IP(src=JAN, dst=OUTSIDE) / TCP(sport=41_000, dport=80, flags="S")
    yield IP(src=PROVIDERS, dst=OUTSIDE) / UDP(sport=41_000, dport=4000)
    for address in V6:
        yield IPv6(src=address, dst="2001:db8::9") / UDP(sport=5000, dport=4000)
    for text in (b"USER iphone-van-jan\r\n", b"PASS geheim\r\n"):
        yield IP(src=JAN, dst=PRINTER) / TCP(sport=42_000, dport=21, flags="PA", seq=SEQ[text]) / Raw(text)  # fmt: skip
    yield ARP(hwsrc=MAC, psrc=JAN, hwdst=ROUTER_MAC, pdst=ROUTER)
    for address in V6:
        known = ICMPv6ND_NA(tgt=address) / ICMPv6NDOptDstLLAddr(lladdr=MAC)
        yield IPv6(src=address, dst="ff02::1", hlim=255) / known


@pytest.fixture(scope="module", name="recording")
def _recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("site") / "morning.pcap"
    wrpcap(str(path), [Ether(src=MAC, dst=ROUTER_MAC) / packet for packet in packets()])
    return path


def test_a_site_that_says_who_it_is_stays_shut(recording, send, curious):
    sent = send([recording], KEY)
    assert len(sent.names) >= len(ASKED)
    assert len(sent.addresses) > len(V6)
    assert curious.open(sent) & curious.open(send([recording], OTHER_KEY)) == set()


def test_what_is_public_stays_readable(recording, send):
    sent = send([recording], KEY)
    assert "www.example.nl" in sent.texts
    assert (pack_address(OUTSIDE), pack_address(OUTSIDE)) in sent.addresses


def unkeyed(_, label, size):
    return hashlib.sha256(label.encode()).hexdigest()[: 2 * size]


def unkeyed_mac(_, mac):
    return int(hashlib.md5(mac.to_bytes(6, "big"), usedforsecurity=False).hexdigest()[:8], 16)


def told(*_):
    """What a program might send that takes a Community ID for a pseudonym."""
    return community_id(pack_address(JAN), pack_address(OUTSIDE), 41_000, 80, 6)


def hashed_account(tried, _, __, ___, account=b""):
    tried.latest = account or getattr(tried, "latest", b"")
    return int(hashlib.sha256(tried.latest).hexdigest()[:16], 16) >> 2


def packed_address(_, __, orig, ___, ____=b""):
    return int.from_bytes(orig[-4:], "big")


PLANTED = [
    ("plain_names", "iphone-van-jan", HiddenNames, "device", lambda _, name: name),
    ("plain_names", "printer-van-jan", hidden_names, "is_public", lambda _: True),
    ("plain_names", "pc-jan", SearchSuffixes, "learn", lambda *_: None),
    ("plain_names", "jans-iphone", HiddenNames, "_is_service", lambda _, own, __: own[0] == "_"),
    ("plain_names", "laptop-jan", HiddenNames, "_hide", lambda _, name, __: name),
    ("unkeyed_hashes_of_names", "iphone-van-jan", HiddenNames, "_digest", unkeyed),
    ("spelled_addresses", JAN, hidden_names, "find_addresses", lambda *_: []),
    ("spelled_addresses", JAN, HiddenNames, "_reverse", lambda _, labels: ".".join(labels)),
    ("spelled_addresses", PRINTER, HiddenNames, "_hide", lambda _, name, __: name),
    ("addresses", JAN, Pseudonyms, "_hide_address", lambda _, address: address),
    ("addresses", V6[1], privacy, "_holds_mac", lambda _: False),
    ("addresses", PROVIDERS, privacy, "kept_bits", lambda _: None),
    ("carried_addresses", V6[2], privacy, "_carried_v4", lambda _: ()),
    ("carried_addresses", V6[6], privacy, "_carried_v4", lambda _: ()),
    ("carried_addresses", V6[7], privacy, "_carried_v4", lambda _: ()),
    ("hardware_addresses", MAC, Pseudonyms, "_hide_mac", lambda _, mac: mac),
    ("hardware_addresses", MAC, Pseudonyms, "_hide_mac", unkeyed_mac),
    ("hardware_addresses", V6[1], privacy, "_holds_mac", lambda _: False),
    ("numbers_of_names", "iphone-van-jan", AccountsTried, "count", hashed_account),
    ("numbers_of_addresses", JAN, AccountsTried, "count", packed_address),
    ("community_ids", told(), HiddenNames, "device", told),
]
"""An attack, what it then opens, and the rule (its owner, its name) with what stands in for it."""


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted[0]}-{planted[3]}")
def test_a_rule_that_is_switched_off_is_a_leak_that_is_found(
    recording, send, curious, monkeypatch, planted
):
    attack, opens, *rule = planted
    monkeypatch.setattr(*rule)
    found = curious.open(send([recording], KEY)) & curious.open(send([recording], OTHER_KEY))
    assert (attack, opens) in found


@pytest.mark.parametrize("key", [bytes(32), bytes(range(32))])
def test_a_key_that_is_guessed_is_a_leak_that_is_found(recording, send, curious, key):
    assert ("guessed_keys", key.hex()) in curious.open(send([recording], key))


def test_every_attack_has_a_planted_leak(curious):
    assert {planted[0] for planted in PLANTED} | {"guessed_keys"} == curious.attacks.keys()


def test_the_collector_knows_ten_thousand_names(device_names):
    assert len(set(device_names)) == 10_000
    assert all(name == name.lower() and "." not in name for name in device_names)
