"""Two agents of one site, through a real collector: one machine is one pseudonym after pairing."""

import re
import struct
import threading

import pytest

from dijkwacht.in_process import InProcessCollector, free_port
from dijkwacht_agent.cli import main
from dijkwacht_agent.join import join
from dijkwacht_agent.pairing import unseal
from dijkwacht_agent.pairing_words import WORDS
from dijkwacht_agent.run import Agent
from dijkwacht_agent.settings import read_settings
from dijkwacht_collector.journal import PARTITIONS, Journal
from dijkwacht_collector.sites import Sites
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.tables import FLOWS
from dijkwacht_records.wire import decode, unpack_rows

ORIG = FLOWS.index("orig_h")


@pytest.fixture
def recording(tmp_path):
    """One datagram of 192.168.1.5."""
    udp = struct.pack(">4H", 50_000, 9999, 8 + 4, 0) + b"data"
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0)
    ip += bytes([192, 168, 1, 5, 9, 9, 9, 9])
    data = b"\x02\x00\x00\x00\x00\x01\x00\x1b\x21\xaa\xbb\xcc\x08\x00" + ip + udp
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    path = tmp_path / "one.pcap"
    path.write_bytes(head + struct.pack("<4I", 1_700_000_000, 0, len(data), len(data)) + data)
    return path


def in_sites(collector, act):
    sites = Sites(collector.state / "sites.db")
    sites.open()
    try:
        return act(sites)
    finally:
        sites.close()


def pseudonyms(folder):
    """By agent, how it called who sent the datagram, each time that it was run."""
    journal = Journal(folder / "journal")
    journal.open()
    entries, _ = journal.read(range(PARTITIONS), {})
    journal.close()
    found = {}
    for entry in entries:
        if entry.kind == "batch":
            batch = decode(entry.payload)
            called = [row[ORIG] for number, row in unpack_rows(batch) if number == 0]
            found.setdefault(batch.agent, []).extend(called)
    return found


def test_one_machine_is_one_pseudonym_after_pairing(tmp_path, recording, capsys):
    collector = InProcessCollector(tmp_path / "collector", free_port(0))
    collector.start()
    states = {agent: tmp_path / agent for agent in ("first", "second")}
    codes = {"first": collector.join_code("bakery")}
    codes["second"] = in_sites(
        collector,
        lambda sites: sites.make_join_code("bakery", collector.url, 2_000_000_000_000_000),
    )

    def run(agent):
        settings = read_settings(states[agent], {})
        assert Agent(settings, states[agent], [recording], None).run(threading.Event())

    try:
        for agent, code in codes.items():
            join(code, states[agent], agent)
            run(agent)
        assert main(["--state", str(states["first"]), "pair"]) == 0
        words = re.search(r"    dijkwacht-agent pair (.*)", capsys.readouterr().out)[1].split()
        [(sealed,)] = in_sites(collector, stored)
        assert main(["--state", str(states["second"]), "pair", *words]) == 0
        assert in_sites(collector, stored) == [], "nothing of it is kept"
        run("second")
    finally:
        collector.stop()
    found = pseudonyms(collector.state)
    (first,) = found["first"]
    before, after = found["second"]
    assert before != first
    assert after == first

    key = (states["first"] / "privacy.key").read_bytes()
    assert key == (states["second"] / "privacy.key").read_bytes()
    kept = b"".join(path.read_bytes() for path in collector.state.rglob("*") if path.is_file())
    assert key not in sealed + kept
    assert " ".join(words).encode() not in kept
    other = next(word for word in WORDS if word != words[0])
    for wrong in ([other, *words[1:]], words[1:] + words[:1]):
        with pytest.raises(SettingsError, match="do not open"):
            unseal(sealed, wrong, "bakery")


def stored(sites):
    with sites._use() as database:
        return database.execute("SELECT sealed FROM pairings WHERE sealed NOT NULL").fetchall()
