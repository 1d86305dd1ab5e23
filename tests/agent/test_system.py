from types import SimpleNamespace
from typing import NamedTuple

import pytest

from dijkwacht_agent.system import SystemSampler
from dijkwacht_agent.system.metrics import METRICS
from dijkwacht_agent.system.portable import PortableMachine
from dijkwacht_records import wire

UNITS = {
    "ratio", "switches", "processes", "packets", "sockets", "celsius", "bytes", "faults", "total",
    "interrupts", "opens", "resets", "segments",
}  # fmt: skip


class Cpu(NamedTuple):
    user: float
    system: float
    idle: float
    iowait: float
    guest: float


class Psutil:
    cpu, read, written, received, sent = Cpu(10.0, 5.0, 80.0, 5.0, 0.0), 1000, 2000, 300, 400
    disks = True

    def cpu_times(self):
        return self.cpu

    def cpu_count(self):
        return 4

    def virtual_memory(self):
        return SimpleNamespace(percent=25.0)

    def swap_memory(self):
        return SimpleNamespace(percent=50.0)

    def disk_usage(self, _path):
        return SimpleNamespace(percent=75.0)

    def getloadavg(self):
        return 2.0, 1.0, 0.5

    def pids(self):
        return range(123)

    def disk_io_counters(self):
        return (
            SimpleNamespace(read_bytes=self.read, write_bytes=self.written) if self.disks else None
        )

    def net_io_counters(self, *, pernic):
        assert pernic
        card = SimpleNamespace(bytes_recv=self.received, bytes_sent=self.sent)
        return {"eth0": card, "lo": SimpleNamespace(bytes_recv=1 << 40, bytes_sent=1 << 40)}


class Machine:
    """Two metrics often, one seldom."""

    def often(self):
        return [("cpu_ratio", 0.3), ("context_switches", 100)]

    def seldom(self):
        return [("net_in_bytes", 123_456_789)]

    def close(self):
        pass


def sampled(sampler, now=7):
    sampler.sample(now)
    rows = list(sampler.take(now).rows())
    assert {number for number, _ in rows} == {5}
    assert {row[0] for _, row in rows} == {now}
    return {row[1]: row[2] for _, row in rows}


def test_without_proc_states_at_once_and_changes_from_the_second_sample():
    source = Psutil()
    machine = PortableMachine(source)
    states = {
        "memory_used_ratio": 0.25,
        "swap_used_ratio": 0.5,
        "disk_used_ratio": 0.75,
        "load_ratio": 0.5,
        "processes_total": 123.0,
    }
    assert dict(machine.often()) == {}
    assert dict(machine.seldom()) == states
    source.cpu = Cpu(12.0, 6.0, 86.0, 6.0, 1.0)
    source.read, source.written, source.received, source.sent = 1500, 2600, 1300, 2400
    assert dict(machine.often()) == {"cpu_ratio": pytest.approx(0.3)}
    assert dict(machine.seldom()) == states | {
        "disk_read_bytes": 500.0,
        "disk_write_bytes": 600.0,
        "net_in_bytes": 1000.0,
        "net_out_bytes": 2000.0,
    }


def test_a_counter_that_began_anew_gives_no_reading():
    source = Psutil()
    machine = PortableMachine(source)
    dict(machine.seldom())
    source.received = 0
    second = dict(machine.seldom())
    assert "net_in_bytes" not in second
    assert second["net_out_bytes"] == 0


def test_a_machine_without_disks():
    source = Psutil()
    source.disks = False
    machine = PortableMachine(source)
    dict(machine.seldom())
    assert "disk_read_bytes" not in dict(machine.seldom())


def test_rows_wait_for_the_heartbeat_and_leave_in_the_order_of_their_time():
    sampler = SystemSampler(Machine())
    for now in (1, 2, 3):
        sampler.sample(now)
    rows = [row for _, row in sampler.take(4).rows()]
    often = [(now, *each) for now in (1, 2, 3) for each in Machine().often()]
    assert [row[:2] for row in rows] == [*(row[:2] for row in often), (4, "net_in_bytes")]
    assert not len(sampler.take(5)), "nothing was sampled since"


def test_a_sampler_with_a_heartbeat_that_never_comes_is_full():
    sampler = SystemSampler(Machine())
    for now in range(499):
        sampler.sample(now)
    assert not sampler.full
    sampler.sample(499)
    assert sampler.full
    sampler.take(500)
    assert not sampler.full


def test_every_metric_ends_in_its_unit_and_has_a_meaning():
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    assert {name.rpartition("_")[2] for name in names} == UNITS
    assert all(metric.meaning for metric in METRICS)


def test_this_machine_gives_rows_that_the_contract_holds_and_the_table_knows():
    sampler = SystemSampler()
    rows = []
    for now in (1, 2):
        sampler.sample(now)
        rows += sampler.take(now).rows()
    sampler.close()
    batch = wire.decode(wire.encode("site", "agent", bytes(16), 0, 0, rows))
    assert list(wire.unpack_rows(batch)) == rows
    assert {row[1] for _, row in rows} <= {metric.name for metric in METRICS}
    ratios = [row[2] for _, row in rows if row[1].endswith("ratio") and row[1] != "load_ratio"]
    assert ratios
    assert all(0 <= ratio <= 1 for ratio in ratios)
    assert all(row[2] >= 0 for _, row in rows if row[1] != "cpu_temperature_celsius")
