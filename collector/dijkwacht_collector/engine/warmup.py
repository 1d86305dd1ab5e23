"""Compile every kernel before anybody waits for one: a scratch engine folds made-up rows."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Final

from dijkwacht_collector.engine.engine import Engine
from dijkwacht_collector.engine.findings import is_inside
from dijkwacht_collector.journal import Entry
from dijkwacht_collector.unpacking import decode
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.table import Column
from dijkwacht_records.tables import TABLES, Value
from dijkwacht_records.wire import encode

_MINUTE_US: Final = 60_000_000
_MINUTES: Final = 6
_ROWS: Final = 150
"""Of each table a minute: enough that tables of entities grow and windows are compacted."""


def warm_up(detectors: Sequence[AnyDetector]) -> None:
    """Compile what ``detectors`` and the engine need; a minute or two the first time, then cached."""
    engine = Engine(deepcopy(list(detectors)))
    engine.reads = CONTRACTS
    for minute in range(1, _MINUTES + 1):
        time = minute * _MINUTE_US
        rows = [
            (number, (time, *(_value(column, minute * _ROWS + n) for column in table.columns[1:])))
            for n in range(_ROWS)
            for number, table in enumerate(TABLES)
        ]
        # The latest version has every table and column there is, read from agents yet or not.
        payload = encode("warm", "up", bytes(16), minute, time, rows, max(CONTRACTS))
        decode(payload, CONTRACTS)
        engine.step([Entry(minute, "batch", 0, time, "warm", payload)])
    Engine(deepcopy(list(detectors))).put(engine.take("warm"))
    engine.finish()
    is_inside(pack_address("192.0.2.1"))  # asked only when there is something to tell


def _value(column: Column, n: int) -> Value:
    match column.kind:
        case "addr":
            return pack_address(f"192.0.{n // 256}.{n % 256}")
        case "text":
            return f"n{n}.warm.example"
        case "float":
            return 1.0
        case _:
            return 1
