import ipaddress
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yacryptopan import CryptoPAn as Oracle

from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.privacy import Clear, CryptoPan, Pseudonyms, read_or_make_key
from dijkwacht_records.addresses import HASHED_MAC, format_address, pack_address
from dijkwacht_records.columns import Columns
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.pseudonyms import KEPT, RESERVED_V4, RESERVED_V6
from dijkwacht_records.tables import TABLE, TABLES

KEY = bytes(range(1, 33))
PAPER_KEY = bytes.fromhex("152217 8d33a4cf80130a5b1649907d10 d8988f8379796527 62574c2d2a842202")
INSIDE = LocalNetworks(["198.51.100.0/24", "2001:db8:7::/48"])
V4 = st.integers(0, 2**32 - 1).map(lambda n: n.to_bytes(4, "big"))
V6 = st.integers(0, 2**128 - 1).map(lambda n: n.to_bytes(16, "big"))


@pytest.fixture(name="privacy")
def _privacy():
    return Pseudonyms(KEY, INSIDE)


def hide(privacy, text):
    return format_address(privacy.address(pack_address(text)))


def test_the_papers_vector():
    hidden = CryptoPan(PAPER_KEY).permute(bytes([128, 11, 68, 132]))
    assert hidden == bytes([135, 242, 180, 132])


@given(V4, V6, st.binary(min_size=32, max_size=32))
def test_bit_identical_to_yacryptopan(v4, v6, key):
    ours, oracle = CryptoPan(key), Oracle(key)
    for address in (v4, v6):
        at = ipaddress.ip_address(address)
        assert ours.permute(address) == ipaddress.ip_address(oracle.anonymize(at)).packed


@given(V4, V4, st.integers(0, 31))
def test_shared_prefixes_stay_shared_and_kept_bits_stay(one, other, kept):
    pan = CryptoPan(KEY)

    def shared(a, b):
        return 32 - (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_length()

    one_hidden, other_hidden = pan.permute(one, kept), pan.permute(other, kept)
    assert shared(one, one_hidden) >= kept
    assert shared(one_hidden, other_hidden) == shared(one, other)


@given(st.binary(min_size=32, max_size=32), V4)
def test_a_subnets_broadcast_stays_one_and_no_host_becomes_one(key, near):
    pan, subnet = CryptoPan(key), near[:3]
    hidden = [pan.permute_host(subnet + bytes((host,)), 8) for host in range(256)]
    assert {one[:3] for one in hidden} == {hidden[0][:3]}
    assert hidden[255][3] == 255
    assert {one[3] for one in hidden} == set(range(256))
    assert [pan.restore_host(one, 8)[3] for one in hidden] == list(range(256))


@pytest.mark.parametrize(
    "text", ["0.0.0.0", "255.255.255.255", "127.0.0.1", "127.3.2.1", "::", "::1"]
)
def test_addresses_that_name_nobody_stay(privacy, text):
    assert privacy.address(pack_address(text)) == pack_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "8.8.8.8",
        "198.51.101.1",
        "2001:db8:8::1",
        "2a00:1450::8",
        "2606:4700::6810:84e5",
        "2a00:1450:400e:80c::200e",
        "2001:4860:4860::8888",
        "64:ff9b::808:808",
        "2001:db8:9::e000:1",
    ],
)
def test_outside_addresses_stay_readable(privacy, text):
    assert hide(privacy, text) == text


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("172.20.1.1", "172.16.0.0/12"),
        ("192.168.1.5", "192.168.0.0/16"),
        ("169.254.9.9", "169.254.0.0/16"),
        ("100.64.3.2", "100.64.0.0/10"),
        ("239.255.255.250", "239.0.0.0/8"),
        ("fe80::21b:21ff:fe00:1", "fe80::/64"),
        ("fd12:3456:789a::1", "fd00::/8"),
        ("ff02::1:ff00:1", "ff02::/16"),
    ],
)
def test_private_link_local_and_multicast_keep_their_prefix_only(privacy, text, network):
    hidden = hide(privacy, text)
    assert ipaddress.ip_address(hidden) in ipaddress.ip_network(network)
    assert hidden != text


def test_interface_ids_and_solicited_node_groups_do_not_show_the_hardware_address(privacy):
    for text in ("fe80::21b:21ff:feaa:bbcc", "2001:db8:7::21b:21ff:feaa:bbcc", "ff02::1:ffaa:bbcc"):
        assert b"\xff\xfe\xaa" not in privacy.address(pack_address(text))
        assert privacy.address(pack_address(text))[-3:] != b"\xaa\xbb\xcc"


def test_an_address_made_from_a_hardware_address_is_hidden_wherever_it_is(privacy):
    for text in ("2a02:a440:1:2:21b:21ff:feaa:bbcc", "1111:2222:3333:4444:20c:29ff:fe76:6c14"):
        assert privacy.address(pack_address(text)).startswith(RESERVED_V6)
    # Docker makes its hardware addresses, and by them its link's, from the IPv4 address.
    hidden = privacy.address(pack_address("2a02:a440:1:2:42:acff:fe11:2"))
    assert hidden.startswith(RESERVED_V6)
    assert hide(privacy, "2a02:a440:1:2::feaa:bbcc") == "2a02:a440:1:2::feaa:bbcc"


def test_public_inside_addresses_move_into_the_reserved_range(privacy):
    hidden = [privacy.address(pack_address(f"198.51.100.{n}")) for n in range(256)]
    assert len(set(hidden)) == 256
    assert all(address.startswith(RESERVED_V4) for address in hidden)
    v6 = [privacy.address(pack_address(f"2001:db8:7:{n:x}::1")) for n in range(256)]
    assert len(set(v6)) == 256
    assert all(address.startswith(RESERVED_V6) for address in v6)


@given(st.binary(min_size=13, max_size=13))
def test_a_real_unique_local_address_never_lands_in_the_reserved_range(tail):
    privacy = Pseudonyms(KEY, INSIDE)
    address = b"\xfd\x00" + tail + b"\x01"
    assert privacy.address(address)[:3] != b"\xfd\x64\x6a"


def test_the_walk_out_of_the_reserved_range_stays_a_permutation(privacy):
    # The pre-images of the reserved range, found by permuting under a key that maps into it.
    start = bytes.fromhex("fd") + bytes(15)
    seen = {privacy.address(start[:1] + n.to_bytes(2, "big") + start[3:]) for n in range(1 << 14)}
    assert len(seen) == 1 << 14


@pytest.mark.parametrize(
    "text",
    [
        "2002:c633:6405::1",
        "64:ff9b::a00:5",
        "::192.168.1.5",
        "::ffff:0:192.168.1.5",
        "2001:0:53aa:64c:0:0:3f57:fefa",
        "2a02:a210::5efe:192.168.1.5",
        "2a02:a210::200:5efe:10.0.0.5",
        "2a02:a210:c0a8:105::",
        "2a02:a210:1c0:a801:5::",
        "2a02:a210:1:c0a8:1:500::",
        "2a02:a210:1:2c0:a8:105::",
        "2a02:a210:1:2:c0:a801:500::",
        "2a02:a210:64::192.168.1.5",
        "2a02:a210:64::198.51.100.7",
    ],
)
def test_ipv6_that_carries_an_inside_address_is_hidden(privacy, text):
    assert privacy.address(pack_address(text)).startswith(RESERVED_V6)


@given(st.one_of(V4.map(lambda b: bytes(10) + b"\xff\xff" + b), V6))
def test_a_pseudonym_is_never_a_readable_outside_address(address):
    privacy = Pseudonyms(KEY, INSIDE)
    hidden = privacy.address(address)
    if hidden != address:
        at = ipaddress.ip_address(format_address(hidden))
        kept = any(at in net for net in map(ipaddress.ip_network, [text for text, _ in KEPT]))
        assert kept
        assert not at.is_global or at.is_multicast


def test_hardware_addresses_keep_their_maker_only(privacy):
    hidden = privacy.mac(0x001B21AABBCC)
    assert hidden & HASHED_MAC
    assert hidden >> 32 & 0xFFFFFF == 0x001B21
    assert hidden & 0xFFFFFF != 0xAABBCC
    assert hidden < 1 << 62


@pytest.mark.parametrize("mac", [0x021B21AABBCC, 0x3333FFAABBCC, 0x01005E0000FB])
def test_local_and_group_hardware_addresses_have_no_maker(privacy, mac):
    assert privacy.mac(mac) >> 32 & 0xFFFFFF == 0


@pytest.mark.parametrize("mac", [0, 0xFFFFFFFFFFFF])
def test_no_hardware_address_and_broadcast_stay(privacy, mac):
    assert privacy.mac(mac) == mac


def test_every_column_that_can_name_somebody_is_hidden(privacy):
    values = {"addr": pack_address("192.168.1.5"), "text": "jan.lan", "int": 7, "float": 1.0}
    mac, named = 0x001B21AABBCC, {"client_mac", "eth_src", "link_mac", "sender_mac", "target_mac"}
    for number, table in enumerate(TABLES):
        row = tuple(mac if c.name in named else values[c.kind] for c in table.columns)
        ((_, hidden),) = privacy.hide(Columns.of([(number, row)])).rows()
        for column, before, after in zip(table.columns, row, hidden, strict=True):
            secret = column.kind == "addr" or column.name in named
            secret = secret or column.name in {"query", "server_name", "host_name"}
            assert (before != after) == secret, column.name


def test_the_same_device_has_one_name_in_dhcp_and_mdns(privacy):
    rows = [
        (3, (0, 0, 1, bytes(16), bytes(16), bytes(16), "Jans-Laptop")),
        (1, (0, bytes(16), bytes(16), 5353, "jans-laptop.local", 1, 1, 255, 0, 0)),
    ]
    (_, dhcp), (_, dns) = privacy.hide(Columns.of(rows)).rows()
    query = dns[TABLE["dns"].index("query")]
    assert query == f"{dhcp[-1]}.local"


def test_another_key_gives_another_pseudonym(privacy):
    other = Pseudonyms(bytes(32), INSIDE)
    assert hide(other, "192.168.1.5") != hide(privacy, "192.168.1.5")
    assert other.mac(1) != privacy.mac(1)


def test_memory_stays_bounded(privacy):
    for n in range(40_000):
        privacy.address(bytes(10) + b"\xff\xff\x08" + n.to_bytes(3, "big"))
        privacy.mac(n)
    assert len(privacy._addresses) <= 16_384
    assert len(privacy._macs) <= 16_384


def test_clear_changes_nothing():
    rows = Columns.of([(5, (1, "cpu_ratio", 0.5))])
    assert Clear().hide(rows) is rows


def test_the_same_text_is_hidden_as_each_column_asks(privacy):
    """One text of the batch may be a name here, a device there and a metric elsewhere."""
    asked, on_the_link = [
        (1, (0, bytes(16), bytes(16), port, "printer", 1, 1, 255, 0, 0)) for port in (53, 5353)
    ]
    device = (3, (0, 0, 1, bytes(16), bytes(16), bytes(16), "printer"))
    rows = [(5, (1, "printer", 0.5)), asked, device, on_the_link, (5, (2, "printer", 0.5))]
    together = list(privacy.hide(Columns.of(rows)).rows())
    apart = [next(privacy.hide(Columns.of([row])).rows()) for row in rows]
    assert together == apart
    assert together[0] == rows[0]
    assert together[2][1][-1] != "printer"


def test_the_key_is_drawn_once_and_for_the_owner_only(tmp_path):
    path = tmp_path / "privacy.key"
    key = read_or_make_key(path)
    assert read_or_make_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_others_may_read_or_of_another_size_is_refused(tmp_path):
    path = tmp_path / "privacy.key"
    path.write_bytes(os.urandom(32))
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_or_make_key(path)
    path.write_bytes(b"short")
    with pytest.raises(SettingsError, match="32 bytes"):
        read_or_make_key(path)
