"""A detector that is added changes nobody else's lines, and says aloud that it never interrupts."""

import logging
import sys
import textwrap

import numpy as np
import pytest

import dijkwacht_detectors
from dijkwacht.cli import main
from dijkwacht_collector.engine import Engine
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.recordings import recording

LOUD = '''
"""Always as strange as can be.

>>> Loud().share
0.0
"""

import numpy as np

from dijkwacht_detectors.api import SiteDetector


class Loud(SiteDetector):
    """Gives every flow the same high score."""

    name = "loud"
    table = "flows"
    reads = ("resp_p",)

    def score_many(self, window):
        """The same for each row."""
        return np.full(len(window), 50_000.0)
'''


@pytest.fixture
def one_more(tmp_path, monkeypatch):
    """The package of detectors with one file more."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "loud.py").write_text(textwrap.dedent(LOUD))
    path = [*dijkwacht_detectors.__path__, str(folder)]
    monkeypatch.setattr(dijkwacht_detectors, "__path__", path)
    yield folder / "loud.py"
    sys.modules.pop("dijkwacht_detectors.loud", None)
    if hasattr(dijkwacht_detectors, "loud"):
        del dijkwacht_detectors.loud


def lines():
    """Detector → the score from which it interrupts a new site, and its budget there."""
    engine = Engine(shipped_detectors())
    found = {}
    for number, detector in enumerate(engine.host.detectors):
        policy = engine.policy.detectors[number]
        policy.make_room(1)
        found[detector.name] = (policy.threshold[0], policy.budget[0])
    return found


def test_nobody_elses_lines_move(one_more):
    with_it = lines()
    threshold, budget = with_it.pop("loud")
    assert (threshold, budget) == (np.inf, 0.0)
    one_more.unlink()
    sys.modules.pop("dijkwacht_detectors.loud")
    assert lines() == with_it


def test_incidents_stay_byte_equal_and_the_command_names_it(one_more, capsysbinary):
    traffic = str(recording("demo") / "traffic.pcap")
    assert main(["replay", traffic]) == 0
    with_it, said = capsysbinary.readouterr()
    assert b"loud: runs in shadow" in said
    one_more.unlink()
    sys.modules.pop("dijkwacht_detectors.loud")
    assert main(["replay", traffic]) == 0
    without, said = capsysbinary.readouterr()
    assert b"loud" not in said
    assert with_it == without
    assert with_it


@pytest.mark.parametrize(
    "words",
    [
        ["replay", "PCAP", "--json"],
        ["try", "FILE", "PCAP"],
        ["evaluate", "LABELS", "--jobs", "1"],
        ["collect", "--state", "LABELS"],  # which is no folder: it ends once it has said so
    ],
    ids=lambda words: words[0],
)
def test_every_command_says_so(one_more, quiet, tmp_path, words, capsys, monkeypatch):
    labels = tmp_path / "LABELS.csv"
    labels.write_text(f"kind,file,label_rule,n\nbenign.app,{quiet.name},all benign,4\n")
    places = {"PCAP": str(quiet), "FILE": str(one_more), "LABELS": str(labels)}
    monkeypatch.setattr(logging.root, "handlers", [])
    main([places.get(word, word) for word in words])
    said = capsys.readouterr().err
    assert '"detector":"loud"' in said or "loud: runs in shadow" in said
