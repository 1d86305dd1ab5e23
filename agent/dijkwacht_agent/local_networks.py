"""What is inside the site: the addresses it declares, else what every site keeps private; its suffixes."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Container, Sequence
from typing import Final

from dijkwacht_agent.search_suffixes import SearchSuffixes
from dijkwacht_records.addresses import V4_PREFIX, Network

PRIVATE: Final = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
)
_REMEMBERED: Final = 16_384


class LocalNetworks(Container[bytes]):
    """Answers for a 16-byte address: is it inside the site?

    ``cidrs`` is what the site declared; ``None`` means the private ranges plus ``own_prefixes``, those
    of the interface. ``suffixes``: what its names end in, ``own_suffixes`` to begin with; the meter
    teaches it what it sees, and privacy asks. Raises ``ValueError`` for text that is no prefix.

    >>> from dijkwacht_records.addresses import pack_address
    >>> inside = LocalNetworks(None)
    >>> pack_address("192.168.1.7") in inside, pack_address("192.0.2.1") in inside
    (True, False)
    """

    def __init__(
        self,
        cidrs: Sequence[str] | None = None,
        own_prefixes: Sequence[str] = (),
        own_suffixes: Sequence[str] = (),
    ) -> None:
        self.suffixes = SearchSuffixes(own_suffixes)
        self.declared = cidrs is not None
        texts = tuple(cidrs) if cidrs is not None else (*PRIVATE, *own_prefixes)
        self.prefixes: tuple[Network, ...] = tuple(parse_network(text) for text in texts)
        self._by_shift = _by_shift(self.prefixes)
        self._known: dict[object, bool] = {}

    def __contains__(self, address: object) -> bool:
        known = self._known.get(address)
        if known is None:
            if not isinstance(address, bytes):
                return False
            if len(self._known) >= _REMEMBERED:
                self._known.clear()  # cheap to learn again, and a flood of sources cannot grow it
            number = int.from_bytes(address, "big")
            known = False
            for shift, values in self._by_shift:
                if number >> shift in values:
                    known = True
                    break
            self._known[address] = known
        return known

    def describe(self) -> str:
        """One sentence for people: what is taken to be inside."""
        if self.declared:
            return f"inside is what was declared: {', '.join(map(str, self.prefixes))}"
        own = "".join(f", {prefix}" for prefix in self.prefixes[len(PRIVATE) :])
        return f"inside is assumed to be the private ranges (10/8, 172.16/12, 192.168/16, …){own}"


def parse_network(text: str) -> Network:
    """The network that ``text`` names; bits of a host are dropped.

    Raises ``ValueError`` naming the text and what was expected.

    >>> str(parse_network("192.168.7.9/24"))
    '192.168.7.0/24'
    """
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(
            f"'{text}' is no network; expected one such as 192.168.1.0/24 or 2001:db8::/32"
        ) from None


def parse_endpoint(text: str) -> tuple[str, int]:
    """``"0.0.0.0:2055"`` or ``"[::]:2055"`` → address and port. Raises ``ValueError``.

    >>> parse_endpoint("[::]:4739")
    ('::', 4739)
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    family = socket.AF_INET6 if bracketed else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except OSError:
        colon = ""
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"'{text}' is no address and port; expected one such as 0.0.0.0:2055")
    return host, int(port)


def _by_shift(prefixes: Sequence[Network]) -> list[tuple[int, set[int]]]:
    """The prefixes as numbers of 128 bits, gathered by the bits that do not count."""
    values: dict[int, set[int]] = {}
    for prefix in prefixes:
        packed = prefix.network_address.packed
        shift = prefix.max_prefixlen - prefix.prefixlen
        whole = V4_PREFIX + packed if prefix.version == 4 else packed
        values.setdefault(shift, set()).add(int.from_bytes(whole, "big") >> shift)
    return list(values.items())
