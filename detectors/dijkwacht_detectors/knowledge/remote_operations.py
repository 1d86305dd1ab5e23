"""What one machine may ask of another by remote procedure call, and how seldom an innocent one does.

A weight of 8 is an operation by which a machine runs what another chose: outside of habit an office sees
that about once a year. Half of a weight is about twice as usual; what members of a domain, file servers
and printers do all day has none. Numbers of operations are Microsoft's ([MS-SCMR], [MS-TSCH], [MS-WMI],
[MS-OAUT], [MS-RPRN], [MS-RRP], [MS-EFSR], [MS-DFSNM], [MS-FSRVP], [MS-SAMR], [MS-LSAD], [MS-SRVS], [MS-WKST]).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from dijkwacht_detectors.knowledge.remote_deeds import Deed
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
    (Iface.DISPATCH, Deed.METHODS): {6: 6.0},
    (Iface.SPOOLSS, Deed.DRIVERS): {89: 8.0},
    (Iface.WINREG, Deed.SECRETS): {20: 8.0, 31: 8.0},
    # directory servers replicate by this (DRSGetNCChanges), and so do tools that copy all passwords
    (Iface.DRSUAPI, Deed.SECRETS): {3: 4.0},
    # clients of old print servers ask for notices of change (65) whenever they open a printer
    (Iface.SPOOLSS, Deed.FORCED): {65: 0.3},
    # a sign-in does both once, a computer that lost its trust tens in an hour, Zerologon hundreds in a
    # minute; whether it was let in is not in the status of a call
    (Iface.NETLOGON, Deed.FORCED): {4: 0.05, 26: 0.05},
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
    (Iface.EPM, Deed.QUESTIONS): {2: 0.5},
}  # fmt: skip

_NOTED: Final = (
    *((Iface.NETLOGON, op) for op in (21, 29, 39, 45)),  # who answers these keeps a directory
    (Iface.WMI, 20),  # what only asks
    (Iface.DRSUAPI, 12),  # whom to ask for
)

INTERFACES: Final = 32
OPERATIONS: Final = 96
"""Interfaces and operations from these numbers on have no weight."""
ENUMERATES: Final = 2.0
"""Weight from which on a question asks for many at once."""


def _tabulated() -> tuple[np.ndarray, np.ndarray]:
    deeds = np.full((INTERFACES, OPERATIONS), -1, np.int8)
    weights = np.zeros((INTERFACES, OPERATIONS), np.float32)
    for (iface, deed), operations in _WEIGHTS.items():
        for op, weight in operations.items():
            deeds[iface, op], weights[iface, op] = deed, weight
    for iface, op in _NOTED:
        deeds[iface, op] = -2
    return deeds, weights


DEEDS, WEIGHTS = _tabulated()
"""By interface and operation: its `Deed`, -1 for none, -2 for none that is worth noting, and its weight."""
