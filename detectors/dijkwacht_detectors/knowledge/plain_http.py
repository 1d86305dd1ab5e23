"""What HTTP in the clear says of who speaks it: by name, port, system, and the words it takes.

Weights for kernels. ``nameless`` is how sure it is, in 0-1, that DNS named the address for nobody, ``seen``
whether DNS is seen at all, ``tls`` whether TLS is spoken at the port, ``use`` its `port_use`.
"""

from __future__ import annotations

from typing import Final

from numba import njit

from dijkwacht_detectors.knowledge.ports import CUSTOMARY, FREE
from dijkwacht_detectors.state.naming import njit_lean
from dijkwacht_records.hints import OPTIONS, WINDOW, SynOptions, SynWindow

_OPTIONS: Final = OPTIONS.put((1 << OPTIONS.width) - 1)
_SYSTEM: Final = _OPTIONS | WINDOW.put((1 << WINDOW.width) - 1)
_WINDOWS: Final = OPTIONS.put(SynOptions.TWELVE) | WINDOW.put(SynWindow.LARGE)
_OLD_WINDOWS: Final = OPTIONS.put(SynOptions.EIGHT) | WINDOW.put(SynWindow.LARGE)
_UNIX: Final = (OPTIONS.put(SynOptions.TWENTY), OPTIONS.put(SynOptions.MORE))

_DAY_US: Final = 86_400e6
SHORT: Final = 320.0
"""Bytes with which a program asks at most; what browsers say of themselves takes more."""
_CURT: Final = 108.0
"""Windows' own client for lists of certificates says 99 bytes, a server's name and a path; the
language's client that scripts use without a word about itself 49, a name and a path."""


@njit(cache=True, nogil=True, inline="always")
def as_programs_ask(sent, tls):  # type: ignore[no-untyped-def]
    """How little a request of ``sent`` bytes looks like a browser's, in 0-1.

    A browser has no business with HTTP in the clear at a port of TLS.

    >>> as_programs_ask(270.0, False), as_programs_ask(640.0, False), as_programs_ask(640.0, True)
    (1.0, 0.125, 0.5)
    """
    short = min(1.0, (SHORT / sent) ** 3)
    return max(short, 0.5) if tls else short


@njit(cache=True, nogil=True, inline="always")
def as_scripts_ask(sent):  # type: ignore[no-untyped-def]
    """How sure it is, in 0-1, that whoever asks in ``sent`` bytes does not say which program it is.

    >>> round(as_scripts_ask(80.0), 2), round(as_scripts_ask(122.0), 2)
    (1.0, 0.05)
    """
    return 1.0 / (1.0 + (sent / _CURT) ** 24)


@njit_lean
def of_download(nameless, seen, tls, use):  # type: ignore[no-untyped-def]
    """What it weighs that something is fetched from there, in 0-16."""
    if nameless > 0.0:
        if use == CUSTOMARY:
            return 4.0 * nameless
        return (16.0 if use == FREE or tls else 8.0) * nameless
    if use == FREE or tls:
        return 1.0 if seen else 2.0
    return 0.125 if seen else 0.5


@njit(cache=True, nogil=True, inline="always")
def of_size(heard, half):  # type: ignore[no-untyped-def]
    """What it weighs that ``heard`` bytes came, in 0-1: half at ``half``, less again from some megabytes on.

    Programs have tens of kilobytes, scripts that run in memory few; streams and updates have megabytes.

    >>> of_size(32e3, 32e3) > of_size(8e3, 32e3), round(of_size(16e3, 8e3), 2)
    (True, 0.67)
    """
    return heard / (heard + half) / (1.0 + heard / 8e6)


@njit_lean
def of_words(nameless, seen, tls, use):  # type: ignore[no-untyped-def]
    """What a short question and a short answer weigh, in 0-1."""
    if tls:
        return 0.5 * nameless if nameless > 0.0 else 1.0 if seen else 0.25
    if nameless > 0.0:
        return (0.25 if use == FREE else 0.125) * nameless
    return 0.0 if seen else 0.0625


@njit_lean
def of_system(first, fetched):  # type: ignore[no-untyped-def]
    """What is left of it, in 0-1, where the hints ``first`` show a server, a telephone or a thing, not Windows."""
    if first & _SYSTEM in (_WINDOWS, _OLD_WINDOWS):
        return 1.0
    if not fetched:
        return 0.125
    return 0.5 if first & _OPTIONS in _UNIX else 0.25


@njit_lean
def of_acquaintance(time, dest_first, orig_first):  # type: ignore[no-untyped-def]
    """What is left, in 0-2, for how long the site has known the server and the machine, both since µs."""
    days = max(time - dest_first, 0.0) / _DAY_US
    known = min(max(time - orig_first, 0.0) / _DAY_US / 7.0, 1.0)
    return (1.0 + known / (1.0 + days * days)) / (1.0 + 0.5 * days)


@njit_lean
def of_company(machines, nameless, strangers):  # type: ignore[no-untyped-def]
    """What is left, in 0-1, for how many machines go there, and how much that is nameless this one calls."""
    odd = 1.0 / min(max(float(machines), 1.0), 64.0)
    return odd / (1.0 + max(nameless - 1.0, 0.0) / 4.0) / (1.0 + max(strangers, 0.0) / 16.0)
