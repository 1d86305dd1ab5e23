"""Whoever asks much waits behind itself."""

import asyncio

import pytest

from dijkwacht_collector.intake.turns import Pace, Seats, Turns
from dijkwacht_records.errors import CollectorBusy


async def test_a_site_has_so_many_seats_and_others_have_theirs():
    seats = Seats(most=2, most_waiting=1, patience_s=60)
    await seats.take("a")
    await seats.take("a")
    third = asyncio.create_task(seats.take("a"))
    await asyncio.sleep(0)
    with pytest.raises(CollectorBusy):
        await seats.take("a")
    await seats.take("b")
    assert not third.done()
    seats.give("a")
    await third
    for site in "aab":
        seats.give(site)
    assert not seats._sites, "what nobody has needs no memory"


async def test_who_waits_too_long_for_a_seat_is_sent_away_and_leaves_none_taken():
    seats = Seats(most=1, patience_s=0)
    await seats.take("a")
    with pytest.raises(CollectorBusy):
        await seats.take("a")
    seats.give("a")
    await seats.take("a")


async def test_who_goes_while_a_seat_comes_passes_it_on():
    seats = Seats(most=1, patience_s=60)
    await seats.take("a")
    gone, stays = asyncio.create_task(seats.take("a")), asyncio.create_task(seats.take("a"))
    await asyncio.sleep(0)
    seats.give("a")
    gone.cancel()
    await asyncio.wait([gone])
    await stays
    seats.give("a")
    assert not seats._sites


async def test_sites_take_turns_however_many_wait_of_one():
    turns, order = Turns(), []

    async def work(site):
        await turns.take(site)
        order.append(site)
        turns.give()

    await turns.take("a")
    waiting = [asyncio.create_task(work(site)) for site in "aaaab"]
    waiting.append(asyncio.create_task(work("c")))
    await asyncio.sleep(0)  # all of them ask
    turns.give()
    await asyncio.gather(*waiting)
    assert order == ["a", "b", "c", "a", "a", "a"]
    assert not turns._busy


async def test_a_turn_that_nobody_wants_any_more_goes_on():
    turns = Turns()
    await turns.take("a")
    gone = [asyncio.create_task(turns.take("b")) for _ in range(2)]
    await asyncio.sleep(0)
    gone[0].cancel()
    await asyncio.wait(gone[:1])
    turns.give()
    gone[1].cancel()
    await asyncio.wait(gone)
    await turns.take("c")
    turns.give()
    assert not turns._busy


def test_refusals_past_the_first_go_out_at_a_pace():
    pace = Pace(rate=10, burst=5, longest_s=2)
    assert [pace.delay("a", 100.0) for _ in range(5)] == [0.0] * 5
    delays = [pace.delay("a", 100.0) for _ in range(30)]
    assert delays == sorted(delays)
    assert delays[0] == pytest.approx(0.1)
    assert delays[-1] == 2.0
    assert pace.delay("b", 100.0) == 0.0, "one site's flood is not another's"
    assert pace.delay("a", 200.0) == 0.0
