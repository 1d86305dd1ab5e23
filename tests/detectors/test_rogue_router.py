"""Who makes itself the way out, against all the routers that are, were, or stand in for each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.rogue_router import RogueRouter
from dijkwacht_records.vocabulary import NdpFlag, NdpKind

SECOND = 1_000_000
START = 20_000 * 86_400 * SECOND
LINE = 2.0 + 0.5 * math.log(0.1 / RogueRouter.share)
"""Where what is expected is as rare as an interruption may be."""
ROUTER, ROGUE, THIRD = 1, 6, 7


def says(at, who=ROUTER, **values):
    """An advertisement of a router at its own card, ``at`` s after the site's first row."""
    said = {"kind": NdpKind.ROUTER_ADVERTISEMENT, "lifetime": 1800, "eth_src": who, "orig_h": who}
    return {"time": START + round(at * SECOND)} | said | values


def asks(at):
    return {"time": START + round(at * SECOND), "kind": NdpKind.ROUTER_SOLICITATION, "eth_src": 99}


def answers_for(at, who=ROUTER, card=None):
    """A neighbour advertisement of a router for its own address."""
    return {"time": START + round(at * SECOND), "kind": NdpKind.NEIGHBOUR_ADVERTISEMENT, "orig_h": who,
            "eth_src": card or who, "target_h": who}  # fmt: skip


def steady(until, every=300, who=ROUTER, begin=0.0, **values):
    return [says(begin + n * every, who, **values) for n in range(int((until - begin) / every) + 1)]


def scored(rows):
    rows = sorted(rows, key=lambda row: row["time"])
    return rows, score_rows(RogueRouter(), rows)


def top(rows):
    return float(np.nan_to_num(scored(rows)[1]).max(initial=0.0))


def test_a_newcomer_beside_a_router_that_lives_is_told_at_its_first_word():
    _, scores = scored([*steady(3600), says(3601, ROGUE)])
    assert scores[-1] > LINE + 0.5
    assert np.isnan(scores[:-1]).all()


@pytest.mark.parametrize(("calls", "told"), [(0, False), (1, False), (2, True), (3, True)])
def test_who_was_silent_when_routers_were_asked_for_was_not_there(calls, told):
    asked = [row for n in range(calls) for row in (asks(5 + 10 * n), says(5.2 + 10 * n))]
    assert (top([says(0), *asked, says(60, ROGUE)]) > LINE) is told


def test_a_router_that_answers_with_the_others_was_there():
    asked = [row for n in range(4) for row in (asks(5 + 10 * n), says(5.2 + 10 * n))]
    both = [says(5.3 + 10 * n, THIRD) for n in range(4)]
    assert top([says(0), *asked, *both, *steady(7200), *steady(7200, who=THIRD, begin=60)]) == 0.0


def test_a_question_that_nobody_answers_tells_nothing_of_who_was_there():
    assert top([says(0), *(asks(5 + 10 * n) for n in range(6)), says(70, ROGUE)]) < LINE


def test_rank_resolvers_and_company_weigh():
    plain, high, resolves, low = (
        top([*steady(3600), says(3601, ROGUE, **more)])
        for more in ({}, {"preference": 1}, {"resolvers": 2}, {"preference": -1})
    )
    assert low < LINE < plain < resolves < high
    many = [says(3601 + n / 10, 100 + n) for n in range(5)]
    assert top([*steady(3600), *many]) > plain


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"lifetime": 0, "flags": NdpFlag.OUTSIDE},
            True,
        ),  # a route to everywhere is a way out, too
        ({"lifetime": 0, "resolvers": 1}, True),  # whoever resolves names chooses where all go
        ({"lifetime": 0, "prefixes": 1}, False),  # a border router of home automation
        ({"lifetime": 0, "flags": NdpFlag.MANAGED}, False),
    ],
)
def test_what_makes_a_way_out(values, told):
    assert (top([*steady(3600), says(3601, ROGUE, **values)]) > LINE) is told


def test_a_router_that_takes_the_place_of_a_dead_one_is_not_told():
    assert top([*steady(3600), *steady(9000, who=ROGUE, begin=3600 + 1900)]) < LINE


def test_one_that_does_not_answer_any_more_is_dead():
    """It answered before, and has not answered since it last spoke: it was unplugged."""
    before = [says(0), asks(100), says(100.2), *steady(3000, begin=300)]
    replaced = [asks(3030), asks(3040), says(3080.3, ROGUE, preference=1, resolvers=1)]
    assert top([*before, *replaced]) < LINE
    assert top([*before, *replaced[2:]]) > LINE


def test_one_that_is_not_yet_due_may_have_been_unplugged_until_it_is_heard_again():
    rows = [*steady(3000), *steady(3400, who=ROGUE, begin=3200, every=40, resolvers=1)]
    assert top(rows) < LINE
    assert top([*rows, answers_for(3290)]) > LINE
    assert top([*rows, answers_for(3150)]) > LINE


def test_the_dead_that_come_back_beside_their_heir_are_told():
    rows = [*steady(3600), *steady(9000, who=ROGUE, begin=5500, every=10)]
    assert top(rows) < LINE
    assert top([*rows, says(8000)]) > LINE


def test_one_of_two_that_is_replaced_is_not_told_though_the_other_lives():
    other = steady(9000, who=THIRD, begin=100)
    replaced = steady(9000, who=ROGUE, begin=5500, resolvers=1)
    assert top([*steady(3600), *other, *replaced]) < LINE
    assert top([*steady(9000), *other, *replaced]) > LINE


def test_two_addresses_of_one_card_are_one_router():
    assert top([*steady(3600), *steady(9000, who=ROGUE, begin=3601, eth_src=ROUTER)]) == 0.0


def test_who_carried_the_traffic_before_it_said_so_weighs_little():
    assert top([*steady(3600), says(3601, ROGUE, from_gateway=1)]) < LINE


def test_a_first_router_is_context_and_the_gateway_s_is_nothing():
    asked = [asks(1800 * n) for n in range(4)]
    assert 1.0 < top([*asked, *steady(9000, who=ROGUE, begin=7200)]) < LINE
    assert top([*asked, *steady(9000, begin=7200, from_gateway=1)]) == 0.0


def test_a_first_router_beside_a_gateway_that_works_is_told():
    """The site had IPv4 alone: whoever brings IPv6 is not who carries its traffic."""
    asked = [asks(1800 * n) for n in range(4)]
    beside = {"flags": NdpFlag.BESIDE_GATEWAY}
    assert top([*asked, *steady(7300, who=ROGUE, begin=7200, **beside)]) > LINE
    assert top(steady(9000, **beside)) == 0.0  # it was there, a box of its own


def test_who_stays_for_a_day_is_known():
    day = 86_400
    rows = [*steady(2 * day), *steady(2 * day, who=ROGUE, begin=7200)]
    rows, scores = scored(rows)
    late = [n for n, row in enumerate(rows) if row["time"] > START + (day + 7300) * SECOND]
    assert np.isnan(scores[late]).all()
    assert np.nanmax(scores) > LINE


def test_a_withdrawal_by_another_card_is_told():
    forged = says(4000, eth_src=ROGUE, lifetime=0)
    assert top([*steady(3900), forged]) > LINE + 0.5
    assert top([*steady(3900), says(4000, lifetime=0)]) == 0.0


def test_a_redirect_by_another_card_is_told():
    redirect = {"kind": NdpKind.REDIRECT, "orig_h": ROUTER, "lifetime": 0}
    time = START + 4000 * SECOND
    assert top([*steady(3900), redirect | {"time": time, "eth_src": ROGUE}]) > LINE
    assert top([*steady(3900), redirect | {"time": time, "eth_src": ROUTER}]) == 0.0


def test_two_that_speak_in_turn_for_one_router_are_told():
    turns = [
        row for n in range(8) for row in (says(4000 + 10 * n, eth_src=ROGUE), answers_for(4003 + 10 * n))
    ]  # fmt: skip
    assert top([*steady(3900), *turns]) > LINE


def test_a_pair_that_stands_in_for_each_other_is_not_told():
    """The address goes to the other card, and back after the repair; each is silent while it is away."""
    there = [says(3650 + 16 * n, eth_src=2) for n in range(3)]
    there += steady(8000, begin=4000, eth_src=2)
    back = [says(8100 + 16 * n) for n in range(3)]
    assert top([*steady(3640), *there, *back, *steady(12_000, begin=8400)]) < LINE


def test_a_card_that_took_over_for_good_is_the_router_s_own():
    other = steady(20_000, begin=3700, eth_src=2)
    _, scores = scored([*steady(3600), *other, says(20_001, eth_src=2, lifetime=0)])
    assert np.isnan(scores[-1])


def test_a_flood_of_routers_does_not_make_it_forget_the_known_one():
    flood = [says(3601 + n / 100, 1000 + n) for n in range(500)]
    rows, scores = scored([*steady(3600), *flood, *steady(7200, begin=3900), says(7201, ROGUE)])
    assert scores[-1] > LINE
    known = [n for n, row in enumerate(rows) if row["orig_h"] == ROUTER]
    assert np.isnan(scores[known]).all()


def test_it_says_which_of_the_two_it_is():
    detector = RogueRouter()
    facts = dict.fromkeys(detector.facts, 0.0)
    newcomer, forged = detector.explain(facts), detector.explain(facts | {"forged": 1.0})
    assert newcomer.title_en != forged.title_en
    assert newcomer.title_nl != forged.title_nl
    resolver = detector.explain(facts | {"resolvers_given": 1.0})
    assert "name servers" in resolver.desc_en
    assert "name servers" not in newcomer.desc_en
    assert "naamservers" in resolver.desc_nl
