"""A device of a kind that the site has not had: by its card's maker and by how it asks for an address, never by itself.

Reads what clients ask of DHCP. A kind is known by two things that no device has for itself alone: the maker's part of
its hardware address, which stays when the rest is hashed, and the list of options that its system asks for. After a
site's first week, a device with a maker or a list that is new there is told once: it is context and calls nobody.
Those that draw their address by chance, as phones do, have no maker and are never told; their list is known from then
on. A kind that was not seen for 90 days is new again. The score is log₂ of one more than what is new: the maker, the list, or both.

Innocents: a laptop that was bought, a printer, a guest's computer: each is true, and told once, not each time it comes.
A maker has many parts of addresses, so another laptop of the same make may be told too.

Limits: devices with a fixed address, those that ask before the agent is there and never again, and an intruder's machine
that copies an address of a maker that is known. A site remembers 128 makers and 128 lists; while all of these were met
within the week, nothing more is told. A site takes 4 kB.

>>> from dijkwacht_detectors.checks import score_rows
>>> day = 86_400_000_000
>>> asks = {"msg_type": 1, "options_hash": 4711, "client_mac": 0x001B21000001}
>>> other = {"msg_type": 1, "options_hash": 4711, "client_mac": 0xB827EB000001}
>>> rows = [asks | {"time": day}, other | {"time": 9 * day}, other | {"time": 10 * day}]
>>> score_rows(NewDevice(), rows).tolist()
[nan, 1.0, nan]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_records.addresses import HASHED_MAC

_KINDS: Final = 128
_DAY_US: Final = 86_400_000_000
_WEEK_US: Final = 7 * _DAY_US
_FORGOTTEN_US: Final = 90 * _DAY_US
_FROM_CLIENT: Final = (1, 3, 8)
"""Discover, request, inform."""
_HASHED: Final = int(HASHED_MAC)
_MAKER, _LIST = range(2)
_KNOWN, _IS_NEW, _NO_ROOM = range(3)


class NewDevice(RowDetector):
    """Devices of a kind new to the site, each kind once, as context."""

    name = "new_device"
    table = "dhcp"
    reads = ("client_mac", "msg_type", "client_h", "server_h", "host_name", "options_hash")
    entity = "site"
    kind = "new-device"
    technique = "T1200"
    facts = ("new_maker", "new_options", "site_days")
    who = Who(src="client_h", mac="client_mac", dst="server_h", port="", name="host_name")
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "mac"
    interrupts = False
    entities_per_site = 1
    forget_after_s = 90 * 86_400
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "since": ("i8", ()),
        "kinds": ("i8", (2, _KINDS)),
        "met": ("i8", (2, _KINDS)),
    }

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score the first message of a device whose kind is new."""
        _fold(_columns(rows), _memory(state), scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say what is new about it."""
        if facts["new_maker"] > 0.0 and facts["new_options"] > 0.0:
            en, nl = "make nor system", "merk noch systeem"
            title_en = f"A new kind of device came onto your network: neither its {en} was seen here before."
            title_nl = (
                f"Er kwam een nieuw soort apparaat op uw netwerk: {nl} was hier eerder gezien."
            )
        elif facts["new_maker"] > 0.0:
            title_en = "A device whose network card is of a make not seen here before came onto your network."
            title_nl = "Er kwam een apparaat op uw netwerk met een netwerkkaart van een merk dat hier nog niet gezien was."
        else:
            title_en = "A device with a kind of system not seen here before came onto your network."
            title_nl = "Er kwam een apparaat op uw netwerk met een soort systeem dat hier nog niet gezien was."
        return Explanation(
            title_en,
            title_nl,
            "Its hardware address is {mac}. Nearly always somebody has bought or brought something; it may also be a small "
            "computer that was plugged in to look around. Ask who knows it; if nobody does, find it and unplug it.",
            "Het hardwareadres is {mac}. Bijna altijd heeft iemand iets gekocht of meegebracht; het kan ook een kleine computer "
            "zijn die iemand heeft aangesloten om rond te kijken. Vraag wie het kent; kent niemand het, zoek het op en trek de stekker eruit.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    client_mac: NDArray[np.int64]
    msg_type: NDArray[np.int64]
    options_hash: NDArray[np.int64]


class _State(NamedTuple):
    since: NDArray[np.int64]
    kinds: NDArray[np.int64]
    met: NDArray[np.int64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _maker(mac):  # type: ignore[no-untyped-def]
    """The maker's part of a hardware address, hashed or not; 0 if it was drawn by chance or is a group's."""
    maker = (mac >> 32) & 0xFFFFFF if mac & _HASHED else (mac >> 24) & 0xFFFFFF
    return 0 if maker & 0x030000 else maker


@njit_lean
def _meet(state, e, column, kind, t):  # type: ignore[no-untyped-def]
    """Take ``kind``, not 0, into the memory of site ``e``: whether it was there, is new, or finds no room."""
    oldest = 0
    for k in range(_KINDS):
        if state.kinds[e, column, k] == kind:
            is_old = float(t) - float(state.met[e, column, k]) >= _FORGOTTEN_US
            state.met[e, column, k] = max(state.met[e, column, k], t)
            return _IS_NEW if is_old else _KNOWN
        if state.kinds[e, column, k] == 0:
            oldest = k
            break
        if state.met[e, column, k] < state.met[e, column, oldest]:
            oldest = k
    if (
        state.kinds[e, column, oldest] != 0
        and float(t) - float(state.met[e, column, oldest]) < _WEEK_US
    ):
        return _NO_ROOM
    state.kinds[e, column, oldest] = kind
    state.met[e, column, oldest] = t
    return _IS_NEW


@njit_lean
def _fold(columns, memory, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.since[e] = t
            for k in range(_KINDS):
                state.kinds[e, _MAKER, k] = state.kinds[e, _LIST, k] = 0
        if rows.msg_type[i] not in _FROM_CLIENT:
            continue
        maker, options = _maker(rows.client_mac[i]), rows.options_hash[i]
        new_maker = maker != 0 and _meet(state, e, _MAKER, maker, t) == _IS_NEW
        new_list = options != 0 and _meet(state, e, _LIST, options, t) == _IS_NEW
        known = float(t) - float(state.since[e])
        if maker == 0 or not (new_maker or new_list) or known < _WEEK_US:
            continue
        facts[i, 0], facts[i, 1] = 1.0 if new_maker else 0.0, 1.0 if new_list else 0.0
        facts[i, 2] = known / _DAY_US
        scores[i] = math.log2(1.0 + facts[i, 0] + facts[i, 1])
