"""A disk that is full, or takes nothing for another reason: the agent goes on with what is new."""

import errno
import os

import pytest

from dijkwacht_agent.spool import MEMORY_BYTES, Spool


def adds_up(spool):
    sums = spool.accounts
    assert sums.made == sums.journalled + sums.waiting + sums.lost
    assert min(sums.made, sums.journalled, sums.waiting, *sums.shed.values()) >= 0
    return sums


class Disk:
    """``os.pwrite`` on a disk with ``room`` bytes for segments in all; past it, it gives ``code``.

    What lies there already can be written again, like the ledger.
    """

    def __init__(self, patch, folder, room=0, code=errno.ENOSPC):
        self.folder, self.room, self.code, self.real = folder, room, code, os.pwrite
        patch.setattr(os, "pwrite", self.write)

    def write(self, file, data, at):
        grows = at + len(data) - os.fstat(file).st_size
        used = sum(path.stat().st_size for path in self.folder.glob("*.spool"))
        lacks = max(0, used + grows - self.room) if grows > 0 else 0
        if lacks >= len(data):
            raise OSError(self.code, os.strerror(self.code))
        return self.real(file, data[: len(data) - lacks], at)


@pytest.fixture(name="spool")
def _spool(tmp_path):
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    yield spool
    spool.close()


def body(n, size=1000):
    return n.to_bytes(4, "big") + bytes(size)


def drain(spool):
    out = []
    while (record := spool.peek()) is not None:
        out.append(record.wire)
        assert spool.settle(record)
    return out


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_costs_the_oldest(spool, monkeypatch, code):
    assert spool.append(body(0), 5)
    Disk(monkeypatch, spool._folder, 1100, code)
    assert spool.append(body(1), 7)
    assert spool.rows_shed == 5
    assert drain(spool) == [body(1)]
    assert adds_up(spool).shed == {"full": 5, "damaged": 0, "refused": 0}


def test_a_disk_that_takes_nothing_does_not_make_it_mute(spool, monkeypatch):
    disk = Disk(monkeypatch, spool._folder)
    assert not spool.append(body(0), 7)
    assert spool.disk_full
    assert spool.trouble.key == "spool_no_room"
    assert drain(spool) == [body(0)]
    for n in range(1, 5):
        assert not spool.append(body(n), 7)
    record = spool.peek()
    disk.room = 1 << 30
    assert spool.append(body(5), 1), "all of it is on disk again"
    assert spool.settle(record), "also what was in memory when it was given out"
    assert (spool.trouble, spool.disk_full) == (None, False)
    assert drain(spool) == [body(n) for n in range(2, 6)]
    sums = adds_up(spool)
    assert (sums.made, sums.journalled, sums.lost) == (36, 36, 0)


def test_memory_is_bounded_and_its_oldest_goes_first(spool, monkeypatch):
    disk = Disk(monkeypatch, spool._folder)
    for n in range(40):
        spool.append(body(n, 100_000), 2)
        assert spool.waiting_bytes <= MEMORY_BYTES
    kept = spool.rows_waiting // 2
    assert 9 <= kept < 40
    assert adds_up(spool).shed["full"] == 2 * (40 - kept)
    disk.room = 1 << 30
    assert spool.append(body(40), 1)
    assert drain(spool) == [body(n, 100_000) for n in range(40 - kept, 40)] + [body(40)]
    assert adds_up(spool).made == 81


def test_what_memory_loses_behind_what_is_on_disk_is_counted_once(spool, monkeypatch, tmp_path):
    assert spool.append(body(0), 3)
    with monkeypatch.context() as broken:
        Disk(broken, spool._folder, 0, errno.EIO)
        for n in range(1, 41):
            spool.append(body(n, 100_000), 2)
        lost = adds_up(spool).lost
        assert lost > 0
    assert spool.append(body(41), 1)
    spool.close()
    again = Spool(tmp_path / "spool", max_bytes=2 << 20)
    assert adds_up(again).lost == lost
    kept = drain(again)
    assert (kept[0], kept[-1]) == (body(0), body(41))
    assert lost == 2 * (40 - len(kept[1:-1]))
    assert (adds_up(again).made, again.accounts.lost) == (84, lost)
    again.close()


def test_what_is_in_memory_at_the_end_is_counted(spool, monkeypatch, tmp_path):
    spool.append(body(0), 3)
    assert drain(spool) == [body(0)]
    Disk(monkeypatch, spool._folder)
    spool.append(body(1), 4)
    spool.close()
    assert spool.accounts.shed["full"] == 4
    again = Spool(tmp_path / "spool")
    assert (adds_up(again).made, again.accounts.shed["full"]) == (7, 4)
    again.close()


def test_trouble_is_over_when_there_is_room_for_a_while(spool, monkeypatch):
    for n in range(300):
        spool.append(body(n), 1)
    disk = Disk(monkeypatch, spool._folder, room=spool.waiting_bytes + 10)
    free = os.statvfs(spool._folder)
    monkeypatch.setattr(os, "statvfs", lambda _: free.__class__([4096, 4096, *[10] * 8, 0]))
    assert spool.append(body(300), 1), "the oldest made room"
    assert spool.disk_full, "but not for long"
    monkeypatch.setattr(os, "statvfs", lambda _: free)
    disk.room = 1 << 30
    assert spool.append(body(301), 1)
    assert spool.trouble is None
