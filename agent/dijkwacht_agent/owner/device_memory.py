"""What the running agent remembers of the site's devices, so that the owner can open what is hashed.

A hash has no inverse: a hardware address or a name is found again only among those that were hidden.
So the agent keeps, in one private file of its state folder that never leaves the machine, the devices
it has met and the last names and addresses that it hid by a hash. All of it is bounded; what was met
once only, without a name, goes first, so that a flood of made-up devices pushes out no lasting one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeVar, cast

import msgspec

from dijkwacht_agent.settings import write_private
from dijkwacht_records.addresses import UNSPECIFIED
from dijkwacht_records.columns import Columns
from dijkwacht_records.tables import ARP, DHCP, NDP, TABLES

MOST_DEVICES: Final = 4_096
MOST_LABELS: Final = 2_048
MOST_ADDRESSES: Final = 2_048
MOST_OF_ONE: Final = 4
"""Addresses of one device that are kept, the latest."""
WRITTEN_US: Final = 60_000_000
"""The file is written at most so often."""
_LASTING_US: Final = 60_000_000
_SLACK: Final = 128
"""Devices beyond the limit that are dropped together."""
_BROADCAST_MAC: Final = (1 << 48) - 1
_ARP: Final = TABLES.index(ARP)
_DHCP: Final = TABLES.index(DHCP)
_NDP: Final = TABLES.index(NDP)
_MET: Final = (
    (_ARP, ARP.index("sender_mac"), ARP.index("sender_h")),
    (_NDP, NDP.index("eth_src"), NDP.index("orig_h")),
    (_DHCP, DHCP.index("client_mac"), DHCP.index("client_h")),
)
"""Tables that say which device has which address, with the columns of both."""
_NAME: Final = DHCP.index("host_name")
_T = TypeVar("_T")


class Device(msgspec.Struct, array_like=True, gc=False):
    """A device: ``held`` are its addresses, 16 bytes each, the latest last; ``name`` as it announced itself.

    Times are µs UTC. One text of bytes, as there may be thousands of devices in the memory of an agent.
    """

    mac: int
    held: bytes = b""
    name: str = ""
    first: int = 0
    seen: int = 0

    @property
    def addresses(self) -> list[bytes]:
        """Its addresses, the latest last."""
        return [self.held[at : at + 16] for at in range(0, len(self.held), 16)]


class Remembered(msgspec.Struct, array_like=True):
    """The file: ``labels`` and ``addresses`` are what was hidden by a hash, oldest first."""

    version: int = 1
    devices: list[Device] = []
    labels: list[str] = []
    addresses: list[bytes] = []


def read_memory(path: Path) -> Remembered:
    """What was remembered; nothing where there is no file, or one that cannot be read."""
    try:
        held = msgspec.msgpack.decode(path.read_bytes(), type=Remembered)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Remembered()
    return held if held.version == 1 else Remembered()


class DeviceMemory:
    """Remembers; kept at ``path``; ``clock`` gives µs UTC. Told by `Pseudonyms` what is hashed."""

    def __init__(self, path: Path, clock: Callable[[], int]) -> None:
        held = read_memory(path)
        self._path, self._clock = path, clock
        self._devices = {device.mac: device for device in held.devices}
        self._labels = dict.fromkeys(held.labels)
        self._addresses = dict.fromkeys(held.addresses)
        self._changed = False
        self._written = 0

    @property
    def remembered(self) -> Remembered:
        """All of it, as the file holds it."""
        return Remembered(
            1, list(self._devices.values()), list(self._labels), list(self._addresses)
        )

    def note_address(self, address: bytes) -> None:
        """An IPv6 address was hidden by its last 96 bits."""
        self._changed |= _note(self._addresses, address, MOST_ADDRESSES)

    def note_mac(self, mac: int) -> None:
        """A hardware address was hidden."""
        self._device(mac)

    def note_label(self, label: str) -> None:
        """One label of a name was hidden."""
        self._changed |= _note(self._labels, label, MOST_LABELS)

    def see(self, rows: Columns) -> None:
        """Take from ``rows``, as they were metered, who has which address and what it calls itself.

        Writes the file if it is time, which is some 3 ms each minute.
        """
        for number, mac_at, address_at in _MET:
            columns = rows.tables.get(number)
            if columns is not None:
                macs = cast("Sequence[int]", columns[mac_at])
                places = cast("Sequence[int]", columns[address_at])
                for mac, place in dict.fromkeys(zip(macs, places, strict=True)):
                    self._meet(mac, rows.addresses[place])
        columns = rows.tables.get(_DHCP)
        if columns is not None:
            macs = cast("Sequence[int]", columns[_MET[2][1]])
            names = cast("Sequence[int]", columns[_NAME])
            for mac, place in zip(macs, names, strict=True):
                if rows.texts[place] and (device := self._device(mac)) is not None:
                    device.name = rows.texts[place]
        self.keep()

    def keep(self, *, now: bool = False) -> None:
        """Write the file if something changed and it is time (or ``now``); a full disk harms nothing."""
        clock = self._clock()
        if not self._changed or not (now or not 0 <= clock - self._written < WRITTEN_US):
            return
        self._written, self._changed = clock, False
        with contextlib.suppress(OSError):  # what is not written now is with the next
            write_private(self._path, msgspec.msgpack.encode(self.remembered), synced=False)

    def _meet(self, mac: int, address: bytes) -> None:
        device = self._device(mac)
        if device is None or address == UNSPECIFIED:
            return
        if device.held[-16:] != address:
            others = [one for one in device.addresses if one != address]
            device.held = b"".join([*others, address][-MOST_OF_ONE:])

    def _device(self, mac: int) -> Device | None:
        if mac in {0, _BROADCAST_MAC}:
            return None
        now, device = self._clock(), self._devices.get(mac)
        if device is None:
            device = self._devices[mac] = Device(mac, first=now)
        device.seen = now
        self._changed = True
        if len(self._devices) >= MOST_DEVICES + _SLACK:
            self._devices = {one.mac: one for one in _lasting(self._devices.values())}
        return device


def _lasting(devices: Iterable[Device]) -> list[Device]:
    """The `MOST_DEVICES` worth keeping: those with a name, or met for longer than a moment, then the latest."""

    def worth(device: Device) -> tuple[bool, int]:
        return bool(device.name) or device.seen - device.first >= _LASTING_US, device.seen

    return sorted(sorted(devices, key=worth)[-MOST_DEVICES:], key=lambda one: one.seen)


def _note(known: dict[_T, None], value: _T, most: int) -> bool:
    """Put ``value`` last among those known; whether it is new."""
    new = value not in known
    known.pop(value, None)
    known[value] = None
    if len(known) > most:
        del known[next(iter(known))]
    return new
