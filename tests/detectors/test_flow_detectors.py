"""What attacks score against what ordinary programs score, flow by flow."""

from __future__ import annotations

import numpy as np
import pytest

from dijkwacht_detectors.amplification import Amplification
from dijkwacht_detectors.bruteforce import Bruteforce
from dijkwacht_detectors.checks import Harness
from dijkwacht_detectors.checks import score_rows as score_named_rows
from dijkwacht_detectors.flood import Flood
from dijkwacht_detectors.forged_flood import ForgedFlood
from dijkwacht_detectors.scan import Scan
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.hints import NAMED, RESP_FIRST, SPEECH, Named, Speech
from dijkwacht_records.tables import ConnState, FlowState

SECOND = 1_000_000
REJ, S0, SF, RSTO = ConnState.REJ, ConnState.S0, ConnState.SF, ConnState.RSTO
OPEN, END = FlowState.OPEN, FlowState.END


def score_rows(detector, rows):
    """Rows are of flows unless they say otherwise."""
    return score_named_rows(detector, [{"table": "flows"} | row for row in rows])


def top(detector, rows):
    scores = score_rows(detector, rows)
    return float(np.nanmax(scores)) if not np.isnan(scores).all() else 0.0


def probes(count, **values):
    row = {"conn_state": REJ, "resp_pkts": 1, "local_resp": 1} | values
    return [row | {"time": n * 100_000, "resp_p": 1 + n} for n in range(count)]


def test_scan_grows_with_the_ports_tried():
    assert top(Scan(), probes(200)) > top(Scan(), probes(50)) > top(Scan(), probes(5)) > 0


def test_scan_counts_a_port_once():
    same = [row | {"resp_p": 22} for row in probes(200)]
    assert top(Scan(), same) <= 1.0


def test_scan_does_not_count_a_failure_twice_when_it_comes_in_parts():
    opened = [row | {"state": OPEN, "conn_state": S0, "resp_pkts": 0} for row in probes(40)]
    ended = [
        row | {"part": 1, "state": END, "time": row["time"] + 60 * SECOND, "orig_pkts": 0}
        for row in opened
    ]
    assert np.nanmax(score_rows(Scan(), opened + ended)) == np.nanmax(score_rows(Scan(), opened))


def test_scan_forgives_an_answer_that_came_late():
    slow = []
    for row in probes(40):
        slow.append(row | {"state": OPEN, "conn_state": S0, "resp_pkts": 0})
        slow.append(row | {"part": 1, "state": END, "conn_state": SF, "resp_flags": 18})
    assert top(Scan(), slow) < 2.0


def test_scan_minds_browsing_little():
    pages = [
        {"time": n * SECOND, "resp_h": 1000 + n, "resp_p": 443, "conn_state": SF, "resp_pkts": 9,
         "orig_bytes": 900, "resp_bytes": 20_000} for n in range(300)
    ]  # fmt: skip
    dead = [row | {"conn_state": S0, "resp_pkts": 0, "orig_bytes": 0, "resp_bytes": 0,
                   "resp_h": 5000 + n} for n, row in enumerate(pages[::30])]  # fmt: skip
    mixed = sorted(pages + dead, key=lambda row: row["time"])
    assert top(Scan(), mixed) < 2.5


@pytest.mark.parametrize("named", [Named.BY_ORIG, Named.BY_OTHER])
def test_scan_does_not_mind_hosts_that_were_looked_up_and_are_gone(named):
    queue = [
        {"time": n * SECOND, "resp_h": 9000 + n, "resp_p": 25, "conn_state": S0} for n in range(60)
    ]
    told = [row | {"hints": NAMED.put(named)} for row in queue]
    assert top(Scan(), queue) > 5.5
    assert top(Scan(), told) < 3.5
    assert top(Scan(), [row | {"local_resp": 1} for row in told]) == top(
        Scan(), [row | {"local_resp": 1} for row in queue]
    ), "inside, whoever knows a name may still try every door"
    ports = [row | {"resp_h": 9000, "resp_p": 1 + n} for n, row in enumerate(told)]
    bare = [row | {"hints": 0} for row in ports]
    assert top(Scan(), ports) == top(Scan(), bare), "nor does a name excuse port after port"


@pytest.mark.parametrize(
    "values",
    [
        {"resp_h": 0xE00000FB, "proto": 17},  # multicast
        {"proto": 1, "orig_p": 3},  # errors that say a port is closed
        {"proto": 17, "orig_p": 53, "resp_pkts": 0},  # answers whose question was not seen
    ],
)
def test_scan_takes_no_notice(values):
    rows = [row | {"resp_p": 2000 + n} | values for n, row in enumerate(probes(100))]
    assert top(Scan(), rows) == 0.0


def datagrams(count, port, inside=1):
    return [
        {"time": n * SECOND, "resp_h": 9000 + n, "orig_p": 40_000, "resp_p": port, "proto": 17,
         "conn_state": S0, "local_resp": inside} for n in range(count)
    ]  # fmt: skip


def test_scan_minds_datagrams_by_which_programs_find_each_other_a_tenth():
    mesh, services = datagrams(120, 41_641), datagrams(120, 161)
    assert top(Scan(), services) > 6.5
    assert top(Scan(), mesh) < top(Scan(), services) - 2.8
    assert top(Scan(), datagrams(120, 41_641, inside=0)) < 4.0
    one = [row | {"resp_h": 9000, "resp_p": 20_000 + n} for n, row in enumerate(mesh)]
    assert top(Scan(), one) > 6.5, "port after port of one host"


def test_scan_of_the_outside_counts_for_less_where_many_answer():
    dead = [row | {"local_resp": 0, "proto": 6} for row in datagrams(200, 9_000)]
    alive = [
        row
        | {"resp_h": 50_000 + n, "conn_state": SF, "resp_pkts": 9, "orig_bytes": 9, "resp_bytes": 9}
        for n, row in enumerate(dead)
    ]
    peers = [row for pair in zip(dead, alive, strict=True) for row in pair]
    assert top(Scan(), dead) > 7.0
    assert top(Scan(), peers) < top(Scan(), dead) - 1.5
    inside = [row | {"local_resp": 1} for row in peers]
    assert top(Scan(), inside) > top(Scan(), peers) + 1.0


def test_scan_remembers_for_hours():
    slow = [row | {"time": n * 60 * SECOND, "conn_state": S0} for n, row in enumerate(probes(120))]
    assert top(Scan(), slow) > 5.5


def logins(count, **values):
    row = {"resp_p": 22, "conn_state": SF, "orig_pkts": 14, "resp_pkts": 15, "orig_bytes": 1700,
           "resp_bytes": 2000} | values  # fmt: skip
    return [row | {"time": n * SECOND, "start": n * SECOND - 500_000} for n in range(count)]


def at_once(rows):
    """Each begins before the one before it has ended, as of a tool with several tasks."""
    return [
        row | {"start": row["time"] - 3 * SECOND - n % 3 * 100_000} for n, row in enumerate(rows)
    ]


def test_bruteforce_at_any_port_but_less_where_programs_poll():
    ssh, other, web = (top(Bruteforce(), at_once(logins(100, resp_p=p))) for p in (22, 902, 443))
    assert ssh > other > 4.2
    assert web < 1.5


def speaks(speech, *, first=False):
    return {"hints": SPEECH.put(speech) | RESP_FIRST.put(first)}


@pytest.mark.parametrize("port", [902, 22_222])
@pytest.mark.parametrize(
    "hints",
    [
        speaks(Speech.SSH),
        speaks(Speech.RDP),
        speaks(Speech.TEXT, first=True),
        speaks(Speech.NOTHING, first=True),  # a recording without what was said
    ],
)
def test_bruteforce_knows_a_log_in_by_how_it_speaks(port, hints):
    rows = logins(100, resp_p=port)
    assert top(Bruteforce(), [row | hints for row in rows]) > top(Bruteforce(), rows) + 2.0


POLLS = [
    *((port, gap, speaks(Speech.HTTP)) for port, gap in [(8123, 2), (3000, 2), (5000, 5), (7777, 0.2)]),
    *((port, gap, {}) for port, gap in [(8123, 2), (3000, 2), (5000, 5), (7777, 0.2), (4999, 60)]),
    (2404, 1, speaks(Speech.BYTES)),  # a controller
    (6379, 1, speaks(Speech.TEXT)),  # is the store alive?
    (110, 60, speaks(Speech.TEXT, first=True)),
    (22, 20, speaks(Speech.SSH)),  # a tunnel that is refused, and tries again
]  # fmt: skip


@pytest.mark.parametrize(("port", "gap", "hints"), POLLS)
@pytest.mark.parametrize("late", [0.0, 0.02])
def test_bruteforce_takes_regular_polling_for_none(port, gap, hints, late):
    draw = np.random.default_rng(4)
    rows = []
    for n in range(600):
        start = int((n + late * draw.uniform()) * gap * SECOND)
        times = {"start": start, "time": start + 40_000}
        rows.append(logins(1, resp_p=port, orig_bytes=180, resp_bytes=420)[0] | times | hints)
    assert top(Bruteforce(), rows) < 3.0


def test_bruteforce_knows_a_list_of_words_though_it_is_tried_evenly():
    rows = logins(100, resp_p=7777, orig_bytes=60, resp_bytes=64)
    words = [row | {"orig_bytes": 60 + n * n % 11} for n, row in enumerate(rows)]
    assert top(Bruteforce(), words) > 4.2 > top(Bruteforce(), rows) + 1.0


def test_bruteforce_minds_a_database_little_whose_answers_differ():
    rows = at_once(logins(200, resp_p=3306, orig_bytes=90, resp_bytes=159))
    draw = np.random.default_rng(4)
    pages = [row | {"resp_bytes": int(draw.integers(160, 3000))} for row in rows]
    assert top(Bruteforce(), rows) > 6.0
    assert top(Bruteforce(), pages) < 3.0


def test_bruteforce_gets_used_to_what_a_pair_does_all_day():
    rows = []
    for n in range(24 * 600):
        start = n * 6 * SECOND + n % 5 * 900_000
        rows.append(
            logins(1, resp_p=3306, orig_bytes=300, resp_bytes=200)[0]
            | {"start": start, "time": start + 300_000}
        )
    scores = score_rows(Bruteforce(), rows)
    assert np.nanmax(scores[:1200]) > 4.2
    assert np.nan_to_num(scores[-600:]).max() == 0.0


def test_bruteforce_minds_large_or_differing_connections_little():
    large = logins(100, resp_bytes=400_000)
    differing = [row | {"resp_bytes": 100 * 2 ** (n % 11)} for n, row in enumerate(logins(100))]
    assert top(Bruteforce(), large) < 1.0
    assert top(Bruteforce(), differing) < top(Bruteforce(), logins(100)) - 0.5


def test_bruteforce_sees_guesses_that_come_in_parts():
    rows = []
    for row in logins(60):
        rows.append(row | {"state": OPEN, "conn_state": ConnState.S1})
        rows.append(row | {"state": END, "part": 1, "orig_bytes": 0, "resp_bytes": 52})
    assert top(Bruteforce(), rows) > 4.0


def syns(count, **values):
    row = {"resp_p": 80, "conn_state": S0, "resp_h": 5} | values
    return [row | {"time": n * 1000, "orig_h": 0x30000000 + n} for n in range(count)]


def test_flood_tells_a_flood_from_a_scan():
    scan = [row | {"orig_h": 9, "resp_p": n} for n, row in enumerate(syns(2000))]
    assert top(Flood(), syns(2000)) > 10.0
    assert top(Flood(), [row | {"orig_h": 9} for row in syns(2000)]) > 10.0
    assert top(Flood(), scan) < 4.0


@pytest.mark.parametrize("group", ["192.168.1.255", "224.0.0.251", "255.255.255.255"])
def test_flood_leaves_out_what_is_sent_to_nobody_in_particular(group):
    asks = {"conn_state": S0, "proto": 17, "resp_p": 161}
    assert top(Flood(), syns(300, **asks, resp_h=pack_address("192.168.1.20"))) > 8.0
    assert top(Flood(), syns(300, **asks, resp_h=pack_address(group))) == 0.0


def test_flood_does_not_mind_a_download_or_a_call():
    download = [{"time": n * 15 * SECOND, "part": n, "state": 1, "conn_state": 2, "resp_p": 443,
                 "orig_pkts": 9000, "resp_pkts": 30_000, "orig_bytes": 4_000_000, "resp_bytes": 40_000_000,
                 } for n in range(40)]  # fmt: skip
    assert top(Flood(), download) < 1.0


def test_flood_tells_packets_without_end_from_a_camera():
    def stream(per_s):
        row = {"proto": 17, "resp_p": 5004, "state": 1, "orig_pkts": 15 * per_s}
        return [row | {"time": n * 15 * SECOND, "part": n} for n in range(1, 40)]

    assert top(Flood(), stream(800)) < 5.0
    assert top(Flood(), stream(20_000)) > 8.0


def test_amplification_wants_many_sources():
    row = {"resp_p": 123, "proto": 17, "orig_pkts": 0, "resp_pkts": 1, "resp_bytes": 480}
    many = [row | {"time": n * 1000, "resp_h": 100 + n} for n in range(1000)]
    one = [row | {"time": n * 1000, "resp_h": 100} for n in range(1000)]
    asked = [row | {"orig_pkts": 1} for row in many]
    assert top(Amplification(), many) > top(Amplification(), one) + 2.0
    assert top(Amplification(), asked) == 0.0


def test_forged_flood_is_between_strangers():
    strangers = [
        row | {"local_orig": 0, "resp_h": 0x50000000 + n} for n, row in enumerate(syns(500))
    ]
    ours = [row | {"local_resp": 1} for row in strangers]
    assert top(ForgedFlood(), strangers) > 7.0
    assert top(ForgedFlood(), ours) == 0.0


def test_a_score_justifies_itself():
    harness = Harness(Scan())
    scores, facts = harness.feed([{"table": "flows"} | row for row in probes(100)])
    told = dict(zip(Scan.facts, facts[-1], strict=True))
    assert told["failed_targets"] == pytest.approx(100, rel=0.1)
    assert told["host_share"] == pytest.approx(1.0)
    words = Scan().explain(told | {"score": float(scores[-1])})
    assert "{dst}" in words.title_en
    assert "{dst}" in words.title_nl


def counted(n: int, flows: int, **values) -> dict:
    """The n-th second of a flood that the agent counted."""
    row = {"table": "floods", "time": n * SECOND, "start": n * SECOND, "flows": flows, "resp_p": 80}
    return row | {"orig_h": bytes(16), "orig_pkts": flows, "origs": 64, "resps": 1} | values


def test_flood_weighs_a_counted_row_as_its_flows():
    one_by_one = [
        {
            "time": n * SECOND // 1000,
            "start": n * SECOND // 1000,
            "orig_h": n,
            "resp_p": 80,
            "conn_state": 1,
        }
        for n in range(1, 3001)
    ]
    rows = [counted(n, 1000) for n in range(1, 4)]
    assert top(Flood(), rows) == pytest.approx(top(Flood(), one_by_one), abs=0.3)
    assert top(Flood(), [counted(1, 1000, proto=17)]) > 9
    assert np.isnan(score_rows(Flood(), [counted(1, 1000, resps=64)])).all()  # no single victim
    scan = counted(1, 1000, origs=1, orig_h=7, resp_p=0)  # many ports
    assert top(Flood(), [scan]) == 0


@pytest.mark.parametrize(("origs", "named"), [(1, True), (64, False)])
def test_flood_names_a_source_only_if_one_stands_out(origs, named):
    values = {"origs": origs} | ({"orig_h": 7} if named else {})
    harness = Harness(Flood())
    scores, facts = harness.feed([counted(1, 5000, **values)])
    facts = dict(zip(Flood.facts, facts[0], strict=True)) | {"score": scores[0]}
    told = Flood().explain(facts)
    assert ("{src}" in told.title_en) == ("{src}" in told.title_nl) == named
    assert ("device of yours" in told.desc_en) == ("apparaat van u" in told.desc_nl) == named


def test_flood_speaks_of_others_only_if_there_are_any():
    seen = dict.fromkeys(Flood.facts, 0.0) | {"unanswered_flows": 95.2, "score": 6.6}
    alone, among = (Flood().explain(seen | {"other_sources": n}) for n in (0.0, 30.0))
    assert "among others" not in alone.title_en
    assert "onder meer" not in alone.title_nl
    assert "among others" in among.title_en
    assert "onder meer" in among.title_nl


def test_forged_flood_counts_the_senders_of_a_counted_row():
    strangers = {"local_orig": 0, "local_resp": 0, "orig_h": bytes(16), "resp_h": 8 << 24}
    assert top(ForgedFlood(), [counted(1, 4000, **strangers)]) == pytest.approx(12, abs=0.1)
    few = top(ForgedFlood(), [counted(1, 4000, origs=3, **strangers)])
    assert few == pytest.approx(2, abs=0.1)
    assert np.isnan(
        score_rows(ForgedFlood(), [counted(1, 4000, **strangers | {"local_resp": 1})])
    ).all()


def test_scan_counts_the_targets_of_a_counted_row():
    one = {"orig_h": 1, "origs": 1, "local_resp": 1}
    many = counted(1, 500, **one | {"resps": 64, "resp_h": bytes(16), "resp_p": 22})
    assert top(Scan(), [many]) == pytest.approx(np.log2(501), abs=0.1)
    assert top(Scan(), [many | {"resps": 20}]) == pytest.approx(np.log2(21), abs=0.1)
    assert top(Scan(), [many | {"resps": 1, "resp_h": 2, "resp_p": 0}]) == pytest.approx(9, abs=0.1)
    again = [counted(n, 500, **one, resp_h=2) for n in range(1, 9)]  # one door is one door
    assert top(Scan(), again) == pytest.approx(1, abs=0.1)
    assert np.isnan(score_rows(Scan(), [counted(1, 500, local_resp=1)])).all()  # of many
    assert np.isnan(score_rows(Scan(), [many | {"proto": 1}])).all()
