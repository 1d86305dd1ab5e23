"""What the intake has unpacked reaches a reader that keeps up, and nothing else changes for anybody."""

import asyncio
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.journal import PARTITIONS, Draft, Journal, batch_draft, partition_of
from dijkwacht_collector.journal import journal as journal_module
from dijkwacht_collector.journal.tail import Tail, size_of
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records import wire
from dijkwacht_records.contracts import CONTRACTS, LATEST

EVERY = range(PARTITIONS)
NOW = 1_790_000_000_000_000
ROWS = list(office_rows(3, 6, WORKING_MORNING, 600_000_000))[:200]
SITES = ("bakery", "clinic", "garage")


def a_wire(number, contract=LATEST):
    site = SITES[number % len(SITES)]
    return site, wire.encode(
        site, "desk", bytes(16), number, NOW, ROWS[number : number + 40], contract
    )


def a_draft(number, *, is_unpacked, contract=LATEST):
    site, body = a_wire(number, contract)
    batch = wire.decode(body, CONTRACTS) if is_unpacked else None
    return batch_draft(site, f"desk/{bytes(16).hex()}/{number}", NOW + number, body, batch)


def append(journal, drafts):
    """As the intake does: each alone, all at once."""

    async def offer():
        waiting = [journal.append(partition_of(draft.site), draft) for draft in drafts]
        return (await asyncio.gather(*waiting))[-1]

    return asyncio.run(offer())


def held(journal):
    """The positions that are kept."""
    return list(journal._tail._kept)


def bare(entries):
    return [entry._replace(batch=None) for entry in entries]


def everything(journal, partitions=EVERY, **limits):
    found, after = [], dict.fromkeys(partitions, 0)
    while journal.wait(partitions, after, 0.0):
        entries, after = journal.read(partitions, after, **limits)
        found += entries
    return found


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal", segment_bytes=8192)
    journal.open()
    yield journal
    journal.close()


def test_a_reader_that_keeps_up_gets_what_was_unpacked_once(journal):
    drafts = [a_draft(number, is_unpacked=True) for number in range(4)]
    append(journal, drafts)
    first, again = everything(journal), everything(journal)
    assert all(e.batch is d.batch for e, d in zip(first, drafts, strict=True))
    assert [entry.batch for entry in again] == [None] * 4
    assert bare(first) == again
    assert held(journal) == []


@pytest.mark.parametrize("contract", sorted(CONTRACTS))
def test_what_was_unpacked_is_what_the_payload_holds(journal, contract):
    append(journal, [a_draft(number, is_unpacked=True, contract=contract) for number in range(4)])
    for entry in everything(journal):
        assert entry.batch == wire.read_checked(entry.payload, CONTRACTS)


def test_after_a_restart_nothing_is_unpacked_and_all_else_is_the_same(tmp_path):
    drafts = [a_draft(number, is_unpacked=number % 3 > 0) for number in range(40)]
    journal = Journal(tmp_path / "journal", segment_bytes=8192)
    journal.open()
    append(journal, drafts)
    before = everything(journal, max_entries=1)
    journal.close()
    journal = Journal(tmp_path / "journal")
    journal.open()
    after = everything(journal)
    journal.close()
    assert any(entry.batch for entry in before)
    assert not any(entry.batch for entry in after)
    assert bare(before) == after


def test_a_reader_of_some_partitions_leaves_the_others_theirs(journal):
    drafts = [a_draft(number, is_unpacked=True) for number in range(6)]
    append(journal, drafts)
    for site in SITES:
        own = [draft.batch for draft in drafts if draft.site == site]
        assert [entry.batch for entry in everything(journal, [partition_of(site)])] == own
    assert held(journal) == []


def test_what_nobody_has_unpacked_cuts_no_reading_short(journal):
    append(journal, [a_draft(number, is_unpacked=number % 2 > 0) for number in range(8)])
    entries, _ = journal.read(EVERY, {})
    assert [entry.batch is not None for entry in entries] == [False, True] * 4


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=1, max_size=12),
    st.sampled_from((0, 6_000, 40_000, 1 << 24)),
    st.integers(1, 7),
    st.sampled_from((1, 3000, 1 << 20)),
)
def test_the_sequence_is_the_same_however_much_is_kept(
    tmp_path_factory, groups, most, entries, size
):
    journal = Journal(tmp_path_factory.mktemp("journal"), segment_bytes=8192)
    journal.open()
    journal._tail = Tail(most)
    number, drafts = 0, []
    late, after = [], dict.fromkeys(EVERY, 0)
    for group in groups:
        made = [a_draft(number + i, is_unpacked=unpacked) for i, unpacked in enumerate(group)]
        number += len(made)
        append(journal, made)
        drafts += made
        # A reader that falls behind goes on in the file where the tail ended, and back.
        read, after = journal.read(EVERY, after, max_entries=entries, max_bytes=size)
        late += read
    while journal.wait(EVERY, after, 0.0):
        read, after = journal.read(EVERY, after, max_entries=entries, max_bytes=size)
        late += read
    ours = [partition_of("bakery")]
    own = everything(journal, ours, max_entries=entries, max_bytes=size)
    journal.close()
    assert [(e.position, e.site, e.payload, e.key, e.arrival) for e in late] == [
        (at, d.site, d.payload, d.key, d.arrival) for at, d in enumerate(drafts, 1)
    ]
    assert bare(own) == [entry for entry in bare(late) if entry.partition == ours[0]]
    assert all(e.batch is None or e.batch is d.batch for e, d in zip(late, drafts, strict=True))
    kept = [e for e in late if e.batch is not None]
    assert most or not kept


def test_the_tail_is_bounded_and_drops_the_oldest_first(journal):
    journal._tail = Tail(40_000)
    drafts = [a_draft(number, is_unpacked=True) for number in range(60)]
    for draft in drafts:  # one a commit, or they would not all wait unpacked
        append(journal, [draft])
    kept = held(journal)
    assert kept == list(range(kept[0], 61))
    assert kept[0] > 1
    sizes = [size_of(draft.batch) for draft in drafts]
    assert sum(sizes[kept[0] - 1 :]) <= 40_000 < sum(sizes[kept[0] - 2 :])


def test_what_was_taken_makes_room_for_what_comes(journal):
    journal._tail, after = Tail(20_000), {}
    for number in range(60):
        append(journal, [a_draft(number, is_unpacked=True)])
        [entry], after = journal.read(EVERY, after)
        assert entry.batch is not None


@pytest.mark.parametrize("rows", [0, 1, 40])
def test_what_is_kept_is_bounded_however_little_is_in_each(rows):
    body = wire.encode("bakery", "desk", bytes(16), 1, NOW, ROWS[:rows])
    tail = Tail(200_000)
    tracemalloc.start()
    try:
        for position in range(1, 1001):
            tail.add([(position, wire.decode(body))])
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 1 < len(tail) < 300
    assert taken < 2 * tail.most


def test_what_waits_unpacked_is_bounded_too(journal, monkeypatch):
    offered = []
    monkeypatch.setattr(journal, "_submit", offered.append)

    async def offer():
        for number in range(60):
            draft = a_draft(number, is_unpacked=True)
            journal.append(partition_of(draft.site), draft)
            journal._unpacked = sum(waiting.unpacked for waiting in offered)

    journal._tail = Tail(40_000)
    asyncio.run(offer())
    unpacked = [waiting.drafts[0][1].batch is not None for waiting in offered]
    assert unpacked[0]
    assert not unpacked[-1]
    assert journal._unpacked <= 40_000
    assert all(waiting.drafts[0][1].payload == a_wire(n)[1] for n, waiting in enumerate(offered))


def test_what_waited_unpacked_is_counted_down_once_it_is_written(journal):
    async def offer():
        drafts = [a_draft(number, is_unpacked=True) for number in range(20)]
        await asyncio.gather(*(journal.append(partition_of(d.site), d) for d in drafts))

    asyncio.run(offer())
    assert journal._unpacked == 0
    assert len([entry for entry in everything(journal) if entry.batch]) == 20


def test_what_is_not_durable_is_not_kept(tmp_path):
    class Full(journal_module.Disk):
        def sync(self, fd):
            raise OSError(28, "no space")

    journal = Journal(tmp_path / "journal")
    journal.open()
    journal._disk = Full()
    with pytest.raises(journal_module.CollectorBusy):
        append(journal, [a_draft(0, is_unpacked=True)])
    assert held(journal) == []
    assert everything(journal) == []
    journal._disk = journal_module.Disk()
    append(journal, [a_draft(1, is_unpacked=True), Draft("verdict", "bakery", NOW, b"{}")])
    assert [entry.key.rpartition("/")[2] for entry in everything(journal)] == ["1", ""]
    journal.close()
