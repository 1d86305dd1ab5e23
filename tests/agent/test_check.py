import errno
import os
from types import SimpleNamespace

import msgspec
import psutil
import pytest

from dijkwacht_agent import check as checks
from dijkwacht_agent.check import (
    check_collector,
    check_disk,
    check_interface,
    check_key,
    check_meter,
    check_rows,
    check_running,
    check_share,
    check_writing,
)
from dijkwacht_agent.health import Status
from dijkwacht_agent.join import KEY_FILE
from dijkwacht_agent.pacing import wall_clock
from dijkwacht_agent.privacy import read_or_make_key
from dijkwacht_agent.settings import Settings, read_settings, write_private
from dijkwacht_agent.spool import Spool
from dijkwacht_records.errors import CaptureError, Message

OWN, OTHER, THIRD = b"\x02" * 6, b"\x04" * 6, b"\x06" * 6


def frame(to, sender):
    return 0, 1, to + sender + b"\x08\x00", 14, 0


def keys(findings):
    return [(finding.key, finding.ok) for finding in findings]


@pytest.mark.parametrize(
    ("frames", "key", "others"),
    [
        ([], "share_none", 0),
        ([frame(OWN, OTHER), frame(OTHER, OWN), frame(b"\xff" * 6, OTHER)], "share_own", 0),
        ([frame(OTHER, THIRD), frame(OWN, OTHER)], "share_many", 2),
    ],
)
def test_what_share_of_the_network_is_seen(frames, key, others):
    finding = check_share(frames, {OWN}, 3.0)
    assert finding.key == key
    assert finding.values.get("others", 0) == others


class _Quiet:
    """An interface where the first frame comes after ``late`` looks of one second each."""

    def __init__(self, late, clock):
        self.late, self.clock = late, clock

    def blocks(self):
        for look in range(100):
            self.clock.append(None)
            passed = [frame(OTHER, THIRD)] if look == self.late else []
            yield SimpleNamespace(frames=passed.copy)

    def close(self):
        pass


@pytest.mark.parametrize(
    ("late", "key", "seconds"), [(1, "share_many", 4), (8, "share_many", 9), (99, "share_none", 13)]
)
def test_where_nothing_passes_it_listens_longer(monkeypatch, late, key, seconds):
    clock = []
    monkeypatch.setattr(checks, "LiveCapture", lambda *_, **__: _Quiet(late, clock))
    monkeypatch.setattr(checks.time, "monotonic", lambda: float(len(clock)))
    *_, found = check_interface(Settings(interface="lo"), 3.0)
    assert (found.key, found.values["seconds"]) == (key, seconds)
    assert len(clock) <= 14


def test_an_agent_that_has_not_joined(tmp_path):
    assert keys(check_collector(Settings(), tmp_path)) == [("not_joined", False)]


def test_a_collector_that_knows_us(joined, collector):
    found = list(check_collector(read_settings(joined, {}), joined))
    assert keys(found) == [
        ("joined", True),
        ("collector_answers", True),
        ("token_good", True),
        ("clock_right", True),
        ("contracts_shared", True),
    ]


def test_a_clock_that_is_far_off(joined, collector):
    collector.clock_ahead = 3_600_000_000
    assert ("clock_wrong", False) in keys(check_collector(read_settings(joined, {}), joined))


def test_a_token_that_is_revoked(joined, collector):
    write_private(joined / "token", b"dw_old")
    assert keys(check_collector(read_settings(joined, {}), joined))[-1] == ("token_bad", False)


def test_a_collector_that_is_busy_leaves_it_open(joined, collector):
    collector.script = [(503, b"")]
    assert keys(check_collector(read_settings(joined, {}), joined))[-1] == ("token_unsure", False)


def test_a_collector_that_refuses_empty_batches_knows_us(joined, collector):
    collector.script = [(400, b'{"reason":"malformed","message":"no rows"}')]
    assert keys(check_collector(read_settings(joined, {}), joined))[-1] == ("token_good", True)


def test_a_collector_that_is_not_there(joined, collector):
    flags = {"url": "http://127.0.0.1:1"}
    found = list(check_collector(read_settings(joined, {}, flags), joined))
    assert keys(found)[-1] == ("collector_silent", False)
    assert "nothing listens at that address" in found[-1].sentence("en")
    assert "op dat adres luistert niets" in found[-1].sentence("nl")


def test_a_way_that_others_can_read(joined, collector):
    flags = {"url": "http://nowhere.invalid"}
    found = keys(check_collector(read_settings(joined, {}, flags), joined))
    assert ("plain_http", False) in found


@pytest.mark.parametrize(
    ("age_s", "trouble", "lost", "expected"),
    [
        (1, None, 0, [("running", True)]),
        (1, None, 50, [("losing", False)]),
        (
            1,
            Message("trouble_busy", {"why": Message("refused_busy")}),
            0,
            [("running", True), ("in_trouble", False)],
        ),
        (3600, None, 0, [("not_running", False)]),
    ],
)
def test_what_a_running_agent_last_said(tmp_path, age_s, trouble, lost, expected):
    counters = {"packets_seen": 1000, "dropped_ring": lost}
    status = Status(wall_clock() - age_s * 1_000_000, 0, "eth0", trouble, 0, counters)
    (tmp_path / "status.json").write_bytes(msgspec.json.encode(status))
    assert keys(check_running(tmp_path)) == expected


def test_an_agent_that_never_ran(tmp_path):
    assert keys(check_running(tmp_path)) == [("not_running", True)]


def test_disk_and_spool(tmp_path, monkeypatch):
    settings = Settings(spool_max_bytes=1 << 20)
    fine = [("spool_fine", True), ("disk_fine", True)]
    assert keys(check_disk(settings, tmp_path / "not" / "yet")) == fine
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "0.spool").write_bytes(bytes(800_000))
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    full = [("spool_filling", False), ("disk_full", False)]
    assert keys(check_disk(settings, tmp_path)) == full


def refusing(code, monkeypatch):
    def write(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(checks, "write_private", write)


def test_a_disk_that_takes_nothing_is_found_by_writing(tmp_path, monkeypatch):
    assert list(check_writing(tmp_path / "not yet")) == []
    assert list(check_writing(tmp_path)) == list(tmp_path.iterdir()) == []
    (tmp_path / "spool").mkdir()
    assert list(check_writing(tmp_path)) == list((tmp_path / "spool").iterdir()) == []
    refusing(errno.ENOSPC, monkeypatch)
    (finding,) = check_writing(tmp_path)
    assert (finding.key, finding.ok) == ("disk_takes_nothing", False)
    assert f"{tmp_path / 'spool'}: the disk is full. What" in finding.sentence("en")
    assert f"{tmp_path / 'spool'}: de schijf is vol. Wat" in finding.sentence("nl")


def test_a_folder_that_only_the_service_may_write_says_nothing_of_the_disk(tmp_path, monkeypatch):
    refusing(errno.EACCES, monkeypatch)
    assert list(check_writing(tmp_path)) == []


def test_an_agent_that_cannot_write_its_status_is_not_taken_for_one_that_does_not_run(tmp_path):
    spool = Spool(tmp_path / "spool")
    assert keys(check_running(tmp_path)) == [("running_unseen", False)]
    os.utime(tmp_path / "spool" / "ledger", (1, 1))
    assert keys(check_running(tmp_path)) == [("not_running", False)]
    spool.close()
    assert keys(check_running(tmp_path)) == [("not_running", False)]


def test_what_became_of_the_rows(tmp_path):
    assert list(check_rows(tmp_path)) == []
    spool = Spool(tmp_path / "spool")
    for _ in range(4):
        spool.append(b"wire", 50)
    spool.settle(spool.peek())
    spool.settle(spool.peek(), "malformed")
    spool.refuse(3)
    (finding,) = check_rows(tmp_path)
    spool.close()
    assert finding.ok
    sums = "203 made = 50 at the collector + 100 waiting + 50 refused by it + 3 lost here"
    assert sums in finding.sentence("en")
    sums = "203 gemaakt = 50 bij de verzamelaar + 100 wachtend + 50 door hem geweigerd + 3 hier verloren"
    assert sums in finding.sentence("nl")


def test_which_meter_and_how_fast():
    (finding,) = check_meter(packets=2000)
    assert finding.key == "meter_reference"
    assert finding.values["rate"] > 0


def test_an_interface_that_is_not_there():
    (finding,) = check_interface(Settings(interface="nowhere0"), 0)
    assert finding.key == "interface_none"
    assert "lo" in finding.sentence("en")


def test_no_right_to_capture(monkeypatch):
    def refuse(*_, **__):
        raise CaptureError("lo: capturing needs the right CAP_NET_RAW")

    monkeypatch.setattr(checks, "LiveCapture", refuse)
    monkeypatch.setattr(psutil, "net_if_stats", lambda: {"lo": SimpleNamespace(isup=False)})
    found = list(check_interface(Settings(interface="lo"), 0))
    assert keys(found) == [("interface_down", False), ("capture_fails", False)]
    assert "CAP_NET_RAW" in found[1].sentence("nl")


def test_a_key_that_others_may_read_is_noticed(joined):
    assert list(check_key(joined)) == []
    read_or_make_key(joined / KEY_FILE)
    assert keys(check_key(joined)) == [("key_without_copy", True)]
    (joined / KEY_FILE).chmod(0o644)
    (found,) = check_key(joined)
    assert (found.key, found.ok) == ("key_wrong", False)
    assert "chmod 600" in found.sentence("nl")
