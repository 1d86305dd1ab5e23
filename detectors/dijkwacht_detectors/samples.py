"""Made-up rows for the conformance suite: of all kinds, and with the most extreme values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dijkwacht_records.tables import TABLE

_METRICS = (
    "cpu_ratio", "cpu_iowait_ratio", "cpu_temperature_celsius", "memory_used_ratio", "net_in_bytes",
    "disk_write_bytes", "load_ratio", "something_else",
)  # fmt: skip
_EXTREME = (0, -1, 1, 2**62, -(2**62), 2**31, 255, 65535)


def _text(column: str, rng: np.random.Generator) -> str:
    if column == "metric":
        return _METRICS[int(rng.integers(len(_METRICS)))]
    return f"n{int(rng.integers(40))}x{int(rng.integers(4))}.example.org"


def sample_rows(tables: Sequence[str], count: int, seed: int) -> list[dict[str, Any]]:
    """Rows of two sites with all kinds of values, of ``tables`` at random; the same for the same seed.

    Of several tables, ``table`` in a row says which it is of.
    """
    rng = np.random.default_rng(seed)
    rows = []
    now = 1_700_000_000_000_000
    for _ in range(count):
        now += int(rng.exponential(300_000))
        row: dict[str, Any] = {"time": now, "site": int(rng.integers(2))}
        table = tables[0]
        if len(tables) > 1:
            table = row["table"] = tables[int(rng.integers(len(tables)))]
        for column in TABLE[table].columns[1:]:
            if column.kind == "addr":
                row[column.name] = int(rng.integers(1, 9))
            elif column.kind == "text":
                row[column.name] = _text(column.name, rng)
            elif column.kind == "float":
                row[column.name] = float(rng.exponential(5.0))
            else:
                row[column.name] = int(rng.integers(0, (2, 3, 7, 60, 2000)[int(rng.integers(5))]))
        if table == "flows":
            row.update(part=int(rng.random() < 0.2), proto=int(rng.choice([6, 6, 17, 1])),
                       start=now - int(rng.integers(2_000_000)))  # fmt: skip
        rows.append(row)
    return rows


def strange_rows(tables: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of ``tables`` in turn, a second apart, with the least, the largest and odd values."""
    rows = []
    for n, value in enumerate(_EXTREME * 4):
        for table in tables:
            row: dict[str, Any] = {"time": 1_000_000 * n, "table": table}
            for column in TABLE[table].columns[1:]:
                if column.kind == "addr":
                    row[column.name] = bytes([n] * 16)
                elif column.kind == "text":
                    row[column.name] = ("", ".", "…\x00", "a." * 500)[n % 4]
                elif column.kind == "float":
                    row[column.name] = (float("nan"), float("inf"), -1e308, 1e308)[n % 4]
                else:
                    row[column.name] = value
            rows.append(row)
    return rows
