"""What one machine may ask of another by remote procedure call, and how seldom an innocent one does.

A weight of 8 is an operation by which a machine runs what another chose: outside of habit an office sees
that about once a year. Half of a weight is about twice as usual; what members of a domain, file servers
and printers do all day has none. Numbers of operations are Microsoft's ([MS-SCMR], [MS-TSCH], [MS-WMI],
[MS-OAUT], [MS-RPRN], [MS-PAR], [MS-RRP], [MS-EFSR], [MS-DFSNM], [MS-FSRVP], [MS-SAMR], [MS-LSAD], [MS-SRVS], [MS-WKST]).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from dijkwacht_detectors.knowledge.remote_deeds import About, Deed
from dijkwacht_records.rpc_interfaces import RpcInterface as Iface

_WEIGHTS: Final[dict[tuple[Iface, Deed], dict[int, float]]] = {
    # create a service (five forms), change one, start it
    (Iface.SVCCTL, Deed.SERVICES): {
        **dict.fromkeys((12, 24, 44, 45, 60), 8.0),
        **dict.fromkeys((11, 23, 19, 31), 4.0),
    },
    (Iface.TASKS, Deed.TASKS): {1: 8.0, 12: 8.0, 19: 4.0},
    (Iface.ATSVC, Deed.TASKS): {0: 8.0},
    # execute a method; put a class or an instance, which subscribes to events
    (Iface.WMI, Deed.METHODS): {24: 8.0, 25: 8.0, **dict.fromkeys((8, 9, 14, 15), 4.0)},
    (Iface.DISPATCH, Deed.OBJECTS): {6: 6.0},
    # add a driver (old, new), a print processor, a monitor: each names a library that is loaded
    (Iface.SPOOLSS, Deed.DRIVERS): dict.fromkeys((9, 14, 46, 89), 8.0),
    (Iface.PRINT_ASYNC, Deed.DRIVERS): {**dict.fromkeys((39, 44, 51, 62), 8.0), 63: 4.0},
    (Iface.WINREG, Deed.SECRETS): {20: 8.0, 31: 8.0},
    # directory servers replicate by this (DRSGetNCChanges), and so do tools that copy all passwords
    (Iface.DRSUAPI, Deed.COPIES): {3: 4.0},
    # clients of old print servers ask for notices of change (65) whenever they open a printer
    (Iface.SPOOLSS, Deed.FORCED): {65: 0.3},
    # challenge, then proof (three forms): a sign-in does both once, a computer that lost its trust tens in
    # an hour, Zerologon hundreds in a minute; whether it was let in is not in the status of a call
    (Iface.NETLOGON, Deed.TRUST): dict.fromkeys((4, 5, 15, 26), 0.05),
    (Iface.EFSRPC, Deed.FORCED): dict.fromkeys(range(21), 8.0),
    (Iface.DFSNM, Deed.FORCED): {12: 8.0, 13: 8.0},
    # backups of large file servers use this one
    (Iface.FSRVP, Deed.FORCED): {8: 4.0, 9: 4.0},
    # a registry is closed to others by default; some programs create a key only to read it
    (Iface.WINREG, Deed.SETTINGS): {22: 8.0, 6: 0.5, 7: 4.0, 8: 4.0, 13: 4.0},
    # a computer that joins the domain creates its account and sets its password: 4 in all
    (Iface.SAMR, Deed.ACCOUNTS): {
        12: 3.0, 50: 3.0, 37: 1.0, 58: 1.0, 35: 3.0, 22: 4.0, 31: 4.0,
    },
    # clear: 0 by pipe, 6 over TCP, where it is another interface
    (Iface.EVENTLOG, Deed.TRACES): {0: 6.0, 6: 6.0},
    # all of the accounts, or who is member of a group; then single ones
    (Iface.SAMR, Deed.QUESTIONS): {
        **dict.fromkeys((11, 13, 15, 25, 33, 40, 48, 51), 3.0),
        **dict.fromkeys((6, 8, 46, 17, 18, 19, 20, 27, 28, 34, 36, 39, 47), 0.5),
    },
    (Iface.LSARPC, Deed.QUESTIONS): {2: 1.0, 11: 2.0, 13: 0.5, 18: 1.0, 35: 2.0},
    # who is logged in where; shares are listed by every file browser
    (Iface.SRVSVC, Deed.QUESTIONS): {12: 2.0, 8: 1.0, 9: 1.0, 15: 0.3},
    (Iface.WKSSVC, Deed.QUESTIONS): {2: 2.0},
    (Iface.SVCCTL, Deed.QUESTIONS): {14: 1.0, 26: 1.0, 42: 1.0},
    (Iface.WINREG, Deed.QUESTIONS): dict.fromkeys((2, 4, 9, 10, 15, 16, 17), 0.5),
    (Iface.DRSUAPI, Deed.QUESTIONS): {16: 1.0},
    # all that a machine offers; who wants one service asks for that one (3)
    (Iface.EPM, Deed.QUESTIONS): {2: 2.0},
}  # fmt: skip

_NOTED: Final = (
    *((Iface.NETLOGON, op) for op in (21, 29, 39, 45)),  # who answers these keeps a directory
    (Iface.WMI, 20),  # what only asks
    (Iface.DRSUAPI, 12),  # whom to ask for
    (Iface.SPOOLSS, 1),  # opens a printer as tools do
    *(
        (Iface.SPOOLSS, op) for op in (17, 69)
    ),  # who prints, and who opens a printer as Windows does
)

_ABOUT: Final[dict[About, tuple[tuple[Iface, range | tuple[int, ...]], ...]]] = {
    # groups and aliases: listed, opened, described, their members
    About.GROUPS: ((Iface.SAMR, (11, 15, 19, 20, 25, 27, 28, 33)),),
    About.REGISTRY: ((Iface.WINREG, range(96)),),
    About.SERVICES: ((Iface.SVCCTL, range(96)),),
    About.SHARES: ((Iface.SRVSVC, (15,)),),
    About.SESSIONS: ((Iface.SRVSVC, (8, 9, 12)), (Iface.WKSSVC, (2,))),
    About.OFFERS: ((Iface.EPM, (2,)),),
    About.SERVERS: ((Iface.DRSUAPI, (16,)),),
}

INTERFACES: Final = 32
OPERATIONS: Final = 96
"""Interfaces and operations from these numbers on have no weight."""
ENUMERATES: Final = 2.0
"""Weight from which on a question asks for many at once."""


def _tabulated() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    deeds = np.full((INTERFACES, OPERATIONS), -1, np.int8)
    weights = np.zeros((INTERFACES, OPERATIONS), np.float32)
    for (iface, deed), operations in _WEIGHTS.items():
        for op, weight in operations.items():
            deeds[iface, op], weights[iface, op] = deed, weight
    for iface, op in _NOTED:
        deeds[iface, op] = -2
    about = np.zeros((INTERFACES, OPERATIONS), np.int8)
    for what, asked in _ABOUT.items():
        for iface, numbers in asked:
            about[iface, numbers] = what
    return deeds, weights, about


DEEDS, WEIGHTS, ABOUT = _tabulated()
"""By interface and operation: its `Deed`, -1 for none, -2 for none that is worth noting; its weight; what it
is `About`, if it asks."""
