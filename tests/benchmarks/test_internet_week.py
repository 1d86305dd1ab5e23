"""A small week at the door: whoever gets in is told of within a minute, and knocks call once at most."""

import importlib.util
import json
import sys

import pytest


@pytest.fixture(scope="module")
def internet_week(root):
    spec = importlib.util.spec_from_file_location(
        "internet_week", root / "benchmarks/internet_week.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def guessed(internet_week):
    return internet_week.run(9_001, 0.5, "guessed")


def test_the_one_guess_that_is_right_is_told_within_a_minute(guessed, internet_week):
    assert guessed.rows > 20_000
    assert guessed.entered_s is not None
    assert 0 <= guessed.entered_s <= internet_week.BAR_S
    assert any(call.startswith("guessed_logon") for call in guessed.by)


def test_those_who_knock_are_one_story_at_most(internet_week):
    quiet = internet_week.run(9_001, 0.5, "quiet")
    assert quiet.of_server <= 1
    assert quiet.entered_s is None
    assert not any(call.startswith("guessed_logon") for call in quiet.by)


def test_the_moment_and_the_figures_are_repeatable_and_plain(internet_week, guessed):
    assert internet_week.moment_of(3, 7) == internet_week.moment_of(3, 7)
    assert internet_week.moment_of(3, 7) != internet_week.moment_of(4, 7)
    figures = {
        "seeds": 1, "days": 0.5, "stories": {"of the server": [1], "of all": [1]},
        "guessed": internet_week._summary([guessed.entered_s, None]),
        "followed": internet_week._summary([]),
    }  # fmt: skip
    assert json.loads(json.dumps(figures))["guessed"]["told"] == 1
    assert "1 of 2 told, 1 within a minute" in internet_week.tell(figures)
