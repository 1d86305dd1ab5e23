import tempfile
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dijkwacht_collector.intake import HighWater
from dijkwacht_collector.intake.site_marks import (
    BOOT_EVERY_US,
    BOOTS_AT_ONCE,
    MOST_AGENTS,
    MOST_GAPS,
    MOST_RECENT,
)
from dijkwacht_collector.journal import Draft, Journal, batch_key, partition_of, seal
from dijkwacht_collector.journal.segment import Disk
from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import decode, encode

BAKERY = partition_of("bakery")


class Unsynced(Disk):
    """No plug is pulled here."""

    def sync(self, fd):
        pass


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


@given(st.lists(st.integers(0, 40) | st.integers(0, 1 << 61), max_size=60))
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
    window = (0b1011).to_bytes(32, "little")
    body = msgspec.msgpack.encode({"position": 3, "streams": {gone: [999, window]}})
    path.write_bytes((seal(magic, body) if magic else b"") + body)
    marks = HighWater.load(path)
    marks.catch_up(journal)
    return marks, gone.partition("/")[2]


@pytest.mark.parametrize("magic", [b"", b"DWM\x02"])
def test_a_snapshot_of_an_earlier_version_is_taken_over(tmp_path, journal, caplog, magic):
    marks, gone = as_earlier(tmp_path / "marks", journal, magic)
    seen = [seq for seq in range(1100) if marks.seen("bakery", f"{gone}/{seq}")]
    assert seen == [*range(744), 996, 998, 999], "what is below its window counts as seen"
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
    assert not marks.seen("bakery", f"{gone}/999")
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


def boot(number):
    return number.to_bytes(16)


def test_no_boot_is_ever_forgotten_and_a_snapshot_stays_small(tmp_path):
    marks = HighWater()
    marks.note("clinic", key(0), 1)
    boots = 20 * MOST_RECENT
    for number in range(boots):
        for seq in (0, 1, 3):
            marks.note("bakery", key(seq, boot=boot(number)), 1)
        # One of before wakes up.
        marks.note("bakery", key(7 + number, boot=boot(number // 2)), 1)
    HighWater.save(tmp_path / "marks", marks.dump())
    again = HighWater.load(tmp_path / "marks")
    for held in (marks, again):
        assert held.seen("clinic", key(0))
        for number in range(boots):
            seen = [held.seen("bakery", key(seq, boot=boot(number))) for seq in range(5)]
            assert seen == [True, True, False, True, False]
        assert all(held.seen("bakery", key(7 + n, boot=boot(n // 2))) for n in range(boots))
        assert not held.seen("bakery", key(0, boot=boot(boots)))
    assert len(marks.dump()) < boots * 4 * 24


def test_a_stream_with_too_many_gaps_takes_what_fills_them_and_opens_no_other():
    marks = HighWater()
    for number in range(MOST_GAPS + 1):
        assert marks.has_room("bakery", key(2 * number), 0)
        marks.note("bakery", key(2 * number), 1)
    assert not marks.has_room("bakery", key(2 * MOST_GAPS + 2), 0)
    assert not marks.seen("bakery", key(2 * MOST_GAPS + 2)), "busy, and not taken for a repeat"
    assert marks.has_room("bakery", key(2 * MOST_GAPS + 1), 0), "the next"
    assert marks.has_room("bakery", key(1), 0), "and one of those that were lost"
    assert marks.has_room("bakery", key(2 * MOST_GAPS + 2, boot=bytes(16)), 0)
    assert marks.has_room("bakery", key(2 * MOST_GAPS + 2, agent="till"), 0)
    marks.note("bakery", key(1), 2)
    assert marks.has_room("bakery", key(2 * MOST_GAPS + 2), 0), "there is one gap less"


def test_an_agent_that_starts_again_and_again_is_always_taken():
    marks, now = HighWater(), 10**15
    for number in range(3 * BOOTS_AT_ONCE):
        assert marks.has_room("bakery", key(0, boot=boot(number)), now)
        marks.note("bakery", key(0, boot=boot(number)), 1, 1, now)
        now += BOOT_EVERY_US
    assert marks.rows("bakery") == {"desk": 3 * BOOTS_AT_ONCE}


def test_an_agent_that_makes_up_boots_waits_alone():
    marks, now, taken = HighWater(), 10**15, 0
    while marks.has_room("bakery", key(0, boot=boot(taken)), now):
        marks.note("bakery", key(0, boot=boot(taken)), 1, 1, now)
        taken += 1
    assert taken == BOOTS_AT_ONCE + 1
    assert marks.has_room("bakery", key(1, boot=boot(0)), now), "what it began goes on"
    assert marks.has_room("bakery", key(0, agent="till"), now)
    assert marks.has_room("clinic", key(0, boot=boot(taken)), now)
    assert marks.has_room("bakery", key(0, boot=boot(taken)), now + BOOT_EVERY_US), "and so on"
    year = 365 * 86_400_000_000
    assert marks.has_room("bakery", key(0, boot=boot(taken)), now - year), "our clock was set back"


def test_what_a_site_may_take_is_bounded(monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.intake.site_marks.MOST_OF_AGENT", 5)
    monkeypatch.setattr("dijkwacht_collector.intake.site_marks.MOST_INTERVALS", 12)
    marks = HighWater()

    def taken(agent):
        """Intervals of one boot and then of others, until there is no more room."""
        names = [key(2 * n, agent) for n in range(3)]
        names += [key(0, agent, boot(n)) for n in range(50)]
        for at, name in enumerate(names):
            if not marks.has_room("bakery", name, 0):
                return at
            marks.note("bakery", name, 1)
        return len(names)

    assert [taken(agent) for agent in ("desk", "till", "office", "attic")] == [5, 5, 2, 0]
    assert marks.has_room("bakery", key(1), 0), "what opens no interval is always taken"
    assert marks.has_room("clinic", key(0), 0)


def test_the_agents_of_a_site_are_bounded():
    marks = HighWater()
    for number in range(MOST_AGENTS):
        assert marks.has_room("bakery", key(0, f"agent-{number}"), 0)
        marks.note("bakery", key(0, f"agent-{number}"), 1)
    assert not marks.has_room("bakery", key(0, "one-more"), 0)
    assert marks.has_room("bakery", key(0, "agent-7", boot(1)), 0)


def a_batch(agent, number, seq, rows):
    row = [0 if column.kind == "int" else 0.0 for column in AGENT.columns]
    return encode("bakery", agent, boot(number), seq, 1, [(TABLES.index(AGENT), row)] * rows)


def heard(marks, agent, number, made, shed):
    wire = encode("bakery", agent, boot(number), 0, 1, [])
    beat = {"rows_made": made, "rows_shed": shed, "time": 0}
    known = marks.hear(decode(wire), beat, 0)
    del known["copies"]
    return known


def test_what_an_agent_says_of_its_rows_adds_up_over_its_boots():
    marks = HighWater()
    marks.note("bakery", key(0, boot=boot(1)), 1, rows=60)
    said = {"rows_made": 100, "rows_durable": 60, "rows_shed": 10, "rows_waiting": 30}
    assert heard(marks, "desk", 1, 100, 10) == said
    marks.note("bakery", key(0, boot=boot(2)), 1, rows=25)
    said = {"rows_made": 120, "rows_durable": 85, "rows_shed": 11, "rows_waiting": 24}
    assert heard(marks, "desk", 2, 20, 1) == said
    # What came since its last heartbeat is not in what it said.
    marks.note("bakery", key(1, boot=boot(2)), 1, rows=30)
    assert heard(marks, "desk", 2, 20, 1)["rows_waiting"] == 0
    assert heard(marks, "desk", 2, 5, 0)["rows_made"] == 120, "an older one, overtaken"
    assert heard(marks, "desk", 3, 31, 0)["rows_made"] == 131, "one that counts on"
    for number, most in enumerate((1 << 62, 7, 1 << 62, 7), 4):
        heard(marks, "desk", number, most, -most)
    assert len(marks.dump()) > 0, "whatever it says, it can be saved"


def test_what_was_durable_before_rows_were_counted_does_not_wait_for_ever(tmp_path):
    window = ((1 << 256) - 1).to_bytes(32, "little")
    streams = {f"bakery/desk/{boot(1).hex()}": [5000, window]}
    body = msgspec.msgpack.encode({"streams": streams, "after": {BAKERY: 7}})
    (tmp_path / "marks").write_bytes(seal(b"DWM\x03", body) + body)
    marks = HighWater.load(tmp_path / "marks")
    marks.note("bakery", key(5001, boot=boot(1)), 8, rows=5)
    said = {"rows_made": 6, "rows_durable": 5, "rows_shed": 1, "rows_waiting": 0}
    assert heard(marks, "desk", 1, 90_000, 1) == said
    HighWater.save(tmp_path / "marks", marks.dump())
    marks = HighWater.load(tmp_path / "marks")
    said = {"rows_made": 16, "rows_durable": 5, "rows_shed": 1, "rows_waiting": 10}
    assert heard(marks, "desk", 1, 90_010, 1) == said
    said = {"rows_made": 26, "rows_durable": 5, "rows_shed": 1, "rows_waiting": 20}
    assert heard(marks, "desk", 2, 10, 0) == said


def test_a_batch_that_no_intake_has_taken_stops_no_start(journal):
    """Made by hand: of another site and agent than its entry names, and none at all."""
    wires = [a_batch("till", 1, 0, 1), b"no batch", a_batch("desk", 1, 2, 1)]
    append(
        journal,
        [Draft("batch", "clinic", 0, wire, key(seq)) for seq, wire in enumerate(wires)],
    )
    marks = HighWater()
    marks.catch_up(journal)
    assert all(marks.seen("clinic", key(seq)) for seq in range(3))
    assert marks.rows("clinic") == {"till": 0, "desk": 2}


class MarksAgainstASet(RuleBasedStateMachine):
    """Batches in any order, snapshots at any time, and collectors that are killed: against a plain set."""

    def __init__(self):
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        # So few that streams come to rest and wake up all the time.
        self._patch.setattr("dijkwacht_collector.intake.site_marks.MOST_RECENT", 3)
        self._patch.setattr("dijkwacht_collector.intake.site_marks.MOST_LOOSE", 8)
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name)
        self._journal = Journal(self._path / "journal", disk=Unsynced())
        self._journal.open()
        self._marks = HighWater()
        self._seen, self._rows = set(), Counter()

    @rule(
        agent=st.sampled_from(["desk", "till"]),
        number=st.integers(0, 4),
        seqs=st.lists(st.integers(0, 12) | st.integers(0, 1 << 61), min_size=1, max_size=6),
        rows=st.integers(1, 3),
    )
    def send(self, agent, number, seqs, rows):
        for seq in seqs:
            name = key(seq, agent, boot(number))
            assert self._marks.seen("bakery", name) == (name in self._seen)
            if name in self._seen:
                continue
            assert self._marks.has_room("bakery", name, 0)
            draft = Draft("batch", "bakery", 0, a_batch(agent, number, seq, rows), name)
            self._marks.note("bakery", name, append(self._journal, [draft]), rows)
            self._seen.add(name)
            self._rows[agent] += rows

    @rule()
    def save(self):
        HighWater.save(self._path / "marks", self._marks.dump())

    @rule()
    def kill(self):
        self._marks = HighWater.load(self._path / "marks")
        self._marks.catch_up(self._journal)

    @invariant()
    def the_same_is_seen_and_counted(self):
        assert self._marks.rows("bakery") == self._rows
        assert all(self._marks.seen("bakery", name) for name in self._seen)

    def teardown(self):
        self._journal.close()
        self._folder.cleanup()
        self._patch.undo()


TestMarksAgainstASet = MarksAgainstASet.TestCase
TestMarksAgainstASet.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
