"""The fence around an office: no tool is pointed at anything beyond it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from dijkwacht_records.addresses import Network

# What may ever be an office: private use (RFC 1918) and documentation (RFC 5737).
_PERMITTED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
    )
)


class OutsideOffice(ValueError):
    """A target, or a plan's network, that lies outside what the run may touch."""


class Fence:
    """The networks of one office; raises `OutsideOffice` for one that is neither private nor for documentation."""

    def __init__(self, networks: Iterable[str]) -> None:
        self.networks = tuple(_network(text) for text in networks)
        for network in self.networks:
            if not any(_within(network, permitted) for permitted in _PERMITTED):
                raise OutsideOffice(f"{network} is neither private nor for documentation")

    def target(self, text: str) -> str:
        """Give ``text``, an address or a network, back if all of it lies inside; else `OutsideOffice`."""
        network = _network(text)
        if not any(_within(network, own) for own in self.networks):
            raise OutsideOffice(f"{text} is not in this office")
        return text


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise OutsideOffice(f"{text!r} is no address and no network") from error


def _within(inner: Network, outer: Network) -> bool:
    return (
        inner.version == outer.version
        and inner.network_address in outer
        and inner.broadcast_address in outer
    )
