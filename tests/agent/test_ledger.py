"""Rows made = journalled + rejected + shed + waiting, to the row, whatever ends the agent."""

import contextlib
import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_agent.ledger import LEDGER_FILE, Ledger
from dijkwacht_agent.spool import Spool


def adds_up(spool):
    sums = spool.accounts
    assert sums.made == sums.journalled + sums.waiting + sums.lost
    assert min(sums.made, sums.journalled, sums.waiting, *sums.shed.values()) >= 0
    return sums


class Killed(BaseException):
    pass


class Kill:
    """Ends the process at a later call to the system: before it, or in the middle of a write."""

    def __init__(self, patch):
        self.left, self.halfway = None, False
        for owner, name in ((os, "pwrite"), (os, "ftruncate"), (os, "fsync"), (Path, "unlink")):
            patch.setattr(owner, name, self.counted(getattr(owner, name)))

    def counted(self, real):
        def call(*arguments, **named):
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    self.left = None
                    # A slot of the ledger is within a page, which is written whole or not at all.
                    if real.__name__ == "pwrite" and self.halfway and arguments[1][:3] == b"DWS":
                        file, data, place = arguments
                        real(file, data[: len(data) // 2], place)
                    raise Killed
            return real(*arguments, **named)

        return call


def leave(spool):
    """What the kernel does for a process that was killed."""
    for file in (spool._lock, spool._tail, spool._ledger._file):
        if file >= 0:
            os.close(file)
    spool._lock = spool._tail = spool._ledger._file = -1


class Site:
    """A spool, and what the site and its collector know of the rows, whatever the spool says.

    ``unsettled`` is the record that arrived or was rejected while its end was not written down.
    """

    def __init__(self, folder, kill):
        self.folder, self.kill = folder, kill
        self.made, self.arrived, self.rejected = {}, {}, {}
        self.refused, self.unsettled = 0, None
        self.open()

    def open(self):
        self.spool = Spool(self.folder, max_bytes=2_000_000)
        self.spool._segment_bytes = 3_000

    def append(self):
        number = len(self.made)
        wire, rows = b"%05d" % number + bytes(number * 97 % 900), 1 + number % 5
        self.made[wire] = rows
        try:
            assert self.spool.append(wire, rows)
        except Killed:
            made = self.spool.accounts.made
            self.end()
            if self.spool.accounts.made < made:  # it did not reach the disk, or not whole
                del self.made[wire]

    def send(self, done):
        try:
            record = self.spool.peek()
        except Killed:
            self.end()
            return
        if record is None:
            return
        if self.unsettled is not None:
            assert record == self.unsettled, "nothing else comes again"
            done = self.arrived if record.wire in self.arrived else self.rejected
        assert record.wire not in {**self.arrived, **self.rejected} or self.unsettled
        done[record.wire] = record.rows
        self.unsettled = record
        try:
            assert self.spool.settle(record, "malformed" if done is self.rejected else None)
            self.unsettled = None
        except Killed:
            self.end()
            sums = self.spool.accounts
            if sums.journalled + sums.rejected["malformed"] == self.done():
                self.unsettled = None  # it was written down before the end came

    def refuse(self):
        self.refused += 1
        try:
            self.spool.refuse(1)
        except Killed:
            made = self.spool.accounts.made
            self.end()
            self.refused -= made - self.spool.accounts.made

    def restart(self):
        with contextlib.suppress(Killed):
            self.spool.close()
        self.end()

    def end(self):
        self.kill.left = None
        leave(self.spool)
        self.open()

    def done(self):
        return sum(self.arrived.values()) + sum(self.rejected.values())

    def check(self):
        sums = adds_up(self.spool)
        made = sum(self.made.values())
        again = self.unsettled.rows if self.unsettled else 0
        assert sums.made == made + self.refused
        assert sums.shed == {"full": 0, "damaged": 0, "refused": self.refused}
        assert sums.waiting == made - self.done() + again
        assert 0 <= self.done() - sums.journalled - sums.rejected["malformed"] <= again


KINDS = st.sampled_from(["append", "append", "send", "send", "reject", "refuse", "restart"])


@given(steps=st.lists(st.tuples(KINDS, st.none() | st.integers(0, 5), st.booleans()), max_size=40))
def test_killed_anywhere_it_adds_up_and_nothing_settled_comes_again(tmp_path_factory, steps):
    with pytest.MonkeyPatch.context() as patch:
        kill = Kill(patch)
        site = Site(tmp_path_factory.mktemp("spool"), kill)
        does = {
            "append": site.append,
            "send": lambda: site.send(site.arrived),
            "reject": lambda: site.send(site.rejected),
            "refuse": site.refuse,
            "restart": site.restart,
        }
        for kind, left, halfway in steps:
            kill.left, kill.halfway = left, halfway
            does[kind]()
            kill.left = None
            site.check()
        while site.spool.rows_waiting:
            site.send(site.arrived)
            site.check()
        assert {**site.arrived, **site.rejected} == site.made
        site.spool.close()


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


def test_a_limit_that_is_reached_is_counted_as_full(tmp_path):
    spool = Spool(tmp_path, max_bytes=8_000)
    record = None
    for n in range(30):
        spool.append(body(n), 1)
        record = record or spool.peek()
    shed = adds_up(spool).shed["full"]
    assert spool.settle(record, "malformed"), "it was shed while it was on its way"
    assert adds_up(spool).rejected["malformed"] == 1
    assert drain(spool) == [body(n) for n in range(shed, 30)]
    assert (adds_up(spool).journalled, spool.rows_shed) == (30 - shed, shed - 1)
    spool.close()


def test_after_a_restart_it_counts_on(tmp_path):
    spool = Spool(tmp_path)
    for n in range(20):
        spool.append(body(n), 50)
    for _ in range(5):
        spool.settle(spool.peek())
    spool.settle(spool.peek(), "too_large")
    spool.refuse(3)
    before = spool.accounts
    spool.close()
    spool = Spool(tmp_path)
    assert spool.accounts == before
    assert (before.made, before.journalled, before.waiting) == (1003, 250, 700)
    assert before.rejected == {"malformed": 0, "too_large": 50, "rejected": 0}
    assert drain(spool) == [body(n) for n in range(6, 20)]
    assert adds_up(spool).journalled == 950
    spool.close()


@pytest.mark.parametrize("damage", ["gone", "cut", "empty", "zeros", "noise", "folder"])
def test_a_ledger_that_is_lost_begins_anew_with_what_waits(tmp_path, damage):
    spool = Spool(tmp_path)
    for n in range(20):
        spool.append(body(n), 50)
    for _ in range(5):
        spool.settle(spool.peek())
    spool.close()
    ledger = tmp_path / LEDGER_FILE
    content = {"gone": None, "cut": ledger.read_bytes()[:40], "empty": b"", "zeros": bytes(9000)}
    ledger.unlink()
    if damage == "folder":
        ledger.mkdir()
    elif (kept := content.get(damage, b"noise" * 3000)) is not None:
        ledger.write_bytes(kept)
    spool = Spool(tmp_path)
    assert spool.remark.key == "ledger_anew"
    sums = adds_up(spool)
    assert (sums.made, sums.waiting) == (1000, 1000), "what is settled in a segment is not known"
    assert spool.append(body(20), 1)
    assert drain(spool) == [body(n) for n in range(21)]
    spool.close()
    again = Spool(tmp_path)
    if damage != "folder":
        assert again.remark is None
        assert adds_up(again).journalled == 1001
    again.close()


def test_one_slot_that_is_damaged_leaves_the_other(tmp_path):
    spool = Spool(tmp_path)
    spool.append(body(0), 4)
    assert drain(spool) == [body(0)]
    spool.append(body(1), 4)
    spool.close()
    ledger = tmp_path / LEDGER_FILE
    whole = ledger.read_bytes()
    for slot in (0, 4096):
        ledger.write_bytes(whole[: slot + 9] + b"\xff" + whole[slot + 10 :])
        spool = Spool(tmp_path)
        assert spool.remark is None
        assert (adds_up(spool).journalled, drain(spool)) == (4, [body(1)])
        leave(spool)
        for path in tmp_path.glob("*.spool"):
            path.unlink()
        again = Spool(tmp_path)
        again.append(body(1), 4)
        again.close()
        ledger.write_bytes(whole)


def test_a_new_folder_needs_no_remark_and_nobody_else_can_read_it(tmp_path):
    umask = os.umask(0)
    try:
        spool = Spool(tmp_path / "spool")
    finally:
        os.umask(umask)
    spool.append(b"a", 1)
    assert spool.remark is None
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "spool").iterdir()}
    assert modes == {0o600}
    spool.close()


def test_a_ledger_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch):
    real = os.open

    def refuse(path, *arguments):
        if Path(path).name == LEDGER_FILE:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *arguments)

    with monkeypatch.context() as full:
        full.setattr(os, "open", refuse)
        spool = Spool(tmp_path)
        spool.append(body(0), 3)
        assert not (tmp_path / LEDGER_FILE).exists()
    spool.append(body(1), 3)
    leave(spool)
    assert Ledger(tmp_path / LEDGER_FILE).accounts().made == 6


def test_the_account_can_be_read_while_an_agent_keeps_it(spool, tmp_path):
    spool.append(body(0), 3)
    spool.settle(spool.peek())
    spool.append(body(1), 2)
    read = Ledger(tmp_path / "spool" / LEDGER_FILE)
    assert read.accounts() == spool.accounts
    assert read.open
    spool.close()
    assert not Ledger(tmp_path / "spool" / LEDGER_FILE).open
