"""Weak parts: as much of an attack as nothing alerts on, and no more."""

import pytest

from dijkwacht_collector.policy import WEAK
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.labels import Attackers
from dijkwacht_lab.scoring import Scoring
from dijkwacht_lab.weak_parts import Listener, every, heard_of, weak_part
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import DNS, FLOWS, TABLES, ConnState, FlowState

BEGIN = 1_773_651_600_000_000
SCANNER = "192.168.1.5"
ANYBODY = Attackers(anybody=True)
SCANS = frozenset({"scan"})


def row(table, **values):
    number = TABLES.index(table)
    nothing = {"int": 0, "float": 0.0, "addr": bytes(16), "text": ""}
    return number, tuple(values.get(c.name, nothing[c.kind]) for c in table.columns)


def probe(count, *, source=SCANNER, begin=BEGIN):
    """Ports of one machine, closed, a second apart."""
    for n in range(count):
        at = begin + n * 1_000_000
        yield row(
            FLOWS, time=at, start=at, flow_id=n + 1, state=FlowState.END, proto=6,
            orig_h=pack_address(source), resp_h=pack_address("192.168.1.77"), orig_p=40_000 + n,
            resp_p=20 + n, conn_state=ConnState.REJ, orig_flags=2, resp_flags=20, orig_pkts=1,
            resp_pkts=1, local_orig=1, local_resp=1,
        )  # fmt: skip


@pytest.fixture(scope="module")
def scan():
    return list(probe(200))


@pytest.fixture(scope="module")
def part(scan):
    return weak_part("scan.pcap", "scan", scan, ANYBODY, SCANS)


def test_a_part_is_evidence_and_alerts_nobody(part):
    assert (part.machine, part.family, part.detector) == (SCANNER, "scan", "scan")
    assert 0 < part.bits < part.line
    heard = heard_of(part.rows)
    assert not heard.loud
    assert not heard.alerts
    assert any(one.machine == SCANNER and one.rarity < WEAK for one in heard.rare)


def test_a_part_ends_just_before_something_would_alert(part, scan):
    assert list(part.rows) == scan[: len(part.rows)]
    assert len(part.rows) < part.of == len(scan)
    assert heard_of(scan[: len(part.rows) + 1]).loud


def test_what_alerts_names_its_machine(scan):
    assert SCANNER in {machine for machine, _ in heard_of(scan).alerts}


def test_quiet_weeks_of_its_own_make_a_site_stricter(part):
    scoring = Scoring(shipped_detectors())
    strict = Listener(scoring.host.detectors, weeks=1e9)
    for told in scoring.score(part.rows):
        strict(told, scoring.numbering)
    assert strict.loud
    assert not strict.alerts


@pytest.mark.parametrize(
    ("truth", "families"),
    [(ANYBODY, frozenset({"dns"})), (Attackers(addresses=frozenset({bytes(16)})), SCANS)],
    ids=["another class", "another attacker"],
)
def test_only_what_is_right_for_the_file_is_a_part(scan, truth, families):
    assert weak_part("scan.pcap", "scan", scan[:40], truth, families) is None


def test_a_machine_outside_has_no_part():
    rows = list(probe(40, source="198.51.100.7"))
    rows = [(number, (*r[:6], pack_address("203.0.113.9"), *r[7:])) for number, r in rows]
    assert weak_part("scan.pcap", "scan", rows, ANYBODY, SCANS) is None


def test_what_jumps_to_an_alert_is_thinned(scan, part):
    def hear(rows):
        """Nothing but an alert, unless the probes are four seconds apart; then evidence."""
        slow = len(rows) > 1 and rows[1][1][0] - rows[0][1][0] >= 4_000_000
        heard = heard_of(part.rows if slow else ())
        heard.loud = int(bool(rows) and not slow)
        return heard

    thinned = weak_part("scan.pcap", "scan", scan, ANYBODY, SCANS, hear)
    assert thinned.thinned == 4
    assert list(thinned.rows) == scan[::4]
    assert thinned.bits == part.bits


def test_flows_are_kept_whole():
    rows = [row(FLOWS, time=n, flow_id=100 + n % 4, part=n // 4) for n in range(12)]
    rows += [row(DNS, time=n, query=f"{n}.test") for n in range(4)]
    kept = list(every(rows, 2))
    flows = [r for number, r in kept if number == TABLES.index(FLOWS)]
    assert {r[FLOWS.index("flow_id")] for r in flows} == {100, 102}
    assert len(flows) == 6
    assert [r[DNS.index("query")] for number, r in kept if number == TABLES.index(DNS)] == [
        "0.test",
        "2.test",
    ]
    assert list(every(rows, 1)) == rows
