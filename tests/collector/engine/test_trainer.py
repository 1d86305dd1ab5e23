"""Models are trained in a process of their own, which is never waited for and never for ever."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest

from dijkwacht_collector.engine.trainer import (
    FIRST_SAMPLES,
    MOST_SAMPLES,
    Trainer,
    train,
    training_rows,
)
from dijkwacht_detectors.state.memory import Kept
from dijkwacht_detectors.unlike_others import UnlikeOthers
from dijkwacht_records.errors import DetectorError


def kept(*seen, learned=(), most=500):
    """What so many sites have kept of the rows they have seen; site n's are all n."""
    samples = np.zeros((len(seen), most, 14), np.float32)
    for site, rows in enumerate(seen):
        samples[site, :rows] = (
            np.random.default_rng(site).random((min(rows, most), 14)) * 0.9 + site
        )
    return Kept(samples, np.array(seen), np.array([*learned] or [0] * len(seen)))


@pytest.fixture
def given(monkeypatch):
    """What trainings were given, by detector; they run in no process, and come to nothing."""
    trainings = []

    def start(detector, samples, own_file):
        trainings.append((detector, samples))

    monkeypatch.setattr("dijkwacht_collector.engine.trainer._start", start)
    return trainings


def result(trainer):
    deadline = time.monotonic() + 60
    while (made := trainer.collect()) is None:
        assert time.monotonic() < deadline, "waited 60 s"
        threading.Event().wait(0.05)
    return made


def test_a_model_comes_when_there_is_enough_to_learn():
    trainer = Trainer()
    trainer.offer(0, {"unlike_others": kept(FIRST_SAMPLES - 1)})
    assert trainer.collect() is None
    trainer.offer(0, {"unlike_others": kept(FIRST_SAMPLES)})
    name, bundle = result(trainer)
    assert name == "unlike_others"
    detector = UnlikeOthers()
    detector.activate(bundle)
    assert detector.mixture is not None
    assert bundle == train("unlike_others", training_rows(kept(FIRST_SAMPLES))), (
        "the same rows give the same model"
    )


def of_site(rows):
    return np.unique(np.floor(rows[:, 0]), return_counts=True)[1].tolist()


def test_every_site_counts_alike_and_there_are_only_so_many_rows():
    few = training_rows(kept(3, 100_000, 700, most=500))
    assert of_site(few) == [3, 500, 500], "what one lacks, no other fills"
    many = training_rows(kept(*[10_000] * 40, most=500))
    assert set(of_site(many)) == {MOST_SAMPLES // 40}
    crowd = training_rows(kept(*[9] * (MOST_SAMPLES + 5), most=9))
    assert set(of_site(crowd)) == {1}
    assert len(crowd) == MOST_SAMPLES
    again = training_rows(kept(*[10_000] * 40, most=500))
    assert many.tobytes() == again.tobytes()


def test_a_next_model_comes_with_twice_as_much_however_little_of_it_is_kept(given):
    trainer = Trainer()
    for seen in (FIRST_SAMPLES, 2 * FIRST_SAMPLES - 1, 2 * FIRST_SAMPLES, 64 * FIRST_SAMPLES):
        trainer.offer(0, {"unlike_others": kept(seen)})
    assert len(given) == 3


def test_after_a_restart_it_waits_for_as_much_as_it_would_have(given):
    trainer = Trainer()
    trainer.offer(0, {"unlike_others": kept(9_999, learned=[5_000])})
    assert given == []
    trainer.offer(0, {"unlike_others": kept(10_000, learned=[5_000])})
    assert len(given) == 1


def test_a_busy_site_does_not_put_off_the_model_of_another(given):
    trainer = Trainer()
    trainer.offer(0, {"unlike_others": kept(10**6)})
    trainer.offer(0, {"unlike_others": kept(10**6 + 1, 499)})
    assert len(given) == 1, "nobody new is known"
    trainer.offer(0, {"unlike_others": kept(10**6 + 2, 500)})
    assert len(given) == 2
    assert of_site(given[1][1]) == [500, 500]


def test_engines_offer_parts_of_one_model(given):
    trainer = Trainer(engines=2)
    trainer.offer(0, {"unlike_others": kept(10_000, 10_000)})
    assert given == [], "the other engine has not been heard"
    trainer.offer(1, {"unlike_others": kept(10_000)})
    [(detector, rows)] = given
    assert (detector, len(rows)) == ("unlike_others", 1500)
    trainer.offer(0, {"unlike_others": kept(19_999, 20_000)})
    trainer.offer(1, {"unlike_others": kept(19_999)})
    assert len(given) == 1
    trainer.offer(0, {"unlike_others": kept(20_000, 20_000)})
    assert len(given) == 2


def test_an_engine_that_stopped_is_not_waited_for(given):
    trainer = Trainer(engines=2)
    trainer.leave(1)
    trainer.offer(0, {"unlike_others": kept(10_000)})
    assert len(given) == 1


OWN = """
from dijkwacht_detectors.api import SiteDetector

class Own(SiteDetector):
    name = "own"
    table = "flows"
    reads = ()

    def score_many(self, window):
        return window.time * 0.0

    def train(self, samples):
        return b"%d rows" % len(samples)
"""


def test_a_detector_of_ones_own_is_found_in_its_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    trainer = Trainer({"own": file})
    trainer.offer(0, {"own": kept(FIRST_SAMPLES)})
    assert result(trainer) == ("own", b"500 rows")
    assert train("own", training_rows(kept(5)), file) == b"5 rows"


@pytest.fixture
def stuck(tmp_path, monkeypatch):
    """A Python that never ends."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))


@pytest.mark.usefixtures("stuck")
def test_a_training_that_hangs_is_ended_and_another_may_begin(monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.engine.trainer.TRAINING_LIMIT_S", 0.0)
    trainer = Trainer()
    trainer.offer(0, {"unlike_others": kept(FIRST_SAMPLES)})
    with pytest.raises(DetectorError, match="took over"):
        trainer.collect()
    assert trainer.collect() is None
    trainer.offer(0, {"unlike_others": kept(2 * FIRST_SAMPLES)})
    trainer.leave(0)


@pytest.mark.usefixtures("stuck")
def test_a_training_under_way_ends_with_the_collector():
    trainer = Trainer()
    trainer.offer(0, {"unlike_others": kept(FIRST_SAMPLES)})
    assert trainer.collect() is None
    trainer.leave(0)
    assert trainer.collect() is None
