"""Partitions: each has its owner, its order, and its own claim on what is kept."""

import asyncio
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.journal import (
    PARTITIONS,
    Bundles,
    Draft,
    FencedOff,
    Journal,
    JournalReader,
    partition_of,
)
from dijkwacht_records.errors import JournalError

EVERY = range(PARTITIONS)
BAKERY = partition_of("bakery")


def append(journal, drafts):
    """Each of ``drafts`` to the partition of its site, all at once."""
    return journal.append_all([(partition_of(draft.site), draft) for draft in drafts])


def a_draft(number, size=20, site="bakery"):
    return Draft("batch", site, number, bytes([number % 256]) * size, f"desk/boot/{number}")


def everything(journal):
    after, found = dict.fromkeys(EVERY, 0), []
    while journal.wait(EVERY, after, 0):
        entries, after = journal.read(EVERY, after)
        found += entries
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


def test_owners_get_rising_epochs(opened):
    journal = opened()
    first = journal.own(range(128))
    second = journal.own([3])
    assert second > first
    journal.close()
    assert opened().own([5]) > second


def test_old_segments_are_forgotten_but_nothing_that_is_needed(opened):
    journal = opened(segment_bytes=4096)
    for number in range(1, 41):
        append(journal, [a_draft(number, 1000)])
    assert journal.sweep(1 << 60) == 0
    journal.trim(BAKERY, 1 << 60)
    assert journal.sweep(0) == 0
    journal.close()
    journal = opened(segment_bytes=4096)
    journal.trim(BAKERY, 20)
    assert journal.sweep(1 << 60) > 0
    assert 1 < journal.first <= 20
    assert [e.position for e in everything(journal)] == list(range(journal.first, 41))
    journal.trim(BAKERY, 1 << 60)
    journal.sweep(30)
    assert 20 < journal.first <= 30
    journal.close()
    assert opened().last == 40


def test_a_former_owner_appends_nothing(opened):
    journal = opened()
    first = journal.own([20, 95])
    second = journal.own([95])
    with pytest.raises(FencedOff, match="partition 95"):
        journal.append_all([(20, a_draft(1)), (95, a_draft(2))], first)
    assert journal.append_all([(95, a_draft(3))], second) == 1
    assert journal.append_all([(20, a_draft(4))], first) == 2
    assert journal.append_all([(95, a_draft(5))]) == 3, "who owns it does not matter"
    with pytest.raises(FencedOff):
        journal.check([20, 95], first)
    journal.check([20], first)
    assert [e.arrival for e in everything(journal)] == [3, 4, 5]


async def test_a_former_owner_is_told_by_the_future(opened):
    journal = await asyncio.to_thread(opened)
    epoch = await asyncio.to_thread(journal.own, [95])
    assert await journal.append(95, a_draft(1), epoch) == 1
    await asyncio.to_thread(journal.own, [95])
    with pytest.raises(FencedOff):
        await journal.append(95, a_draft(2), epoch)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(["bakery", "clinic", "garage"]), st.integers(0, 900))),
    st.lists(st.integers(0, 60), min_size=3, max_size=3),
    st.sets(st.sampled_from(["bakery", "clinic", "garage"])),
    st.integers(1, 5),
)
def test_each_partition_is_read_from_its_own_position(tmp_path_factory, sizes, after, sites, most):
    journal = Journal(tmp_path_factory.mktemp("journal"), segment_bytes=4096)
    journal.open()
    truth = []
    for number, (site, size) in enumerate(sizes, 1):
        append(journal, [a_draft(number, size, site)])
        truth.append((partition_of(site), number))
    for partition in {p for p, _ in truth}:
        assert journal.head(partition) == max(n for p, n in truth if p == partition)
    partitions = [partition_of(site) for site in ("bakery", "clinic", "garage")]
    places = dict(zip(partitions, after, strict=True))
    asked = [partition_of(site) for site in sites]
    wanted = [n for p, n in truth if p in asked and n > places[p]]
    found = []
    while journal.wait(asked, places, 0):
        entries, places = journal.read(asked, places, max_entries=most)
        found += [entry.position for entry in entries]
    assert found == wanted
    journal.close()


def test_a_partition_that_stands_still_makes_nobody_read_and_keeps_no_segment(opened):
    journal = opened(segment_bytes=4096)
    append(journal, [a_draft(0, site="clinic")])
    for number in range(1, 41):
        append(journal, [a_draft(number, 1000)])
    journal.close()
    journal = opened(segment_bytes=4096)
    places = {partition_of("clinic"): 1, BAKERY: 38}
    _, moved = journal.read(places, places, max_entries=1)
    assert moved == {partition_of("clinic"): 39, BAKERY: 39}
    journal.trim(partition_of("clinic"), 2)
    journal.trim(BAKERY, 39)
    assert journal.sweep(1 << 60) > 5


def test_another_process_reads_while_one_writes(opened):
    journal = opened(segment_bytes=4096)
    with pytest.raises(JournalError, match="no journal"):
        JournalReader(journal.folder / "elsewhere").open()
    reader = JournalReader(journal.folder)
    reader.open()
    after, seen = dict.fromkeys(EVERY, 0), []
    for number in range(1, 31):
        append(journal, [a_draft(number, 1000)])
        if number % 3 == 0:
            assert reader.wait(EVERY, after, 10)
            while reader.wait(EVERY, after, 0):
                entries, after = reader.read(EVERY, after)
                seen += [entry.arrival for entry in entries]
            assert seen[-1] == number
        if number == 21:
            journal.trim(BAKERY, 20)
            assert journal.sweep(1 << 60) > 0
    assert seen == list(range(1, 31))
    assert not reader.wait(EVERY, after, 0.01)


READER = """
import sys
from pathlib import Path
from dijkwacht_collector.journal import JournalReader
reader = JournalReader(Path(sys.argv[1]))
reader.open()
after = {95: 0}
while after[95] < int(sys.argv[2]):
    assert reader.wait([95], after, 20)
    entries, after = reader.read([95], after)
    for entry in entries:
        print(entry.arrival)
"""


def test_a_process_of_its_own_reads_every_entry_once(opened):
    journal = opened(segment_bytes=20_000)
    process = subprocess.Popen(
        [sys.executable, "-c", READER, journal.folder, "300"], stdout=subprocess.PIPE, text=True
    )
    for number in range(1, 301):
        append(journal, [a_draft(number, 200)])
    assert process.communicate(timeout=60)[0].split() == [str(n) for n in range(1, 301)]
    assert process.returncode == 0


def test_a_reader_in_a_segment_that_is_deleted_finishes_it(opened):
    journal = opened(segment_bytes=4096)
    for number in range(1, 41):
        append(journal, [a_draft(number, 1000)])
    oldest = journal._segments.list[0]
    journal.trim(BAKERY, 1 << 60)
    assert journal.sweep(1 << 60) > 0
    assert not oldest.path.exists()
    entries, _ = oldest.read(oldest.start, 1, 3, 1 << 20)
    assert [entry.position for entry in entries] == [1, 2, 3]


def test_an_epoch_is_above_what_others_have_seen_even_if_the_clock_is_not(opened):
    journal = opened()
    ahead = 1 << 60
    assert journal.own([95], above=ahead) == ahead + 1


def test_a_damaged_bundle_is_refused_and_mended_by_who_keeps_it_again(tmp_path):
    bundles = Bundles(tmp_path / "bundles")
    name = bundles.keep(b"a model")
    assert bundles.get(name) == b"a model"
    path = tmp_path / "bundles" / name
    path.write_bytes(b"a mobel")
    with pytest.raises(JournalError, match="its bytes have changed"):
        bundles.get(name)
    assert bundles.keep(b"a model") == name
    assert bundles.get(name) == b"a model"
    path.unlink()
    with pytest.raises(JournalError, match=f"{name}: missing"):
        bundles.get(name)
    with pytest.raises(JournalError, match="names no bundle"):
        bundles.get("../epochs.json")
