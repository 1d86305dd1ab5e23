import asyncio
import errno
import os
import random
import signal
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.journal import (
    PARTITIONS,
    Draft,
    Journal,
    partition_of,
    replace_file,
    segments,
)
from dijkwacht_collector.journal.entry import HEADER_BYTES
from dijkwacht_collector.journal.segment import Disk, Segment
from dijkwacht_records.errors import CollectorBusy, JournalError

EVERY = range(PARTITIONS)
BAKERY = partition_of("bakery")


def append(journal, drafts):
    """Each of ``drafts`` to the partition of its site, all at once."""
    return journal.append_all([(partition_of(draft.site), draft) for draft in drafts])


def read(journal, position=1, **limits):
    """Entries of all partitions from ``position`` on."""
    return journal.read(EVERY, dict.fromkeys(EVERY, position - 1), **limits).entries


def a_draft(number, size=20, site="bakery"):
    return Draft("batch", site, number, bytes([number % 256]) * size, f"desk/boot/{number}")


def everything(journal, **limits):
    position, found = 1, []
    while entries := read(journal, position, **limits):
        found += entries
        position = entries[-1].position + 1
    return found


@pytest.fixture
def opened(tmp_path):
    journals = []

    def open_journal(**kinds):
        journal = Journal(tmp_path / "journal", **kinds)
        journals.append(journal)
        journal.open()
        return journal

    yield open_journal
    for journal in journals:
        journal.close()


class FullDisk(Disk):
    """Takes ``room`` bytes, then none; ``sync_error`` is raised by every sync while it is set."""

    def __init__(self, room=1 << 40):
        self.room, self.sync_error = room, None

    def append(self, fd, data, at):
        super().append(fd, data[: self.room], at)
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(data)

    def sync(self, fd):
        if self.sync_error is not None:
            raise OSError(self.sync_error, os.strerror(self.sync_error))
        super().sync(fd)


def test_what_was_appended_is_read_in_order_after_a_restart(opened):
    journal = opened()
    assert append(journal, [a_draft(n) for n in range(5)]) == 5
    assert append(journal, [Draft("verdict", "clinic", 9, b"{}")]) == 6
    journal.close()
    entries = everything(opened())
    assert [e.position for e in entries] == [1, 2, 3, 4, 5, 6]
    assert [e.arrival for e in entries] == [0, 1, 2, 3, 4, 9]
    assert entries[5] == (6, "verdict", partition_of("clinic"), 9, "clinic", b"{}", "", None)


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=40),
    st.integers(4096, 9000),
    st.integers(1, 7),
    st.integers(1, 4000),
)
def test_reading_gives_the_same_however_it_is_cut(
    tmp_path_factory, sizes, segment_bytes, most, want
):
    journal = Journal(tmp_path_factory.mktemp("journal"), segment_bytes=segment_bytes)
    journal.open()
    for number, size in enumerate(sizes):
        append(journal, [a_draft(number, size)])
    for limits in ({}, {"max_entries": most}, {"max_bytes": want}):
        found = everything(journal, **limits)
        assert [len(e.payload) for e in found] == sizes
        assert [e.position for e in found] == list(range(1, len(sizes) + 1))
    for start in range(1, len(sizes) + 1):
        assert read(journal, start, max_entries=1)[0].position == start
    assert read(journal, len(sizes) + 1) == []
    journal.close()


async def test_a_group_commit_answers_all_and_each_with_its_position(opened):
    journal = await asyncio.to_thread(opened)
    positions = await asyncio.gather(*(journal.append(3, a_draft(n)) for n in range(200)))
    assert positions == list(range(1, 201))


def test_readers_see_durable_entries_only(opened):
    synced = threading.Event()

    class SlowDisk(Disk):
        def sync(self, fd):
            synced.wait(10)
            super().sync(fd)

    synced.set()
    journal = opened(disk=SlowDisk())
    synced.clear()
    writer = threading.Thread(target=append, args=(journal, [a_draft(1)]))
    writer.start()
    assert not journal.wait(EVERY, {}, timeout=0.05)
    assert read(journal, 1) == []
    synced.set()
    assert journal.wait(EVERY, {}, timeout=10)
    assert len(read(journal, 1)) == 1
    writer.join()


def test_a_full_disk_makes_the_collector_busy_and_loses_nothing(opened):
    disk = FullDisk()
    journal = opened(disk=disk)
    append(journal, [a_draft(1)])
    disk.room = 30
    for _ in range(3):
        with pytest.raises(CollectorBusy, match="disk is full"):
            append(journal, [a_draft(2)])
    disk.room = 1 << 40
    assert append(journal, [a_draft(3)]) == 2
    journal.close()
    again = opened()
    assert again.cut_bytes == 0
    assert [e.arrival for e in everything(again)] == [1, 3]


def test_a_full_disk_at_the_start_of_a_segment(opened):
    disk = FullDisk()
    journal = opened(disk=disk, segment_bytes=HEADER_BYTES + 80)
    append(journal, [a_draft(1, 200)])
    disk.room = 3
    with pytest.raises(CollectorBusy):
        append(journal, [a_draft(2, 200)])
    disk.room = 1 << 40
    assert append(journal, [a_draft(3, 200)]) == 2
    journal.close()
    assert [e.arrival for e in everything(opened())] == [1, 3]


def test_a_full_disk_that_shows_at_the_sync(opened):
    disk = FullDisk()
    journal = opened(disk=disk)
    disk.sync_error = errno.ENOSPC
    with pytest.raises(CollectorBusy):
        append(journal, [a_draft(1)])
    disk.sync_error = None
    assert append(journal, [a_draft(2)]) == 1


def test_too_many_open_files_are_passing_trouble(opened, monkeypatch):
    journal = opened(segment_bytes=HEADER_BYTES + 80)
    append(journal, [a_draft(1, 200)])

    def none_left(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(Segment, "create", none_left)
        with pytest.raises(CollectorBusy):
            append(journal, [a_draft(2)])
        assert (journal.trouble, journal.failure) == ("too many open files", None)
    assert append(journal, [a_draft(3)]) == 2
    assert journal.trouble == ""
    journal.close()
    assert [e.arrival for e in everything(opened())] == [1, 3]


def test_a_failed_sync_stops_the_journal_for_good(opened):
    disk = FullDisk()
    journal = opened(disk=disk)
    disk.sync_error = errno.EIO
    with pytest.raises(JournalError):
        append(journal, [a_draft(1)])
    disk.sync_error = None
    with pytest.raises(JournalError):
        append(journal, [a_draft(2)])
    assert journal.failure is not None
    assert journal.trouble == "failed"


def test_the_queue_is_bounded(opened):
    hold = threading.Event()

    class HeldDisk(Disk):
        def append(self, fd, data, at):
            hold.wait(10)
            super().append(fd, data, at)

    hold.set()
    journal = opened(disk=HeldDisk(), queue_bytes=1000)
    hold.clear()

    async def fill():
        waiting, refused = [], 0
        for number in range(100):
            try:
                waiting.append(journal.append(3, a_draft(number, 100)))
            except CollectorBusy:
                refused += 1
        assert 10 <= len(waiting) <= 30
        assert len(waiting) + refused == 100
        hold.set()
        await asyncio.gather(*waiting)

    asyncio.run(fill())


def test_two_collectors_cannot_share_a_journal(opened):
    journal = opened()
    with pytest.raises(JournalError, match="another collector"):
        opened()
    journal.close()
    opened()


def test_a_damaged_entry_in_an_old_segment_is_said(opened):
    journal = opened(segment_bytes=4096)
    for number in range(1, 21):
        append(journal, [a_draft(number, 1000)])
    journal.close()
    oldest = min(journal.folder.glob("*.dwj"))
    data = bytearray(oldest.read_bytes())
    data[HEADER_BYTES + 80] ^= 1
    oldest.write_bytes(data)
    again = opened()
    with pytest.raises(JournalError, match=f"{oldest.name}: offset {HEADER_BYTES}"):
        read(again, 1)


def test_a_new_file_takes_the_place_of_the_old(tmp_path):
    replace_file(tmp_path / "x", b"one")
    replace_file(tmp_path / "x", b"two")
    assert (tmp_path / "x").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


WRITER = """
import sys
from pathlib import Path
from dijkwacht_collector.journal import Journal
from dijkwacht_collector.journal import Draft
journal = Journal(Path(sys.argv[1]), segment_bytes=20_000)
journal.open()
number = journal.last
while True:
    last = journal.append_all(
        [(95, Draft("batch", "bakery", number + k, bytes(300))) for k in range(3)]
    )
    number = last
    print(last, flush=True)
"""


def test_nothing_acknowledged_is_lost_to_kill_9(tmp_path):
    dice, acknowledged = random.Random(7), 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True
        )
        for _ in range(dice.randrange(1, 200)):
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.communicate()[0].split("\n")[:-1]
        acknowledged = max([acknowledged, *map(int, rest)])
        journal = Journal(tmp_path)
        journal.open()
        assert journal.last >= acknowledged
        assert [e.arrival for e in everything(journal)] == list(range(journal.last))
        journal.close()


def test_readers_at_the_same_place_do_not_cost_each_other_theirs(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal", segment_bytes=5_000)
    journal.open()
    append(journal, [Draft("batch", "bakery", 1, b"x" * 100) for _ in range(100)])
    first = read(journal, 1, max_entries=40)
    monkeypatch.setattr(segments, "_find", None)  # no reader looks for its place again
    readers = [read(journal, 41, max_entries=40) for _ in range(3)]
    journal.close()
    assert [entry.position for entry in first] == list(range(1, 41))
    assert [[entry.position for entry in read] for read in readers] == [list(range(41, 81))] * 3


def test_a_reader_that_goes_on_in_between_reads_little(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal")
    journal.open()
    append(journal, [Draft("batch", "bakery", 1, b"x" * 1000) for _ in range(2000)])
    at = 1
    while at < 2000:
        at += len(read(journal, at, max_entries=100))
    taken, pread = [], os.pread

    def counted(fd, size, offset):
        data = pread(fd, size, offset)
        taken.append(len(data))
        return data

    monkeypatch.setattr("dijkwacht_collector.journal.segment.os.pread", counted)
    found = read(journal, 1250, max_entries=3, max_bytes=2_000)
    journal.close()
    assert found[0].position == 1250
    assert sum(taken) < 500_000, "of two million"
