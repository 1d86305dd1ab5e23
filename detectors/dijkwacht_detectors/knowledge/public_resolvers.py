"""Resolvers that serve anybody, by address, and the root of all names: whoever asks them asks for a name as others do."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.state.naming import njit_lean
from dijkwacht_detectors.state.shortlist import name_of
from dijkwacht_records.addresses import pack_address

PUBLIC_RESOLVERS: Final = (
    # Google, Cloudflare, Quad9, Cisco, Level 3, Verisign, Neustar
    "8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "1.1.1.2", "1.0.0.2", "1.1.1.3", "1.0.0.3", "9.9.9.9",
    "149.112.112.112", "9.9.9.10", "149.112.112.10", "9.9.9.11", "149.112.112.11", "208.67.222.222",
    "208.67.220.220", "208.67.222.123", "208.67.220.123", "208.67.222.220", "208.67.220.222", "4.2.2.1",
    "4.2.2.2", "4.2.2.3", "4.2.2.4", "4.2.2.5", "4.2.2.6", "209.244.0.3", "209.244.0.4", "64.6.64.6",
    "64.6.65.6", "156.154.70.1", "156.154.71.1", "156.154.70.5", "156.154.71.5", "156.154.70.22",
    "156.154.71.22",
    # AdGuard, CleanBrowsing, Comodo, NextDNS, ControlD, DNS.WATCH, Hurricane Electric, OpenNIC, Mullvad, dns0.eu
    "94.140.14.14", "94.140.15.15", "94.140.14.15", "94.140.15.16", "185.228.168.9", "185.228.169.9",
    "185.228.168.168", "185.228.169.168", "185.228.168.10", "185.228.169.11", "8.26.56.26", "8.20.247.20",
    "45.90.28.0", "45.90.30.0", "76.76.2.0", "76.76.10.0", "84.200.69.80", "84.200.70.40", "74.82.42.42",
    "185.121.177.177", "169.239.202.202", "194.242.2.2", "193.110.81.0", "185.253.5.0",
    # Yandex, AliDNS, DNSPod, 114DNS, Baidu, Quad101, KT, SK: baked into devices
    "77.88.8.8", "77.88.8.1", "77.88.8.88", "77.88.8.2", "223.5.5.5", "223.6.6.6", "119.29.29.29",
    "182.254.116.116", "114.114.114.114", "114.114.115.115", "180.76.76.76", "101.101.101.101",
    "101.102.103.104", "168.126.63.1", "168.126.63.2", "219.250.36.130", "210.220.163.82",
    # virtual machines of a cloud
    "168.63.129.16",
    # the root
    "198.41.0.4", "170.247.170.2", "192.33.4.12", "199.7.91.13", "192.203.230.10", "192.5.5.241",
    "192.112.36.4", "198.97.190.53", "192.36.148.17", "192.58.128.30", "193.0.14.129", "199.7.83.42",
    "202.12.27.33",
    # the same over IPv6
    "2001:4860:4860::8888", "2001:4860:4860::8844", "2606:4700:4700::1111", "2606:4700:4700::1001",
    "2620:fe::fe", "2620:fe::9", "2620:119:35::35", "2620:119:53::53", "2a10:50c0::ad1:ff", "2a10:50c0::ad2:ff",
    "2a0d:2a00:1::2", "2a0d:2a00:2::2", "2001:470:20::2", "2400:3200::1", "2400:3200:baba::1",
)  # fmt: skip


def resolver_names() -> NDArray[np.uint64]:
    """`name_of` all `PUBLIC_RESOLVERS`, rising, uint64[n]."""
    packed = [pack_address(address) for address in PUBLIC_RESOLVERS]
    halves = [(int.from_bytes(each[:8], "big"), int.from_bytes(each[8:], "big")) for each in packed]
    return np.sort(
        np.array([name_of(np.uint64(high), np.uint64(low)) for high, low in halves], np.uint64)
    )


@njit_lean
def is_public_resolver(names, name):  # type: ignore[no-untyped-def]
    """Whether an address' `name_of` is among ``names``, as `resolver_names` gives them."""
    at = np.searchsorted(names, name)
    return at < len(names) and names[at] == name


@njit(cache=True, nogil=True, inline="always")
def is_near(high, low, other_high, other_low):  # type: ignore[no-untyped-def]
    """Whether two addresses are of one network as far as they show it: a /24, in IPv6 a /48."""
    if high == np.uint64(0) and other_high == np.uint64(0):
        return low >> np.uint64(8) == other_low >> np.uint64(8)
    return high >> np.uint64(16) == other_high >> np.uint64(16)
