"""ARP, DHCP and machines' own metrics: attacks against what happens in any office."""

from __future__ import annotations

import numpy as np
import pytest

from dijkwacht_detectors.arp_spoof import ArpSpoof
from dijkwacht_detectors.arp_sweep import ArpSweep
from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.dhcp_flood import DhcpFlood
from dijkwacht_detectors.knowledge.held_address import HELD_ADDRESS
from dijkwacht_detectors.system import System
from dijkwacht_records.addresses import pack_address

SECOND = 1_000_000
GATEWAY, VICTIM = 1, 20
NOBODY = pack_address("0.0.0.0")  # who has no address yet
ROUTER, THIEF, DESK = 0x111111, 0x666666, 0x202020


def top(detector, rows):
    scores = score_rows(detector, sorted(rows, key=lambda row: row["time"]))
    return float(np.nanmax(scores)) if not np.isnan(scores).all() else 0.0


def arp(time, op, mac, sender, target, **values):
    return {"time": int(time * SECOND), "op": op, "eth_src": mac, "sender_mac": mac,
            "sender_h": sender, "target_h": target} | values  # fmt: skip


def ordinary(count=40):
    rows = []
    for n in range(count):
        rows.append(arp(30 * n, 1, DESK, VICTIM, GATEWAY))
        rows.append(arp(30 * n + 0.001, 2, ROUTER, GATEWAY, VICTIM))
    return rows


def test_questions_and_their_answers_are_nothing():
    assert top(ArpSpoof(), ordinary()) == 0.0


def test_poisoning_in_both_directions():
    poison = []
    for n in range(30):
        poison.append(arp(100 + 2 * n, 2, THIEF, GATEWAY, VICTIM))
        poison.append(arp(100 + 2 * n, 2, THIEF, VICTIM, GATEWAY))
    assert top(ArpSpoof(), ordinary() + poison) > 6.0


def test_of_two_claimants_only_the_impostor_is_scored():
    claims = [arp(100 + 2 * n, 2, THIEF, VICTIM, GATEWAY) for n in range(60)]
    asks = ordinary(10)
    for first in (0.0, 200.0):  # the impostor comes later, or was there before the sensor looked
        rows = sorted(
            [row | {"time": row["time"] + int(first * SECOND)} for row in asks] + claims,
            key=lambda row: row["time"],
        )
        scores = score_rows(ArpSpoof(), rows)
        own = np.array([row["sender_mac"] == DESK for row in rows])
        assert np.nanmax(scores[~own]) > 5.0
        assert np.isnan(scores[own]).all()


def test_who_takes_an_address_over_for_good_holds_it():
    before = [arp(10 * n, 1, DESK, VICTIM, GATEWAY) for n in range(9)]
    after = [arp(100 + 10 * n, 1, THIEF, VICTIM, GATEWAY) for n in range(60)]
    back = arp(750, 1, DESK, VICTIM, GATEWAY)
    scores = score_rows(ArpSpoof(), [*before, *after, back])
    assert np.isnan(scores[-2]), "the dispute is over"
    assert scores[-1] > 0.0, "and who comes back is the newcomer"


def test_a_first_answer_to_a_machine_that_was_just_looked_up():
    rows = [
        arp(1, 1, THIEF, 66, VICTIM),
        arp(1.1, 2, DESK, VICTIM, 66),
        arp(1.2, 2, THIEF, GATEWAY, VICTIM),
    ]
    assert top(ArpSpoof(), rows) > 2.4


def test_cables_leases_and_failovers():
    cable = [arp(n, 2, DESK, VICTIM, VICTIM) for n in range(3)]
    lease = [arp(0, 1, DESK, VICTIM, GATEWAY), arp(7200, 1, 0x303030, VICTIM, GATEWAY)]
    probes = [arp(n, 1, DESK + n, NOBODY, VICTIM) for n in range(9)]
    for rows in (cable, lease, probes):
        assert top(ArpSpoof(), rows) < 1.5


def held_before(rows):
    scores, facts = Harness(ArpSpoof()).feed(sorted(rows, key=lambda row: row["time"]))
    return int(facts[int(np.nanargmax(scores)), ArpSpoof.facts.index(HELD_ADDRESS)])


@pytest.mark.parametrize("asked", [0.0, 90.0])
def test_whose_machine_a_thief_is_by_the_address_that_he_held(asked):
    theft = [arp(100 + 2 * n, 2, THIEF, GATEWAY, VICTIM) for n in range(30)]
    own = [arp(asked + n, 1, THIEF, 66, GATEWAY) for n in range(3)]
    assert held_before(ordinary() + own + theft) & 0xFF == 66
    assert held_before(ordinary() + theft) == 0, "he was never seen to hold one"
    both = [arp(101 + 2 * n, 2, THIEF, VICTIM, GATEWAY) for n in range(30)]
    assert held_before(ordinary() + theft + both) == 0, "what he claims of others he does not hold"


def announced(time, mac, address, count, every=1.0):
    return [arp(time + every * n, 2, mac, address, address) for n in range(count)]


def test_what_is_announced_to_all_is_told_while_its_holder_goes_on():
    claims = announced(100, THIEF, GATEWAY, 120, 2.0)
    assert top(ArpSpoof(), ordinary() + claims) > 3.3
    assert top(ArpSpoof(), [row for row in ordinary() if row["op"] == 1] + claims) < 1.5


def test_many_addresses_of_one_machine_are_one_until_somebody_disputes_them():
    bridged = [row for n in range(50, 60) for row in announced(100 + 0.1 * n, THIEF, n, 5)]
    assert top(ArpSpoof(), ordinary() + bridged) < 1.5
    theirs = [
        arp(10 * k + 0.1 * n, 1, DESK + n, n, GATEWAY) for k in range(40) for n in range(50, 60)
    ]
    assert top(ArpSpoof(), ordinary() + theirs + bridged) > 2.0


def test_a_spare_router_takes_four_addresses_over_and_gives_them_back():
    rows = ordinary(4)
    for time, mac in ((120, THIEF), (180, ROUTER)):
        for n in range(4):
            rows += announced(time + 0.01 * n, mac, GATEWAY + 100 * (n > 0) + n, 5, 0.05)
    assert top(ArpSpoof(), rows) < 2.3


def test_a_lease_that_goes_to_and_fro_against_somebody_who_answers_for_another():
    to_and_fro = [arp(40 * n, 1, (DESK, 0x303030)[n % 2], VICTIM, GATEWAY) for n in range(8)]
    answers = []
    for n in range(8):
        answers.append(arp(40 * n, 1, 0x505050, 77, VICTIM))
        answers.append(arp(40 * n + 0.1, 2, (DESK, THIEF)[n % 2], VICTIM, 77))
    assert top(ArpSpoof(), to_and_fro) < 2.5
    assert top(ArpSpoof(), answers) > 2.8


def test_a_sweep_against_a_machine_with_business():
    sweep = [arp(0.1 * n, 1, THIEF, 66, n) for n in range(100, 250)]
    business = [arp(10 * n, 1, DESK, VICTIM, 1 + n % 6) for n in range(500)]
    assert top(ArpSweep(), sweep) > 6.5
    assert top(ArpSweep(), business) < 3.0


def test_a_sweep_after_others_weighs_less_whoever_makes_it():
    def sweeps(days, macs):
        return [
            arp(86_400 * days * k + 0.1 * n, 1, mac, 66 + k, n)
            for k, mac in enumerate(macs) for n in range(100, 250)
        ]  # fmt: skip

    def peaks(rows):
        scores = score_rows(ArpSweep(), rows).reshape(-1, 150)
        return np.nanmax(scores, axis=1)

    for macs in ((THIEF, DESK, ROUTER), (DESK, DESK, DESK)):
        first, second, third = peaks(sweeps(2, macs))
        assert first - 1.1 < second < first - 0.6, "half, and a little more after two days"
        assert third < second - 0.3
    first, late = peaks(sweeps(90, (THIEF, DESK)))
    assert late > first - 0.1, "and is forgotten in a quarter of a year"


def test_who_carries_outside_traffic_looks_for_all_machines():
    sweep = [arp(0.1 * n, 1, ROUTER, 66, n, from_gateway=1) for n in range(100, 250)]
    assert top(ArpSweep(), sweep) == 0.0


def test_dhcp_starvation_against_a_morning_at_the_office():
    def ask(time, mac, kind):
        return {"time": int(time * SECOND), "client_mac": mac, "msg_type": kind}

    starving = [ask(0.1 * n, 0xAA0000 + 7 * n, 1) for n in range(300)]
    morning = [ask(60 * n, 0xBB0000 + n, kind) for n in range(25) for kind in (1, 3)]
    assert top(DhcpFlood(), starving) > 7.0
    assert top(DhcpFlood(), morning) < 4.0


def samples(values, metric="cpu_ratio", every=10):
    return [
        {"time": n * every * SECOND, "metric": metric, "value": v} for n, v in enumerate(values)
    ]


def test_one_peak_is_nothing_and_ten_minutes_of_them_are():
    rest = [0.05, 0.08, 0.12, 0.07] * 30
    assert top(System(), samples([*rest, 1.0, *rest])) < 3.5
    assert top(System(), samples(rest + [1.0] * 60)) > 8.0


def test_amounts_are_held_against_amounts():
    rest = [1e5, 3e5, 2e5, 8e4] * 30
    assert top(System(), samples([v * 3 for v in rest] + [9e5] * 20, "net_out_bytes")) < 3.0
    assert top(System(), samples(rest + [5e8] * 60, "net_out_bytes")) > 6.0


def test_how_often_an_agent_samples_changes_nothing():
    rest = [0.05, 0.08, 0.12, 0.07] * 30
    seldom = top(System(), samples(rest + [1.0] * 60))
    often = [value for value in rest + [1.0] * 60 for _ in range(10)]
    assert top(System(), samples(often, every=1)) == pytest.approx(seldom, abs=0.01)


def test_samples_that_come_at_once_are_one_reading():
    """Held samples fold at the time that their agent's other rows have reached."""
    rows = samples([0.05, 0.08, 0.12, 0.07] * 30 + [1.0] * 60)
    together = [row for row in rows for _ in range(10)]
    assert top(System(), together) == pytest.approx(top(System(), rows), abs=0.01)


def test_metrics_that_rise_with_ordinary_use_are_not_judged_alone():
    rest, busy = [20.0, 25.0, 22.0] * 40, [5e4] * 90
    assert top(System(), samples(rest + busy, "processes_total")) > 8.0
    for metric in (
        "tcp_syn_recv_sockets",
        "context_switches",
        "processes_tota",
        "processes_totals",
    ):
        assert top(System(), samples(rest + busy, metric)) == 0.0


def test_what_was_as_high_at_this_hour_yesterday_is_usual():
    def day(busy_at):
        return [
            1.0 if busy_at * 60 <= n < busy_at * 60 + 40 else 0.05 + 0.01 * (n % 5)
            for n in range(1440)
        ]

    harness = Harness(System())
    first = np.nanmax(harness.feed(samples(day(3), every=60))[0])
    later = [row | {"time": row["time"] + 1440 * 60 * SECOND} for row in samples(day(3), every=60)]
    assert np.nanmax(harness.feed(later)[0]) < first - 3.0
    elsewhere = [
        row | {"time": row["time"] + 2880 * 60 * SECOND} for row in samples(day(9), every=60)
    ]
    assert np.nanmax(harness.feed(elsewhere)[0]) > first - 1.0


def test_hours_of_load_go_on_rising():
    scores = score_rows(System(), samples([0.05, 0.08, 0.12, 0.07] * 90 + [1.0] * 1800))
    assert scores[-1] > scores[-900] + 0.5 > scores[360 + 180]


def test_a_sensor_that_says_nothing_sensible_is_passed_over():
    assert top(System(), samples([float("nan"), float("inf"), -float("inf")] * 50)) == 0.0


def test_a_title_writes_numbers_as_its_readers_do():
    told = System().explain({"value": 12_345_678.0, "usual": 0.125, "times_spread": 9.0})
    assert "stays at 12,345,678, usually 0.125." in told.title_en
    assert "blijft op 12.345.678, gewoonlijk 0,125." in told.title_nl
