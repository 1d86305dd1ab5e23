"""Pairs of a site: each has one home, and its place is the next that nobody had."""

import numpy as np
import pytest

from dijkwacht_detectors.state.encounters import (
    LINE,
    MET,
    NEVER,
    PLACES,
    REMEMBERED,
    Encounters,
    clear_all,
    find,
    place_of,
)

SITE, HALF_LIFE_US = 1, 120e6


@pytest.fixture
def pairs():
    return Encounters(*(np.zeros((2, *of), kind) for kind, of in REMEMBERED.values()))


def name(home, other=0):
    """A pair of this home; ``other``: one of several that share it."""
    return np.uint64((home + other * PLACES) * 2 + 1)


def take(pairs, key, t=1_000):
    return place_of(pairs, SITE, key, t, HALF_LIFE_US)


def test_places_are_taken_in_turn_whatever_the_home(pairs):
    assert [take(pairs, name(home)) for home in (400, 7, 400, 90)] == [0, 1, 0, 2]
    assert find(pairs, SITE, name(7)) == 1
    assert find(pairs, SITE, name(8)) == -1
    assert find(pairs, 0, name(7)) == -1


def test_each_home_can_have_a_place(pairs):
    assert {take(pairs, name(home)) for home in range(PLACES)} == set(range(PLACES))


def test_of_one_home_the_newcomer_gets_the_place_unless_it_holds_evidence(pairs):
    p = take(pairs, name(5))
    pairs.known[SITE, p, MET] = 900
    assert take(pairs, name(5, other=1)) == p
    assert pairs.known[SITE, p, MET] == NEVER
    assert find(pairs, SITE, name(5)) == -1
    pairs.held[SITE, p, LINE] = 8.0
    assert take(pairs, name(5)) == -1


def test_a_site_that_is_forgotten_begins_with_nothing(pairs):
    p = take(pairs, name(5))
    pairs.held[SITE, p, LINE] = 8.0
    clear_all(pairs, SITE)
    assert find(pairs, SITE, name(5)) == -1
    assert take(pairs, name(6)) == 0
    assert pairs.held[SITE, 0, LINE] == 0.0
