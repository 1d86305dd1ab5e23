"""Whatever privacy hides with the site's key, the key opens again, exactly."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.owner.unhide import Unhide
from dijkwacht_agent.privacy import CryptoPan, Pseudonyms
from dijkwacht_records.addresses import V4_PREFIX, pack_address
from dijkwacht_records.pseudonyms import (
    KEPT,
    RESERVED,
    RESERVED_V4,
    RESERVED_V6,
    is_hidden,
)

INSIDE = LocalNetworks(["198.51.100.0/24", "2001:db8:7::/48", "0.0.0.0/2"])
KEYS = st.binary(min_size=32, max_size=32)
FILL = st.integers(0, 2**128 - 1)


class Noted:
    def __init__(self):
        self.addresses = []

    def see(self, rows):
        pass

    def note_address(self, address):
        self.addresses.append(address)

    def note_mac(self, mac):
        pass

    def note_label(self, label):
        pass


def within(text, number):
    """The address of a network whose host bits are those of ``number``."""
    network = ipaddress.ip_network(text)
    host = number & int(network.hostmask)
    packed = (int(network.network_address) | host).to_bytes(network.max_prefixlen // 8, "big")
    return V4_PREFIX + packed if network.version == 4 else packed


def opened(key, address):
    """Its pseudonym, and what that opens to."""
    noted = Noted()
    hidden = Pseudonyms(key, INSIDE, noted).address(address)
    return hidden, Unhide(key, noted.addresses).addresses(hidden)


@given(KEYS, st.sampled_from([text for text, _ in KEPT]), FILL)
def test_every_range_that_keeps_its_prefix(key, text, number):
    address = within(text, number)
    hidden, found = opened(key, address)
    assert address in found
    if address[:3] != RESERVED:
        assert found[0] == address
    assert is_hidden(hidden)


@given(KEYS, st.sampled_from(["198.51.100.0/24", "0.0.0.0/2"]), FILL)
def test_public_addresses_inside(key, text, number):
    address = within(text, number)
    hidden, found = opened(key, address)
    if hidden == address:  # 0.0.0.0, 10/8 by chance and what names nobody
        return
    assert found[0] == address
    assert hidden[:12] == RESERVED_V4 or is_hidden(address)


@given(
    KEYS,
    st.sampled_from(["2001:db8:7::/48", "2002:c0a8::/32", "64:ff9b::c0a8:0/112", "2a00::/16"]),
    FILL,
)
@example(  # the IPv4 address that it carries is its own pseudonym, as some are
    bytes.fromhex("4c52b1442adbbd0d25d71454324833206b1bc5b210c6504a450dab0c4dd057d3"),
    "2002:c0a8::/32",
    0,
)
def test_what_carries_a_device_in_ipv6(key, text, number):
    address = within(text, number)
    if text == "2a00::/16":  # from outside, made from a hardware address
        address = address[:11] + b"\xff\xfe" + address[13:]
    hidden, found = opened(key, address)
    assert hidden[:4] == RESERVED_V6
    assert found == [address]


@given(KEYS, FILL)
def test_the_walk_out_of_the_reserved_range_is_walked_back(key, number):
    # Made so that the first step falls into the range that is reserved.
    landed = RESERVED + number.to_bytes(16, "big")[3:]
    address = CryptoPan(key).restore(landed, 8)
    if address[:3] == RESERVED:
        return
    hidden, found = opened(key, address)
    assert hidden[:3] != RESERVED
    assert found[0] == address


@given(KEYS, FILL)
def test_a_site_whose_own_addresses_are_reserved_ones(key, number):
    address = RESERVED + number.to_bytes(16, "big")[3:]
    assert address in opened(key, address)[1]


def test_a_provider_that_is_known_opens_an_address_that_is_not():
    key, known, other = bytes(32), *map(pack_address, ("2001:db8:7::1", "2001:db8:7::2"))
    hidden = Pseudonyms(key, INSIDE).address(other)
    assert Unhide(key).addresses(hidden) == []
    assert Unhide(key, [known]).addresses(hidden) == [other]


@pytest.mark.parametrize("text", ["192.0.2.1", "127.0.0.1", "::1", "2a00::1", "255.255.255.255"])
def test_what_is_not_hidden_opens_to_nothing(text):
    assert Unhide(bytes(32)).addresses(pack_address(text)) == []


def test_a_key_under_which_the_reserved_range_is_its_own_pseudonym():
    # One key in 65,536: what lies there may be a site's own address too, and is not if it was hidden.
    key = b"(?;&\xf3\xfe\x01\x00\xda\x04\x80L\xc8\x84\xb4\xee\xb9\xfd\x01zd\x01\x9bY\x1bl\xe3\x84-\x14\x01\xea"
    address = pack_address("2001:db8:7::")
    hidden = Pseudonyms(key, INSIDE).address(address)
    assert Unhide(key, [address]).addresses(hidden) == [address]
    public = pack_address("198.51.100.7")
    assert Unhide(key).addresses(Pseudonyms(key, INSIDE).address(public))[0] == public
