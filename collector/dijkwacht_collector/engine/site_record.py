"""A site as a record: all that an engine knows of it, so that it can be saved, and go on elsewhere.

What a person has chosen and what is open (`Control`) survives every upgrade. What detectors remember
is theirs: a part whose signature differs is left behind, and that detector alone starts anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.engine.fusion import FusionPart
from dijkwacht_collector.incidents import SiteIncidents
from dijkwacht_collector.policy import SiteLines
from dijkwacht_detectors.api import Text

_TEXT: Final = "text"


class Column(msgspec.Struct, frozen=True, array_like=True):
    """An array, or a column of texts (``kind`` is ``text``, ``data`` their lengths, ``blob`` the rest)."""

    kind: str
    shape: tuple[int, ...]
    data: bytes
    blob: bytes = b""


class EntityPart(msgspec.Struct, frozen=True, array_like=True):
    """Entities of one table in the order of the site's ring: uint64 keys, int64 last times."""

    keys: bytes
    seen: bytes


class DetectorPart(msgspec.Struct, frozen=True, array_like=True):
    """One detector's memory of the site: fields by slot, its own object, rows that wait, by agent."""

    signature: str
    fields: dict[str, Column]
    own: bytes
    waiting: dict[str, dict[str, Column]]
    lines: SiteLines
    strikes: int = 0


class ContextPart(msgspec.Struct, frozen=True, array_like=True):
    """One context's memory of the site: its entities, and fields by slot."""

    signature: str
    entities: EntityPart
    fields: dict[str, Column]


class Control(msgspec.Struct, frozen=True, array_like=True):
    """Event time of each agent (µs UTC), the budget chosen, incidents and exemptions."""

    clocks: list[tuple[str, int]]
    per_week: float | None
    incidents: SiteIncidents


class Owner(NamedTuple):
    """Who saves: its epoch, the store of incidents that takes its events, and the mark noted there."""

    epoch: int = 0
    store_id: str = ""
    store_mark: int = 0


class PartitionState(msgspec.Struct, frozen=True, array_like=True):
    """What belongs to all sites of a partition. The journal is needed behind ``position``.

    ``store_id`` names the store of incidents that took the events so far, ``store_mark`` is what was
    noted in it when the checkpoint was made; ``epoch`` is the owner's.
    ``release`` names the bundle in force, ``given`` those that each detector took: by its name, and by
    that of a table, or "" for a model.
    """

    partition: int
    position: int
    epoch: int
    store_id: str
    release: str
    given: dict[str, dict[str, str]]
    store_mark: int = 0


_KINDS: Final = dict[np.dtype[Any], str]()
"""Numpy's names of dtypes, which it makes anew each time; a site has some 450 columns."""


class SiteRecord(msgspec.Struct, frozen=True, array_like=True):
    """One site at the journal position ``position``, and ``rows`` of its next batch further, see `Fold`."""

    name: str
    position: int
    control: Control
    entities: dict[str, EntityPart]
    detectors: dict[str, DetectorPart]
    contexts: dict[str, ContextPart] = {}
    rows: int = 0
    fusion: FusionPart | None = None


def pack(values: Any) -> Column:
    """An array or a `Text` as a `Column`."""
    if isinstance(values, Text):
        lengths = np.diff(values.offsets)
        return Column(_TEXT, (len(lengths),), lengths.tobytes(), values.blob.tobytes())
    kind = _KINDS.get(values.dtype) or _KINDS.setdefault(values.dtype, values.dtype.str)
    return Column(kind, values.shape, values.tobytes())  # in C's order, however it lies


def unpack(column: Column) -> Any:
    """What `pack` was given; arrays may be written to."""
    if column.kind == _TEXT:
        offsets = np.zeros(column.shape[0] + 1, np.int64)
        np.cumsum(np.frombuffer(column.data, np.int64), out=offsets[1:])
        return Text(offsets, np.frombuffer(column.blob, np.uint8))
    return np.frombuffer(column.data, np.dtype(column.kind)).reshape(column.shape).copy()


def pack_all(columns: Mapping[str, Any]) -> dict[str, Column]:
    """Each column packed."""
    return {name: pack(values) for name, values in columns.items()}


def unpack_all(columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    """Each column unpacked."""
    return {name: unpack(column) for name, column in columns.items()}
