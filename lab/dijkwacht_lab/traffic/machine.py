"""The machine that the agent runs on: its heartbeat, and every metric that it reads with it."""

from __future__ import annotations

from typing import Final, NamedTuple

from dijkwacht_agent.system.metrics import METRICS, rounded
from dijkwacht_lab.traffic.habit import Habit, always, at_work
from dijkwacht_lab.traffic.ledger import SECOND, Ledger


class Usual(NamedTuple):
    """What a metric is when the machine does nothing, what it is more when busy, and how it varies.

    ``each_second``: it is a change since the sample before, and these are a second's.
    """

    idle: float
    busy: float
    varies: float = 0.25
    each_second: bool = False
    whole: bool = True


def _ratio(idle: float, busy: float = 0.0, varies: float = 0.2) -> Usual:
    return Usual(idle, busy, varies, whole=False)


def _change(idle: float, busy: float = 0.0, varies: float = 0.4) -> Usual:
    return Usual(idle, busy, varies, each_second=True)


_USUAL: Final = {
    "cpu_ratio": _ratio(0.03, 0.3, 0.4),
    "cpu_iowait_ratio": _ratio(0.002, 0.01, 0.8),
    "context_switches": _change(900, 6_000),
    "started_processes": _change(1.5, 8),
    "blocked_processes": Usual(0.1, 0.3, 1.0),
    "net_in_packets": _change(20, 260),
    "net_out_packets": _change(15, 180),
    "tcp_syn_recv_sockets": Usual(0.0, 0.3, 1.0),
    "cpu_steal_ratio": _ratio(0.0005, 0.002, 0.8),
    "cpu_busiest_process_ratio": _ratio(0.02, 0.15, 0.5),
    "cpu_temperature_celsius": Usual(41, 14, 0.03, whole=False),
    "load_ratio": _ratio(0.05, 0.4, 0.3),
    "memory_used_ratio": _ratio(0.42, 0.08, 0.02),
    "memory_available_bytes": Usual(4.6e9, -6e8, 0.02),
    "memory_dirty_bytes": Usual(4e5, 6e6, 0.8),
    "swap_used_ratio": _ratio(0.01, 0.0, 0.02),
    "page_faults": _change(250, 4_000),
    "major_page_faults": _change(0.05, 0.4, 1.0),
    "disk_used_ratio": _ratio(0.55, 0.0, 0.001),
    "disk_read_bytes": _change(4_000, 250_000, 0.9),
    "disk_write_bytes": _change(40_000, 400_000, 0.6),
    "processes_total": Usual(210, 25, 0.02),
    "running_processes": Usual(1, 2, 0.5),
    "file_handles_total": Usual(2_300, 500, 0.03),
    "interrupts": _change(600, 4_000),
    "net_in_bytes": _change(3_000, 190_000, 0.6),
    "net_out_bytes": _change(2_000, 60_000, 0.6),
    "tcp_established_sockets": Usual(14, 30, 0.1),
    "tcp_syn_sent_sockets": Usual(0.0, 0.4, 1.0),
    "tcp_time_wait_sockets": Usual(4, 20, 0.4),
    "tcp_close_wait_sockets": Usual(1, 2, 0.5),
    "tcp_listen_sockets": Usual(17, 0, 0.0),
    "tcp_other_sockets": Usual(0.2, 1, 1.0),
    "tcp_counted_ratio": Usual(1.0, 0.0, 0.0),
    "tcp_active_opens": _change(0.2, 1.5, 0.6),
    "tcp_passive_opens": _change(0.1, 1.2, 0.6),
    "tcp_failed_opens": _change(0.005, 0.02, 1.0),
    "tcp_sent_resets": _change(0.02, 0.1, 1.0),
    "tcp_retransmitted_segments": _change(0.05, 0.4, 1.0),
}
"""Of a small server; what is not here is 0."""
_NEVER: Final = Usual(0.0, 0.0, 0.0)


def watch_over(ledger: Ledger, heartbeat_us: int) -> list[Habit]:
    """The agent's own habits: a heartbeat, and with it all metrics of its machine."""
    rng = ledger.rng
    people = at_work(0)
    seconds = heartbeat_us / SECOND
    usual = [(metric.name, _USUAL.get(metric.name, _NEVER)) for metric in METRICS]

    def heartbeat(at: int) -> None:
        busy = people(at)
        for name, (idle, more, varies, each_second, whole) in usual:
            value = idle + more * busy
            if varies:
                value *= rng.lognormvariate(0, varies)
            if each_second:
                value *= seconds
            if name.endswith("_ratio"):
                value = min(value, 1.0)
            ledger.metric(at, name, rounded(name, round(value) if whole else value))
        ledger.heartbeat(at)

    return [Habit(ledger, heartbeat, heartbeat_us, 0, always)]
