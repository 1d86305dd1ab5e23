import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.intake import HighWater
from dijkwacht_collector.intake.high_water import MOST_STREAMS, WINDOW
from dijkwacht_collector.journal import Draft, Journal, batch_key, partition_of, seal

BAKERY = partition_of("bakery")


def append(journal, drafts):
    """Each of ``drafts`` to the partition of its site, all at once."""
    return journal.append_all([(partition_of(draft.site), draft) for draft in drafts])


BOOT = bytes(range(16))


def key(seq, agent="desk", boot=BOOT):
    return batch_key(agent, boot, seq)


def test_a_batch_is_seen_once_it_is_noted():
    marks = HighWater()
    assert not marks.seen("bakery", key(0))
    marks.note("bakery", key(0), 1)
    assert marks.seen("bakery", key(0))
    assert not marks.seen("bakery", key(1))
    assert not marks.seen("clinic", key(0))
    assert not marks.seen("bakery", key(0, agent="till"))
    assert not marks.seen("bakery", key(0, boot=bytes(16)))


@given(st.lists(st.integers(0, WINDOW - 1), max_size=60))
def test_batches_may_overtake_each_other(order):
    marks, sent = HighWater(), set()
    for seq in order:
        assert marks.seen("bakery", key(seq)) == (seq in sent)
        marks.note("bakery", key(seq), 1)
        sent.add(seq)


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=60))
def test_what_was_noted_is_seen_for_ever(order):
    marks = HighWater()
    for position, seq in enumerate(order):
        marks.note("bakery", key(seq), position)
    assert all(marks.seen("bakery", key(seq)) for seq in order)
    assert not marks.seen("bakery", key(max(order) + 1))


def test_marks_come_back_from_snapshot_and_journal(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.open()

    def keep(*seqs):
        return append(journal, [Draft("batch", "bakery", 0, b"x", key(s)) for s in seqs])

    marks = HighWater()
    for position, seq in enumerate((0, 1, 2), keep(0, 1, 2) - 2):
        marks.note("bakery", key(seq), position)
    HighWater.save(tmp_path / "marks", marks.dump())
    keep(3, 4)
    append(journal, [Draft("verdict", "bakery", 0, b"{}")])

    again = HighWater.load(tmp_path / "marks")
    assert again.after[BAKERY] == 3
    again.catch_up(journal)
    assert again.after[BAKERY] == 6
    assert [again.seen("bakery", key(s)) for s in range(6)] == [True] * 5 + [False]

    (tmp_path / "marks").write_bytes(b"\xc1 not a snapshot")
    anew = HighWater.load(tmp_path / "marks")
    assert not any(anew.after.values())
    anew.catch_up(journal)
    assert anew.dump() == again.dump()
    journal.close()


@pytest.fixture
def journal(tmp_path):
    """Two sites, three agents, with a batch that overtook another."""
    journal = Journal(tmp_path / "journal")
    journal.open()
    for site, agent, seqs in (("bakery", "desk", (0, 1, 3)), ("clinic", "till", (7, 6))):
        append(journal, [Draft("batch", site, 0, b"x", key(seq, agent)) for seq in seqs])
    yield journal
    journal.close()


def caught_up(path, journal):
    marks = HighWater.load(path)
    marks.catch_up(journal)
    return marks.dump()


def test_any_bit_of_a_snapshot_costs_a_warning_and_no_mark(tmp_path, journal, caplog):
    path = tmp_path / "marks"
    truth = caught_up(path, journal)
    assert caplog.records == []
    HighWater.save(path, truth)
    assert caught_up(path, journal) == truth
    assert caplog.records == []
    for bit in range(8 * len(truth)):
        altered = bytearray(truth)
        altered[bit // 8] ^= 1 << bit % 8
        path.write_bytes(altered)
        caplog.clear()
        assert caught_up(path, journal) == truth, bit
        assert [record.levelname for record in caplog.records] == ["WARNING"]


def as_earlier(path, journal, magic):
    """A snapshot at position 3, with a mark of a boot that the journal does not hold any more."""
    gone = f"bakery/desk/{bytes(16).hex()}"
    body = msgspec.msgpack.encode({"position": 3, "streams": {gone: [9, bytes([255] * 32)]}})
    path.write_bytes((seal(magic, body) if magic else b"") + body)
    marks = HighWater.load(path)
    marks.catch_up(journal)
    return marks, gone.partition("/")[2]


@pytest.mark.parametrize("magic", [b"", b"DWM\x02"])
def test_a_snapshot_of_an_earlier_version_is_taken_over(tmp_path, journal, caplog, magic):
    marks, gone = as_earlier(tmp_path / "marks", journal, magic)
    assert marks.seen("bakery", f"{gone}/9")
    assert not marks.seen("bakery", f"{gone}/10")
    assert marks.seen("clinic", key(7, "till")), "what came behind it is read"
    assert not marks.seen("bakery", key(0)), "and nothing else"
    assert marks.after[partition_of("clinic")] == 5
    assert caplog.records == []


@pytest.mark.parametrize("magic", [b"", b"DWM\x02"])
def test_a_snapshot_of_an_earlier_version_ahead_of_the_journal_is_not_believed(
    tmp_path, caplog, magic
):
    journal = Journal(tmp_path / "journal")
    journal.open()
    marks, gone = as_earlier(tmp_path / "marks", journal, magic)
    journal.close()
    assert not marks.seen("bakery", f"{gone}/9")
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_snapshot_that_the_disk_does_not_give_is_discarded(tmp_path, journal, caplog):
    (tmp_path / "marks").mkdir()
    assert caught_up(tmp_path / "marks", journal) == caught_up(tmp_path / "none", journal)
    assert len(caplog.records) == 1


def test_marks_are_never_ahead_of_the_journal(tmp_path):
    marks = HighWater()
    marks.note("bakery", key(7), 99)
    journal = Journal(tmp_path / "journal")
    journal.open()
    marks.catch_up(journal)
    assert not marks.seen("bakery", key(7))
    journal.close()


def test_an_agent_that_makes_up_boots_forgets_its_own_and_nobody_elses(tmp_path):
    marks = HighWater()
    marks.note("clinic", key(0), 1)
    for number in range(2 * MOST_STREAMS):
        marks.note("bakery", key(0), 1)
        marks.note("bakery", key(0, boot=number.to_bytes(16)), 1)
    HighWater.save(tmp_path / "marks", marks.dump())
    again = HighWater.load(tmp_path / "marks")
    assert again.seen("clinic", key(0))
    assert again.seen("bakery", key(0))
    assert again.seen("bakery", key(0, boot=(2 * MOST_STREAMS - 1).to_bytes(16)))
    assert not again.seen("bakery", key(0, boot=bytes(16)))
    assert len(again.dump()) < MOST_STREAMS * 200
