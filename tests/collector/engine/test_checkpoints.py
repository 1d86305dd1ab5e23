"""Checkpoints are taken between steps; one that is not as we wrote it is discarded, with one warning."""

import os
import random

import pytest

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import Checkpoints, Owner, load, read_checkpoint, save
from dijkwacht_collector.journal import Entry
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.errors import DijkwachtError
from dijkwacht_records.wire import encode

BAKERY = 95


def saved(folder, position):
    """The file in which the bakery's partition was saved at ``position``."""
    engine = Engine([])
    engine.positions[BAKERY] = position
    save_round = Checkpoints(folder).begin([BAKERY], Owner(), lambda: None)
    save_round.advance(engine)
    save_round.result()
    return folder / "partition-095.checkpoint"


def restored(folder):
    found = Checkpoints(folder).restore(BAKERY, 100, "")
    return found and found.state.position


def flipped(data, bit):
    altered = bytearray(data)
    altered[bit // 8] ^= 1 << bit % 8
    return altered


def test_any_bit_of_a_checkpoint_costs_it_and_a_warning(tmp_path, caplog):
    path = saved(tmp_path, 7)
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        path.write_bytes(flipped(whole, bit))
        caplog.clear()
        assert restored(tmp_path) is None, bit
        assert [record.message for record in caplog.records] == ["checkpoint discarded"]


def test_bits_of_a_checkpoint_with_everything_in_it(tmp_path):
    rows = list(office_rows(1, 4, WORKING_MORNING, 60_000_000))
    engine = Engine(shipped_detectors())
    wire = encode("bakery", "desk", bytes(16), 0, rows[-1][1][0], rows)
    engine.step([Entry(1, "batch", BAKERY, rows[-1][1][0], "bakery", wire)])
    save(engine, tmp_path)
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    for bit in random.Random(5).sample(range(8 * len(whole)), 100):
        path.write_bytes(flipped(whole, bit))
        with pytest.raises(DijkwachtError):
            load(Engine([]), tmp_path)


@pytest.mark.parametrize("length", [0, 3, 8, 19, 28, 40, -1])
def test_a_checkpoint_cut_short_is_discarded(tmp_path, caplog, length):
    path = saved(tmp_path, 7)
    path.write_bytes(path.read_bytes()[:length])
    assert restored(tmp_path) is None
    assert len(caplog.records) == 1


def test_damage_to_the_newest_costs_what_came_after_the_one_before(tmp_path, caplog):
    saved(tmp_path, 7)
    path = saved(tmp_path, 9)
    assert restored(tmp_path) == 9
    path.write_bytes(flipped(path.read_bytes(), 100))
    assert restored(tmp_path) == 7
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_checkpoint_that_others_may_write_is_not_read(tmp_path, caplog, mode):
    saved(tmp_path, 7).chmod(mode)
    assert restored(tmp_path) is None
    assert f"mode {mode:o}: not ours alone" in caplog.records[0].why


def test_a_checkpoint_of_another_user_is_not_read(tmp_path, caplog, monkeypatch):
    saved(tmp_path, 7)
    monkeypatch.setattr(os, "geteuid", lambda: 65_534)
    assert restored(tmp_path) is None
    assert "not ours alone" in caplog.records[0].why


def test_a_link_in_its_place_is_not_followed(tmp_path):
    path = saved(tmp_path, 7)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert restored(tmp_path) is None


def test_it_is_ours_alone_whatever_was_there(tmp_path):
    draft = tmp_path / "partition-095.new"
    draft.touch()
    draft.chmod(0o666)
    path = saved(tmp_path, 7)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_checkpoint(path).state.position == 7


def saved_engine(position):
    engine = Engine([])
    engine.numbering.site("bakery")
    engine.positions[95] = position
    return engine


def keep(checkpoints, engine, flush=lambda: None):
    save_round = checkpoints.begin([95], Owner(1, "store"), flush)
    save_round.advance(engine)
    return save_round.result()[95]


def position_in(checkpoints, head=100):
    saved = checkpoints.restore(95, head, "store")
    return saved and saved.state.position


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "saved")


@pytest.fixture
def newest(tmp_path):
    return tmp_path / "saved/partition-095.checkpoint"


def test_the_newest_whole_checkpoint_is_taken(checkpoints, newest):
    assert position_in(checkpoints) is None
    assert keep(checkpoints, saved_engine(7)) == 7
    assert newest.stat().st_mode & 0o777 == 0o600
    assert keep(checkpoints, saved_engine(9)) == 9
    assert position_in(checkpoints) == 9
    newest.write_bytes(b"torn")
    assert position_in(checkpoints) == 7
    newest.with_suffix(".previous").write_bytes(b"")
    assert position_in(checkpoints) is None


def test_sites_are_taken_between_steps_and_the_file_counts_when_the_last_is(checkpoints, newest):
    engine, flushed = saved_engine(3), []
    engine.numbering.site("bakery")
    save_round = checkpoints.begin([95], Owner(), lambda: flushed.append(engine.positions[95]))
    save_round.advance(engine, 0.0)
    assert not save_round.finished
    engine.positions[95] = 8
    assert not newest.exists()
    save_round.advance(engine, 0.0)
    assert save_round.result() == {95: 3}, "what one site still needs of the journal"
    assert flushed == [8]
    assert newest.exists()


def test_a_site_that_comes_after_a_round_has_begun_is_saved_with_its_partition(tmp_path):
    rows = list(office_rows(1, 2, WORKING_MORNING, 20_000_000))
    engine, checkpoints = Engine(shipped_detectors()), Checkpoints(tmp_path)
    save_round = checkpoints.begin([7, BAKERY], Owner(), lambda: None)
    save_round.advance(engine, 0.0)
    wire = encode("bakery", "desk", bytes(16), 0, rows[-1][1][0], rows)
    engine.step([Entry(1, "batch", BAKERY, rows[-1][1][0], "bakery", wire)])
    save_round.advance(engine)
    assert save_round.result() == {7: 0, BAKERY: 1}
    records = read_checkpoint(tmp_path / "partition-095.checkpoint").records
    assert [(record.name, record.position) for record in records] == [("bakery", 1)]


def test_a_writer_that_fails_in_any_way_saves_nothing(checkpoints, newest, monkeypatch):
    def fail(_file, bodies):
        list(bodies)
        raise MemoryError

    monkeypatch.setattr("dijkwacht_collector.engine.checkpoints.write_frames", fail)
    with pytest.raises(MemoryError):
        keep(checkpoints, saved_engine(7))
    assert list(newest.parent.iterdir()) == []


def test_a_damaged_checkpoint_does_not_take_the_place_of_the_one_before(checkpoints, newest):
    keep(checkpoints, saved_engine(7))
    keep(checkpoints, saved_engine(8))
    newest.write_bytes(newest.read_bytes()[:-1])
    assert position_in(checkpoints) == 7
    keep(checkpoints, saved_engine(9))
    newest.write_bytes(b"")
    assert position_in(checkpoints) == 7


def test_an_abandoned_checkpoint_leaves_the_one_before(checkpoints, newest):
    keep(checkpoints, saved_engine(7))
    save_round = checkpoints.begin([95], Owner(), lambda: None)
    save_round.abandon()
    assert save_round.finished
    assert position_in(checkpoints) == 7
    assert list(newest.parent.iterdir()) == [newest]


def test_a_checkpoint_ahead_of_the_journal_is_not_used(checkpoints):
    assert keep(checkpoints, saved_engine(7)) == 7
    assert keep(checkpoints, saved_engine(9)) == 9
    assert position_in(checkpoints, head=8) == 7
    assert position_in(checkpoints, head=5) is None


def test_the_journal_is_kept_for_the_older_of_two_files_until_they_are_the_same(
    checkpoints, newest
):
    keep(checkpoints, saved_engine(7))
    keep(checkpoints, saved_engine(9))
    assert checkpoints.position(95) == 7
    assert checkpoints.uneven
    at_rest = checkpoints.begin([], Owner(), lambda: None)
    at_rest.result()
    assert checkpoints.position(95) == 9
    assert not checkpoints.uneven
    assert newest.with_suffix(".previous").read_bytes() == newest.read_bytes()
