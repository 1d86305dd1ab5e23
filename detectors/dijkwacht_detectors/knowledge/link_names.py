"""Names that are asked of everybody on the link: by mDNS (RFC 6762), LLMNR (RFC 4795) and NetBIOS (RFC 1002)."""

from __future__ import annotations

from typing import Final

import numpy as np

from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean

_NETBIOS, _MDNS, _LLMNR = 137, 5353, 5355
_A, _AAAA, _NB, _ANY = 1, 28, 32, 255
_DOT: Final = 46


@njit_lean
def is_for_all(port, qtype):  # type: ignore[no-untyped-def]
    """Whether a row of ``dns`` is of such a protocol, and about a machine's address.

    >>> is_for_all(5355, 1), is_for_all(5353, 12), is_for_all(53, 1), is_for_all(137, 33)
    (True, False, False, False)
    """
    return port in (_NETBIOS, _MDNS, _LLMNR) and qtype in (_A, _AAAA, _NB, _ANY)


@njit_lean
def label_of(blob, begin, end):  # type: ignore[no-untyped-def]
    """The first label of the name at ``blob[begin:end]`` as a uint64, 0 if it has none.

    So that a machine has one name, however the three protocols spell it.

    >>> names = np.frombuffer(b"nas.localnas", np.uint8)
    >>> bool(label_of(names, 0, 9) == label_of(names, 9, 12)), int(label_of(names, 3, 9))
    (True, 0)
    """
    key = np.uint64(0)
    for k in range(begin, end):
        if blob[k] == _DOT:
            break
        key = mix(key, np.uint64(blob[k]))
    return key


@njit_lean
def seeks_proxy(blob, begin, end):  # type: ignore[no-untyped-def]
    """Whether the name is ``wpad``, by which programs look for the settings of a web proxy.

    >>> names = np.frombuffer(b"wpad.localwpads", np.uint8)
    >>> seeks_proxy(names, 0, 10), seeks_proxy(names, 0, 4), seeks_proxy(names, 10, 15)
    (True, True, False)
    """
    if end - begin < 4 or (end - begin > 4 and blob[begin + 4] != _DOT):
        return False
    w, p, a, d = blob[begin], blob[begin + 1], blob[begin + 2], blob[begin + 3]
    return w == 119 and p == 112 and a == 97 and d == 100
