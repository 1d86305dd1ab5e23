"""What was done in the shipped recordings is found, from a cold start: in the demo, and elsewhere."""

from functools import cache

import pytest

from dijkwacht.offline import replay_rows
from dijkwacht.recording import Recorded
from dijkwacht_lab.labels import ACCEPTED
from dijkwacht_lab.recordings import NAMES, recording, truth
from dijkwacht_records.addresses import pack_address, pack_mac

MEDIUM = 3
OTHERS = 1
"""Incidents of medium or above that are no attack of the truth."""
LATE_US = 60_000_000
CASES = [
    pytest.param(name, at, id=f"{name}-{at}-{attack.tool}")
    for name in NAMES
    for at, attack in enumerate(truth(recording(name)).attacks)
]


@cache
def found(name):
    """Incidents of medium or above in a recording."""
    recorded = Recorded([recording(name) / "traffic.pcap"])
    return [each for each in replay_rows(recorded.rows()) if each.severity_id >= MEDIUM]


def fits(incident, attack):
    """The right class, the attacker as source, and not before or long after it happened."""
    mac = pack_mac(bytes.fromhex(attack.attacker_mac.replace(":", "")))
    sources = {each.src_h for each in incident.evidences}
    macs = {each.src_mac for each in incident.evidences}
    return (
        incident.kind in ACCEPTED[attack.kind]
        and (pack_address(attack.attacker) in sources or mac in macs)
        and incident.start <= attack.stop + LATE_US
        and incident.end >= attack.start
    )


@pytest.mark.parametrize(("name", "at"), CASES)
def test_the_attack_is_found(name, at):
    attack = truth(recording(name)).attacks[at]
    assert any(fits(each, attack) for each in found(name)), attack.command


@pytest.mark.parametrize("name", NAMES)
def test_hardly_anything_else_is(name):
    attacks = truth(recording(name)).attacks
    others = [e.title_en for e in found(name) if not any(fits(e, a) for a in attacks)]
    assert len(others) <= OTHERS, others


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_found_before_the_first_attack(name):
    first = min(attack.start for attack in truth(recording(name)).attacks)
    assert all(each.start >= first for each in found(name))
