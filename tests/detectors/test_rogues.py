"""A second DHCP server, and who answers for all names, against servers and names as networks have them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.name_poisoning import NamePoisoning
from dijkwacht_detectors.rogue_dhcp import RogueDhcp
from dijkwacht_records.addresses import pack_address

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
START = 20_000 * DAY
ROUTER, SECOND_SERVER, ROGUE = (pack_address(f"192.168.1.{n}") for n in (1, 2, 66))
ELSEWHERE = pack_address("192.168.50.1")
LEASED = pack_address("192.168.1.100")
OFFER, REQUEST, ACK, NAK = 2, 3, 5, 6


def line(detector):
    """Where what is expected is as rare as an interruption may be."""
    score, rate = detector.expected
    return score + 0.5 * math.log(rate / detector.share)


def scores(detector, rows):
    ordered = sorted(rows, key=lambda row: row["time"])
    return np.nan_to_num(score_rows(detector, ordered))


def top(detector, rows):
    return float(scores(detector, rows).max(initial=0.0))


def says(at, client, server, kind=OFFER, xid=None, **values):
    return {"time": START + round(at * SECOND), "client_mac": 0x020000000000 + client, "msg_type": kind,
            "client_h": LEASED, "server_h": server, "xid": 1 + round(at) if xid is None else xid} | values  # fmt: skip


def serves(at, server, clients, every=60.0):
    """Each of ``clients`` asks in turn, is offered an address, and takes it."""
    rows = []
    for n, client in enumerate(clients):
        begun = at + every * n
        xid = 1 + round(begun)
        rows += [
            says(begun + late, client, server, kind, xid)
            for late, kind in ((0, OFFER), (0.2, REQUEST), (0.3, ACK))
        ]
    return rows


def both(at, first, second, clients, every=60.0):
    return serves(at, first, clients, every) + [
        says(at + every * n + 0.01, client, second, OFFER, 1 + round(at + every * n))
        for n, client in enumerate(clients)
    ]


@pytest.mark.parametrize("known", [4, 30, 300])
def test_one_that_answers_the_same_requests_is_told_within_three_of_them(known):
    rows = serves(0, ROUTER, range(known)) + both(60 * known, ROUTER, ROGUE, range(3))
    assert top(RogueDhcp(), rows) > line(RogueDhcp)


def test_it_does_not_matter_who_answers_first_and_the_newcomer_is_named():
    rows = (
        serves(0, ROUTER, range(30))
        + both(1800, ROGUE, ROUTER, range(3))
        + serves(1980, ROGUE, [4])
    )
    ordered = sorted(rows, key=lambda row: row["time"])
    found = scores(RogueDhcp(), ordered)
    assert found.max() > line(RogueDhcp)
    assert not found[[row["server_h"] == ROUTER for row in ordered]].any()


def test_a_switch_shows_only_whom_the_clients_choose():
    def chosen(at, server, clients):
        return [says(at + 60 * n, client, server, REQUEST) for n, client in enumerate(clients)]

    known = chosen(0, ROUTER, range(40))
    mixed = [*chosen(2400, ROGUE, range(6)), *chosen(2430, ROUTER, range(6, 12))]
    assert top(RogueDhcp(), known + mixed) > line(RogueDhcp)
    replaced = chosen(2400, ROGUE, range(40))
    assert top(RogueDhcp(), known + replaced) < line(RogueDhcp) - 0.3


def test_a_refusal_counts_as_an_answer():
    rows = serves(0, ROUTER, range(30))
    rows += [
        says(1800 + 60 * n, n, server, kind, xid=9_000 + n)
        for n in range(3)
        for server, kind in ((ROUTER, ACK), (ROGUE, NAK))
    ]
    assert top(RogueDhcp(), rows) > line(RogueDhcp)


@pytest.mark.parametrize(
    "rows",
    [
        both(0, ROUTER, SECOND_SERVER, range(40)),
        serves(0, ROUTER, range(0, 40, 2), 120) + serves(60, SECOND_SERVER, range(1, 40, 2), 120),
        serves(0, ROUTER, range(40)) + serves(HOUR / SECOND, ROGUE, range(40)),
        serves(0, ROUTER, range(40)) + serves(2400, ELSEWHERE, range(100, 160)) + serves(2430, ROUTER, range(40)),
        serves(0, ROUTER, range(40))
        + [says(60 * n + 0.05, n, SECOND_SERVER, xid=1 + 60 * n, client_h=bytes(16)) for n in range(20, 40)],
        serves(0, ROUTER, range(40)) + serves(2400, SECOND_SERVER, range(12)) + serves(3200, ROUTER, range(40)),
    ],
    ids=["both from the beginning", "shared", "replaced", "guests", "boot server", "stands in"],
)  # fmt: skip
def test_servers_that_belong_here_are_not_told(rows):
    assert top(RogueDhcp(), rows) < line(RogueDhcp) - 0.3


def test_a_device_that_has_one_number_for_all_its_requests_is_answered_by_nobody_twice():
    rows = serves(0, ROUTER, range(40)) + [
        says(3600 + 60 * n, n, ROGUE, xid=1 + 60 * n) for n in range(40)
    ]
    assert top(RogueDhcp(), rows) < line(RogueDhcp) - 0.3


def test_who_was_told_is_known_some_days_later():
    rows = serves(0, ROUTER, range(30)) + both(1800, ROUTER, ROGUE, range(6))
    later = both(5 * DAY / SECOND, ROUTER, ROGUE, range(6))
    assert top(RogueDhcp(), rows) > line(RogueDhcp)
    assert scores(RogueDhcp(), rows + later)[-1] < 2.5


def test_a_crowd_of_made_up_servers_does_not_push_out_the_site_s_own():
    crowd = [says(1800 + n, 500 + n, pack_address(f"192.168.1.{n}")) for n in range(100, 200)]
    rows = serves(0, ROUTER, range(30)) + crowd + both(2000, ROUTER, ROGUE, range(3))
    assert top(RogueDhcp(), rows) > line(RogueDhcp)


GROUP, MDNS_GROUP = pack_address("224.0.0.252"), pack_address("224.0.0.251")
DESK, LIAR, NAS, PROXY = (pack_address(f"192.168.1.{n}") for n in (27, 66, 9, 77))
GONE = ("oldserver", "printsrv", "intranet", "fileserver", "scanner", "backup")


def asks(at, name, who=DESK, port=5355, **values):
    group = MDNS_GROUP if port == 5353 else GROUP
    return {"time": START + round(at * SECOND), "orig_h": who, "resp_h": group, "resp_p": port, "query": name,
            "qtype": 32 if port == 137 else 1, "question": 1, "rcode": 255, "answers": 0} | values  # fmt: skip


def tells(at, name, who, port=5355, **values):
    asker = MDNS_GROUP if port == 5353 else DESK
    return asks(at, name, asker, port, resp_h=who, question=0, rcode=0, answers=1) | values


def exchange(at, name, who, port=5355, **values):
    return [asks(at, name, port=port, **values), tells(at + 0.01, name, who, port, **values)]


def missed(names=GONE, port=5355):
    return [asks(1 + 0.4 * n, name, port=port) for n in range(2) for name in names]


def poisoned(names=GONE, at=100, port=5355, who=LIAR):
    return [row for n, name in enumerate(names) for row in exchange(at + n, name, who, port)]


@pytest.mark.parametrize("port", [137, 5353, 5355])
def test_who_answers_for_six_names_that_nobody_had_is_told(port):
    assert top(NamePoisoning(), missed(port=port) + poisoned(port=port)) > line(NamePoisoning)


def test_the_proxy_s_name_weighs_more():
    names = ("wpad", *GONE[:4])
    assert top(NamePoisoning(), missed(names) + poisoned(names)) > line(NamePoisoning)
    assert top(NamePoisoning(), missed(names[1:]) + poisoned(names[1:])) < line(NamePoisoning)


def test_names_that_have_an_owner_weigh_less_and_are_told_when_they_are_many():
    names = [f"pc-{n}" for n in range(20)]
    owned = [
        row
        for n, name in enumerate(names)
        for row in exchange(n, name, pack_address(f"192.168.1.{100 + n}"))
    ]
    assert top(NamePoisoning(), owned) == 0.0
    assert top(NamePoisoning(), owned + poisoned(names)) > line(NamePoisoning)
    assert top(NamePoisoning(), owned + poisoned(names[:4])) < line(NamePoisoning) - 0.3


def test_four_names_or_the_proxy_s_and_two_are_not_told_yet_however_many_machines_ask():
    asked = [row | {"orig_h": pack_address(f"192.168.1.{n}")} for n in range(30, 40)
             for row in poisoned(GONE[:4], at=100 + 10 * n)]  # fmt: skip
    assert top(NamePoisoning(), missed() + asked) < line(NamePoisoning)
    few = ("wpad", *GONE[:2])
    assert top(NamePoisoning(), missed(few) + poisoned(few)) < line(NamePoisoning)


def test_its_words_know_an_innocent():
    words = NamePoisoning().explain(dict.fromkeys(NamePoisoning.facts, 6.0))
    assert "this is normal" in words.desc_en
    assert "dit normaal" in words.desc_nl


def test_asking_twice_for_a_name_is_not_asking_twice():
    once = missed() + poisoned()
    again = once + poisoned(at=200) + poisoned(at=300)
    assert top(NamePoisoning(), again) == top(NamePoisoning(), once)


@pytest.mark.parametrize(
    "rows",
    [
        missed(["nas", "files", "workgroup", "print"]) + poisoned(["nas", "files", "workgroup", "print"], who=NAS),
        missed(),
        [tells(0, "_ipp._tcp.local", PROXY, 5353, qtype=12), *missed(port=5353), *poisoned(port=5353, who=PROXY)],
        [row for n in range(40) for row in exchange(n, f"thing-{n}.local", PROXY, 5353)],
        [tells(n, f"thing-{n}.local", PROXY, 5353) for n in range(40)],
        [row for n in range(40) for row in exchange(n, f"pc-{n}", NAS, 137, resp_h=NAS)],
        [row for n in range(40) for row in exchange(n, f"_svc{n}._tcp.local", PROXY, 5353, qtype=12)],
        missed() + [row | {"rcode": 3, "answers": 0} if not row["question"] else row for row in poisoned()],
        [row for n in range(40) for row in exchange(n, f"pc-{n}", LIAR, 53)],
        [row for n in range(40) for row in (asks(n, f"pc-{n}", LIAR), *exchange(n + 50, f"pc-{n}", LIAR, orig_h=LIAR))],
    ],
    ids=["four names", "nobody answers", "reflector switched on", "reflector", "announcements", "asked directly", "services", "refusals",
         "a resolver", "its own probes"],
)  # fmt: skip
def test_names_as_networks_have_them_are_not_told(rows):
    assert top(NamePoisoning(), rows) < line(NamePoisoning) - 0.3


def test_a_name_is_the_same_in_each_protocol():
    rows = missed(["nas"]) + exchange(100, "nas", NAS) + exchange(101, "nas.local", NAS, 5353)
    rows += exchange(102, "nas", NAS, 137)
    assert top(NamePoisoning(), rows) == 0.0
