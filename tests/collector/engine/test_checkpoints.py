"""A checkpoint that is not as we wrote it is discarded, with one warning, before it is used."""

import os
import random

import pytest

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import Checkpoints, load, save
from dijkwacht_collector.journal import Entry
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.errors import DijkwachtError
from dijkwacht_records.wire import encode


def without_detectors():
    return Engine([])


def saved(folder, engine, position):
    """The file in which ``engine`` was saved at ``position``."""
    engine.position = position
    save_round = Checkpoints(folder, "engine").begin(engine, lambda: None)
    save_round.advance(engine)
    save_round.result()
    return folder / "engine.checkpoint"


def restored(folder, make_engine=without_detectors):
    return Checkpoints(folder, "engine").restore(make_engine, 100, "").position


def flipped(data, bit):
    altered = bytearray(data)
    altered[bit // 8] ^= 1 << bit % 8
    return altered


def test_any_bit_of_a_checkpoint_costs_it_and_a_warning(tmp_path, caplog):
    path = saved(tmp_path, without_detectors(), 7)
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        path.write_bytes(flipped(whole, bit))
        caplog.clear()
        assert restored(tmp_path) == -1, bit
        assert [record.message for record in caplog.records] == ["checkpoint discarded"]


def test_bits_of_a_checkpoint_with_everything_in_it(tmp_path):
    rows = list(office_rows(1, 4, WORKING_MORNING, 60_000_000))
    engine = Engine(shipped_detectors())
    wire = encode("bakery", "desk", bytes(16), 0, rows[-1][1][0], rows)
    engine.step([Entry(1, "batch", 95, rows[-1][1][0], "bakery", wire)])
    path = saved(tmp_path, engine, 7)
    whole = path.read_bytes()
    for bit in random.Random(5).sample(range(8 * len(whole)), 100):
        path.write_bytes(flipped(whole, bit))
        with pytest.raises(DijkwachtError):
            load(Engine([]), path)


@pytest.mark.parametrize("length", [0, 3, 8, 19, 28, 40, -1])
def test_a_checkpoint_cut_short_is_discarded(tmp_path, caplog, length):
    path = saved(tmp_path, without_detectors(), 7)
    path.write_bytes(path.read_bytes()[:length])
    assert restored(tmp_path) == -1
    assert len(caplog.records) == 1


def test_damage_to_the_newest_costs_what_came_after_the_one_before(tmp_path, caplog):
    saved(tmp_path, without_detectors(), 7)
    path = saved(tmp_path, without_detectors(), 9)
    assert restored(tmp_path) == 9
    path.write_bytes(flipped(path.read_bytes(), 100))
    assert restored(tmp_path) == 7
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_checkpoint_that_others_may_write_is_not_read(tmp_path, caplog, mode):
    saved(tmp_path, without_detectors(), 7).chmod(mode)
    assert restored(tmp_path) == -1
    assert f"mode {mode:o}: not ours alone" in caplog.records[0].why


def test_a_checkpoint_of_another_user_is_not_read(tmp_path, caplog, monkeypatch):
    saved(tmp_path, without_detectors(), 7)
    monkeypatch.setattr(os, "geteuid", lambda: 65_534)
    assert restored(tmp_path) == -1
    assert "not ours alone" in caplog.records[0].why


def test_a_link_in_its_place_is_not_followed(tmp_path):
    path = saved(tmp_path, without_detectors(), 7)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert restored(tmp_path) == -1


def test_it_is_ours_alone_whatever_was_there(tmp_path):
    path = tmp_path / "checkpoint"
    path.touch()
    path.chmod(0o666)
    save(Engine([]), path)
    assert path.stat().st_mode & 0o777 == 0o600
    load(Engine([]), path)
