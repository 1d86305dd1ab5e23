"""Two halves of the labelled captures: one to look at while a detector is built, one to measure it on.

An attack file belongs to the half of its author, the part of its name before ``__``, so that one
author's habits do not teach what the other half then confirms. One author's files are all DNS
tunnels; they are dealt out in turn, in the order of their names. A benign file's half is decided by a
checksum of its name, as in calibration. Files of other classes (robust, tables of metrics) are in both.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final, Literal

from dijkwacht_lab.labels import ACCEPTED, Labelled

Half = Literal["A", "B"]
AUTHORS_OF_A: Final = frozenset({"elcabezzonn", "jstrosch", "exploitpcap", "slips"})
DEALT_OUT: Final = "domainator"


def half_of_benign(file: str) -> Half:
    """By a checksum of the file's name with its folder's: ``A`` is what calibration learns from."""
    return "AB"[zlib.crc32(file.encode()) % 2]  # type: ignore[return-value]  # one of the two


def choose_half(listed: Iterable[Labelled], half: Half) -> list[Labelled]:
    """Those of one half, in their order; ``listed`` is all there are, for what is dealt out in turn."""
    listed = list(listed)
    dealt = sorted({_name(item) for item in listed if _author(item) == DEALT_OUT})
    return [item for item in listed if _half(item, dealt) in (half, None)]


def _half(item: Labelled, dealt: list[str]) -> Half | None:
    if item.class_ == "benign":
        return half_of_benign(f"{item.path.parent.name}/{item.path.name}")
    if item.class_ not in ACCEPTED or "hostmetric" in item.kind:
        return None
    if _author(item) == DEALT_OUT:
        return "A" if dealt.index(_name(item)) % 2 == 0 else "B"
    return "A" if _author(item) in AUTHORS_OF_A else "B"


def _name(item: Labelled) -> str:
    return item.path.name


def _author(item: Labelled) -> str:
    return _name(item).partition("__")[0]
