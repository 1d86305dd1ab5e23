import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time

import msgspec
import pytest

from dijkwacht_agent.health import COMPLETE_AFTER_US
from dijkwacht_agent.join import DEVICES_FILE, KEY_FILE
from dijkwacht_agent.owner.device_memory import (
    MOST_ADDRESSES,
    MOST_DEVICES,
    MOST_LABELS,
    MOST_OF_ONE,
    Device,
    Remembered,
)
from dijkwacht_agent.privacy import Pseudonyms
from dijkwacht_agent.run import IDLE_US, Agent
from dijkwacht_agent.settings import Settings, read_settings, write_private
from dijkwacht_records import wire
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.columns import Columns
from dijkwacht_records.errors import CaptureError, SettingsError
from dijkwacht_records.orders import Order, SealedOrder, encode_order
from dijkwacht_records.tables import AGENT, DNS, FLOWS

START = 1_700_000_000_000_000
HEAVY = ("numpy", "sklearn", "scapy", "pyarrow", "aiohttp", "numba", "pandas", "cryptography.x509")
HEAVY += ("inspect", "smtplib", "difflib", "tempfile", "json", "dijkwacht_agent.check")

CHILD = f"""
import re, sys
from pathlib import Path
sys.modules["typing_extensions"] = None  # the package has none; msgspec takes it, and more, where it is
from dijkwacht_agent.cli import main
code = main(sys.argv[1:])
heavy = [name for name in {HEAVY!r} if name in sys.modules]
# Not ru_maxrss: a child begins with its parent's.
kept = re.findall(r"(?:VmHWM|RssAnon):\\s+(\\d+)", Path("/proc/self/status").read_text())
print(code, *kept, *heavy)
"""


def play(joined, recording, speed=None):
    agent = Agent(read_settings(joined, {}), joined, [recording], speed)
    assert agent.run(threading.Event())
    return agent


def of_table(collector, number):
    return [row for which, row in collector.rows() if which == number]


def test_a_recording_reaches_the_collector_whole_and_disguised(joined, recording, collector):
    # Of one key in 256, the pseudonym of an address in this network is the address itself.
    write_private(joined / KEY_FILE, bytes(range(32)))
    agent = play(joined, recording)
    asked = of_table(collector, 1)
    assert [row[0] for row in asked] == [START + n * 1_000_000 for n in range(10)]
    assert {row[DNS.index("query")] for row in asked} == {"www.example.nl"}
    hidden = agent.batcher._privacy.address(pack_address("192.168.1.5"))
    assert {row[1] for row in asked} == {hidden}
    assert sum(row[FLOWS.index("orig_pkts")] for row in of_table(collector, 0)) == 10
    assert not any(
        bytes([192, 168, 1, 5]) in wire.decode(b).planes.addresses for b in collector.received
    )


def test_heartbeats_follow_the_recordings_clock_and_end_after_a_quiet_while(
    joined, recording, collector
):
    play(joined, recording)
    beats = of_table(collector, 6)
    last = START + 9_000_000
    assert [beats[0][0], beats[-1][0]] == [
        last - COMPLETE_AFTER_US,
        last + IDLE_US - COMPLETE_AFTER_US,
    ]
    named = dict(zip([column.name for column in AGENT.columns], beats[-1], strict=True))
    assert named["packets_seen"] == named["packets_metered"] == 10
    assert named["rows_shed"] == 0


def test_sent_is_received_and_numbers_have_no_gap(joined, recording, collector):
    agent = play(joined, recording)
    batches = [wire.decode(body) for body in collector.received]
    assert [batch.seq for batch in batches] == list(range(len(batches)))
    assert {(batch.site, batch.agent, batch.boot) for batch in batches} == {
        ("bakery", "till", agent.batcher.boot)
    }
    assert sum(batch.rows for batch in batches) == agent.batcher.rows_made == agent.uplink.rows_sent
    assert {path.name for path in (joined / "spool").iterdir()} == {"lock", "ledger"}


def test_played_at_ten_times_its_speed_it_says_the_same(joined, recording, collector):
    play(joined, recording)
    fast = [row for row in collector.rows() if row[0] != 6]
    collector.received.clear()
    play(joined, recording, speed=50.0)
    slow = [row for row in collector.rows() if row[0] != 6]
    assert sorted(slow) == sorted(fast)


def test_what_was_not_sent_goes_first_the_next_time(joined, recording, collector):
    agent = Agent(read_settings(joined, {}), joined, [recording], None)
    agent.spool.append(b"from before", 1)
    assert agent.run(threading.Event())
    assert collector.received[0] == b"from before"
    del collector.received[0]
    assert len(of_table(collector, 1)) == 10


def devices_to_the_brim(now):
    """The memory of an agent that has met all it can remember."""
    prefix = bytes(10) + b"\xff\xff\x0a"
    held = [
        b"".join(prefix + bytes((n, *number.to_bytes(2))) for n in range(MOST_OF_ONE))
        for number in range(MOST_DEVICES)
    ]
    devices = [
        Device((2 << 40) + number, each, f"laptop-of-person-{number}", now - 10**9, now)
        for number, each in enumerate(held)
    ]
    labels = [f"name-of-{number}" for number in range(MOST_LABELS)]
    addresses = [b"\xfd" + bytes(11) + number.to_bytes(4) for number in range(MOST_ADDRESSES)]
    return msgspec.msgpack.encode(Remembered(1, devices, labels, addresses))


@pytest.mark.parametrize("full", [False, True])
def test_it_is_as_light_as_promised(joined, recording, collector, tmp_path, full):
    if full:
        write_private(joined / DEVICES_FILE, devices_to_the_brim(time.time_ns() // 1000))
    # As it is installed: a machine's first start, which makes the bytecode, takes 4 MiB more.
    compiled = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    words = ["--state", str(joined), "run", "--recording", str(recording), "--speed", "max"]
    for _ in range(2):
        collector.received.clear()
        done = subprocess.run(
            [sys.executable, "-c", CHILD, *words],
            capture_output=True,
            text=True,
            check=True,
            env=compiled,
        )
    code, peak, own, *heavy = done.stdout.split()
    assert (code, heavy) == ("0", [])
    # Of what is in the files of libraries more is mapped where they were just written (2 MiB in a new
    # environment) than where they were read: so its own is bounded, too, which leaves them 18.
    assert int(peak) <= (42 if full else 40) * 1024
    assert int(own) <= 22 * 1024
    assert len(of_table(collector, 1)) == 10


def test_sigterm_flushes_and_ends_well(joined, recording, collector):
    words = ["--state", str(joined), "run", "--recording", str(recording), "--speed", "0.01"]
    with subprocess.Popen([sys.executable, "-m", "dijkwacht_agent", *words]) as child:
        collector.wait_for(lambda: collector.received)
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
    assert len(of_table(collector, 1)) >= 1
    assert sum(row[FLOWS.index("orig_pkts")] for row in of_table(collector, 0)) >= 1
    assert not (joined / "status.json").exists()


def test_killed_and_started_again_nothing_acknowledged_is_lost(joined, recording, collector):
    collector.script = [(503, b"", [("Retry-After", "60")])] * 100
    words = ["--state", str(joined), "run", "--recording", str(recording), "--speed", "max"]
    with subprocess.Popen([sys.executable, "-m", "dijkwacht_agent", *words]) as child:
        collector.wait_for(lambda: collector.paths)
        os.kill(child.pid, signal.SIGKILL)
    collector.script = []
    play(joined, recording)
    boots = {wire.decode(body).boot for body in collector.received}
    assert len(boots) == 2


def test_a_status_is_left_for_check_while_it_runs(joined, recording, collector):
    agent = Agent(read_settings(joined, {}), joined, [recording], 0.01)
    stop = threading.Event()
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    collector.wait_for((joined / "status.json").exists)
    status = json.loads((joined / "status.json").read_bytes())
    assert status["interface"] == "recording"
    assert status["counters"].keys() == {column.name for column in AGENT.columns[1:]}
    rows = status["rows"]
    parts = rows["journalled"], rows["waiting"], *rows["rejected"].values(), *rows["shed"].values()
    assert rows["made"] == sum(parts) == status["counters"]["rows_made"]
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def test_orders_in_a_reply_are_judged_and_logged(joined, recording, collector):
    order = Order("o-1", "update", "bakery", "till", 0, 1)
    collector.orders = [SealedOrder(encode_order(order), bytes(64)), SealedOrder(b"\xff", b"")]
    play(joined, recording)
    entry, other = [json.loads(line) for line in (joined / "orders.log").read_text().splitlines()]
    assert (entry["id"], entry["reason"], other["reason"]) == ("unknown", "no_key", "no_key")


def test_trouble_is_told_once_and_so_is_its_end(joined, recording, collector):
    collector.script = [(503, b"", [("Retry-After", "0")])] * 5
    told = []
    agent = Agent(read_settings(joined, {}), joined, [recording], 5.0, told.append)
    assert agent.run(threading.Event())
    assert "till of bakery listens on recording; inside is" in told[0]
    assert told[1:] == [
        "the collector is busy: it answered with HTTP status 503",
        "the collector answers again",
    ]


def test_an_agent_that_has_not_joined_does_not_begin(tmp_path, recording):
    with pytest.raises(SettingsError, match="join CODE"):
        Agent(Settings(), tmp_path, [recording])


def test_an_interface_that_goes_away_costs_nothing_that_was_metered(joined, recording, collector):
    agent = Agent(read_settings(joined, {}), joined, [recording], None)
    blocks = agent.source.blocks

    def broken():
        yield from blocks()
        raise CaptureError("eth0: the interface is down or gone")

    agent.source.blocks = broken
    with pytest.raises(CaptureError):
        agent.run(threading.Event())
    assert len(of_table(collector, 1)) == 10


def test_privacy_is_not_optional(joined, recording, collector):
    assert isinstance(play(joined, recording).batcher._privacy, Pseudonyms)


def last_beat(collector):
    """The last heartbeat by its columns, and how many rows arrived before it."""
    rows = collector.rows()
    at = max(place for place, (number, _) in enumerate(rows) if number == 6)
    return dict(zip([column.name for column in AGENT.columns], rows[at][1], strict=True)), at


def test_the_account_holds_over_a_restart(joined, recording, collector):
    collector.script = [(503, b"", [("Retry-After", "60")])] * 9
    stop, agent = threading.Event(), Agent(read_settings(joined, {}), joined, [recording], None)
    stop.set()
    assert not agent.run(stop)
    waited = agent.spool.accounts
    assert waited.made == waited.waiting > 0
    collector.script = [(400, b'{"reason":"malformed","message":"no"}')]
    again = play(joined, recording)
    said, before = last_beat(collector)
    lost = waited.made  # all that waited was in the one batch that is refused
    assert said["rows_made"] == before + lost
    sums = again.health.rows()
    assert sums.rejected["malformed"] == sums.lost == lost
    assert sums.made == sums.journalled + sums.lost == said["rows_made"] + 1
    assert sums.journalled == len(collector.rows())


def test_a_row_that_cannot_be_written_is_counted_as_shed(joined, recording, collector):
    agent = Agent(read_settings(joined, {}), joined, [recording], None)
    agent.batcher.add(Columns.of([(5, (1 << 63, "cpu_ratio", 1.0))]))
    assert agent.run(threading.Event())
    assert agent.batcher.rows_refused == 1
    assert agent.spool.accounts.shed == {"full": 0, "damaged": 0, "refused": 1}
    said, before = last_beat(collector)
    assert said["rows_made"] == before + 1


def test_on_a_full_disk_it_goes_on_and_says_so(joined, recording, collector, monkeypatch):
    real, told = os.pwrite, []

    def pwrite(file, data, at):
        if data[:3] == b"DWS" and "disk-full" not in collector.troubles:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data, at)

    monkeypatch.setattr(os, "pwrite", pwrite)
    agent = Agent(read_settings(joined, {}), joined, [recording], 5.0, told.append)
    assert agent.run(threading.Event())
    assert len(of_table(collector, 1)) == 10
    assert agent.health.rows().lost == 0
    begins, ends = told[1:]
    assert begins.startswith(
        f"{joined / 'spool'}: the disk is full: what cannot be sent at once is"
    )
    assert ends == "the disk takes what waits again"
    assert set(collector.troubles) == {"disk-full", None}
    assert collector.troubles[-1] is None


def test_an_account_that_was_lost_is_told(joined, recording, collector):
    play(joined, recording)
    (joined / "spool" / "ledger").write_bytes(b"noise")
    told = []
    agent = Agent(read_settings(joined, {}), joined, [recording], None, told.append)
    assert agent.run(threading.Event())
    assert "begins anew" in told[1]


def test_what_it_writes_in_its_folder_nobody_else_can_read(joined, recording, collector):
    order = Order("o-1", "update", "bakery", "till", 0, 1)
    collector.orders = [SealedOrder(encode_order(order), bytes(64))]
    before, umask = {path.name for path in joined.iterdir()}, os.umask(0)
    try:
        agent = Agent(read_settings(joined, {}), joined, [recording], None)
        (joined / "status.json.new").write_bytes(b"left behind")
        agent.health.end = lambda: None
        assert agent.run(threading.Event())
    finally:
        os.umask(umask)
    new = [path for path in joined.rglob("*") if path.name not in before and path.is_file()]
    assert {"status.json", "orders.log", "ledger"} <= {path.name for path in new}
    assert {path.name: path.stat().st_mode & 0o777 for path in new} == {
        path.name: 0o600 for path in new
    }
