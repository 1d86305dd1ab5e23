"""The shipped recordings: small, whole, readable by the meter, and true to their plans."""

from collections import Counter

import pytest

from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.sources.recording import Recording
from dijkwacht_lab.office.plans import PLANS
from dijkwacht_lab.recordings import NAMES, recording, truth
from dijkwacht_records.addresses import format_address
from dijkwacht_records.tables import TABLES

MOST_BYTES = 1_500_000


def metered(name):
    """(rows, meter) of a shipped recording."""
    source = Recording([recording(name) / "traffic.pcap"])
    meter = Meter(LocalNetworks([truth(recording(name)).network]))
    rows = []
    for block in source.blocks():
        meter.feed(block)
        rows += meter.take().rows()
    meter.finish()
    rows += meter.take().rows()
    assert not source.problems
    source.close()
    return rows, meter


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_says_how_it_was_made(name):
    folder = recording(name)
    assert (folder / "traffic.pcap").stat().st_size <= MOST_BYTES
    assert f"--plan {name}" in (folder / "README.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_is_metered_and_every_name_table_has_rows(name):
    rows, meter = metered(name)
    counters = meter.counters
    assert counters["packets_seen"] == truth(recording(name)).frames
    assert counters["packets_metered"] == counters["packets_seen"]
    tables = Counter(TABLES[number].name for number, _ in rows)
    assert all(tables[table] for table in ("flows", "dns", "tls", "dhcp", "arp"))


@pytest.mark.parametrize("name", NAMES)
def test_truth_is_the_plan_s(name):
    plan, told = PLANS[name], truth(recording(name))
    assert told.recording == name
    assert told.network == plan.network
    assert [a.tool for a in told.attacks] == [a.tool for a in plan.attacks]
    for attack, planned in zip(told.attacks, plan.attacks, strict=True):
        assert told.start < attack.start < attack.stop < told.stop
        assert attack.attacker == plan.host(planned.by).address
        assert attack.attacker_mac == plan.mac(planned.by)


@pytest.mark.parametrize("name", NAMES)
def test_each_attack_is_on_the_wire_while_it_is_said_to_be(name):
    rows, _ = metered(name)
    orig = TABLES[0].index("orig_h")
    for attack in truth(recording(name)).attacks:
        during = [
            (number, row)
            for number, row in rows
            if attack.start - 50_000 <= row[0] <= attack.stop + 50_000
        ]
        if attack.kind == "arp" or "-sn" in attack.command:
            table = TABLES[4]
            who = [format_address(row[table.index("sender_h")]) for n, row in during if n == 4]
            macs = [row[table.index("eth_src")] for n, row in during if n == 4]
            assert (
                who.count(attack.attacker)
                + macs.count(int(attack.attacker_mac.replace(":", ""), 16))
                > 5
            )
        else:
            who = [format_address(row[orig]) for n, row in during if n == 0]
            assert who.count(attack.attacker) > 5


def test_the_two_offices_share_no_address_no_name_and_no_order():
    one, other = (PLANS[name] for name in NAMES)
    assert one.network != other.network
    assert not set(one.sites) & set(other.sites)
    assert not {h.name for h in one.hosts} & {h.name for h in other.hosts}
    assert [a.tool for a in one.attacks] != [a.tool for a in other.attacks]
