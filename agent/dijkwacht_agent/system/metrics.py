"""Every metric of the machine that can leave: the closed table that ``docs/reference`` is written from."""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

Pace = Literal["often", "seldom"]


class Metric(NamedTuple):
    """A metric; its unit is the end of its name. ``pace``: with each sample, or once a heartbeat."""

    name: str
    pace: Pace
    meaning: str


METRICS: Final = (
    Metric("cpu_ratio", "often", "processors busy, of all of them"),
    Metric("cpu_iowait_ratio", "often", "processors idle because a disk has not answered yet"),
    Metric("context_switches", "often", "switches from one thread to another, since before"),
    Metric("started_processes", "often", "processes and threads started, since before"),
    Metric("blocked_processes", "often", "processes that wait for a disk at the moment"),
    Metric("net_in_packets", "often", "packets received by all cards but loopback, since before"),
    Metric("net_out_packets", "often", "packets sent, since before"),
    Metric(
        "tcp_syn_recv_sockets",
        "often",
        "calls answered and not confirmed yet, 512 at most; less often where the kernel has many sockets to look through",
    ),
    Metric("cpu_steal_ratio", "seldom", "processor time that the host gave to other machines"),
    Metric(
        "cpu_busiest_process_ratio",
        "seldom",
        "what the busiest process took of all processors, over ten seconds or more; which one is not said",
    ),
    Metric("cpu_temperature_celsius", "seldom", "the hottest sensor of the processor"),
    Metric("load_ratio", "seldom", "load average of a minute, a processor; may pass 1"),
    Metric("memory_used_ratio", "seldom", "memory that is not available to programs"),
    Metric("memory_available_bytes", "seldom", "memory that programs can still get"),
    Metric("memory_dirty_bytes", "seldom", "written by programs and not on disk yet"),
    Metric("swap_used_ratio", "seldom", "swap space in use"),
    Metric("page_faults", "seldom", "page faults, since before"),
    Metric("major_page_faults", "seldom", "page faults that had to read from disk, since before"),
    Metric("disk_used_ratio", "seldom", "the root file system in use"),
    Metric("disk_read_bytes", "seldom", "read from disks, since before"),
    Metric("disk_write_bytes", "seldom", "written to disks, since before"),
    Metric("processes_total", "seldom", "processes at the moment"),
    Metric("running_processes", "seldom", "threads that run or could, at the moment"),
    Metric("file_handles_total", "seldom", "open files at the moment"),
    Metric("interrupts", "seldom", "interrupts served, since before"),
    Metric("net_in_bytes", "seldom", "bytes received by all cards but loopback, since before"),
    Metric("net_out_bytes", "seldom", "bytes sent, since before"),
    Metric("net_in_error_packets", "seldom", "packets received in error, since before"),
    Metric("net_out_error_packets", "seldom", "packets not sent for an error, since before"),
    Metric("net_in_dropped_packets", "seldom", "packets received and dropped, since before"),
    Metric("net_out_dropped_packets", "seldom", "packets dropped instead of sent, since before"),
    Metric("tcp_established_sockets", "seldom", "open connections"),
    Metric("tcp_syn_sent_sockets", "seldom", "calls made and not answered yet"),
    Metric("tcp_time_wait_sockets", "seldom", "closed connections that wait for stragglers"),
    Metric("tcp_close_wait_sockets", "seldom", "closed by the other side, not by the program here"),
    Metric("tcp_listen_sockets", "seldom", "ports that programs listen on"),
    Metric("tcp_other_sockets", "seldom", "connections that are being closed"),
    Metric(
        "tcp_counted_ratio",
        "seldom",
        "1; 0 when more sockets were in these states than are counted, and the others are not said",
    ),
    Metric("tcp_active_opens", "seldom", "calls made, since before"),
    Metric("tcp_passive_opens", "seldom", "calls accepted, since before"),
    Metric("tcp_failed_opens", "seldom", "calls made or received that failed, since before"),
    Metric("tcp_sent_resets", "seldom", "segments with RST sent, since before"),
    Metric("tcp_retransmitted_segments", "seldom", "segments sent again, since before"),
    Metric("tcp_dropped_opens", "seldom", "calls that no program had room for, since before"),
)

_BITS: Final = 11


def rounded(metric: str, value: float) -> float:
    """A ratio to the nearest 1/1024, anything else to 11 significant bits, so that few bytes differ from 0.

    >>> rounded("cpu_ratio", 0.3), rounded("net_in_bytes", 123_456_789), rounded("processes_total", 321)
    (0.2998046875, 123469824.0, 321.0)
    """
    if metric.endswith("_ratio"):
        return round(value * 1024) / 1024
    part, exponent = math.frexp(value)
    return math.ldexp(round(part * (1 << _BITS)), exponent - _BITS)
