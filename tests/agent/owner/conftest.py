"""What the owner's tests share: a site whose agent has met a laptop."""

import sys

import pytest

from dijkwacht_agent.join import DEVICES_FILE, KEY_FILE
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.owner.device_memory import DeviceMemory
from dijkwacht_agent.privacy import Pseudonyms, read_or_make_key
from dijkwacht_records.addresses import format_address, format_mac, pack_address
from dijkwacht_records.columns import Columns
from dijkwacht_records.tables import ARP, DEFAULTS, DHCP, TABLES

LAPTOP, PHONE = 0x001B21000001, 0x020000000002
NOW = 1_700_000_000_000_000


def row(table, **values):
    number = TABLES.index(table)
    names = [column.name for column in table.columns]
    filled = [values.get(n, d) for n, d in zip(names, DEFAULTS[number], strict=True)]
    return number, tuple(filled)


def lease(mac, address, name):
    return row(DHCP, time=NOW, client_mac=mac, client_h=pack_address(address), host_name=name)


class Site:
    def __init__(self, state):
        self.again = lambda: Site(state)
        self.state, self.now = state, NOW
        key = read_or_make_key(state / KEY_FILE)
        self.memory = DeviceMemory(state / DEVICES_FILE, lambda: self.now)
        self.privacy = Pseudonyms(key, LocalNetworks(["10.0.0.0/8", "2001:db8::/32"]), self.memory)

    @staticmethod
    def claim(mac, address):
        return row(ARP, time=NOW, op=2, sender_mac=mac, eth_src=mac, sender_h=pack_address(address))

    def saw(self, *rows):
        """As the running agent does: the rows and their pseudonyms."""
        metered = Columns.of(rows)
        hidden = list(self.privacy.hide(metered).rows())
        self.memory.keep(now=True)
        return hidden


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest.fixture
def hidden(site):
    """What left of a laptop's lease: its pseudonymous address, hardware address and name."""
    ((_, left),) = site.saw(lease(LAPTOP, "10.1.2.3", "Annas-Laptop"))
    names = [column.name for column in DHCP.columns]
    told = dict(zip(names, left, strict=True))
    return format_address(told["client_h"]), format_mac(told["client_mac"]), told["host_name"]


@pytest.fixture
def python():
    """How a child runs this Python."""
    return [sys.executable, "-W", "error"]
