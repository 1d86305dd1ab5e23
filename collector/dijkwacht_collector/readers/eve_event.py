"""What all records of Suricata's EVE have in common."""

from __future__ import annotations

from msgspec import Struct

from dijkwacht_collector.readers.connections import flow_id
from dijkwacht_collector.readers.fields import Bad, moment
from dijkwacht_records.addresses import pack_address


class Event(Struct):
    """What all records have in common."""

    timestamp: str
    src_ip: str
    dest_ip: str
    flow_id: int = 0
    src_port: int = 0
    dest_port: int = 0
    proto: str = ""
    vlan: list[int] = []

    @property
    def time(self) -> int:
        """µs UTC. Raises `Bad`."""
        return moment_of(self.timestamp, "timestamp")

    @property
    def ends(self) -> tuple[bytes, bytes]:
        """Source and destination. Raises `Bad`."""
        return address_of(self.src_ip, "src_ip"), address_of(self.dest_ip, "dest_ip")

    @property
    def flow(self) -> int:
        """The flow that the record belongs to."""
        return flow_id(
            str(self.flow_id or (self.src_ip, self.src_port, self.dest_ip, self.dest_port))
        )


def moment_of(text: str, name: str) -> int:
    """µs UTC. Raises `Bad`."""
    try:
        return moment(text)
    except (ValueError, OverflowError):
        raise Bad(f"a time in {name}") from None


def address_of(text: str, name: str) -> bytes:
    """16 bytes. Raises `Bad`."""
    try:
        return pack_address(text)
    except ValueError:
        raise Bad(f"an address in {name}") from None


def port_of(number: int) -> int:
    """A port, or ICMP type or code. Raises `Bad`."""
    if not 0 <= number <= 0xFFFF:
        raise Bad("ports up to 65535")
    return number
