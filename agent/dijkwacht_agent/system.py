"""How the agent's own machine is doing, as rows of the system table.

Ratios are 0 … 1 of the whole machine (``load_ratio`` may pass 1); ``_bytes`` are what moved since the
sample before; ``_total`` are counts at the moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil

from dijkwacht_records.columns import Columns
from dijkwacht_records.tables import TABLE, TABLES

_SYSTEM: Final = TABLES.index(TABLE["system"])


class SystemSampler:
    """Samples by ``source``, which answers like psutil. The first sample holds no changes yet."""

    def __init__(self, source: Any = psutil, files: Path = Path("/proc/sys/fs/file-nr")) -> None:
        self._source, self._files = source, files
        self._before: dict[str, float] = {}

    def sample(self, now: int) -> Columns:
        """Rows of the system table, one a metric, all at ``now`` (µs UTC)."""
        metrics = [*self._states(), *self._changes()]
        return Columns.of((_SYSTEM, (now, metric, float(value))) for metric, value in metrics)

    def _states(self) -> Iterator[tuple[str, float]]:
        source = self._source
        yield "memory_used_ratio", source.virtual_memory().percent / 100
        yield "swap_used_ratio", source.swap_memory().percent / 100
        yield "disk_used_ratio", source.disk_usage("/").percent / 100
        yield "load_ratio", source.getloadavg()[0] / (source.cpu_count() or 1)
        yield "processes_total", len(source.pids())
        if self._files.exists():
            yield "file_handles_total", int(self._files.read_text().split()[0])

    def _changes(self) -> Iterator[tuple[str, float]]:
        times = self._source.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # guest time is part of user time already
        whole = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        spent, all_of_it = self._change("idle", idle), self._change("whole", whole)
        if spent is not None and all_of_it:
            yield "cpu_ratio", min(1.0, max(0.0, 1 - spent / all_of_it))
        disk = self._source.disk_io_counters()  # None on a machine without disks
        if disk is not None:
            yield from self._counted("disk_read_bytes", disk.read_bytes)
            yield from self._counted("disk_write_bytes", disk.write_bytes)
        cards = self._source.net_io_counters(pernic=True)
        real = [card for name, card in cards.items() if name != "lo"]
        yield from self._counted("net_in_bytes", sum(card.bytes_recv for card in real))
        yield from self._counted("net_out_bytes", sum(card.bytes_sent for card in real))

    def _counted(self, metric: str, count: float) -> Iterator[tuple[str, float]]:
        change = self._change(metric, count)
        if change is not None:
            yield metric, change

    def _change(self, name: str, count: float) -> float | None:
        """Since the sample before; ``None`` at first, or when the counter began anew."""
        before, self._before[name] = self._before.get(name), count
        return None if before is None or count < before else count - before
