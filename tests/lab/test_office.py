"""The office's driver: what it refuses, what it leaves behind, and that it works on the wire."""

import dataclasses
import ipaddress
import os
import struct
import subprocess

import pytest

from dijkwacht_lab.office import driver
from dijkwacht_lab.office.attacks import tool_run
from dijkwacht_lab.office.fence import Fence, OutsideOffice
from dijkwacht_lab.office.leases import DISCOVER, message, options_of
from dijkwacht_lab.office.names import answer, asked, question, told
from dijkwacht_lab.office.namespaces import CommandFailed, Namespaces
from dijkwacht_lab.office.plans import PLANS, Attack, Host
from dijkwacht_lab.office.truncate import truncate, wanted

OUTSIDE = [
    "8.8.8.8",
    "192.168.21.1",
    "192.168.0.0/16",
    "0.0.0.0/0",
    "::1",
    "localhost",
    "",
    "10.0.0.1",
]
DEMO = PLANS["demo"]


def namespaces():
    """Those of this process: others may be at work on the same machine."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    own = f"dw-{os.getpid():x}-"
    return {line.split()[0] for line in listed.stdout.splitlines() if line.startswith(own)}


@pytest.mark.parametrize("target", OUTSIDE)
def test_the_fence_refuses_what_is_not_the_office_s(target):
    with pytest.raises(OutsideOffice):
        DEMO.fence().target(target)


@pytest.mark.parametrize(
    "network", ["0.0.0.0/0", "8.8.8.0/24", "127.0.0.0/8", "169.254.0.0/16", "fd00::/8"]
)
def test_no_office_stands_on_other_people_s_addresses(network):
    with pytest.raises(OutsideOffice):
        Fence([network])


@pytest.mark.parametrize(
    "target", ["192.168.20.2", "192.168.20.0/25", "198.51.100.77", "172.30.99.1"]
)
def test_the_fence_gives_back_what_is_inside(target):
    assert DEMO.fence().target(target) == target


@pytest.mark.parametrize("tool", ["nmap", "hydra", "iodine", "hping3", "arpspoof"])
@pytest.mark.parametrize("target", OUTSIDE)
def test_no_tool_is_pointed_outside(tool, target, tmp_path):
    attack = Attack(0, 1, tool, "oven", target, "scan", "T1046", ("ftp",))
    with pytest.raises(OutsideOffice):
        tool_run(DEMO, attack, tmp_path)


def test_nothing_is_built_for_a_plan_that_aims_outside(tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "build", lambda *_: pytest.fail("built"))
    aimed = dataclasses.replace(DEMO.attacks[0], target="8.8.8.8")
    with pytest.raises(OutsideOffice):
        driver.record(dataclasses.replace(DEMO, attacks=(aimed,)), tmp_path)


@pytest.mark.parametrize("plan", PLANS.values(), ids=list(PLANS))
def test_plans_stay_inside_themselves(plan, tmp_path):
    for attack in plan.attacks:
        words = tool_run(plan, attack, tmp_path).words
        assert words
        assert attack.begins + attack.lasts <= plan.seconds
    fence = plan.fence()
    for address in (plan.gateway, plan.server, plan.printer, *plan.sites.values(), plan.resolver):
        fence.target(address)
    addresses = [host.address for host in plan.hosts]
    assert len(set(addresses)) == len(addresses)
    assert all(ipaddress.ip_address(a) in ipaddress.ip_network(plan.network) for a in addresses)


def test_names_go_there_and_back():
    ask = question(7, "www.dijk.example")
    assert asked(ask)[:2] == ("www.dijk.example", 1)
    assert told(answer(ask, "203.0.113.9")) == "203.0.113.9"
    assert told(answer(ask, None)) is None
    assert answer(ask, None)[3] & 15 == 3
    assert told(answer(question(7, "a.example", 28), "203.0.113.9")) is None


def test_a_lease_is_asked_for_in_dhcp_s_own_form():
    asked_for = message(1, b"1234", b"\x02abcde", DISCOVER, "0.0.0.0", {12: b"oven"})
    assert len(asked_for) >= 244
    assert options_of(asked_for) == {53: b"\x01", 12: b"oven"}
    assert options_of(b"") == {}


def frame(protocol, ports, payload, flags=b"\x50\x18"):
    tcp = struct.pack("!HHII", *ports, 1, 1) + flags + bytes(6)
    udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0)
    head = b"\x45" + bytes(8) + bytes((protocol,)) + bytes(10)
    return bytes(12) + b"\x08\x00" + head + (tcp if protocol == 6 else udp) + payload


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (frame(6, (40000, 443), b"\x17\x03\x03" + bytes(500)), 54),
        (frame(6, (40000, 443), b"\x16\x03\x01\x02\x00\x01" + bytes(500)), 54 + 506),
        (frame(6, (443, 40000), b"\x16\x03\x03\x02\x00\x02" + bytes(500)), 54),
        (frame(17, (40000, 53), bytes(300)), 42 + 300),
        (frame(17, (40000, 3478), bytes(300)), 66),
        (bytes(12) + b"\x08\x06" + bytes(28), 42),
        (bytes(10), 10),
    ],
)
def test_a_cut_keeps_headers_and_names(data, kept):
    assert wanted(data) == kept


def test_a_cut_recording_tells_true_lengths(tmp_path):
    data = frame(6, (40000, 443), b"\x17\x03\x03" + bytes(500))
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1600, 1)
    whole, short = tmp_path / "whole", tmp_path / "short"
    whole.write_bytes(head + struct.pack("<4I", 5, 6, len(data), len(data)) + data)
    assert truncate(whole, short) == 1
    assert short.read_bytes() == head + struct.pack("<4I", 5, 6, 54, len(data)) + data[:54]
    whole.write_bytes(b"no pcap")
    with pytest.raises(ValueError, match="no little-endian pcap"):
        truncate(whole, short)


@pytest.mark.live
def test_namespaces_are_gone_even_after_a_failure():
    started = []

    def fail():
        with Namespaces() as spaces:
            spaces.add("here")
            started.append(spaces.start("here", ["sleep", "60"]))
            assert namespaces() == {spaces.name("here")}
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not namespaces()
    assert started[0].poll() is not None


@pytest.mark.live
def test_a_command_that_fails_says_what_it_said():
    with Namespaces() as spaces:
        spaces.add("here")
        with pytest.raises(CommandFailed, match="nowhere"):
            spaces.ip("here", "link", "set", "nowhere", "up")
        with pytest.raises(CommandFailed, match="no namespace"):
            spaces.run("elsewhere", ["true"])


@pytest.mark.live("tcpdump", "nmap")
def test_a_small_office_is_recorded_with_its_attack(tmp_path):
    plan = dataclasses.replace(
        DEMO,
        seconds=9,
        hosts=(Host("oven", "192.168.20.11", pace=1), DEMO.host("guest-laptop")),
        attacks=(dataclasses.replace(DEMO.attacks[0], begins=6, lasts=3),),
    )
    truth = driver.record(plan, tmp_path)
    assert not namespaces()
    (attack,) = truth.attacks
    assert attack.command == "nmap -sS -Pn -n -T4 -p 1-1000 192.168.20.2"
    assert truth.start < attack.start < attack.stop <= truth.stop
    assert truth.frames > 2000
    recorded = (tmp_path / "traffic.pcap").read_bytes()
    assert b"\x04oven" in recorded  # DHCP, by name
    assert ipaddress.ip_address("192.168.20.66").packed in recorded
