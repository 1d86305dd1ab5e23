"""Any one bit of what a journal has on disk is flipped: it is whole to whoever reads it, or refused.

`test_damage` says which bits are noticed; here nothing may be read that was not written.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from dijkwacht_collector.intake import HighWater
from dijkwacht_collector.journal import Draft, Entry, Journal, batch_key, partition_of
from dijkwacht_collector.journal.entry import FRAME_BYTES, HEADER_BYTES
from dijkwacht_collector.journal.segment import Disk
from dijkwacht_records.errors import JournalError

BAKERY = partition_of("bakery")
COMMITS = [2, 1, 1, 1]
CLOSED_BYTES = HEADER_BYTES + 220
"""So that the first two commits are in a segment that is closed."""


class Unsynced(Disk):
    """These tests pull no plug, and open journals by the thousand."""

    def sync(self, fd: int) -> None:
        pass


class Content(NamedTuple):
    """All that a journal gives of itself: its bounds, what it cut, its entries, its marks."""

    first: int
    last: int
    cut_bytes: int
    entries: tuple[Entry, ...]
    marks: bytes


# What depends on how a journal is opened, read and owned is in these.


def opened(folder: Path) -> Journal:
    journal = Journal(folder, segment_bytes=CLOSED_BYTES, disk=Unsynced())
    try:
        journal.open()
    except JournalError:
        journal.close()
        raise
    return journal


def write(journal: Journal, first: int, size: int) -> None:
    drafts = [
        Draft("batch", "bakery", n, f"payload {n}".encode(), batch_key("till", bytes(16), n))
        for n in range(first, first + size)
    ]
    journal.append_all([(BAKERY, draft) for draft in drafts])


def own(folder: Path) -> int:
    journal = opened(folder)
    try:
        return journal.own([3, 77])
    finally:
        journal.close()


def read(folder: Path) -> Content:
    """The same from every position on, or it would be two journals."""
    journal = opened(folder)
    try:
        found: dict[int, Entry] = {}
        for start in range(journal.first, journal.last + 1):
            after = {BAKERY: start - 1}
            while journal.wait(after, after, 0):
                read, after = journal.read(after, after, max_bytes=64)
                for entry in read:
                    assert found.setdefault(entry.position, entry) == entry
        marks = HighWater.load(folder.parent / "marks")
        marks.catch_up(journal)
        entries = [entry for _, entry in sorted(found.items())]
        return Content(journal.first, journal.last, journal.cut_bytes, tuple(entries), marks.dump())
    finally:
        journal.close()


@pytest.fixture
def folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Path:
    """A closed segment and an open one, its note, and marks half-way."""
    caplog.set_level(logging.CRITICAL)
    folder = tmp_path / "journal"
    journal = opened(folder)
    number = 1
    for size in COMMITS:
        write(journal, number, size)
        number += size
        if number == 4:
            marks = HighWater()
            marks.catch_up(journal)
            HighWater.save(tmp_path / "marks", marks.dump())
        if number == 5:
            shutil.copy(folder / "durable", tmp_path / "older")
    journal.own([3])
    journal.close()
    assert [int(path.stem) for path in sorted(folder.glob("*.dwj"))] == [1, 4]
    return folder


def flipped(path: Path, places: Iterable[int] | None = None) -> Iterator[int]:
    """``path`` with each bit of the bytes at ``places``, or all, flipped in turn; whole in the end."""
    whole = path.read_bytes()
    for place in range(len(whole)) if places is None else places:
        for bit in range(8):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            path.write_bytes(data)
            yield 8 * place + bit
    path.write_bytes(whole)


def refusal(error: JournalError, path: Path) -> bool:
    """Whether it is one line that names the file."""
    return path.name in str(error) and str(error).isprintable()


def read_or_refused(folder: Path, path: Path) -> Content | None:
    """None for a refusal; anything but a `JournalError` fails the test."""
    try:
        return read(folder)
    except JournalError as error:
        assert refusal(error, path), error  # noqa: PT017  the other way is to read on
        return None


FRONT = HEADER_BYTES + FRAME_BYTES + len("bakery") + len(batch_key("till", bytes(16), 1))
PLACES = [p for p in range(FRONT) if not 16 <= p < HEADER_BYTES - 4 or p % 29 == 0]
"""Of a segment's header and of its first frame without the payload; of the 128 heads, every 29th byte."""


@pytest.mark.parametrize("note", ["present", "older", "gone"])
@pytest.mark.parametrize("which", [0, 1], ids=["closed", "open"])
def test_the_front_of_a_segment(folder: Path, which: int, note: str) -> None:
    whole = read(folder)
    path = sorted(folder.glob("*.dwj"))[which]
    before = path.read_bytes()
    for bit in flipped(path, PLACES):
        if note == "older":
            shutil.copy(folder.parent / "older", folder / "durable")
        elif note == "gone":
            (folder / "durable").unlink(missing_ok=True)
        assert read_or_refused(folder, path) is None, f"bit {bit} changes something"
        assert len(path.read_bytes()) == len(before), f"bit {bit}: what was durable was cut"
    assert read(folder) == whole


def test_without_a_note_the_last_commit_alone_can_be_cut_and_is_counted(folder: Path) -> None:
    whole = read(folder)
    path = max(folder.glob("*.dwj"))
    size = len(path.read_bytes())
    cuts = []
    for bit in flipped(path):
        (folder / "durable").unlink(missing_ok=True)
        found = read_or_refused(folder, path)
        if found is None:
            continue
        cuts.append(found.cut_bytes)
        assert found.entries == whole.entries[: -COMMITS[-1]], bit
        assert found.cut_bytes == size - len(path.read_bytes()), bit
    frame = cuts[0]
    assert cuts == [frame] * 8 * frame, "each bit of the last frame, and none before"


def test_the_note(folder: Path) -> None:
    whole = read(folder)
    for bit in flipped(folder / "durable"):
        assert read(folder) == whole, bit


def test_the_marks(folder: Path) -> None:
    whole = read(folder)
    for bit in flipped(folder.parent / "marks"):
        assert read(folder) == whole, bit


def test_epochs_of_the_first_format_go_on_rising(folder: Path) -> None:
    ahead = 1 << 60
    (folder / "epochs.json").write_bytes(b'{"3":%d,"5":40}' % ahead)
    assert own(folder) == ahead + 1
    assert own(folder) == ahead + 2
