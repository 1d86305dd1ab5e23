"""Who claims the IPv6 address of another, against all whose address goes from hand to hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.neighbour_spoof import NeighbourSpoof
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.vocabulary import NdpFlag, NdpKind

SECOND = 1_000_000
START = 20_000 * 86_400 * SECOND
LINE = 2.0 + 0.5 * math.log(0.1 / NeighbourSpoof.share)
"""Where what is expected is as rare as an interruption may be."""
ROUTER, PC, PRINTER, ALL = map(pack_address, ("fe80::1", "fe80::20", "fe80::30", "ff02::1"))
CARDS = {ROUTER: 1, PC: 2, PRINTER: 3}
THIEF = 66
UNASKED, ANSWER = NdpFlag.OVERRIDE, NdpFlag.OVERRIDE | NdpFlag.SOLICITED


def at(seconds):
    return {"time": START + round(seconds * SECOND)}


def asks(seconds, who, whom, card=None):
    card = card or CARDS.get(who, 0)
    return at(seconds) | {"kind": NdpKind.NEIGHBOUR_SOLICITATION, "orig_h": who, "resp_h": whom,
                          "target_h": whom, "eth_src": card, "link_mac": card}  # fmt: skip


def claims(seconds, target, to=ALL, card=None, flags=UNASKED, **values):
    card = card or CARDS[target]
    return at(seconds) | {"kind": NdpKind.NEIGHBOUR_ADVERTISEMENT, "orig_h": target, "resp_h": to,
                          "target_h": target, "eth_src": card, "link_mac": card, "flags": flags} | values  # fmt: skip


def ordinary(until, every=30):
    """PC and router see whether the other is still there."""
    return [
        row
        for n in range(int(until / every))
        for row in (
            asks(n * every, PC, ROUTER),
            claims(n * every + 0.001, ROUTER, PC, flags=ANSWER | NdpFlag.ROUTER),
            asks(n * every + 5, ROUTER, PC),
            claims(n * every + 5.001, PC, ROUTER, flags=ANSWER),
        )
    ]


def scored(rows):
    rows = sorted(rows, key=lambda row: row["time"])
    return rows, score_rows(NeighbourSpoof(), rows)


def top(rows):
    return float(np.nan_to_num(scored(rows)[1]).max(initial=0.0))


def test_neighbours_that_only_see_whether_the_others_are_there_are_nothing():
    assert top(ordinary(7200)) == 0.0


@pytest.mark.parametrize("every", [1, 2, 5, 10])
@pytest.mark.parametrize("flags", [UNASKED, ANSWER, UNASKED | NdpFlag.ROUTER])
def test_whoever_tells_one_that_it_is_another_is_told_within_a_minute(every, flags):
    pushes = [claims(300.5 + n, ROUTER, PC, THIEF, flags) for n in range(0, 60, every)]
    assert top([*ordinary(370), *pushes]) > LINE


def test_both_sides_weigh_more_than_one():
    one = [claims(300.5 + 5 * n, ROUTER, PC, THIEF) for n in range(10)]
    both = [*one, *(claims(300.6 + 5 * n, PC, ROUTER, THIEF) for n in range(10))]
    assert top([*ordinary(400), *both]) > top([*ordinary(400), *one]) + 1.0


def test_whoever_answers_each_question_before_the_owner_is_told():
    race = [claims(30 * n + 0.0005, ROUTER, PC, THIEF, ANSWER) for n in range(10, 30)]
    assert top([*ordinary(900), *race]) > LINE


def test_only_the_thief_is_scored():
    pushes = [claims(300.5 + 2 * n, ROUTER, PC, THIEF) for n in range(100)]
    rows, scores = scored([*ordinary(600), *pushes])
    assert {row["eth_src"] for row, score in zip(rows, scores, strict=True) if score > 0} == {THIEF}


def test_a_thief_that_was_heard_first_is_the_thief_all_the_same():
    pushes = [claims(0.5 + 2 * n, ROUTER, PC, THIEF) for n in range(100)]
    rows, scores = scored(
        [*pushes, *(row | at(row["time"] / SECOND - START // SECOND + 7) for row in ordinary(150))]
    )
    told = {row["eth_src"] for row, score in zip(rows, scores, strict=True) if score > LINE}
    assert told == {THIEF}


def test_a_card_written_in_the_message_counts_not_the_frame_s():
    """Whoever forges the frame's sender still has to say where it wants what is stolen."""
    forged = [claims(300.5 + 2 * n, ROUTER, PC, THIEF, eth_src=CARDS[ROUTER]) for n in range(30)]
    assert top([*ordinary(400), *forged]) > LINE


def test_a_take_over_by_a_spare_router_and_back_is_not_told():
    """Five announcements each time (VRRP without a card of its own), and answers from then on."""
    rows = [row for row in ordinary(600) if row["orig_h"] != ROUTER]
    before, after = ([claims(s + n, ROUTER) for n in range(5)] for s in (10, 560))
    spare = [claims(200 + n, ROUTER, card=9) for n in range(5)]
    spare += [claims(30 * n + 0.001, ROUTER, PC, 9, ANSWER) for n in range(7, 18)]
    assert top([*rows, *before, *spare, *after]) < LINE


def test_questions_whether_an_address_is_free_claim_nothing():
    free = at(100) | {"kind": NdpKind.NEIGHBOUR_SOLICITATION, "target_h": PC, "eth_src": 50}
    assert top([*ordinary(200), *(free | at(100 + n) for n in range(20))]) == 0.0


def test_new_cards_with_new_addresses_are_nothing():
    phones = []
    for n in range(300):
        address = pack_address(f"fe80::1:{n:x}")
        phones += [
            claims(20 * n, address, card=1000 + n),
            claims(20 * n + 1, address, card=1000 + n),
        ]
    assert top(phones) == 0.0


def test_proxies_and_anycast_do_not_override():
    rows = [claims(300.5 + 2 * n, ROUTER, PC, 9, NdpFlag.SOLICITED) for n in range(100)]
    assert top([*ordinary(600), *rows]) == 0.0


def test_a_bridge_that_puts_its_own_card_on_all_of_a_guest_s_frames_is_not_told():
    passed_on = [
        row | {"time": row["time"] + 300, "eth_src": 9, "link_mac": 9}
        for row in ordinary(1200)
        if row["orig_h"] == PC
    ]
    assert top([*ordinary(1200), *passed_on]) < LINE


def test_a_machine_that_goes_between_cable_and_wireless_is_not_told():
    rows = []
    for n in range(8):
        card = (2, 20)[n % 2]
        rows += [asks(900 * n + k, PC, ROUTER, card) for k in range(0, 800, 30)]
        rows += [claims(900 * n + k + 5, PC, ROUTER, card, ANSWER) for k in range(0, 800, 30)]
        rows += [asks(900 * n + k + 4.9, ROUTER, PC) for k in range(0, 800, 30)]
    assert top(rows) < LINE


def test_an_owner_long_gone_has_left_its_address():
    assert top([*ordinary(300), *(claims(1000 + n, PC, ROUTER, 20) for n in range(60))]) == 0.0


def test_redirects_and_messages_without_a_card_claim_nothing():
    redirect = {
        "kind": NdpKind.REDIRECT,
        "orig_h": ROUTER,
        "target_h": PC,
        "eth_src": 1,
        "link_mac": 66,
    }
    bare = [claims(300 + n, ROUTER, PC, link_mac=0, eth_src=0) for n in range(40)]
    assert top([*ordinary(600), *(redirect | at(300 + n) for n in range(40)), *bare]) == 0.0


def test_a_crowd_beside_the_thief_does_not_hide_it_and_is_nothing_itself():
    def crowd(many):
        places = [pack_address(f"fe80::2:{n:x}") for n in range(many)]
        return [claims(100 + n / 100, place, card=5000 + n) for n, place in enumerate(places)]

    pushes = [claims(131.5 + 2 * n, ROUTER, PC, THIEF) for n in range(30)]
    assert top([*ordinary(200), *crowd(100), *pushes]) > LINE
    assert top([*ordinary(200), *crowd(3000)]) == 0.0
