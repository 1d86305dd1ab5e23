"""`dijkwacht demo`: everything real, on loopback, in one process."""

import socket

import pytest

from dijkwacht import demo
from dijkwacht.demo import Show, perform
from dijkwacht.in_process import InProcessAgent, InProcessCollector, free_port
from dijkwacht_lab.office.truth import Attacked, Truth, read
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.errors import DijkwachtError, SettingsError, UnreadableInput

BEGIN = 1_700_000_000_000_000


@pytest.fixture
def office(tmp_path, scan, monkeypatch):
    """A recording with one scan in it, which ends at once."""
    monkeypatch.setattr(demo, "PLAY_S", 0.5)
    folder = tmp_path / "office"
    folder.mkdir()
    scan.rename(folder / "traffic.pcap")
    attack = Attacked(
        BEGIN, BEGIN + 6_000_000, "nmap", "T1046", "scan", "192.168.7.66", "02:00:00:00:00:01",
        ["192.168.7.2"], "nmap 192.168.7.2",
    )  # fmt: skip
    truth = Truth(
        "office", "A small office.", BEGIN, BEGIN + 6_000_000, "192.168.7.0/24", 600,
        {"visitor": "192.168.7.66"}, [attack],
    )  # fmt: skip
    truth.write(folder / "truth.json")
    return folder


@pytest.mark.usefixtures("loud")
def test_the_demo_finds_what_was_done(office, capsys):
    assert perform(office, once=True) == 0
    out = capsys.readouterr().out
    assert "Console: http://127.0.0.1:" in out
    assert "600 packets" in out
    assert "(visitor)" in out
    assert "All of 1 attacks found" in out
    # The collector never learned the address; the demo shows what the collector knows.
    assert "192.168.7.66" not in out


def test_the_demo_fails_when_an_attack_is_not_found(office, capsys, monkeypatch):
    monkeypatch.setattr(demo.InProcessCollector, "get", lambda _self, _path: [])
    monkeypatch.setattr(demo.InProcessCollector, "settle", lambda _self, _limit: True)
    assert perform(office, once=True) == 1
    assert "not found" in capsys.readouterr().out


def test_a_missing_recording_is_one_clear_error(tmp_path):
    with pytest.raises(UnreadableInput, match="a recording's truth"):
        perform(tmp_path, once=True)


def test_a_busy_port_is_no_obstacle():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        busy = other.getsockname()[1]
        assert free_port(busy) != busy
    with pytest.raises(SettingsError, match="--port 70000"):
        free_port(70_000)


def test_a_collector_that_cannot_start_says_why(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        collector = InProcessCollector(tmp_path, other.getsockname()[1])
        with pytest.raises(DijkwachtError, match="did not start"):
            collector.start()


def test_an_agent_plays_over_real_http(tmp_path, scan):
    collector = InProcessCollector(tmp_path / "collector", free_port(0))
    collector.start()
    try:
        code = collector.join_code("bakery")
        agent = InProcessAgent(tmp_path / "agent", code, "till", scan, 1000.0)
        agent.start()
        agent.stop(wait=True)
        assert not agent.playing
        assert collector.settle(30)
        assert agent.packets == 600
        # Its key is drawn: one address in some 150 is its own pseudonym, three at once never are.
        inside = [pack_address(text) for text in ("192.168.7.66", "10.20.30.40", "172.16.5.77")]
        assert [agent.disguise(address) for address in inside] != inside
        assert collector.get("/healthz")["journal_position"] > 0
    finally:
        collector.stop()


def test_names_stand_beside_pseudonyms_only(office):
    show = Show(read(office / "truth.json"), lambda address: address, lambda mac: mac)
    finding = {
        "start_time": BEGIN // 1000, "severity": "High",
        "finding_info": {
            "title": "192.168.7.66 tried 12 doors of 192.168.7.2.", "types": ["scan"],
            "attacks": [{"technique": {"uid": "T1046", "name": "Network Service Discovery"}}],
        },
    }  # fmt: skip
    line = show._line(finding)
    assert "192.168.7.66 (visitor) tried 12 doors of 192.168.7.2." in line
    assert "T1046 Network Service Discovery" in line
