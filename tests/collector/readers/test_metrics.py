"""Tables of system metrics, in the layouts of the captures."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.readers import Problems
from dijkwacht_collector.readers.logs import read_logs
from dijkwacht_collector.readers.metrics import FIRST_DAY
from dijkwacht_records import wire

LAPTOP = (
    "\ufeffAttack,Host,Run,Mode,CPU Power (W),CPU Temperature (°C),CPU Usage (%),"
    "GPU Memory Usage (%),GPU Temperature (°C),GPU Usage (%),Memory Usage (%),Attack Type,"
    "Measurement,Timestamp,CPU Temperature Core #1 (°C)\n"
)
SAMPLE = (
    "Miner,A laptop,1,Attack,20.5,68.0,12.5,2.5,58.0,99.0,50.0,Cryptojacking,OHM,11:51:33.500,64\n"
)
LABELS = ["Attack", "Run", "Mode", "Attack Type", "Relative Time (s)", "Encrypted Files"]


@pytest.fixture
def metrics(log, read_named):
    """Metrics of a table as {metric: [(seconds since the first day, value), ...]}."""

    def read(text, name="a.csv"):
        rows, problems = read_named(log(text, name))
        assert problems == []
        found = {}
        for table, row in rows:
            assert table == "system"
            found.setdefault(row["metric"], []).append(
                ((row["time"] - FIRST_DAY) / 1e6, pytest.approx(row["value"]))
            )
        return found

    return read


def test_a_laptop_with_its_graphics_card(metrics):
    at = 11 * 3600 + 51 * 60 + 33.5
    assert metrics(LAPTOP + SAMPLE) == {
        "cpu_power_watts": [(at, 20.5)],
        "cpu_temperature_celsius": [(at, 68.0)],
        "cpu_ratio": [(at, 0.125)],
        "gpu_memory_used_ratio": [(at, 0.025)],
        "gpu_temperature_celsius": [(at, 58.0)],
        "gpu_ratio": [(at, 0.99)],
        "memory_used_ratio": [(at, 0.5)],
    }


def test_nmon_by_disk_and_card_is_one_machine(metrics):
    text = (
        "Host,Timestamp,CPU Usage Wait %,Disk sda Read (Ko/s),Disk sda1 Read (Ko/s),"
        "Disk sdb Read (Ko/s),Network eth0 Sent (Ko/s),Network lo Sent (Ko/s),"
        "Network wlan0 Sent (Ko/s),Network Packet eth0 Received,Process Forks,Process Switches,"
        "Processes Blocked,Processes Runnable,Swap Free (Mo),Swap Usage (Mo),JFS Usage (%),"
        "JFS run Usage (%)\n"
        "pi,00:00:01.000,3.0,2.0,1.5,1.0,-1.0,-100.0,-2.0,7,3,120,2,1,75,25,8.5,90\n"
    )
    assert {metric: values[0][1] for metric, values in metrics(text).items()} == {
        "cpu_iowait_ratio": 0.03,
        "disk_read_bytes": 3072,
        "net_out_bytes": 3072,
        "net_in_packets": 7,
        "started_processes": 3,
        "context_switches": 120,
        "blocked_processes": 2,
        "running_processes": 1,
        "swap_used_ratio": 0.25,
        "disk_used_ratio": 0.085,
    }


def test_a_single_board_computer(metrics):
    text = (
        "Mode,CPU Usage (%),Timestamp,Relative Time (s),Disk Read (Mo/s),Encrypted Disk Usage (%),"
        "Encrypted Files,Encryption Speed (o/s),Memory Usage (Mo),Network (Ko/s)\n"
        "Idle,50,00:00:00.000,9,1.5,39,1417,7,629.86,2\n"
    )
    assert metrics(text) == {
        "cpu_ratio": [(0, 0.5)],
        "disk_read_bytes": [(0, 1.5 * 1024 * 1024)],
        "net_bytes": [(0, 2048)],
    }


@pytest.mark.parametrize(
    ("name", "metric", "value"),
    [
        ("data_ec2_cpu_utilization_24ae8d.csv", "cpu_ratio", 0.5),
        ("data_ec2_disk_write_bytes_1ef3de.csv", "disk_write_bytes", 50.0),
        ("data_ec2_network_in_257a54.csv", "net_in_bytes", 50.0),
        ("anything.csv", "series_value", 50.0),
    ],
)
def test_a_series_is_named_by_its_file(log, read_named, name, metric, value):
    rows, problems = read_named(log("timestamp,value\n2014-02-14 14:30:00,50\n", name))
    assert problems == []
    assert rows == [("system", {"time": 1_392_388_200_000_000, "metric": metric, "value": value})]


def test_a_time_of_day_goes_on_after_midnight(metrics):
    text = "Timestamp,CPU Usage (%)\n23:59:59.000,1\n00:00:01.000,1\n00:00:01.000,2\n"
    at = 24 * 3600
    assert metrics(text)["cpu_ratio"] == [(at - 1, 0.01), (at + 1, 0.01), (at + 1, 0.02)]


def test_rows_without_a_time_are_a_second_apart(metrics):
    found = metrics("cpu_ratio,memory_used_ratio\n0.5,0.25\n,0.75\n")
    assert found == {"cpu_ratio": [(0, 0.5)], "memory_used_ratio": [(0, 0.25), (1, 0.75)]}


def test_seconds_since_1970_and_gzip(log, read_named):
    text = gzip.compress(b"time,cpu_ratio\n1545141600.25,0.5\n")
    assert read_named(log(text))[0][0][1]["time"] == 1_545_141_600_250_000


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("soon,1", "a time"),
        ("25:00:00,1", "a time of day"),
        ("1e300,1", "a time"),
        ("5,much", "a number for cpu_ratio"),
        ("5,nan", "a number for cpu_ratio"),
        ("5", "2 columns"),
        ('5,"1', "comma-separated values"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_is_read(log, read_named, line, expected):
    rows, problems = read_named(log(f"time,cpu_ratio\n{line}\n5,1\n"))
    assert len(rows) == 1
    assert [problem.partition(": ")[2] for problem in problems] == [f"line 2: expected {expected}"]


@given(
    labels=st.lists(
        st.sampled_from(["cpu_ratio", "CPU Usage (%)", "time", "value", "00:00:00"])
        | st.text(st.characters(exclude_characters='\0\r\n",', codec="utf-8"), max_size=20),
        min_size=len(LABELS),
        max_size=len(LABELS),
    )
)
def test_labels_never_pass(tmp_path_factory, labels):
    path = tmp_path_factory.getbasetemp() / "labels.csv"

    def rows(values):
        head = [*LABELS[:3], "CPU Usage (%)", "Timestamp", *LABELS[3:], "Encryption Speed (o/s)"]
        line = [*values[:3], "50", "10:00:00.000", *values[3:], values[0]]
        path.write_text(",".join(head) + "\n" + ",".join(line) + "\n", "utf-8")
        problems = Problems()
        found = read_logs([path], lambda _: False, problems).rows
        assert list(problems) == []
        return wire.encode("s", "a", bytes(16), 0, 0, found, 2)

    assert rows(labels) == rows(["Attack"] * len(LABELS))


@given(
    st.lists(
        st.lists(
            st.sampled_from([*LAPTOP.split(","), *SAMPLE.split(","), "", "-1", "1e999", "time"]),
            max_size=17,
        ).map(",".join)
        | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40),
        max_size=5,
    )
)
def test_damaged_lines_never_raise(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "damaged.csv"
    path.write_text("\n".join([LAPTOP.strip(), SAMPLE.strip(), *lines]), "utf-8", "surrogatepass")
    found = read_logs([path], lambda _: False, Problems())
    assert found.readable == 1
    wire.decode(wire.encode("s", "a", bytes(16), 0, 0, found.rows, 2), [2])


@pytest.mark.captures
@pytest.mark.parametrize("folder", ["captures", "captures-quiet"])
def test_every_table_of_the_captures_is_read_whole(captures, read_named, folder):
    tables = sorted((captures.parent / folder / "hostmetric").glob("*.csv"))
    assert len(tables) == {"captures": 13, "captures-quiet": 5}[folder]
    for path in tables:
        rows, problems = read_named(path)
        assert problems == []
        times = [row["time"] for _, row in rows]
        metrics = {row["metric"] for _, row in rows}
        assert metrics & {"cpu_ratio", "disk_write_bytes", "net_in_bytes"}
        lines = len(path.read_text("utf-8").splitlines()) - 1
        assert len(rows) == lines * len(metrics) - sum(
            not cell for line in path.read_text("utf-8").splitlines() for cell in line.split(",")
        )
        assert times == sorted(times)
