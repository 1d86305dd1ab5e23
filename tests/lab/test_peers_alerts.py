"""Other tools' alerts: a small made-up file of each kind, read and held to our rule."""

import gzip
import json

import pytest

from dijkwacht_lab.labels import Labelled
from dijkwacht_lab.peers.alert_files import AlertsRead, is_alerts, read_alerts
from dijkwacht_lab.peers.alerts_found import alerts_found, peer_of
from dijkwacht_lab.peers.comparison import compared, comparison_table
from dijkwacht_lab.peers.mapping import CLASSES, TOOLS, read_mapping
from dijkwacht_lab.peers.peer import ANY, QUIET_US, Said, incidents_of
from dijkwacht_lab.scoreboard import Outcome, judge, summary
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.errors import SettingsError, UnreadableInput

BEGIN_US = 1_700_000_000_000_000
ISO = "2023-11-14T22:13:20"
ATTACKER, OTHER, SERVER = map(pack_address, ("10.0.0.1", "10.0.0.2", "203.0.113.9"))


def eve(signature, category, src="10.0.0.1", **more):
    alert = {"signature": signature, "category": category, "severity": 2}
    return {
        "timestamp": ISO + ".500000+0000", "event_type": "alert", "src_ip": src, "dest_ip": "10.0.0.9",
        "alert": alert, **more,
    }  # fmt: skip


def slips(status, name, **more):
    return {"Version": "2.0.3", "Analyzer": {"Name": "Slips"}, "Status": status, "ID": name,
            "StartTime": ISO + "+00:00", "Source": [{"IP": "10.0.0.1"}], **more}  # fmt: skip


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


NOTICES = (
    "#separator \\x09\n#path\tnotice\n#fields\tts\tuid\tid.orig_h\tnote\tmsg\tsrc\n"
    "#types\ttime\tstring\taddr\tenum\tstring\taddr\n"
    "1700000000.250000\t-\t-\tScan::Port_Scan\t10.0.0.1 scanned\t10.0.0.1\n"
    "1700000001.000000\t-\t-\tCaptureLoss::Too_Much_Loss\tloss\t-\n"
    "1700000002.000000\tC1\t10.0.0.2\tMine::Odd_Thing\todd\t-\n"
    "#close\t2023-11-14-22-13-20\n"
)


@pytest.fixture
def mapping():
    return read_mapping()


def test_suricata_tells_alerts_among_its_events(tmp_path, mapping):
    path = write(
        tmp_path / "eve.json",
        [
            {"timestamp": ISO + "+0000", "event_type": "flow", "src_ip": "10.0.0.1"},
            eve("ET SCAN Potential SSH Scan", "Attempted Information Leak"),
            eve("MALWARE answer", "A Network Trojan was detected", "203.0.113.9",
                flow={"src_ip": "10.0.0.1"}),
            eve("SURICATA STREAM bad", "Generic Protocol Command Decode"),
            eve("LOCAL rule 7", "Misc activity"),
        ],
    )  # fmt: skip
    read = read_alerts([path], mapping)
    assert [(s.kind, s.sources) for s in read.said] == [
        ("scan", (ATTACKER,)),
        ("c2", (SERVER, ATTACKER)),
        ("LOCAL rule … | Misc activity", (ATTACKER,)),
    ]
    assert {s.time for s in read.said} == {BEGIN_US + 500_000}
    assert (read.tool, read.ignored, read.damaged) == ("suricata", 1, 0)
    assert read.unmapped == {"LOCAL rule … | Misc activity": 1}


def test_suricata_may_say_itself_who_the_attacker_is(tmp_path, mapping):
    line = eve("ET SCAN x", "y", "203.0.113.9")
    line["alert"]["source"] = {"ip": "10.0.0.1"}
    read = read_alerts([write(tmp_path / "eve.json", [line])], mapping)
    assert read.said[0].sources == (ATTACKER,)


@pytest.mark.parametrize("dress", ["tabs", "json", "gzip"])
def test_zeek_tells_notices(tmp_path, mapping, dress):
    path = tmp_path / "notice.log"
    if dress == "json":
        write(path, [
            {"ts": 1700000000.25, "note": "Scan::Port_Scan", "src": "10.0.0.1"},
            {"ts": 1700000001.0, "note": "CaptureLoss::Too_Much_Loss"},
            {"ts": 1700000002.0, "note": "Mine::Odd_Thing", "id.orig_h": "10.0.0.2"},
        ])  # fmt: skip
    elif dress == "gzip":
        path.write_bytes(gzip.compress(NOTICES.encode()))
    else:
        path.write_text(NOTICES)
    read = read_alerts([path], mapping)
    assert read.said == [
        Said(BEGIN_US + 250_000, (ATTACKER,), "scan"),
        Said(BEGIN_US + 2_000_000, (OTHER,), "Mine::Odd_Thing"),
    ]
    assert (read.tool, read.ignored) == ("zeek", 1)


def test_slips_calls_when_evidence_has_added_up(tmp_path, mapping):
    path = write(
        tmp_path / "alerts.json",
        [
            slips("Event", "a", Description="Horizontal port scan to port 23/TCP. 60 hosts."),
            slips("Event", "b", Description="Connection to 203.0.113.9 that nobody knows"),
            slips("Event", "c", Description="Detected DGA: 100 NXDOMAINs"),
            slips("Incident", "d", CorrelID=["a", "b"], StartTime=ISO + "+00:00"),
        ],
    )
    read = read_alerts([path], mapping)
    assert [s.kind for s in read.said] == ["scan", "Connection to … that nobody knows"]
    assert all(s == Said(BEGIN_US, (ATTACKER,), s.kind) for s in read.said)


def test_evidence_of_slips_alone_interrupts_nobody(tmp_path, mapping):
    path = write(tmp_path / "alerts.json", [slips("Event", "a", Description="Vertical port scan")])
    assert read_alerts([path], mapping).said == []


def test_what_cannot_be_read_is_counted(tmp_path, mapping):
    path = tmp_path / "eve.json"
    good = json.dumps(eve("ET SCAN x", "y"))
    late = json.dumps(eve("ET SCAN x", "y") | {"timestamp": "yesterday"})
    nobody = json.dumps(eve("ET SCAN x", "y") | {"src_ip": "everybody"})
    path.write_text(f'{good}\n{{"event_type": "al\n{late}\n{nobody}\n[1]\n')
    read = read_alerts([path], mapping)
    assert (len(read.said), read.damaged) == (1, 4)


def test_what_is_none_of_the_three_is_said(tmp_path, mapping):
    path = write(tmp_path / "x.json", [{"alert": "somebody"}])
    with pytest.raises(UnreadableInput, match=r"x\.json: line 1: expected Suricata EVE, Zeek"):
        read_alerts([path], mapping)
    assert not is_alerts(path)
    mixed = [eve("ET SCAN x", "y"), {"ts": 1.0, "note": "Scan::Port_Scan"}]
    with pytest.raises(UnreadableInput, match="line 2: expected alerts of suricata"):
        read_alerts([write(tmp_path / "m.json", mixed)], mapping)
    with pytest.raises(UnreadableInput, match="can be read"):
        read_alerts([tmp_path / "none"], mapping)


def test_a_tool_that_wrote_nothing_said_nothing(tmp_path, mapping):
    (tmp_path / "eve.json").write_text("")
    assert is_alerts(tmp_path / "eve.json")
    assert read_alerts([tmp_path / "eve.json"], mapping) == AlertsRead()


def test_the_shipped_mapping_knows_every_tool(mapping):
    assert set(mapping.rules) == set(TOOLS)
    kinds = {kind for rules in mapping.rules.values() for _, kind in rules}
    assert {"scan", "bruteforce", "c2", "dns", "ignored"} <= kinds <= CLASSES


def test_the_first_line_that_fits_decides(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[zeek]\n"port" = "dos"\n"Scan" = "scan"\n')
    mine = read_mapping(path)
    assert mine.class_of("zeek", "Scan::Port_Scan") == "dos"
    assert mine.class_of("zeek", "Scan::Address_Scan") == "scan"
    assert mine.class_of("suricata", "Scan") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[zeek\n", "not TOML"),
        ('[snort]\n"a" = "scan"\n', r"\[snort\]: one of slips suricata zeek"),
        ('[zeek]\n"a" = "scam"\n', r"'a' = 'scam': one of arp bruteforce"),
        ('zeek = "scan"\n', r"\[zeek\]"),
        ('[zeek]\n"a" = ["scan"]\n', r"'a' = \['scan'\]: one of"),
    ],
)
def test_a_mapping_with_a_mistake_is_said(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=said):
        read_mapping(path)


def test_a_mapping_that_is_not_there_is_said(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        read_mapping(tmp_path / "none.toml")


def test_one_source_interrupts_once_until_a_quiet_day():
    times = (0, QUIET_US, 2 * QUIET_US, 3 * QUIET_US + 1)
    said = [Said(time, (ATTACKER,), "scan") for time in times]
    incidents, noticed = incidents_of([*said, Said(5, (OTHER,), "scan")], "benign")
    assert sorted(noticed.values()) == [0, 5, 3 * QUIET_US + 1]
    assert {i.kind for i in incidents} == {"scan"}


def test_a_tool_without_classes_is_right_in_any():
    (incident,), _ = incidents_of([Said(1, (ATTACKER,), ANY)], "c2")
    assert incident.kind in {"c2", "exfil", "dns"}


def labelled(folder, name, kind="scan.vertical", rule="all: src 10.0.0.1"):
    return Labelled(kind, name, folder / name, rule, "", 100)


def judged(item):
    return judge(item, Outcome(first=BEGIN_US, watched_s=3600.0, packets=100, rows=100))


def test_alerts_are_found_by_the_name_of_the_file(tmp_path):
    names = ["scan/a.pcap", "scan/b.pcap", "dns/c.pcap", "dns/d.pcap", "dns/e.pcap"]
    items = [labelled(tmp_path, name) for name in names]
    told = tmp_path / "told"
    beside = write(told / "scan" / "a.pcap.eve.json", [eve("ET SCAN x", "y")])
    within = write(told / "scan" / "b.pcap" / "eve.json", [eve("ET SCAN x", "y")])
    (stats := within.parent / "stats.log").write_text("counters\n")
    flat = write(told / "c.pcap.notice.log", [{"ts": 1.0, "note": "Scan::X", "src": "10.0.0.1"}])
    (told / "d.pcap").mkdir()
    found = alerts_found(told, items)
    assert found == {
        items[0].path: [beside], items[1].path: [within, stats], items[2].path: [flat], items[3].path: [],
    }  # fmt: skip
    assert alerts_found(beside, items) == {items[0].path: [beside]}
    assert alerts_found(within, items[1:2]) == {items[1].path: [within]}


def test_alerts_of_nobody_are_said(tmp_path):
    items = [labelled(tmp_path, "a.pcap"), labelled(tmp_path, "b.pcap")]
    path = write(tmp_path / "eve.json", [eve("ET SCAN x", "y")])
    with pytest.raises(SettingsError, match="belongs to one labelled file, and 2 are chosen"):
        alerts_found(path, items)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match="nothing in it is named after a labelled file"):
        alerts_found(tmp_path / "empty", items)
    with pytest.raises(SettingsError, match="no such file or folder"):
        alerts_found(tmp_path / "none", items)


def test_the_same_rule_holds_for_a_tool(tmp_path, mapping):
    ours = [
        judged(labelled(tmp_path, "right.pcap")),
        judged(labelled(tmp_path, "wrong-class.pcap")),
        judged(labelled(tmp_path, "wrong-source.pcap")),
        judged(labelled(tmp_path, "silent.pcap")),
        judged(labelled(tmp_path, "not-run.pcap")),
        judged(labelled(tmp_path, "calm.pcap", "benign.app", "all benign")),
        judged(labelled(tmp_path, "calmer.pcap", "benign.app", "all benign")),
    ]
    told = tmp_path / "told"
    write(told / "right.pcap.json", [eve("ET SCAN x", "y")])
    write(told / "wrong-class.pcap.json", [eve("x", "A Network Trojan was detected")])
    write(told / "wrong-source.pcap.json", [eve("ET SCAN x", "y", "10.0.0.2")])
    for name in ("silent.pcap", "calmer.pcap"):
        write(told / name / "eve.json", [{"event_type": "stats", "timestamp": ISO}])
    write(told / "calm.pcap.json", [eve("Mine", "own"), eve("ET SCAN x", "y"), eve("Mine", "own")])
    peer = peer_of(told, ours, mapping)
    result = compared([peer])["suricata"]
    scan = result["classes"]["scan"]
    assert (scan["files"], scan["caught"], scan["not_readable"]) == (4, 1, ["not-run.pcap"])
    assert result["caught_files"] == {"right.pcap": 0.5}
    assert (result["benign"]["files_with_false_incidents"], result["benign"]["files"]) == (1, 2)
    assert result["benign"]["false_incidents"] == 2
    assert result["unmapped"] == {"Mine | own": 2}
    shown = comparison_table(summary(ours), {"suricata": result})
    assert "scan                 0/5        1/4" in shown
    assert "false files          0/2        1/2" in shown
    assert "not mapped   2 × Mine | own" in shown


def test_where_no_file_is_of_alerts_it_is_said(tmp_path, mapping):
    ours = [judged(labelled(tmp_path, name)) for name in ("a.pcap", "b.pcap")]
    told = tmp_path / "told"
    write(told / "a.pcap" / "alerts.json", [{"Description": "port scan", "SrcIP": "10.0.0.1"}])
    write(told / "b.pcap" / "conn.log", [{"ts": 1.0, "uid": "x"}])
    peer = peer_of(told, ours, mapping)
    assert peer.name == "alerts"
    assert peer.lines[1].startswith("careful: no file is Suricata EVE, Zeek notice.log")
    assert peer.lines[1].endswith("; 2 passed over")
    write(told / "b.pcap" / "notice.log", [{"ts": 1.0, "note": "Scan::X", "src": "10.0.0.1"}])
    assert len(peer_of(told, ours, mapping).lines) == 1


def test_two_tools_in_one_folder_are_said(tmp_path, mapping):
    ours = [judged(labelled(tmp_path, name)) for name in ("a.pcap", "b.pcap")]
    write(tmp_path / "told" / "a.pcap.json", [eve("ET SCAN x", "y")])
    write(tmp_path / "told" / "b.pcap.json", [{"ts": 1.0, "note": "Scan::X", "src": "10.0.0.1"}])
    with pytest.raises(SettingsError, match="alerts of suricata and zeek: one tool at a time"):
        peer_of(tmp_path / "told", ours, mapping)


def test_without_peers_there_is_nothing_to_show(tmp_path):
    assert comparison_table(summary([judged(labelled(tmp_path, "a.pcap"))]), {}) == ""
