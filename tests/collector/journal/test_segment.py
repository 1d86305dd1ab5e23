import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.journal import PARTITIONS, Draft
from dijkwacht_collector.journal.entry import (
    FRAME_BYTES,
    HEADER_BYTES,
    KINDS,
    BadFrame,
    check_draft,
    partition_of,
    read_frame,
    write_frame,
)
from dijkwacht_collector.journal.segment import Disk, Segment
from dijkwacht_records.errors import JournalError

START = HEADER_BYTES
HEADS = [0] * PARTITIONS
drafts = st.builds(
    Draft,
    st.sampled_from(KINDS),
    st.text(max_size=40),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.binary(max_size=200),
    st.text(max_size=40),
)


@given(drafts, st.integers(1, 1 << 60), st.integers(0, 1 << 60), st.integers(0, 2**32 - 1))
def test_a_frame_holds_what_was_written(draft, position, durable, salt):
    data = write_frame(draft, partition_of(draft.site), position, durable, salt)
    frame = read_frame(b"xx" + data + b"more", 2, salt)
    entry = frame.entry
    said = entry.kind, entry.site, entry.arrival, entry.payload, entry.key
    assert said == draft[:5]
    assert entry.batch is None  # it is not on disk
    assert (entry.position, frame.durable, frame.end) == (position, durable, 2 + len(data))
    assert 0 <= entry.partition < PARTITIONS


@given(drafts, st.data())
def test_a_changed_byte_is_found(draft, data):
    good = write_frame(draft, 1, 5, 4, 99)
    place = data.draw(st.integers(0, len(good) - 1))
    change = data.draw(st.integers(1, 255))
    bad = good[:place] + bytes([good[place] ^ change]) + good[place + 1 :]
    with pytest.raises(BadFrame):
        read_frame(bad, 0, 99)


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1))
def test_any_bytes_are_read_or_refused(data, salt):
    with pytest.raises(BadFrame):
        read_frame(data, 0, salt)


def test_a_frame_of_another_segment_is_no_frame():
    data = write_frame(Draft("batch", "bakery", 1, b"x"), 1, 5, 4, salt=1)
    with pytest.raises(BadFrame, match="checksum"):
        read_frame(data, 0, salt=2)


def test_what_is_too_long_is_refused_before_it_is_written():
    with pytest.raises(ValueError, match="too long"):
        check_draft(Draft("batch", "x" * 256, 1, b""))


def test_partitions_are_fixed_for_life():
    assert [partition_of(site) for site in ("bakery", "clinic", "accountant")] == [95, 20, 123]


def a_segment(folder, frames):
    segment = Segment.create(folder, 1, HEADS, Disk())
    data = b"".join(
        write_frame(Draft("batch", "bakery", p, bytes(20), f"a/b/{p}"), 9, p, durable, segment.salt)
        for p, durable in frames
    )
    os.pwrite(segment.fd, data, segment.start)
    return segment.path


def test_a_tail_torn_at_any_byte_is_cut(tmp_path):
    path = a_segment(tmp_path, [(1, 0), (2, 0), (3, 2)])
    whole = path.read_bytes()
    each = (len(whole) - START) // 3
    for length in range(START, len(whole) + 1):
        path.write_bytes(whole[:length])
        segment = Segment.load(path)
        last, torn = segment.recover(Disk(), [*HEADS])
        assert last == (length - START) // each
        assert torn == (length - START) % each
        assert path.stat().st_size == START + last * each


def test_a_torn_tail_with_later_pages_on_disk_is_cut(tmp_path):
    # Frames 2 and 3 were written together and never synced: the disk may hold only the second.
    path = a_segment(tmp_path, [(1, 0), (2, 1), (3, 1)])
    data = bytearray(path.read_bytes())
    each = (len(data) - START) // 3
    data[START + each : START + 2 * each] = bytes(each)
    path.write_bytes(data)
    segment = Segment.load(path)
    assert segment.recover(Disk(), [*HEADS]) == (1, 2 * each)


@pytest.mark.parametrize("what", ["marker", "length", "payload"])
def test_damage_to_acknowledged_bytes_names_file_and_offset(tmp_path, what):
    # Frame 3 says that 2 was durable when it was written: 2 was acknowledged and must not vanish.
    path = a_segment(tmp_path, [(1, 0), (2, 1), (3, 2)])
    data = bytearray(path.read_bytes())
    each = (len(data) - START) // 3
    place = START + each + {"marker": 0, "length": 5, "payload": each - 1}[what]
    data[place] ^= 0xFF
    path.write_bytes(data)
    segment = Segment.load(path)
    with pytest.raises(JournalError, match=rf"{path.name}: offset {START + each}"):
        segment.recover(Disk(), [*HEADS])


def test_a_payload_cannot_pretend_to_be_a_frame(tmp_path):
    # A hostile batch holds a frame that says it all was durable; the segment's salt is unknown to it.
    segment = Segment.create(tmp_path, 1, HEADS, Disk())
    forged = write_frame(Draft("batch", "x", 1, b""), 1, 9, 9, salt=0)
    frame = write_frame(Draft("batch", "bakery", 1, forged), 9, 1, 0, segment.salt)
    os.pwrite(segment.fd, frame[:-1], segment.start)
    segment = Segment.load(segment.path)
    assert segment.recover(Disk(), [*HEADS]) == (0, len(frame) - 1)
    assert len(frame) > FRAME_BYTES


def test_a_file_that_is_no_segment_is_refused(tmp_path):
    (tmp_path / f"{1:020d}.dwj").write_bytes(b"hello, this is not a journal")
    with pytest.raises(JournalError, match="not a journal segment"):
        Segment.load(tmp_path / f"{1:020d}.dwj")
