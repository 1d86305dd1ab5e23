"""What TCP ports are for: at which of them ordinary programs keep connections open.

Ports as IANA registers them where programs do hold connections there, and as vendors document theirs.
Left out on purpose: those whose registration nobody uses any more, which is most of the registry.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

FREE, WEB, WEB_TOO, CUSTOMARY = 0, 1, 2, 3
"""None of the following; HTTP's and TLS's own, where messengers go too; where web servers also
listen; where an ordinary program keeps a connection open for hours."""

_WEB = (80, 443, 8080)
_WEB_TOO = (
    81, 591, 1080, 3000, 3128, 5000, 5001, 5601, 7443, 8000, 8001, 8008, 8009, 8081, 8082, 8083,
    8088, 8090, 8123, 8181, 8443, 8444, 8800, 8834, 8880, 8888, 9000, 9090, 9091, 9200, 9443, 10000,
    32400,
)  # fmt: skip
_CUSTOMARY = (
    # terminals, files, mail, names, time, printing
    20, 21, 22, 23, 25, 37, 43, 49, 53, 79, 88, 110, 113, 119, 123, 135, 139, 143, 179, 389, 445,
    464, 465, 512, 513, 514, 515, 543, 544, 548, 554, 563, 587, 593, 631, 636, 646, 691, 853, 860,
    873, 989, 990, 992, 993, 995, 2049, 2222, 3205, 3260, 3268, 3269, 9100, 9101, 9102, 9103, 9418,
    10080, 11371,
    # remote desktops, remote support and their clouds
    1494, 2598, 3283, 3389, 4172, 5500, 5650, 5721, 5800, 5900, 5901, 5902, 5903, 5938, 5985, 5986,
    6568, 6783, 7070, 8040, 8041, 22443, 32111,
    # tunnels that are bought: VPN
    500, 1194, 1195, 1701, 1723, 4433, 4500, 10443, 51820,
    # databases, queues, directories, monitoring, backup
    523, 1352, 1433, 1434, 1514, 1515, 1521, 1526, 1527, 1556, 2181, 2379, 2380, 2484, 2638, 3050,
    3306, 4222, 4369, 4505, 4506, 5044, 5432, 5433, 5666, 5667, 5671, 5672, 5984, 6379, 6380, 6432,
    6556, 6690, 7001, 7199, 7474, 7687, 8086, 8089, 8125, 8140, 8300, 8301, 8500, 8530, 8531, 9042,
    9092, 9093, 9160, 9300, 9392, 9997, 10050, 10051, 11211, 12489, 13724, 27017, 27018, 28017,
    33060, 50000, 61613, 61614, 61616,
    # calls, messengers, push, publish and subscribe
    194, 994, 1720, 1863, 1883, 1884, 1935, 2195, 2196, 2197, 3478, 3479, 4244, 5060, 5061, 5190,
    5222, 5223, 5224, 5228, 5229, 5230, 5235, 5236, 5242, 5243, 5269, 5280, 5281, 5349, 5350, 6660,
    6661, 6662, 6663, 6664, 6665, 6667, 6668, 6669, 6697, 8801, 8802, 8883, 8884, 14433, 19302,
    19305, 33033,
    # music, television, games
    1119, 1120, 3074, 3689, 3724, 4070, 6112, 6113, 7236, 7680, 8554, 8610, 11095, 25565, 25575,
    27015, 27016, 27019, 27020, 27021, 27022, 27023, 27024, 27025, 27026, 27027, 27028, 27029,
    27030, 27036, 27037, 27038, 27039, 27040, 27041, 27042, 27043, 27044, 27045, 27046, 27047,
    27048, 27049, 27050,
    # sharing of files between people
    4662, 6346, 6699, 6881, 6882, 6883, 6884, 6885, 6886, 6887, 6888, 6889, 6890, 51413,
    # desks that share a mouse, consoles and feeds in words: who speaks first there is no stranger
    1314, 2101, 2947, 3493, 4352, 4899, 5025, 5038, 5084, 5405, 6129, 6600, 10110, 14580, 15100,
    15101, 24800, 30003, 30005,
    # cameras, homes, machines
    102, 502, 789, 1089, 1091, 1911, 1962, 2455, 3671, 4059, 4840, 4843, 4911, 6053, 7547, 9600,
    18245, 20000, 34567, 37777, 44818, 55443,
    # clouds of phones and phones' makers, sync, remote procedure calls
    1443, 4103, 8024, 8025, 17500, 22000,
)  # fmt: skip


def _uses() -> NDArray[np.uint8]:
    uses = np.zeros(65_536, np.uint8)
    uses[list(_CUSTOMARY)] = CUSTOMARY
    uses[list(_WEB_TOO)] = WEB_TOO
    uses[list(_WEB)] = WEB
    return uses


_USES = _uses()


@njit(cache=True, nogil=True, inline="always")
def port_use(port):  # type: ignore[no-untyped-def]
    """`FREE`, `WEB`, `WEB_TOO` or `CUSTOMARY`; `FREE` for what is no port.

    >>> port_use(443), port_use(8888), port_use(5222), port_use(45_700), port_use(-1)
    (1, 2, 3, 0, 0)
    """
    return int(_USES[port]) if 0 <= port < 65_536 else 0
