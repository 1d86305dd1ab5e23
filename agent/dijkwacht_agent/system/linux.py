"""A Linux machine, as ``/proc`` and the kernel tell: files kept open, sockets counted by the kernel.

Each part may be missing (containers, hidden processes, old kernels): its metrics are then absent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from dijkwacht_agent.system import proc_texts
from dijkwacht_agent.system.busiest_process import BusiestProcess
from dijkwacht_agent.system.changes import Changes
from dijkwacht_agent.system.kept_files import KeptFile
from dijkwacht_agent.system.tcp_sockets import (
    CLOSE_WAIT,
    CLOSING,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    Counted,
    TcpSockets,
)
from dijkwacht_agent.system.temperature import CpuTemperature

MOST_SYN_RECV: Final = 512
MOST_SOCKETS: Final = 2_048
ALLOWED_S: Final = 0.001
"""Processor time that counting sockets may take; with so many times more, so many samples go without."""
MOST_RESTS: Final = 60
_STAT: Final = {"ctxt": "context_switches", "processes": "started_processes"}
_PACKETS: Final = {name: name for name in ("net_in_packets", "net_out_packets")}
_CARDS: Final = {
    name: name
    for name in (
        "net_in_bytes",
        "net_out_bytes",
        "net_in_error_packets",
        "net_out_error_packets",
        "net_in_dropped_packets",
        "net_out_dropped_packets",
    )
}
_DISKS: Final = {name: name for name in ("disk_read_bytes", "disk_write_bytes")}
_FAULTS: Final = {"pgfault": "page_faults", "pgmajfault": "major_page_faults"}
_TCP: Final = {
    "ActiveOpens": "tcp_active_opens",
    "PassiveOpens": "tcp_passive_opens",
    "AttemptFails": "tcp_failed_opens",
    "OutRsts": "tcp_sent_resets",
    "RetransSegs": "tcp_retransmitted_segments",
}
_MEMORY: Final = (b"MemTotal", b"MemAvailable", b"Dirty", b"SwapTotal", b"SwapFree")
_FAULT_NAMES: Final = (b"pgfault", b"pgmajfault")
Read = tuple[str, float]


class LinuxMachine:
    """Reads below ``proc`` and ``sys``; ``sockets`` counts those of TCP, ``spent`` this thread's seconds."""

    def __init__(
        self,
        proc: Path = Path("/proc"),
        sys: Path = Path("/sys"),
        sockets: TcpSockets | None = None,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self._kept: list[KeptFile] = []

        def kept(name: str) -> KeptFile:
            self._kept.append(KeptFile(proc / name))
            return self._kept[-1]

        self._stat, self._memory, self._faults = kept("stat"), kept("meminfo"), kept("vmstat")
        self._disks, self._handles = kept("diskstats"), kept("sys/fs/file-nr")
        self._cards, self._snmp = kept("net/dev"), kept("net/snmp")
        self._netstat, self._sockstat = kept("net/netstat"), kept("net/sockstat")
        self._blocks = sys / "block"
        self._temperature = CpuTemperature(sys)
        self._sockets = sockets or TcpSockets()
        self._busiest = BusiestProcess(proc)
        self._changes = Changes()
        self._counted_whole = True
        self._spent, self._rests = spent, 0

    @property
    def there(self) -> bool:
        """Whether this is a machine with a ``/proc``."""
        return bool(proc_texts.read_stat(self._stat.read()))

    def close(self) -> None:
        """Let go of what is kept open."""
        for file in self._kept:
            file.close()
        self._temperature.close()
        self._sockets.close()

    def often(self) -> Iterator[Read]:
        """What each sample holds."""
        stat = proc_texts.read_stat(self._stat.read())
        yield from self._cpu(stat, "often", ("cpu_ratio", "cpu_iowait_ratio"))
        yield from self._changes.of(stat, _STAT).items()
        if "procs_blocked" in stat:
            yield "blocked_processes", stat["procs_blocked"]
        cards = proc_texts.read_cards(self._cards.read())
        yield from self._changes.of(cards, _PACKETS).items()
        counted = None if self._rests else self._count((SYN_RECV,), MOST_SYN_RECV)
        self._rests = max(0, self._rests - (counted is None))
        if counted is not None:
            yield "tcp_syn_recv_sockets", counted.by_state.get(SYN_RECV, 0)
            self._counted_whole &= counted.whole
        self._busiest.look()

    def seldom(self) -> Iterator[Read]:
        """What is enough to know once a heartbeat."""
        stat = proc_texts.read_stat(self._stat.read())
        yield from self._cpu(stat, "seldom", ("cpu_steal_ratio",))
        if "procs_running" in stat:
            yield "running_processes", stat["procs_running"]
        yield from self._changes.of(stat, {"intr": "interrupts"}).items()
        yield from self._processes()
        temperature = self._temperature.read()
        if temperature is not None:
            yield "cpu_temperature_celsius", temperature
        yield "load_ratio", os.getloadavg()[0] / (os.cpu_count() or 1)
        yield from self._memory_states()
        faults = proc_texts.read_pairs(self._faults.read(), _FAULT_NAMES)
        yield from self._changes.of(faults, _FAULTS).items()
        yield from self._disk()
        cards = proc_texts.read_cards(self._cards.read())
        yield from self._changes.of(cards, _CARDS).items()
        yield from self._tcp()

    def _count(self, states: Iterable[int], most: int) -> Counted | None:
        begin = self._spent()
        counted = self._sockets.count(states, most)
        rests = int((self._spent() - begin) / ALLOWED_S)
        self._rests = min(MOST_RESTS, self._rests + rests)
        return counted

    def _cpu(self, stat: Mapping[str, int], pace: str, ratios: tuple[str, ...]) -> Iterator[Read]:
        whole = idle = None
        if all(name in stat for name in proc_texts.CPU[:4]):
            whole = sum(stat.get(name, 0) for name in proc_texts.CPU)
            idle = stat["idle"] + stat.get("iowait", 0)
        passed = self._changes.since(f"{pace} whole", whole)
        for ratio, count in (
            ("cpu_ratio", idle),
            ("cpu_iowait_ratio", stat.get("iowait")),
            ("cpu_steal_ratio", stat.get("steal")),
        ):
            if ratio not in ratios:
                continue
            part = self._changes.since(ratio, count)
            if part is not None and passed:
                share = min(1.0, part / passed)
                yield ratio, 1 - share if ratio == "cpu_ratio" else share

    def _processes(self) -> Iterator[Read]:
        share = self._busiest.take()
        if share is not None:
            yield "cpu_busiest_process_ratio", share
        if self._busiest.processes is not None:
            yield "processes_total", self._busiest.processes
        handles = proc_texts.read_number(self._handles.read())
        if handles is not None:
            yield "file_handles_total", handles

    def _memory_states(self) -> Iterator[Read]:
        found = proc_texts.read_pairs(self._memory.read(), _MEMORY)
        total, available = found.get("MemTotal"), found.get("MemAvailable")
        if available is not None:
            yield "memory_available_bytes", available * 1024
            if total:
                yield "memory_used_ratio", min(1.0, max(0.0, 1 - available / total))
        if "Dirty" in found:
            yield "memory_dirty_bytes", found["Dirty"] * 1024
        if "SwapTotal" in found and "SwapFree" in found:
            swap = found["SwapTotal"]
            yield "swap_used_ratio", max(0.0, 1 - found["SwapFree"] / swap) if swap else 0.0

    def _disk(self) -> Iterator[Read]:
        try:
            root = os.statvfs("/")
            disks = {os.fsencode(disk.name) for disk in self._blocks.iterdir()}
        except OSError:
            return
        used = root.f_blocks - root.f_bfree
        if used + root.f_bavail:
            yield "disk_used_ratio", used / (used + root.f_bavail)
        moved = proc_texts.read_disks(self._disks.read(), disks)
        yield from self._changes.of(moved, _DISKS).items()

    def _tcp(self) -> Iterator[Read]:
        tcp = proc_texts.read_table(self._snmp.read(), b"Tcp")
        yield from self._changes.of(tcp, _TCP).items()
        dropped = proc_texts.read_table(self._netstat.read(), b"TcpExt")
        yield from self._changes.of(dropped, {"ListenDrops": "tcp_dropped_opens"}).items()
        late = proc_texts.read_sockstat(self._sockstat.read()).get("tw")
        if late is not None:
            yield "tcp_time_wait_sockets", late
        counted = self._count((SYN_SENT, CLOSE_WAIT, LISTEN, *CLOSING), MOST_SOCKETS)
        if counted is None:
            return
        whole, self._counted_whole = self._counted_whole and counted.whole, True
        yield "tcp_counted_ratio", float(whole)
        if not counted.whole:
            return
        states = counted.by_state
        for metric, state in (
            ("tcp_syn_sent_sockets", SYN_SENT),
            ("tcp_close_wait_sockets", CLOSE_WAIT),
            ("tcp_listen_sockets", LISTEN),
        ):
            yield metric, states.get(state, 0)
        yield "tcp_other_sockets", sum(states.get(state, 0) for state in CLOSING)
        if "CurrEstab" in tcp:  # which counts CLOSE_WAIT as well
            yield "tcp_established_sockets", max(0, tcp["CurrEstab"] - states.get(CLOSE_WAIT, 0))
