import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records.addresses import (
    HASHED_MAC,
    UNSPECIFIED,
    format_address,
    format_mac,
    pack_address,
    pack_mac,
)


@given(st.ip_addresses())
def test_text_and_bytes_are_the_same_address(address):
    packed = pack_address(str(address))
    assert len(packed) == 16
    text = format_address(packed)
    if packed == UNSPECIFIED:
        assert text == ""
    else:
        again = ipaddress.ip_address(text)
        assert again in {address, getattr(address, "ipv4_mapped", None)}
        assert pack_address(text) == packed


@given(st.binary(min_size=16, max_size=16).filter(lambda b: b != UNSPECIFIED))
def test_any_sixteen_bytes_have_a_text_that_leads_back(packed):
    assert pack_address(format_address(packed)) == packed


@given(st.text())
def test_what_is_no_address_is_refused(text):
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        with pytest.raises(ValueError, match=r".*"):
            pack_address(text)
    else:
        assert len(pack_address(text)) == 16


def test_a_zone_is_no_part_of_the_address():
    assert pack_address("fe80::1%eth0") == pack_address("fe80::1")


@given(st.binary(min_size=6, max_size=6).filter(any))
def test_hardware_addresses_as_people_write_them(octets):
    assert format_mac(pack_mac(octets)) == octets.hex(":")


@given(st.integers(0, 2**24 - 1), st.integers(0, 2**32 - 1))
def test_a_hashed_hardware_address_shows_its_maker_and_cannot_be_taken_for_a_real_one(maker, key):
    text = format_mac(HASHED_MAC | maker << 32 | key)
    assert text == f"{maker.to_bytes(3, 'big').hex(':')}~{key:08x}"


def test_no_hardware_address_is_an_empty_text():
    assert format_mac(0) == ""
