"""Compile every kernel before anybody waits for one: a scratch engine folds a row of each table."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Final

from dijkwacht_collector.engine.engine import Engine
from dijkwacht_collector.journal import Entry
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import TABLES, Column, Value
from dijkwacht_records.wire import encode

_SAMPLE: Final[dict[str, Value]] = {
    "int": 1,
    "float": 1.0,
    "addr": pack_address("192.0.2.1"),
    "text": "warm.example",
}
_MINUTE_US: Final = 60_000_000


def warm_up(detectors: Sequence[AnyDetector]) -> None:
    """Compile what ``detectors`` and the engine need; half a minute the first time, then cached."""
    engine = Engine(deepcopy(list(detectors)))
    for position in range(2):
        time = (position + 1) * _MINUTE_US
        rows = [
            (number, (time, *(_value(column) for column in table.columns[1:])))
            for number, table in enumerate(TABLES)
        ]
        payload = encode("warm", "up", bytes(16), position, time, rows)
        engine.step([Entry(position, "batch", 0, time, "warm", payload)])
    engine.finish()


def _value(column: Column) -> Value:
    return _SAMPLE[column.kind]
