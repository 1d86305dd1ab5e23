"""Disks that give back other bytes than they were given, or none for a while."""

import errno
import os
import shutil
import struct
import zlib
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dijkwacht_agent import spool_segments
from dijkwacht_agent.spool import Spool
from dijkwacht_agent.spool_records import encode_record, find_record

LIMIT = 40_000
SEGMENT = LIMIT // 4


def drain(spool):
    out = []
    while record := spool.peek():
        out.append(record.wire)
        assert spool.settle(record)
    return out


def adds_up(spool, made):
    sums = spool.accounts
    told = sums.journalled + sums.waiting + sums.lost
    assert sums.made == made == told
    assert min(sums.journalled, sums.waiting, *sums.shed.values()) >= 0


def wire_of(number, size):
    """Bytes that hold magics of both kinds, which are not the beginning of a record."""
    return (b"%05d" % number + b"DWS2DWS1DWS" + bytes([number % 256]) * 999)[:size]


def old_record(wire, rows):
    return struct.pack(">4sIII", b"DWS1", len(wire), rows, zlib.crc32(wire, rows)) + wire


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A spool of several segments, and where each record of it lies: (file, begin, end, wire, rows)."""
    folder = tmp_path_factory.mktemp("filled")
    spool = Spool(folder, LIMIT)
    places = []
    for number in range(60):
        wire, rows = wire_of(number, 20 + 137 * number % 900), 1 + number % 7
        assert spool.append(wire, rows)
        segment = spool._segments[-1]
        size = len(encode_record(wire, rows, 99))
        places.append((segment.path.name, segment.end - size, segment.end, wire, rows))
    spool.close()
    assert len({place[0] for place in places}) >= 3
    return SimpleNamespace(folder=folder, places=places, rows=sum(place[4] for place in places))


def damaged(filled, folder, flips, cut):
    """Copy it, flip bits at places of the whole, cut a file; the records that this leaves whole."""
    shutil.copytree(filled.folder, folder, dirs_exist_ok=True)
    return damage(filled, folder, flips, cut)


def damage(filled, folder, flips, cut):
    names = sorted({place[0] for place in filled.places})
    hit = set()
    for number, bit in flips:
        name = names[number % len(names)]
        content = bytearray((folder / name).read_bytes())
        at = number // len(names) % len(content)
        content[at] ^= 1 << bit
        (folder / name).write_bytes(content)
        hit ^= {(name, at, bit)}
    if cut is not None:
        name = names[cut % len(names)]
        os.truncate(folder / name, cut // len(names) % SEGMENT)

    def whole(place):
        name, begin, end, _, _ = place
        short = end > (folder / name).stat().st_size
        return not short and not any(name == n and begin <= at < end for n, at, _ in hit)

    return [place for place in filled.places if whole(place)]


FLIPS = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 7)), max_size=5)
CUTS = st.none() | st.integers(0, 1 << 20)


@given(flips=FLIPS, cut=CUTS)
@example(flips=[(0, 0)], cut=None)
@example(flips=[(3 * 4, 7), (3 * 8, 1)], cut=3 * 100)
def test_damage_costs_the_records_that_it_is_in_and_they_are_counted(
    filled, tmp_path_factory, flips, cut
):
    folder = tmp_path_factory.mktemp("spool")
    whole = damaged(filled, folder, flips, cut)
    spool = Spool(folder, LIMIT)
    kept = sum(place[4] for place in whole)
    assert (spool.rows_waiting, spool.rows_shed) == (kept, filled.rows - kept)
    assert drain(spool) == [place[3] for place in whole]
    assert spool.accounts.shed == {"full": 0, "damaged": filled.rows - kept, "refused": 0}
    assert spool.remark is None
    adds_up(spool, filled.rows)
    spool.close()


@given(flips=FLIPS, cut=CUTS, first=st.integers(0, 20), late=st.booleans())
def test_damage_that_comes_while_it_is_read_costs_no_more(
    filled, tmp_path_factory, flips, cut, first, late
):
    folder = tmp_path_factory.mktemp("spool")
    shutil.copytree(filled.folder, folder, dirs_exist_ok=True)
    spool = Spool(folder, LIMIT)
    for _ in range(first):
        assert spool.settle(spool.peek())
    while late and len(spool._segments) > 1 and spool._segments[0].number == 0:
        assert spool.settle(spool.peek())
        first += 1
    there = {segment.path.name for segment in spool._segments}
    gone = [place for place in filled.places[:first] if place[0] not in there]
    for name in {place[0] for place in gone}:
        (folder / name).write_bytes((filled.folder / name).read_bytes())
    whole = damage(filled, folder, flips, cut)
    rest = [place for place in filled.places[first:] if place in whole]
    assert drain(spool) == [place[3] for place in rest]
    assert spool.append(b"new", 4)
    assert drain(spool) == [b"new"]
    done = sum(place[4] for place in filled.places[:first])
    kept = sum(place[4] for place in rest)
    assert spool.accounts.journalled == done + kept + 4
    assert spool.accounts.shed["damaged"] == filled.rows - done - kept
    adds_up(spool, filled.rows + 4)
    spool.close()


@given(
    held=st.lists(st.tuples(st.integers(1, 400), st.integers(1, 9)), min_size=1, max_size=12),
    flip=st.none() | st.tuples(st.integers(0, 1 << 16), st.integers(0, 7)),
    settled=st.integers(0, 6),
    more=st.integers(0, 6),
)
def test_a_spool_of_the_first_release_is_read_on(tmp_path_factory, held, flip, settled, more):
    folder = tmp_path_factory.mktemp("spool")
    wires = [wire_of(number, size) for number, (size, _) in enumerate(held)]
    records = [old_record(wire, rows) for wire, (_, rows) in zip(wires, held, strict=True)]
    content, hit = bytearray(b"".join(records)), None
    if flip:
        hit = flip[0] % len(content)
        content[hit] ^= 1 << flip[1]
    (folder / f"{7:016d}.spool").write_bytes(content)
    ends = [sum(map(len, records[: n + 1])) for n in range(len(records))]
    good = [
        (wire, rows)
        for wire, (_, rows), end, data in zip(wires, held, ends, records, strict=True)
        if hit is None or not end - len(data) <= hit < end
    ]
    spool, out = Spool(folder, LIMIT), []
    assert spool.remark is None
    made = spool.accounts.made
    assert spool.rows_waiting == sum(rows for _, rows in good)
    assert (spool.rows_shed > 0) == (flip is not None)
    for _ in range(min(settled, len(good))):
        record = spool.peek()
        out.append(record.wire)
        assert spool.settle(record)
    for number in range(more):
        assert spool.append(b"%d" % number, 2)
    spool.close()
    again = Spool(folder, LIMIT)
    adds_up(again, made + 2 * more)
    out += drain(again)
    assert out == [wire for wire, _ in good] + [b"%d" % number for number in range(more)]
    assert again.accounts.journalled == sum(rows for _, rows in good) + 2 * more
    adds_up(again, made + 2 * more)
    again.close()


@given(content=st.binary(max_size=400), at=st.integers(0, 50))
def test_whatever_lies_in_a_file_a_record_is_found_only_where_one_is(tmp_path_factory, content, at):
    path = tmp_path_factory.mktemp("file") / "x"
    record = encode_record(b"wire", 3, 9)
    path.write_bytes(content + record[: 10 + at])
    with path.open("rb") as file:
        found = find_record(file.fileno(), 0, len(content) + 10 + at)
    if 10 + at < len(record):
        assert found is None
    else:
        assert (found.wire, found.rows, found.upto) == (b"wire", 3, 9)
        assert (found.begin, found.end) == (len(content), len(content) + len(record))


@pytest.mark.parametrize("before", range(64 * 1024 - 5, 64 * 1024 + 3))
def test_a_record_is_found_wherever_it_begins(tmp_path, before):
    (tmp_path / "x").write_bytes(bytes(before) + encode_record(b"wire", 3, 9))
    with (tmp_path / "x").open("rb") as file:
        assert find_record(file.fileno(), 0, 1 << 20).begin == before


@pytest.fixture(name="spool")
def _spool(tmp_path):
    spool = Spool(tmp_path, LIMIT)
    for number in range(40):
        spool.append(wire_of(number, 900), 5)
    yield spool
    spool.close()


def failing(code, times):
    """In place of ``os.open`` or ``os.pread``: it fails so many ``times``."""
    left, real = [times], os.open

    def call(*arguments):
        if left[0]:
            left[0] -= 1
            raise OSError(code, os.strerror(code))
        return real(*arguments)

    return call


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM])
def test_an_error_that_passes_costs_nothing(spool, monkeypatch, code):
    waiting = spool.rows_waiting
    monkeypatch.setattr(os, "open", failing(code, 3))
    assert [spool.peek() for _ in range(3)] == [None] * 3
    assert (spool.rows_waiting, spool.rows_shed) == (waiting, 200 - waiting)
    assert len(drain(spool)) == waiting // 5


def test_an_error_that_passes_costs_nothing_at_the_start_either(spool, tmp_path, monkeypatch):
    waiting, shed = spool.rows_waiting, spool.rows_shed
    spool.close()
    real = os.pread
    fails = iter([True])

    def pread(file, size, at):
        if size > 800 and next(fails, False):
            raise OSError(errno.EIO, "Input/output error")
        return real(file, size, at)

    monkeypatch.setattr(os, "pread", pread)
    again = Spool(tmp_path, LIMIT)
    adds_up(again, 200)
    assert len(drain(again)) == waiting // 5
    assert (again.accounts.journalled, again.rows_shed) == (waiting, shed)
    adds_up(again, 200)
    again.close()


def test_a_place_that_never_can_be_read_is_passed_in_the_end(spool, monkeypatch):
    monkeypatch.setattr(spool_segments, "PATIENCE", 3)
    waiting, real = spool.rows_waiting, os.pread

    def pread(file, size, at):
        if at < 2000 and os.fstat(file).st_ino == first:
            raise OSError(errno.EIO, "Input/output error")
        return real(file, size, at)

    first = spool._segments[0].path.stat().st_ino
    monkeypatch.setattr(os, "pread", pread)
    assert [spool.peek() for _ in range(4)] == [None] * 4
    out = drain(spool)
    lost = waiting // 5 - len(out)
    assert 0 < lost <= 5
    assert out[-1] == wire_of(39, 900)
    adds_up(spool, 200)


def test_a_segment_that_is_gone_is_counted(spool):
    waiting, segment = spool.rows_waiting, spool._segments[0]
    segment.path.unlink()
    assert len(drain(spool)) == (waiting - segment.rows) // 5
    adds_up(spool, 200)


def test_a_disk_that_gives_an_error_on_writing_keeps_what_is_on_it(spool, monkeypatch):
    waiting, shed = spool.rows_waiting, spool.rows_shed

    def pwrite(*_):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", pwrite)
        assert not spool.append(b"new", 3)
        assert spool.trouble.key == "spool_unwritable"
        assert not spool.disk_full
        assert (spool.rows_waiting, spool.rows_shed) == (waiting + 3, shed)
    assert spool.append(b"newer", 1)
    assert spool.trouble is None
    assert drain(spool)[-2:] == [b"new", b"newer"]
    adds_up(spool, 204)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EROFS, errno.EIO])
def test_a_segment_that_cannot_be_begun_costs_none_of_the_others(spool, monkeypatch, code):
    spool._end_segment()
    waiting, shed = spool.rows_waiting, spool.rows_shed
    with monkeypatch.context() as broken:
        broken.setattr(os, "open", failing(code, 1))
        assert not spool.append(b"new", 3)
    assert (spool.rows_waiting, spool.rows_shed) == (waiting + 3, shed)
    assert drain(spool)[-1] == b"new"
    adds_up(spool, 203)
