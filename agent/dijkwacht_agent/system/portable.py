"""The few metrics that psutil can tell of any machine, for those without ``/proc``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psutil

from dijkwacht_agent.system.changes import Changes


class PortableMachine:
    """Reads by ``source``, which answers like psutil."""

    def __init__(self, source: Any = psutil) -> None:
        self._source, self._changes = source, Changes()

    def close(self) -> None:
        """Nothing is kept open."""

    def often(self) -> Iterator[tuple[str, float]]:
        """What each sample holds."""
        times = self._source.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # guest time is part of user time already
        whole = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        spent, all_of_it = self._changes.since("idle", idle), self._changes.since("whole", whole)
        if spent is not None and all_of_it:
            yield "cpu_ratio", min(1.0, max(0.0, 1 - spent / all_of_it))

    def seldom(self) -> Iterator[tuple[str, float]]:
        """What is enough to know once a heartbeat."""
        source = self._source
        yield "memory_used_ratio", source.virtual_memory().percent / 100
        yield "swap_used_ratio", source.swap_memory().percent / 100
        yield "disk_used_ratio", source.disk_usage("/").percent / 100
        yield "load_ratio", source.getloadavg()[0] / (source.cpu_count() or 1)
        yield "processes_total", len(source.pids())
        disk = source.disk_io_counters()  # None on a machine without disks
        cards = source.net_io_counters(pernic=True)
        real = [card for name, card in cards.items() if name != "lo"]
        for metric, count in (
            ("disk_read_bytes", disk and disk.read_bytes),
            ("disk_write_bytes", disk and disk.write_bytes),
            ("net_in_bytes", sum(card.bytes_recv for card in real)),
            ("net_out_bytes", sum(card.bytes_sent for card in real)),
        ):
            change = self._changes.since(metric, count)
            if change is not None:
                yield metric, change
