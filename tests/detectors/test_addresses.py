"""Kinds of addresses, from the bytes that records carry."""

from __future__ import annotations

import numpy as np
import pytest

from dijkwacht_detectors.knowledge.addresses import is_multicast, is_no_host, is_private, is_v4
from dijkwacht_records.addresses import pack_address


def halves(address):
    high, low = np.frombuffer(pack_address(address), ">u8")
    return np.uint64(high), np.uint64(low)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "fe80::1", "10.0.0.254"])
def test_a_hosts_address_is_neither(address):
    assert not is_multicast(*halves(address))
    assert not is_no_host(*halves(address))


@pytest.mark.parametrize(
    "address", ["224.0.0.251", "239.255.255.250", "255.255.255.255", "ff02::fb"]
)
def test_multicast_belongs_to_no_host(address):
    assert is_multicast(*halves(address))
    assert is_no_host(*halves(address))


@pytest.mark.parametrize("address", ["192.0.2.255", "0.0.0.0", "::"])
def test_broadcast_and_unspecified_belong_to_no_host_without_being_multicast(address):
    assert not is_multicast(*halves(address))
    assert is_no_host(*halves(address))


def test_mapped_addresses_are_v4():
    assert is_v4(*halves("0.0.0.0"))
    assert not is_v4(*halves("::"))


@pytest.mark.parametrize(
    ("address", "outside"),
    [
        ("10.0.0.1", False), ("11.0.0.1", True), ("172.15.0.1", True), ("172.16.0.1", False),
        ("172.31.9.9", False), ("172.32.0.1", True), ("192.168.1.1", False), ("192.169.0.1", True),
        ("169.254.1.1", False), ("100.64.0.1", False), ("100.128.0.1", True), ("fd64:6a6a::1", False),
        ("fe80::1", False), ("fec0::1", True), ("2001:db8::1", True),
    ],
)  # fmt: skip
def test_public_addresses_are_outside(address, outside):
    assert is_private(*halves(address)) != outside
