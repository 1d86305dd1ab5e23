"""Rows of a scenario, from its ``rows.jsonl``: one pattern a line, many rows each.

    {"table": "flows", "at": 60, "every": 0.5, "count": 40, "row": {...}, "step": {"resp_p": 1}}

``row`` holds values by column; what is missing has its column's default, and for flows also `_FLOW`.
Addresses and hardware addresses are written as people write them, numbers of closed lists by name, hints
as ``{"window": "SCANNER"}``, and a text may hold ``{n}``
(the repetition) or ``{hex}`` (64 digits that look random and are not). ``step`` is added with every
repetition, ``among`` is a list to take from in turn, ``jitter`` a share of ``every`` by which
a repetition comes late.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dijkwacht_records.addresses import pack_address
from dijkwacht_records.closed_lists import LISTS
from dijkwacht_records.hints import FIELDS
from dijkwacht_records.table import Column
from dijkwacht_records.tables import DEFAULTS, HARDWARE_ADDRESSES, TABLE, TABLES, Row

BEGIN_US = 1_773_651_600_000_000
"""All scenarios begin on a Monday at 09:00 UTC."""
_FLOW = {"state": "END", "proto": 6, "conn_state": "SF", "orig_p": 40_000, "orig_pkts": 1}
_DNS = {"resp_p": 53, "qtype": 1, "question": 1, "rcode": 255}


def read_rows(path: Path) -> list[tuple[int, Row]]:
    """All rows of a file, by time."""
    rows: list[tuple[int, Row]] = []
    for line in path.read_text().splitlines():
        if line.strip():
            rows += _expand(json.loads(line))
    return sorted(rows, key=lambda numbered: int(numbered[1][0]))


def _expand(pattern: dict[str, Any]) -> Iterator[tuple[int, Row]]:
    table = TABLE[pattern["table"]]
    number = TABLES.index(table)
    base = {"flows": _FLOW, "dns": _DNS}.get(table.name, {}) | pattern["row"]
    label = json.dumps(pattern, sort_keys=True)
    every = float(pattern.get("every", 1.0))
    for n in range(pattern.get("count", 1)):
        digits = hashlib.blake2b(f"{label} {n}".encode(), digest_size=32).hexdigest()
        late = pattern.get("jitter", 0.0) * every * int(digits[:6], 16) / 0xFFFFFF
        time = BEGIN_US + round((pattern.get("at", 0.0) + n * every + late) * 1e6)
        values = dict(base)
        for column, choices in pattern.get("among", {}).items():
            values[column] = choices[n % len(choices)]
        for column, step in pattern.get("step", {}).items():
            values[column] = _moved(column, values.get(column, 0), n * step)
        lasts = round(float(values.pop("lasts", 0.0)) * 1e6)
        values |= {"time": time, "start": time - lasts}
        if table.name == "flows":
            values.setdefault("flow_id", int(digits[:12], 16))
        columns = zip(table.columns, DEFAULTS[number], strict=True)
        row = (_value(c, values.get(c.name, default), n, digits) for c, default in columns)
        yield number, tuple(row)


def _moved(column: str, value: Any, step: int) -> Any:
    if isinstance(value, str) and column not in HARDWARE_ADDRESSES:
        return (int.from_bytes(pack_address(value), "big") + step).to_bytes(16, "big")
    return (_mac(value) if isinstance(value, str) else value) + step


def _mac(text: str) -> int:
    return int(text.replace(":", ""), 16)


def _value(column: Column, value: Any, n: int, digits: str) -> Any:
    if column.kind == "addr":
        return value if isinstance(value, bytes) else pack_address(value) if value else bytes(16)
    if column.kind == "text":
        return str(value).replace("{n}", str(n)).replace("{hex}", digits)
    if isinstance(value, dict):
        return sum(
            FIELDS[name][0].put(_member(*FIELDS[name], word)) for name, word in value.items()
        )
    if isinstance(value, str):
        return _mac(value) if column.name in HARDWARE_ADDRESSES else int(LISTS[column.unit][value])
    return value


def _member(_: object, values: Any, word: Any) -> int:
    return int(values[word] if isinstance(word, str) else word)
