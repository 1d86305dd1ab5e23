"""Labels and what the scoreboard makes of them."""

import gzip
import math

import pytest

from dijkwacht_collector.incidents import Evidence, Incident
from dijkwacht_lab import labels, scoreboard
from dijkwacht_lab.labels import Attackers, Labelled, attackers, read_labels
from dijkwacht_lab.scoreboard import Outcome, Watched, judge, poisson_interval, summary, table
from dijkwacht_records.addresses import UNSPECIFIED, pack_address
from dijkwacht_records.errors import UnreadableInput

SECOND = 1_000_000


def labelled(tmp_path, kind="scan.vertical", rule="all: src 10.0.0.1", size=100, file="x"):
    return Labelled(kind, file, tmp_path / file, rule, "", size)


def incident(kind="scan", src="10.0.0.1", severity=3, mac=0, uid="u1", start=0):
    source = pack_address(src) if src else UNSPECIFIED
    return Incident(
        uid=uid, site="s", kind=kind, detector=kind, technique="T1046", subject=src, ordinal=0,
        severity_id=severity, confidence=60, rarity=0.1, start=start, end=start, count=1,
        title_en="", title_nl="", desc_en="", desc_nl="",
        evidences=(Evidence(start, 9.0, source, mac, UNSPECIFIED, 0),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("all: src 10.0.0.140", {"10.0.0.140"}),
        ("src 147.32.80.40 -> 147.32.80.37:902", {"147.32.80.40"}),
        ("src 192.168.56.1 -> :21", {"192.168.56.1"}),
        ("src 172.16.10.21 <-> 192.168.10.22", {"172.16.10.21", "192.168.10.22"}),
        ("src 172.16.1.11 scanning 172.16.1/24,10.0.2/24", {"172.16.1.11"}),
        ("flows originated by 192.168.2.16 to TCP 23/8080 = attack", {"192.168.2.16"}),
        ("src 2001:db8::5 -> x", {"2001:db8::5"}),
    ],
)
def test_rules_name_the_attackers(tmp_path, rule, expected):
    found = attackers(labelled(tmp_path, rule=rule))
    assert found == Attackers(addresses=frozenset(map(pack_address, expected)))


@pytest.mark.parametrize("rule", ["all", "all DNS", "all ARP requests", "file-level (Simda DGA)"])
def test_rules_may_mean_everybody(tmp_path, rule):
    assert attackers(labelled(tmp_path, rule=rule)).include(pack_address("192.0.2.9"), 0)


def test_a_rule_may_name_a_hardware_address(tmp_path):
    found = attackers(labelled(tmp_path, "arp.spoof", "src MAC 00:25:b3:bf:91:ee ARP replies"))
    assert found.include(UNSPECIFIED, 0x0025B3BF91EE)
    assert not found.include(pack_address("10.0.0.1"), 1)


def test_an_unknown_rule_is_said(tmp_path):
    with pytest.raises(UnreadableInput, match="a known rule"):
        attackers(labelled(tmp_path, rule="column 42"))


def test_argus_label_column_names_the_attackers(tmp_path):
    (tmp_path / "a.binetflow.gz").write_bytes(
        gzip.compress(
            b"StartTime,Dur,Proto,SrcAddr,Label\n1,0,tcp,192.0.2.1,flow=From-Botnet-V42\n"
            b"1,0,tcp,192.0.2.2,flow=Background\n"
        )
    )
    item = Labelled("c2.irc", "a", tmp_path / "a.binetflow.gz", "label column", "", 2)
    assert attackers(item).addresses == {pack_address("192.0.2.1")}


def test_benign_files_have_no_attackers(tmp_path):
    assert attackers(labelled(tmp_path, "benign.app", "all benign")) == Attackers()


@pytest.mark.parametrize("dress", ["tabs", "json"])
def test_a_label_column_names_the_sources(tmp_path, dress):
    if dress == "tabs":
        text = (
            "#fields\tts\tid.orig_h\tlabel\n1\t10.0.0.5\tMalicious\n2\t10.0.0.6\tBenign\n"
            "3\t10.0.0.7\tBackground\n"
        )
    else:
        text = '{"id.orig_h":"10.0.0.5","label":"Malicious"}\n{"id.orig_h":"10.0.0.6","label":"Benign"}\n'
    (tmp_path / "x").write_text(text)
    found = attackers(labelled(tmp_path, "c2.rat", "label column: Malicious=attack"))
    assert found.addresses == {pack_address("10.0.0.5")}


def test_a_port_rule_names_the_sources(tmp_path):
    (tmp_path / "x").write_text(
        "#fields\tid.orig_h\tid.resp_p\tproto\n10.0.0.5\t1337\ttcp\n10.0.0.6\t1337\tudp\n"
    )
    found = attackers(labelled(tmp_path, "c2.rat", "flows to 1337/tcp malicious, rest unlabelled"))
    assert found.addresses == {pack_address("10.0.0.5")}


def test_the_list_is_read(tmp_path):
    path = tmp_path / "LABELS.csv"
    path.write_text('kind,file,label_rule,n\nscan.x,a.pcap,"src 10.0.0.1, all",?\ndns.y,b,all,30\n')
    first, second = read_labels(path)
    assert (first.class_, first.rule, first.size) == ("scan", "src 10.0.0.1, all", 0)
    assert (second.path, second.size) == (tmp_path / "b", 30)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\x00"])
def test_a_list_that_is_none_is_said(tmp_path, text):
    path = tmp_path / "LABELS.csv"
    path.write_text(text)
    with pytest.raises(UnreadableInput, match=r"LABELS\.csv: .* expected"):
        read_labels(path)
    with pytest.raises(UnreadableInput, match="opened"):
        read_labels(tmp_path / "none")


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([incident()], "caught"),
        ([incident("arp")], "caught"),
        ([incident("dos")], "missed"),
        ([incident(severity=2)], "missed"),
        ([incident(src="10.0.0.2")], "missed"),
        ([], "missed"),
    ],
)
def test_caught_is_the_right_class_and_the_attacker_medium_or_above(tmp_path, found, status):
    assert judge(labelled(tmp_path), Outcome(found)).status == status


def test_time_to_detect_runs_from_the_first_row_to_the_first_notice(tmp_path):
    outcome = Outcome(
        [incident(uid="late"), incident(uid="soon")],
        noticed={"late": 9 * SECOND, "soon": 5 * SECOND},
        first=2 * SECOND,
    )
    assert judge(labelled(tmp_path), outcome).detect_s == 3.0


def test_other_classes_are_counted_and_context_is_apart(tmp_path):
    found = [incident(), incident("dos", uid="2"), incident("c2", severity=2, uid="3")]
    judged = judge(labelled(tmp_path), Outcome(found))
    assert (judged.others, judged.context, judged.said) == (1, 1, ("dos", "scan"))


def test_small_files_do_not_count(tmp_path):
    assert judge(labelled(tmp_path, size=19), Outcome([incident()])).status == "small"
    assert judge(labelled(tmp_path, size=20), Outcome([incident()])).status == "caught"


def test_what_cannot_be_read_is_no_miss(tmp_path):
    assert judge(labelled(tmp_path), Outcome(refused="no")).status == "not readable"
    assert judge(labelled(tmp_path, "hostmetric.attack", "Mode"), Outcome()).status == "not judged"


def test_benign_incidents_are_false_unless_the_file_labels_their_source(tmp_path):
    (tmp_path / "x").write_text("#fields\tid.orig_h\tlabel\n10.0.0.1\tMalicious\n")
    mixed = labelled(tmp_path, "benign.mixed", "label column")
    assert judge(mixed, Outcome([incident()])).status == "clean"
    judged = judge(mixed, Outcome([incident(src="10.0.0.2"), incident(severity=2, uid="2")]))
    assert (judged.status, judged.false, judged.context) == ("false", 1, 1)


def test_time_counts_only_while_packets_come():
    watched = Watched()
    for second in (100, 110, 105, 3709, 3709 + 3600, 3709 + 3601):
        watched.see(second * SECOND)
    assert watched.first == 100 * SECOND
    assert watched.seconds == 10 + 3599 + 1


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # Garwood's table
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668), (100, 81.36, 121.63)],
)
def test_poisson_intervals(count, low, high):
    found = poisson_interval(count)
    assert math.isclose(found[0], low, abs_tol=0.006)
    assert math.isclose(found[1], high, abs_tol=0.006)


def test_the_table_tells_everything(tmp_path):
    judged = [
        judge(
            labelled(tmp_path, file="a"), Outcome([incident()], {"u1": SECOND}, flows=10, cpu_s=1)
        ),
        judge(labelled(tmp_path, file="b"), Outcome(flows=10, cpu_s=1)),
        judge(labelled(tmp_path, file="c", size=3), Outcome()),
        judge(labelled(tmp_path, file="d"), Outcome(refused="d: start: no such file")),
        judge(labelled(tmp_path, rule="his", file="h"), Outcome()),
        judge(labelled(tmp_path, "robust.x", "no crash", file="e"), Outcome(crash="E", wall_s=11)),
        judge(labelled(tmp_path, "robust.x", "no crash", file="f"), Outcome(wall_s=1)),
        judge(
            labelled(tmp_path, "benign.app", "all benign", file="g"),
            Outcome([incident("dos")], watched_s=scoreboard.WEEK_S / 2),
        ),
    ]
    result = summary(judged)
    scan = result["classes"]["scan"]
    assert (scan["files"], scan["caught"], scan["recall"]) == (2, 1, 0.5)
    assert scan["detect_seconds_median"] == 1.0
    assert (scan["missed"], scan["small"], scan["not_readable"]) == (["b"], ["c"], ["d", "h"])
    assert result["benign"]["false_per_site_week"] == 2.0
    assert result["robust"]["crashed"] == ["e"]
    assert result["robust"]["over_10_seconds"] == ["e"]
    assert result["cpu_seconds_per_million_flows"] == 100_000
    text = table(result)
    for line in (
        "missed       scan: b",
        "too small    scan: c",
        "not readable in this version: d (start: no such file)",
        "not readable in this version: h (label_rule: expected a known rule; this is 'his')",
        "1 of 1 files with a false incident, 1 incidents in 0.50 site-weeks: 2.0 a site-week",
        "false        1 × dos: g",
        "crashed      e: E",
        "1 of 2 survived, slowest 11.0 s, 1 over 10 s",
    ):
        assert line in text
    assert table(summary([]))


@pytest.mark.captures
def test_every_rule_of_the_captures_is_understood(captures):
    unknown = []
    for item in read_labels(captures / "LABELS.csv"):
        try:
            attackers(item)
        except UnreadableInput:
            unknown.append(item.kind)
    assert unknown == ["dns.dga-domains"]
    assert set(labels.ACCEPTED) > {"scan", "dns"}
