"""From payloads to rows of the tables ``dns`` and ``dhcp``, within a budget of event time."""

from __future__ import annotations

from typing import Final

from dijkwacht_agent.budget import Budget
from dijkwacht_agent.dissect import TCP, UDP, Packet, endpoints, whole
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_agent.memory.answered_names import AnsweredNames
from dijkwacht_agent.protocols import dhcp, dns, nbns
from dijkwacht_records.tables import DHCP, DNS, NO_ANSWER, TABLES

MAX_PER_SECOND: Final = 2000
"""Messages dissected in one second of event time; the rest is counted and left alone."""
_DNS, _DHCP = map(TABLES.index, (DNS, DHCP))


class NameReader:
    """Reads the names in packets that the meter hands over and adds their rows to ``made``.

    The suffixes of ``inside`` learn from them what the site's own names end in, ``names`` which
    addresses were named to whom.
    """

    def __init__(
        self,
        made: MadeRows,
        inside: LocalNetworks,
        names: AnsweredNames,
        limit: int = MAX_PER_SECOND,
    ) -> None:
        self.budget = Budget(limit)
        self._made, self._inside, self._suffixes = made, inside, inside.suffixes
        self._names = names

    def read_datagram(self, time: int, data: bytes, packet: Packet) -> None:
        """Read DNS, NetBIOS names or DHCP over UDP, by port."""
        key, _, sport, dport, _, _, at, size = packet
        if at >= len(data) or not self.budget.allows(time):
            return
        if sport in dhcp.PORTS and dport in dhcp.PORTS:
            self._dhcp(time, data[at : at + size], key)
        else:
            self._dns(time, data[at : at + size], size, key, sport, dport)

    def read_segment(self, time: int, data: bytes, packet: Packet) -> None:
        """Read DNS over TCP, where one segment holds the message."""
        key, _, sport, dport, _, _, at, size = packet
        if size > 14 and self.budget.allows(time):
            self._dns(time, data[at + 2 : at + size], size - 2, key, sport, dport)

    def _dns(self, time: int, data: bytes, size: int, key: bytes, sport: int, dport: int) -> None:
        netbios = nbns.PORT in {sport, dport}
        message = nbns.read_message(data) if netbios else dns.read_message(data)
        if message is None:
            return
        self._suffixes.learn_from_query(message.query)
        sender, receiver = endpoints(key)
        name = (message.query, message.qtype)
        if message.response:
            row = (time, receiver, sender, sport, *name, 0, message.rcode, message.answers, size)
            self._learn(time, dns.read_addresses(data, message.end), key, sport)
        else:
            row = (time, sender, receiver, dport, *name, 1, NO_ANSWER, 0, 0)
        self._made.add(_DNS, row)

    def _learn(self, time: int, addresses: list[bytes], key: bytes, sport: int) -> None:
        """A response names addresses: any by DNS to who asked, those inside the site by multicast."""
        if sport == dns.UNICAST_PORT:
            receiver = key[4:8] if len(key) == 15 else key[16:32]
            self._names.told(time, receiver, addresses)
        else:
            self._names.told_everyone(time, [a for a in addresses if whole(a) in self._inside])

    def _dhcp(self, time: int, data: bytes, key: bytes) -> None:
        message = dhcp.read_message(data, endpoints(key)[0])
        if message is not None:
            self._suffixes.learn(dhcp.read_suffixes(data))
            self._made.add(_DHCP, (time, *message))


NAME_PORTS: Final = {UDP: dns.PORTS | dhcp.PORTS | {nbns.PORT}, TCP: frozenset({53})}
"""Ports whose payload is worth a look, by protocol."""
