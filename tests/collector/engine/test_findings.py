"""Whose machine a finding is about."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dijkwacht_collector.engine.findings import (
    door_of,
    finding_of,
    knocked_at,
    machine_of,
    subject_of,
)
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.incidents import Evidence
from dijkwacht_collector.policy import RareRow, Scored
from dijkwacht_detectors.arp_spoof import ArpSpoof
from dijkwacht_records.addresses import UNSPECIFIED, pack_address


@pytest.mark.parametrize(
    ("who", "whom", "machine"),
    [
        ("10.0.0.7", "198.51.100.1", "10.0.0.7"),
        ("198.51.100.1", "10.0.0.7", "10.0.0.7"),
        ("10.0.0.7", "10.0.0.8", "10.0.0.7"),
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),
        ("2001:db8::1", "fd64:6a6a::c633:6401", "fd64:6a6a::c633:6401"),
        ("", "192.168.1.5", "192.168.1.5"),
        ("198.51.100.1", "", "198.51.100.1"),
    ],
)
def test_it_is_the_inside_end(who, whom, machine):
    src, dst = (pack_address(text) if text else UNSPECIFIED for text in (who, whom))
    assert machine_of(Evidence(0, 1.0, src, 0, dst, 22)) == machine


@pytest.mark.parametrize(
    ("held", "machine"), [(0xC0A80142, "192.168.1.66"), (0, "00:16:3e:00:00:66")]
)
def test_hardware_is_the_machine_whose_address_it_held(held, machine):
    detector = ArpSpoof()
    claim = packed_columns(pack_address("192.168.1.1"))
    scored = Scored(
        0, False, np.zeros(1, np.int64), np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros(1, np.int32),
        np.zeros(1, np.int32), np.zeros(1, np.bool_), np.ones(1), np.array([[1.0, 2.0, 1.0, held]]),
        {"sender_h": claim, "target_h": claim, "sender_mac": np.array([0x00163E000066])},
        np.zeros(1, np.int64),
    )  # fmt: skip
    numbering = Numbering()
    numbering.agent(numbering.site("bakery"), "till")
    found = finding_of(RareRow(scored, 0, 0.1, 1.0), detector, numbering, [1])
    assert (found.machine, found.subject) == (machine, "00:16:3e:00:00:66")
    assert set(found.evidence.facts) == {"score", "changed_hands", "unasked", "addresses_claimed"}


def packed_columns(packed):
    return np.frombuffer(packed, ">u8").astype(np.uint64)[None]


SCAN = SimpleNamespace(kind="scan", subject="src", entered=False)
GUESS = SimpleNamespace(kind="bruteforce", subject="src", entered=False)
CALLS = SimpleNamespace(kind="c2", subject="src", entered=False)
GUESSED = SimpleNamespace(kind="bruteforce", subject="src", entered=True)
FOLLOWED = SimpleNamespace(kind="c2", subject="src", entered=True)
SWEEP = SimpleNamespace(kind="scan", subject="mac", entered=False)


@pytest.mark.parametrize(
    ("who", "whom", "detector", "door"),
    [
        ("198.51.100.1", "10.0.0.7", SCAN, "knock"),
        ("198.51.100.1", "10.0.0.7", GUESS, "knock"),
        ("2001:db8::1", "fd64:6a6a::c633:6401", GUESS, "knock"),
        ("198.51.100.1", "10.0.0.7", CALLS, ""),
        ("198.51.100.1", "10.0.0.7", GUESSED, "entered"),
        ("10.0.0.8", "10.0.0.7", GUESSED, ""),
        ("10.0.0.7", "198.51.100.1", FOLLOWED, "entered"),
        ("10.0.0.8", "10.0.0.7", SCAN, ""),
        ("10.0.0.7", "198.51.100.1", GUESS, ""),
        ("198.51.100.1", "203.0.113.9", GUESS, ""),
        ("198.51.100.1", "203.0.113.9", GUESSED, ""),
        ("", "10.0.0.7", SCAN, ""),
        ("198.51.100.1", "", SCAN, ""),
        ("198.51.100.1", "10.0.0.7", SWEEP, ""),
    ],
)
def test_who_tries_from_outside_knocks_and_some_get_in(who, whom, detector, door):
    src, dst = (pack_address(text) if text else UNSPECIFIED for text in (who, whom))
    assert door_of(Evidence(0, 1.0, src, 0, dst, 22), detector) == door


@pytest.mark.parametrize(
    ("whom", "port", "detector", "subject"),
    [
        ("10.0.0.7", 22, GUESS, "10.0.0.7:22"),
        ("fd64::7", 22, GUESS, "[fd64::7]:22"),
        ("10.0.0.7", 0, GUESS, "10.0.0.7:*"),
        ("10.0.0.7", 22, SCAN, "10.0.0.7:*"),
        ("fd64::7", 22, SCAN, "[fd64::7]:*"),
    ],
)
def test_guesses_are_many_at_one_service_and_scans_at_one_machine(whom, port, detector, subject):
    src, dst = pack_address("198.51.100.1"), pack_address(whom)
    assert knocked_at(Evidence(0, 1.0, src, 0, dst, port), detector) == subject


@pytest.mark.parametrize(
    ("who", "whom", "detector", "subject"),
    [
        ("198.51.100.1", "10.0.0.7", GUESSED, "198.51.100.1 > 10.0.0.7"),
        ("198.51.100.1", "10.0.0.8", GUESSED, "198.51.100.1 > 10.0.0.8"),
        ("10.0.0.9", "10.0.0.8", GUESSED, "10.0.0.9"),
        ("10.0.0.7", "198.51.100.1", FOLLOWED, "10.0.0.7"),
        ("198.51.100.1", "10.0.0.7", CALLS, "198.51.100.1"),
        ("198.51.100.1", "10.0.0.7", SCAN, "10.0.0.7:*"),
    ],
)
def test_who_gets_in_at_several_machines_has_an_incident_at_each(who, whom, detector, subject):
    seen = Evidence(0, 1.0, pack_address(who), 0, pack_address(whom), 22)
    assert subject_of(seen, detector, door_of(seen, detector), "till") == subject
