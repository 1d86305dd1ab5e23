"""Models are trained in a process of their own, which is never waited for and never for ever."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest

from dijkwacht_collector.engine.trainer import FIRST_SAMPLES, Trainer, train
from dijkwacht_detectors.volume import Volume
from dijkwacht_records.errors import DetectorError


def samples(rows=FIRST_SAMPLES):
    return np.random.default_rng(7).random((rows, 9))


def result(trainer):
    deadline = time.monotonic() + 60
    while (made := trainer.collect()) is None:
        assert time.monotonic() < deadline, "waited 60 s"
        threading.Event().wait(0.05)
    return made


def test_a_model_comes_when_there_is_enough_to_learn():
    trainer = Trainer()
    trainer.offer({"volume": samples(FIRST_SAMPLES - 1)})
    assert trainer.collect() is None
    trainer.offer({"volume": samples()})
    name, bundle = result(trainer)
    assert name == "volume"
    volume = Volume()
    volume.activate(bundle)
    assert volume.forest is not None
    assert bundle == train("volume", samples()), "the same rows give the same model"


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
    trainer.offer({"own": samples()})
    assert result(trainer) == ("own", b"2000 rows")
    assert train("own", samples(5), file) == b"5 rows"


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
    trainer.offer({"volume": samples()})
    with pytest.raises(DetectorError, match="took over"):
        trainer.collect()
    assert trainer.collect() is None
    trainer.offer({"volume": samples(2 * FIRST_SAMPLES)})
    trainer.stop()


@pytest.mark.usefixtures("stuck")
def test_a_training_under_way_ends_with_the_collector():
    trainer = Trainer()
    trainer.offer({"volume": samples()})
    assert trainer.collect() is None
    trainer.stop()
    assert trainer.collect() is None
