"""The promise is kept on sites that nothing was calibrated on, and the measure of it can fail."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from dijkwacht.offline import Outcome
from dijkwacht_collector.incidents import Call, Story
from dijkwacht_lab.calibrate import FIRST_JUDGED
from dijkwacht_lab.promise import MOST_AT_MEDIAN, BenignSite, broken
from dijkwacht_lab.scoreboard import WEEK_S

SITES, DAYS = 6, 2.5


@pytest.fixture(scope="module")
def promise(root):
    path = root / "benchmarks/promise.py"
    spec = importlib.util.spec_from_file_location("promise_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def watched(promise):
    """Some of the forty, for some days: a minute."""
    return [promise.watch(seed, hosts, DAYS) for seed, hosts in promise.offices(SITES)]


@pytest.mark.timeout(1_800)
def test_a_few_sites_are_interrupted_no_more_often_than_promised(promise, watched):
    """Six sites for half a week tell nothing of one site in twenty: that is for the forty."""
    found = promise.result_of(watched, DAYS)
    for beginning in (promise.COLD, promise.LATER):
        of = found[beginning]
        assert of["sites"] == SITES
        assert of["site_weeks"] == pytest.approx(SITES * DAYS / 7, rel=0.01)
        assert of["median"] <= MOST_AT_MEDIAN, found["offices"]
        assert of["interval_95"][0] <= 1, found["offices"]


def test_days_that_are_not_counted_are_watched(watched):
    assert all(one.rows > 10_000 * (DAYS + 1) for one in watched)


def test_a_broken_promise_is_told_and_fails(promise, watched, monkeypatch, capsys):
    loud = [one._replace(cold=BenignSite(WEEK_S, ["scan"] * 4)) for one in watched]
    monkeypatch.setattr(promise, "measure", lambda *_: promise.result_of(loud, 7))
    assert promise.main(["--check"]) == 1
    printed = capsys.readouterr()
    assert "| `scan` |" in printed.out
    assert "cold start: median over sites is 4.00 times the promise, more than 1" in printed.err
    assert promise.main([]) == 0, "without --check it only tells"
    kept = [one._replace(cold=replace(one.cold, interruptions=())) for one in loud]
    kept = [one._replace(later=one.cold) for one in kept]
    monkeypatch.setattr(promise, "measure", lambda *_: promise.result_of(kept, 7))
    capsys.readouterr()
    assert promise.main(["--check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["after a day"]["realised"] == 0


def test_its_offices_are_nobody_elses(promise):
    seeds = {seed for seed, _ in promise.offices(40)}
    assert len(seeds) == 40
    assert min(seeds) >= FIRST_JUDGED + 10_000
    assert len({hosts for _, hosts in promise.offices(40)}) > 10


@pytest.mark.long
@pytest.mark.timeout(5_400)
def test_forty_sites_are_interrupted_no_more_often_than_promised(root):
    script = [sys.executable, root / "benchmarks/promise.py", "--json", "--check"]
    done = subprocess.run(script, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["cold start"]["sites"] == 40
    assert broken(found["after a day"]) == []


def test_each_call_of_a_story_is_an_interruption_and_context_is_none(promise):
    def story(uid, *calls):
        return Story(uid, "office", "10.0.0.1", 0, 9, (), 3, calls)

    twice = Call(1, "scan", "scan", "f1"), Call(5, "fusion", "c2", "f2")
    stories = {"a": story("a", *twice), "b": story("b"), "c": story("c", Call(7, "scan", "", ""))}
    found = promise.interruptions_of(Outcome(stories=stories))
    assert sorted(found) == [(1, "scan"), (5, "fusion"), (7, "scan")]
