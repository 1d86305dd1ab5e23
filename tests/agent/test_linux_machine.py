"""A machine made of files, and the kernel's own sockets."""

import errno
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_agent.system import proc_texts
from dijkwacht_agent.system.busiest_process import MOST, STEP, BusiestProcess
from dijkwacht_agent.system.linux import ALLOWED_S, LinuxMachine
from dijkwacht_agent.system.metrics import METRICS, rounded
from dijkwacht_agent.system.tcp_sockets import Counted, TcpSockets

STAT = "cpu  {user} 0 10 {idle} {iowait} 0 0 {steal} 0 0\ncpu0 1 2 3 4\nintr {n} 9 9\nctxt {n}\nbtime 5\nprocesses {n}\nprocs_running 3\nprocs_blocked 2\n"
CARDS = "Inter-| Receive | Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets\n    lo: {big} 9 9 9 0 0 0 0 {big} 9 9 9 0 0 0 0\n  eth0:{n} 2 3 4 0 0 0 0 {n} 6 7 8 0 0 0 0\n"
SNMP = "Tcp: RtoMin MaxConn ActiveOpens PassiveOpens AttemptFails CurrEstab RetransSegs OutRsts\nTcp: 200 -1 {n} {n} {n} 20 {n} {n}\n"
FILES = {
    "stat": STAT,
    "meminfo": "MemTotal:  1000 kB\nMemAvailable:  750 kB\nDirty: 4 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
    "vmstat": "nr_dirty 1\npgfault {n}\npgmajfault {n}\n",
    "diskstats": "8 0 sda 1 2 {n} 4 5 6 {n} 8\n8 1 sda1 1 2 {n} 4 5 6 {n} 8\n253 0 dm-0 1 2 {n} 4 5 6 {n} 8\n",
    "net/dev": CARDS,
    "net/snmp": SNMP,
    "net/netstat": "TcpExt: ListenOverflows ListenDrops\nTcpExt: 0 {n}\n",
    "net/sockstat": "sockets: used 5\nTCP: inuse 4 orphan 0 tw 7 alloc 3 mem 1\n",
    "sys/fs/file-nr": "960\t0\t9223372036854775807\n",
}
STATES = {2: 1, 3: 6, 8: 5, 10: 4, 4: 1, 9: 1}


class Sockets:
    def close(self):
        pass

    counted = Counted(STATES, whole=True)

    def count(self, states, most):
        return self.counted


@pytest.fixture(name="there")
def _there(tmp_path):
    """Writes the files of a machine whose counters stand at ``n``."""

    def write(n, user=100, idle=800, iowait=50, steal=0, without=()):
        for name, text in FILES.items():
            path = tmp_path / "proc" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name in without:
                path.unlink(missing_ok=True)
            else:
                path.write_text(
                    text.format(n=n, user=user, idle=idle, iowait=iowait, steal=steal, big=n * 1000)
                )
        process(tmp_path / "proc", 1, 0)
        for disk in ("sda", "dm-0"):
            (tmp_path / "sys/block" / disk).mkdir(parents=True, exist_ok=True)
        return LinuxMachine(tmp_path / "proc", tmp_path / "sys", Sockets(), lambda: 0.0)

    return write


def process(proc, number, ran, name="sh"):
    folder = proc / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stat").write_text(
        f"{number} ({name}) S 1 1 1 0 -1 0 0 0 0 0 {ran} 0 0 0 20 0 1 0 9 9\n"
    )


def test_what_linux_tells(there):
    machine = there(1000)
    first = dict(machine.often()) | dict(machine.seldom())
    assert not first.keys() & {"cpu_ratio", "context_switches", "net_in_bytes", "page_faults"}
    there(1600, user=130, idle=850, iowait=65, steal=5)
    often = dict(machine.often())
    assert often == {
        "cpu_ratio": pytest.approx(0.35),
        "cpu_iowait_ratio": pytest.approx(0.15),
        "context_switches": 600,
        "started_processes": 600,
        "blocked_processes": 2,
        "net_in_packets": 0,
        "net_out_packets": 0,
        "tcp_syn_recv_sockets": 6,
    }
    seldom = dict(machine.seldom())
    assert seldom.pop("disk_used_ratio") > 0
    assert seldom.pop("load_ratio") >= 0
    moved = ("interrupts", "page_faults", "major_page_faults", "net_in_bytes", "net_out_bytes",
             "tcp_active_opens", "tcp_passive_opens", "tcp_failed_opens", "tcp_sent_resets",
             "tcp_retransmitted_segments", "tcp_dropped_opens")  # fmt: skip
    assert seldom == dict.fromkeys(moved, 600) | {
        "cpu_steal_ratio": pytest.approx(0.05),
        "running_processes": 3,
        "processes_total": 1,
        "file_handles_total": 960,
        "memory_available_bytes": 750 * 1024,
        "memory_used_ratio": 0.25,
        "memory_dirty_bytes": 4096,
        "swap_used_ratio": 0.0,
        "disk_read_bytes": 600 * 512,
        "disk_write_bytes": 600 * 512,
        "net_in_error_packets": 0,
        "net_out_error_packets": 0,
        "net_in_dropped_packets": 0,
        "net_out_dropped_packets": 0,
        "tcp_time_wait_sockets": 7,
        "tcp_counted_ratio": 1.0,
        "tcp_syn_sent_sockets": 1,
        "tcp_close_wait_sockets": 5,
        "tcp_listen_sockets": 4,
        "tcp_other_sockets": 2,
        "tcp_established_sockets": 15,
    }


@pytest.mark.parametrize("missing", FILES)
def test_a_file_that_is_missing_takes_only_its_metrics_along(there, missing):
    seen = []
    for without in ((), (missing,)):
        machine = there(1000, without=without)
        seen.append({})
        for n in (1000, 1600):
            there(n, user=n, idle=n, without=without)
            seen[-1] |= dict(machine.often()) | dict(machine.seldom())
        machine.close()
    whole, partly = seen
    lost = whole.keys() - partly.keys()
    assert lost
    assert all(partly[name] == pytest.approx(whole[name], abs=0.2) for name in partly)
    assert whole.keys() <= {metric.name for metric in METRICS}


def test_counters_that_go_back_give_nothing_and_count_on(there):
    machine = there(1000)
    for n, seen in ((1000, None), (400, None), (450, 50)):
        there(n)
        assert dict(machine.often()).get("context_switches") == seen


def test_more_sockets_than_are_counted_are_said_and_not_guessed(there):
    machine = there(1000)
    machine._sockets.counted = Counted({3: 512}, whole=False)
    assert dict(machine.often())["tcp_syn_recv_sockets"] == 512
    seldom = dict(machine.seldom())
    assert seldom["tcp_counted_ratio"] == 0
    assert seldom["tcp_time_wait_sockets"] == 7
    assert "tcp_established_sockets" not in seldom
    assert "tcp_other_sockets" not in seldom
    machine._sockets.counted = None
    assert "tcp_syn_recv_sockets" not in dict(machine.often())
    assert "tcp_counted_ratio" not in dict(machine.seldom())


def test_sockets_that_are_dear_to_count_are_counted_less_often(there):
    clock = iter(n * 2.5 * ALLOWED_S for n in range(100))  # each count takes two and a half
    there(1000)
    proc = there(1000)._stat._path.parent
    machine = LinuxMachine(proc, proc, Sockets(), lambda: next(clock))
    said = ["tcp_syn_recv_sockets" in dict(machine.often()) for _ in range(7)]
    assert said == [True, False, False, True, False, False, True]


def test_a_machine_without_proc(tmp_path):
    machine = LinuxMachine(tmp_path, tmp_path, Sockets(), lambda: 0.0)
    assert not machine.there
    assert dict(machine.often()) == {"tcp_syn_recv_sockets": 6}


@pytest.mark.parametrize(
    ("sensors", "degrees"),
    [
        ([("hwmon/hwmon0/name", "nvme"), ("hwmon/hwmon0/temp1_input", "70000")], None),
        ([("hwmon/hwmon0/name", "coretemp"), ("hwmon/hwmon0/temp1_input", "45000"),
          ("hwmon/hwmon0/temp2_input", "51500"), ("hwmon/hwmon0/temp3_input", "9999999")], 51.5),
        ([("thermal/thermal_zone0/type", "cpu-thermal"), ("thermal/thermal_zone0/temp", "-5000")], -5.0),
        ([("thermal/thermal_zone0/type", "cpu-thermal"), ("thermal/thermal_zone0/temp", "hot")], None),
    ],
)  # fmt: skip
def test_the_hottest_sensor_of_the_processor(tmp_path, sensors, degrees):
    for name, text in sensors:
        path = tmp_path / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    machine = LinuxMachine(tmp_path, tmp_path, Sockets(), lambda: 0.0)
    assert dict(machine.seldom()).get("cpu_temperature_celsius") == degrees


def rounds(busiest, clock, times):
    """What is said after each of ``times`` rounds of ten samples, a second apart."""
    said = []
    for _ in range(times):
        said.append(busiest.take())
        for _ in range(10):
            clock[0] += 1.0
            busiest.look()
    return said


def test_the_busiest_of_many_processes_has_a_share_and_no_name(tmp_path):
    cores, tick = os.cpu_count(), os.sysconf("SC_CLK_TCK")
    clock = [100.0]
    busiest = BusiestProcess(tmp_path, lambda: clock[0])
    for number in range(1, 2 * STEP):
        process(tmp_path, number, 500, name=f"a) S b ({number}")
    assert rounds(busiest, clock, 2)[0] is None
    process(tmp_path, 7, 500 + 5 * tick * cores)
    process(tmp_path, 9, 500 + 2 * tick * cores)
    process(tmp_path, 11, 3)  # another process by now
    share = rounds(busiest, clock, 2)[-1]
    assert share == pytest.approx(0.5, abs=0.01)
    assert busiest.processes == 2 * STEP - 1


def test_hidden_processes_and_too_many_say_nothing(tmp_path):
    clock = [100.0]
    process(tmp_path, 2, 500)
    hidden = BusiestProcess(tmp_path, lambda: clock[0])
    assert rounds(hidden, clock, 3) == [None] * 3
    assert hidden.processes is None
    for number in range(1, MOST + 2):
        (tmp_path / str(number)).mkdir(exist_ok=True)
    process(tmp_path, 1, 500)
    crowd = BusiestProcess(tmp_path, lambda: clock[0])
    assert rounds(crowd, clock, 3) == [None] * 3
    assert crowd.processes == MOST + 1


def test_the_kernel_counts_sockets_by_state():
    sockets = TcpSockets()
    before = sockets.count((10,), 10_000)
    if before is None:
        pytest.skip("this kernel has no sock_diag")
    with (
        socket.create_server(("127.0.0.1", 0)),
        socket.create_server(("::1", 0), family=socket.AF_INET6)
        if socket.has_ipv6
        else socket.create_server(("127.0.0.1", 0)),
    ):
        during = sockets.count((10,), 10_000)
        assert during.by_state[10] >= 2
        assert during.whole
        assert set(during.by_state) == {10}
        assert sockets.count((10,), 1) == Counted({10: 1}, whole=False)
        assert sockets.count((10,), 10_000) is not None, "it asks anew after it broke off"
    sockets.close()


def test_a_call_that_is_not_confirmed_yet_is_counted():
    sockets = TcpSockets()
    with socket.create_server(("127.0.0.1", 0)) as server:
        # The kernel keeps such a call in SYN_RECV until the caller says something.
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
        with socket.create_connection(server.getsockname()):
            counted = sockets.count((3,), 10_000)
    sockets.close()
    if counted is None:
        pytest.skip("this kernel has no sock_diag")
    assert counted.by_state.get(3, 0) >= 1


def test_a_kernel_that_refuses_is_no_crash(monkeypatch):
    def refuse(*_):
        raise OSError(errno.EAFNOSUPPORT, "no netlink")

    monkeypatch.setattr("socket.socket", refuse)
    assert TcpSockets().count((3,), 10) is None


READERS = [
    proc_texts.read_stat,
    proc_texts.read_cards,
    proc_texts.read_sockstat,
    lambda text: proc_texts.read_pairs(text, (b"MemTotal", b"pgfault")),
    lambda text: proc_texts.read_table(text, b"Tcp"),
    lambda text: proc_texts.read_disks(text, {b"sda"}),
]
TEXTS = [
    text.format(n=77, user=1, idle=2, iowait=3, steal=4, big=5).encode() for text in FILES.values()
]


@given(st.one_of(st.binary(max_size=300), st.sampled_from(TEXTS)), st.data())
def test_no_text_breaks_a_reader(text, data):
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, len(text)))
    damaged = text[:begin] + data.draw(st.binary(max_size=5)) + text[end:]
    for read in READERS:
        assert all(value >= 0 for value in read(damaged).values())
    for read_one in (proc_texts.read_process, proc_texts.read_number):
        assert (read_one(damaged) or 0) >= 0


@given(st.binary(max_size=64).filter(lambda name: b"\n" not in name), st.integers(0, 1 << 40))
def test_a_process_may_be_called_anything(name, ran):
    text = b"12 (" + name + b") R 1 1 1 0 -1 0 0 0 0 0 %d 5 0 0 20" % ran
    assert proc_texts.read_process(text) == ran + 5


@given(st.lists(st.integers(0, 1 << 50), min_size=8, max_size=10))
def test_the_processor_line_is_read_as_it_was_written(ticks):
    line = b"cpu  " + b" ".join(b"%d" % n for n in ticks) + b"\n"
    assert list(proc_texts.read_stat(line).values()) == ticks[:8]


@given(st.floats(0, 1e15))
def test_rounding_is_finer_than_a_thousandth(value):
    assert rounded("net_in_bytes", value) == pytest.approx(value, rel=1 / 2000)
    assert rounded("cpu_ratio", value % 1) == pytest.approx(value % 1, abs=1 / 2000)
