import os
import signal
import subprocess
import sys
import threading

import pytest

from dijkwacht_agent.spool import Spool
from dijkwacht_records.errors import SettingsError

OPENED = []


def open_spool(folder, max_bytes=1 << 28):
    OPENED.append(Spool(folder, max_bytes))
    return OPENED[-1]


@pytest.fixture(autouse=True)
def _close():
    yield
    while OPENED:
        OPENED.pop().close()


def drain(spool):
    out = []
    while record := spool.peek():
        out.append(record.wire)
        assert spool.settle(record)
    return out


def body(n, size=1000):
    return n.to_bytes(4, "big") + bytes(size)


def test_first_in_first_out_and_nothing_left_on_disk(tmp_path):
    spool = open_spool(tmp_path)
    for n in range(100):
        assert spool.append(body(n), rows=3)
    assert spool.rows_waiting == 300
    assert drain(spool) == [body(n) for n in range(100)]
    assert spool.waiting_bytes == spool.rows_waiting == spool.rows_shed == 0
    assert sum(path.stat().st_size for path in tmp_path.glob("*.spool")) == 0


def test_a_batch_without_rows_has_no_place_in_it(tmp_path):
    with pytest.raises(ValueError, match="without rows"):
        open_spool(tmp_path).append(b"a", 0)


def test_peek_leaves_in_place(tmp_path):
    spool = open_spool(tmp_path)
    spool.append(b"a", 1)
    assert spool.peek() == spool.peek()


def test_an_empty_spool_waits_no_longer_than_told(tmp_path):
    assert open_spool(tmp_path).peek(timeout=0.01) is None


def test_a_waiting_reader_is_woken(tmp_path):
    spool, got = open_spool(tmp_path), []
    reader = threading.Thread(target=lambda: got.append(spool.peek(timeout=30)))
    reader.start()
    spool.append(b"a", 1)
    reader.join(30)
    assert got[0].wire == b"a"


def test_never_more_than_the_limit_and_the_oldest_goes_first(tmp_path):
    spool = open_spool(tmp_path, max_bytes=40_000)
    for n in range(200):
        spool.append(body(n), rows=2)
        assert sum(path.stat().st_size for path in tmp_path.glob("*.spool")) <= 40_000
    kept = drain(spool)
    assert kept == [body(n) for n in range(200 - len(kept), 200)]
    assert spool.rows_shed == 2 * (200 - len(kept))
    assert len(kept) >= 20


def test_what_was_shed_while_it_was_sent_is_settled_once(tmp_path):
    spool = open_spool(tmp_path, max_bytes=8_000)
    spool.append(body(0), 1)
    record = spool.peek()
    for n in range(1, 30):
        spool.append(body(n), 1)
    shed = spool.rows_shed
    assert spool.settle(record), "it arrived, and so it was not lost"
    assert spool.rows_shed == shed - 1
    assert not spool.settle(record)
    kept = drain(spool)
    assert 1 + spool.rows_shed + len(kept) == 30


def test_a_record_settled_in_an_emptied_segment_is_not_the_next_one(tmp_path):
    spool = open_spool(tmp_path)
    spool.append(b"one", 1)
    record = spool.peek()
    assert spool.settle(record)
    spool.append(b"two", 1)
    assert not spool.settle(record)
    assert drain(spool) == [b"two"]


def test_what_waits_survives_a_restart_in_order(tmp_path):
    spool = open_spool(tmp_path, max_bytes=100_000)
    for n in range(50):
        spool.append(body(n), 1)
    spool.close()
    again = open_spool(tmp_path, max_bytes=100_000)
    for n in range(50, 60):
        again.append(body(n), 1)
    assert again.rows_waiting == 60
    assert drain(again) == [body(n) for n in range(60)]


def test_kill_9_loses_nothing_that_was_appended(tmp_path):
    code = (
        "import sys; from pathlib import Path; from dijkwacht_agent.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1])); n = 0\n"
        "while True:\n"
        "    spool.append(n.to_bytes(4, 'big') + bytes(1000), 1); n += 1\n"
        "    print(n, flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    with child:
        said = 0
        while said < 500:
            said = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        said = int(([b"%d" % said, *child.stdout.read().split()])[-1])
    kept = drain(open_spool(tmp_path))
    assert kept == [body(n) for n in range(len(kept))]
    assert len(kept) >= said


def test_damage_that_appears_later_is_counted_and_passed(tmp_path):
    spool = open_spool(tmp_path, max_bytes=8_000)
    for n in range(4):
        spool.append(body(n), 1)
    first = min(tmp_path.glob("*.spool"))
    first.write_bytes(bytes(first.stat().st_size))
    kept = drain(spool)
    assert kept == [body(n) for n in range(4 - len(kept), 4)]
    assert spool.rows_shed == 4 - len(kept) > 0


def test_two_agents_do_not_share_a_spool(tmp_path):
    first = open_spool(tmp_path)
    with pytest.raises(SettingsError, match="another agent"):
        open_spool(tmp_path)
    first.close()
    open_spool(tmp_path)


def test_foreign_files_are_left_alone(tmp_path):
    (tmp_path / "notes.spool").write_text("mine")
    assert open_spool(tmp_path).peek() is None
    assert (tmp_path / "notes.spool").read_text() == "mine"


@pytest.mark.parametrize("size", [1, 5000])
def test_two_threads(tmp_path, size):
    spool, got = open_spool(tmp_path, max_bytes=50_000_000), []

    def read():
        while len(got) < 300:
            record = spool.peek(timeout=10)
            got.append(record.wire)
            spool.settle(record)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(300):
        spool.append(body(n, size), 1)
    reader.join(60)
    assert got == [body(n, size) for n in range(300)]


def test_a_disk_that_cannot_sync_ends_nothing(tmp_path, monkeypatch):
    def fsync(_fd):
        raise OSError(5, "Input/output error")

    spool = Spool(tmp_path / "spool", max_bytes=8_000)
    monkeypatch.setattr("os.fsync", fsync)
    for number in range(6):
        assert spool.append(bytes([number]) * 1_000, 1)
    assert spool.rows_waiting == 6
    assert spool.peek().wire == bytes(1_000)
    spool.close()
