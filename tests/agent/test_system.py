from types import SimpleNamespace
from typing import NamedTuple

import psutil
import pytest

from dijkwacht_agent.system import SystemSampler
from dijkwacht_records import wire


class Cpu(NamedTuple):
    user: float
    system: float
    idle: float
    iowait: float
    guest: float


class Machine:
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


def sampled(sampler, now=7):
    rows = list(sampler.sample(now).rows())
    assert {number for number, _ in rows} == {5}
    assert {row[0] for _, row in rows} == {now}
    return {row[1]: row[2] for _, row in rows}


def test_states_at_once_and_changes_from_the_second_sample(tmp_path):
    files = tmp_path / "file-nr"
    files.write_text("960\t0\t9223372036854775807\n")
    machine = Machine()
    sampler = SystemSampler(machine, files)
    states = {
        "memory_used_ratio": 0.25,
        "swap_used_ratio": 0.5,
        "disk_used_ratio": 0.75,
        "load_ratio": 0.5,
        "processes_total": 123.0,
        "file_handles_total": 960.0,
    }
    assert sampled(sampler) == states
    machine.cpu = Cpu(12.0, 6.0, 86.0, 6.0, 1.0)
    machine.read, machine.written, machine.received, machine.sent = 1500, 2600, 1300, 2400
    assert sampled(sampler) == states | {
        "cpu_ratio": pytest.approx(0.3),
        "disk_read_bytes": 500.0,
        "disk_write_bytes": 600.0,
        "net_in_bytes": 1000.0,
        "net_out_bytes": 2000.0,
    }


def test_a_counter_that_began_anew_gives_no_reading(tmp_path):
    machine = Machine()
    sampler = SystemSampler(machine, tmp_path / "none")
    sampler.sample(1)
    machine.received = 0
    second = sampled(sampler)
    assert "net_in_bytes" not in second
    assert second["net_out_bytes"] == 0
    assert "file_handles_total" not in second


def test_a_machine_without_disks(tmp_path):
    machine = Machine()
    machine.disks = False
    sampler = SystemSampler(machine, tmp_path / "none")
    sampler.sample(1)
    assert "disk_read_bytes" not in sampled(sampler)


def test_this_machine_gives_rows_that_the_contract_holds():
    sampler = SystemSampler(psutil)
    rows = [*sampler.sample(1).rows(), *sampler.sample(2).rows()]
    batch = wire.decode(wire.encode("site", "agent", bytes(16), 0, 0, rows))
    assert list(wire.unpack_rows(batch)) == rows
    ratios = [row[2] for _, row in rows if row[1] in {"cpu_ratio", "memory_used_ratio"}]
    assert all(0 <= ratio <= 1 for ratio in ratios)
