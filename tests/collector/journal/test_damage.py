"""One bit is flipped anywhere in a journal: what was acknowledged is read, or its loss is said."""

import shutil
import struct
from pathlib import Path

import pytest

from dijkwacht_collector.journal import PARTITIONS, Draft, Journal, partition_of
from dijkwacht_collector.journal.entry import (
    HEADER_BYTES,
    read_header,
    write_frame,
    write_header,
)
from dijkwacht_collector.journal.segment import Disk, Segment
from dijkwacht_records.errors import JournalError

EVERY = range(PARTITIONS)


def append(journal, drafts):
    """Each of ``drafts`` to the partition of its site, all at once."""
    return journal.append_all([(partition_of(draft.site), draft) for draft in drafts])


def read(journal, position=1, **limits):
    """Entries of all partitions from ``position`` on."""
    return journal.read(EVERY, dict.fromkeys(EVERY, position - 1), **limits).entries


COMMITS = [2, 1, 2, 1]
ENTRIES = sum(COMMITS)


class Unsynced(Disk):
    """These tests pull no plug, and open journals by the thousand."""

    def sync(self, fd):
        pass


def open_journal(folder, **kinds):
    journal = Journal(folder, disk=Unsynced(), **kinds)
    try:
        journal.open()
    except JournalError:
        journal.close()
        raise
    return journal


def a_draft(number):
    return Draft("batch", "bakery", number, b"x", f"a/b/{number}")


@pytest.fixture
def folder(tmp_path):
    """Two segments, the first of three entries and the second too, in four commits."""
    folder = tmp_path / "journal"
    journal = open_journal(folder, segment_bytes=HEADER_BYTES + 140)
    number = 0
    for size in COMMITS:
        number = append(journal, [a_draft(number + n + 1) for n in range(size)])
    journal.own([3])
    journal.close()
    assert len(list(folder.glob("*.dwj"))) == 2
    return folder


def every_bit(path):
    """The file, again and again, each time with the next bit flipped; whole in the end."""
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        yield bit
    path.write_bytes(whole)


def follow(journal, position):
    found = {}
    while entries := read(journal, position, max_bytes=64):
        found |= {entry.position: entry.arrival for entry in entries}
        position = entries[-1].position + 1
    return found


def read_all(folder):
    """What is read of a journal, from each of its positions; raises `JournalError` if it says so."""
    journal = open_journal(folder)
    try:
        found = {}
        for start in range(1, ENTRIES + 1):
            found |= follow(journal, start)
        return found
    finally:
        journal.close()


WHOLE = {number: number for number in range(1, ENTRIES + 1)}


@pytest.mark.parametrize("which", [0, 1])
def test_any_bit_of_a_segment_is_noticed(folder, which):
    path = sorted(folder.glob("*.dwj"))[which]
    for bit in every_bit(path):
        with pytest.raises(JournalError, match=rf"{path.name}: offset \d+: "):
            pytest.fail(f"bit {bit}: {read_all(folder)}")
        assert path.stat().st_size > HEADER_BYTES + 140, f"bit {bit}: cut"
    assert read_all(folder) == WHOLE


def test_any_bit_of_the_note_costs_a_warning(folder, caplog):
    note = folder / "durable"
    whole = note.read_bytes()
    for bit in every_bit(note):
        caplog.clear()
        assert read_all(folder) == WHOLE, bit
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert note.read_bytes() == whole  # written anew


def test_any_bit_of_the_epochs_costs_a_warning_and_no_order(folder, caplog):
    path = folder / "epochs.json"
    for bit in every_bit(path):
        caplog.clear()
        journal = open_journal(folder)
        assert [record.message for record in caplog.records] == ["epochs discarded"], bit
        before = journal.own([3])
        assert journal.own([3]) > before > 1_700_000_000_000_000
        journal.close()


def test_the_note_is_never_ahead_of_a_sync(folder):
    class Forgets(Unsynced):
        def sync(self, fd):
            raise OSError(5, "Input/output error")

    journal = Journal(folder, disk=Unsynced())
    journal.open()
    before = (folder / "durable").read_bytes()
    journal._disk = Forgets()
    with pytest.raises(JournalError):
        append(journal, [a_draft(9)])
    journal.close()
    assert (folder / "durable").read_bytes() == before


@pytest.mark.parametrize("lost", ["last frame", "last segment", "all segments"])
def test_an_end_that_is_gone_is_said(folder, lost):
    first, last = sorted(folder.glob("*.dwj"))
    if lost == "last frame":
        data = last.read_bytes()
        last.write_bytes(data[: -len(write_frame(a_draft(6), 1, 6, 5, 7))])
    else:
        last.unlink()
        if lost == "all segments":
            first.unlink()
    with pytest.raises(JournalError, match=f"but {ENTRIES} was durable"):
        read_all(folder)
    (folder / "durable").unlink()  # as the message says
    read_all(folder)


def test_a_missing_middle_segment_is_named(tmp_path):
    journal = open_journal(tmp_path, segment_bytes=HEADER_BYTES + 80)
    for number in range(1, 10):
        append(journal, [a_draft(number)])
    journal.close()
    first, missing, *_ = sorted(tmp_path.glob("*.dwj"))
    gap = int(missing.stem)
    missing.unlink()
    journal = open_journal(tmp_path)
    for start in (1, gap, gap + 1):
        with pytest.raises(JournalError, match=rf"{first.name}: offset \d+: .* position {gap}"):
            follow(journal, start)
    journal.close()


# Segments of the first format, whose header has no checksum, without a note of what was durable.


def of_first_format(path, first, frames):
    salt = 0x5EED5EED
    header = struct.pack("<4sIQ", b"DWJ\1", salt, first)
    path.write_bytes(
        header
        + b"".join(write_frame(a_draft(p), partition_of("bakery"), p, d, salt) for p, d in frames)
    )


def test_a_segment_of_the_first_format_is_never_cut_for_its_salt(tmp_path):
    of_first_format(tmp_path / f"{1:020d}.dwj", 1, [(1, 0), (2, 1), (3, 2)])
    path = tmp_path / f"{1:020d}.dwj"
    whole = path.read_bytes()
    for bit in every_bit(path):
        try:
            segment = Segment.load(path)
            last, torn = segment.recover(Unsynced(), [0] * PARTITIONS)
        except JournalError:
            assert len(path.read_bytes()) == len(whole)
            continue
        # Nothing says of the very last frame that it had been durable; what is cut is counted.
        assert bit // 8 >= 16 + 2 * (len(whole) - 16) // 3
        assert (last, torn) == (2, (len(whole) - 16) // 3)


def test_a_torn_tail_of_the_first_format_is_cut(tmp_path):
    path = tmp_path / f"{1:020d}.dwj"
    of_first_format(path, 1, [(1, 0)])
    whole = path.read_bytes()
    for length in range(16, len(whole)):
        path.write_bytes(whole[:length])
        segment = Segment.load(path)
        assert segment.recover(Unsynced(), [0] * PARTITIONS) == (0, length - 16)


def test_a_first_frame_without_its_marker_says_nothing_of_the_salt(tmp_path):
    path = tmp_path / f"{1:020d}.dwj"
    of_first_format(path, 1, [(1, 0), (2, 0)])
    data = bytearray(path.read_bytes())
    data[16:40] = bytes(24)  # never synced: only the second frame's page came to the disk
    path.write_bytes(data)
    segment = Segment.load(path)
    assert segment.recover(Unsynced(), [0] * PARTITIONS) == (0, len(data) - 16)
    data[4] ^= 1
    path.write_bytes(data)
    segment = Segment.load(path)
    with pytest.raises(JournalError, match="offset 16"):
        segment.recover(Unsynced(), [0] * PARTITIONS)


def test_a_journal_goes_on_behind_a_segment_of_the_first_format(tmp_path):
    golden = Path(__file__).parents[2] / "contract/golden/journal/segment_1.dwj"
    shutil.copy(golden, tmp_path / f"{1:020d}.dwj")
    journal = open_journal(tmp_path, segment_bytes=HEADER_BYTES + 480)
    assert journal.last == 3
    for number in range(4, 12):
        append(journal, [a_draft(number)])
    journal.close()
    old, new, *_ = sorted(tmp_path.glob("*.dwj"))
    assert (old.read_bytes()[3], new.read_bytes()[3]) == (1, 3)
    journal = open_journal(tmp_path)
    assert list(follow(journal, 1)) == list(range(1, 12))
    assert (journal.head(partition_of("clinic")), journal.head(partition_of("bakery"))) == (3, 11)
    assert journal.last == 11
    journal.close()


def test_a_header_says_what_was_written():
    heads = tuple(range(PARTITIONS))
    assert read_header(write_header(7, 1 << 40, heads)) == (7, 1 << 40, HEADER_BYTES, True, heads)
