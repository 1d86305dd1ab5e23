"""What a detector declares must fit the tables: checked at load, before it scores a row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from dijkwacht_detectors.api import ENTITY_COLUMNS, AnyDetector, RowDetector
from dijkwacht_records.tables import TABLE

WINDOW_STEP_S: Final = 10
"""Windows are cut at multiples of this much event time."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_REQUIRED: Final = ("name", "table", "reads", "entity", "kind", "technique")


def faults(detector: AnyDetector) -> Iterator[str]:
    """What is wrong with the declaration of ``detector``, one plain line each; none if it is right."""
    missing = [name for name in _REQUIRED if not hasattr(detector, name)]
    if missing:
        yield f"declares no {missing[0]}"
        return
    if not _NAME.fullmatch(detector.name):
        yield f"name {detector.name!r}: expected small letters, digits and _"
    if detector.table not in TABLE:
        yield f"table {detector.table!r}: expected one of {', '.join(TABLE)}"
        return
    kinds = {column.name: column.kind for column in TABLE[detector.table].columns}
    for name in detector.reads:
        if name not in kinds:
            yield f"reads {name!r}, no column of table {detector.table}"
    entities = ("site", *ENTITY_COLUMNS[detector.table])
    if detector.entity not in entities:
        yield f"entity {detector.entity!r}: expected one of {', '.join(entities)}"
    yield from _faults_of_who(detector, kinds)
    if not 0 <= detector.share <= 1:
        yield f"share {detector.share!r}: expected 0 to 1"
    if not isinstance(detector, RowDetector) and (
        detector.window_s <= 0 or detector.window_s % WINDOW_STEP_S
    ):
        yield f"window_s {detector.window_s!r}: expected a multiple of {WINDOW_STEP_S}"


def _faults_of_who(detector: AnyDetector, kinds: Mapping[str, str]) -> Iterator[str]:
    who = detector.who
    for named, kind in (
        (who.src, "addr"), (who.dst, "addr"), (who.port, "int"), (who.mac, "int"), (who.name, "text"),
    ):  # fmt: skip
        if named and kinds.get(named) != kind:
            yield (
                f"who names {named!r}, no {kind} column of table {detector.table}: "
                "declare who = Who(...), with '' for what there is not"
            )
    needed = {"src": who.src, "dst": who.dst, "mac": who.mac, "agent": "agent"}
    if not needed.get(detector.subject):
        yield f"subject {detector.subject!r}: who names no such column"
