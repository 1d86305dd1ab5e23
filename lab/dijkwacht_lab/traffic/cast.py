"""Who is in a made-up office, by what they are, and which addresses are still free."""

from __future__ import annotations

from dijkwacht_lab.traffic.site import Device, Site


class Cast:
    """The machines that an office has before it takes up habits; ``things`` are what is left of them.

    ``controller``: of a domain, if there is one.
    """

    def __init__(self, site: Site) -> None:
        named = {device.name: device for device in site.devices.values()}
        self.server = named.pop("nas", None)
        self.printer = named.pop("printer", None)
        self.controller = named.pop("dc", None)
        self.pcs = [device for name, device in named.items() if name.startswith("pc-")]
        self.phones = [device for name, device in named.items() if name.startswith("phone-")]
        taken = {*self.pcs_and_phones(), "gateway"}
        self.things = [device for name, device in named.items() if name not in taken]
        self._free = [number for number in range(4, 255) if site.inside(number) not in site.devices]

    def take(self) -> int:
        """A free address's number, for a machine or to stay nobody's.

        Raises `IndexError` if none is left.
        """
        return self._free.pop()

    @property
    def free(self) -> int:
        """How many addresses are left."""
        return len(self._free)

    def pcs_and_phones(self) -> list[str]:
        """Their names."""
        return [device.name for device in (*self.pcs, *self.phones)]

    def everyone(self) -> list[Device]:
        """All machines, those that came with habits among them."""
        few = (self.server, self.printer, self.controller)
        return [*filter(None, few), *self.pcs, *self.phones, *self.things]
