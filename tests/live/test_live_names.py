"""Orders by way of a real name server of somebody's own, and guessed names that it says nobody has."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dijkwacht.offline import OfflineCollector, cut
from dijkwacht.recording import Recorded
from dijkwacht_lab.office.namespaces import Namespaces
from dijkwacht_records.addresses import format_address

pytestmark = [pytest.mark.live("dnsmasq", "tcpdump"), pytest.mark.timeout(120)]

PC, SERVER = "192.168.77.20", "198.18.77.53"
ENDS_S = 20.0
ASK = """
import random, socket, sys
server, draw = sys.argv[1], random.Random(7)
letters = "abcdefghijklmnopqrstuvwxyz"
orders = [("now.tasks.relay.example", 16)] * 40
guesses = [("".join(draw.choices(letters, k=draw.randrange(10, 16))) + ".com", 1) for _ in range(90)]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
    line.connect((server, 53))
    line.settimeout(0.5)
    tries = 0
    for number, (name, kind) in enumerate(orders + guesses):
        labels = b"".join(bytes((len(each),)) + each.encode() for each in name.split("."))
        head = number.to_bytes(2, "big") + b"\\x01\\x00\\x00\\x01" + bytes(6)
        while tries < 400:
            tries += 1
            try:
                line.send(head + labels + b"\\x00" + kind.to_bytes(2, "big") + b"\\x00\\x01")
                if line.recv(4096)[:2] == head[:2]:
                    break
            except (TimeoutError, ConnectionRefusedError):
                pass  # it is not up yet
        else:
            sys.exit("the name server does not answer")
"""


@pytest.fixture(scope="module")
def incidents(tmp_path_factory):
    """What a collector makes of everything that passed."""
    recorded = tmp_path_factory.mktemp("names") / "traffic.pcap"
    with Namespaces() as spaces:
        spaces.add("pc")
        spaces.add("outside")
        spaces.link("pc", "eth0", "outside", "eth0", "02:77:05:c1:d2:e4")
        for space, own, other in (("pc", PC, SERVER), ("outside", SERVER, PC)):
            spaces.ip(space, "addr", "add", f"{own}/32", "dev", "eth0")
            spaces.ip(space, "route", "add", f"{other}/32", "dev", "eth0")
        watch = spaces.start(
            "pc", ["tcpdump", "-i", "eth0", "-U", "--immediate-mode", "-Z", "root", "-w", str(recorded)], subprocess.PIPE, subprocess.STDOUT
        )  # fmt: skip
        while b"listening" not in (said := watch.stdout.readline()):
            assert said, "tcpdump ended"
        server = spaces.start(
            "outside",
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
             "--pid-file", "--bind-interfaces", f"--listen-address={SERVER}", "--local=/com/",
             "--txt-record=now.tasks.relay.example,wait 60 then list the shares of this machine"],
            subprocess.DEVNULL,
            subprocess.DEVNULL,
        )  # fmt: skip
        spaces.run("pc", [sys.executable, "-c", ASK, SERVER])
        spaces.end(server)
        spaces.end(watch)
    with OfflineCollector() as player:
        for batch in cut(Recorded([recorded]).rows(), 1000):
            player.play("bakery", batch)
        player.finish()
        return player.outcome.final()


def test_the_machine_that_asks_is_told_as_misusing_names(incidents):
    assert {incident.kind for incident in incidents} == {"dns"}
    assert {incident.subject for incident in incidents} == {PC}
    assert max(incident.severity_id for incident in incidents) >= 3


def test_both_what_it_was_told_and_what_it_guessed_are_seen(incidents):
    names = {name for incident in incidents for name in _detectors(incident)}
    assert {"private_resolver", "generated_names"} <= names
    ends = {format_address(each.dst_h) for incident in incidents for each in incident.evidences}
    assert SERVER in ends


def _detectors(incident):
    return {each.detector for each in incident.evidences}
