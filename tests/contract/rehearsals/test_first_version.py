"""Agents, collectors, spools and journals of the first version, in every pairing with the present one."""

import pytest

from dijkwacht_agent.contracts import read_contracts
from dijkwacht_agent.ledger import CAUSES, REASONS, Accounts
from dijkwacht_agent.spool import Spool
from dijkwacht_records.tables import FLOWS
from dijkwacht_records.wire import decode, encode, unpack_rows

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

PORTS = 300
WAITS = {
    "old": "the collector is busy: contract version 1; this side reads 3",
    "new": "what was seen waits on disk until the collector is upgraded:"
    " the oldest is in version 2 of the contract, and it reads 3",
}
WRITTEN = {"old": "1", "new": "1, 2"}
"""What waits: the new agent learns on the way that its collector reads neither."""


@pytest.fixture(name="versions")
def _versions(old, new):
    return {"old": old, "new": new}


def flows(wires):
    """How many flows these batches tell of."""
    rows = [row for wire in wires for number, row in unpack_rows(decode(wire)) if number == 0]
    return sum(row[FLOWS.index("part")] == 0 for row in rows)


@pytest.mark.parametrize(
    ("of_agent", "of_collector"), [("old", "new"), ("new", "old"), ("new", "new")]
)
def test_what_an_agent_sees_arrives_and_is_judged(
    versions, of_agent, of_collector, agent, collector, scan
):
    collector.start(versions[of_collector])
    agent.join(versions[of_agent], collector.join_code())
    agent.run(versions[of_agent], scan("192.168.1.66"))
    assert agent.waiting() == []
    assert len(agent.log.read_text().splitlines()) == 1, "that it listens, and nothing else"
    collector.stop_when_folded()
    assert flows(collector.bodies()) == PORTS
    assert len(collector.scans()) == 1
    both = of_agent == of_collector == "new"
    assert {wire[3] for wire in collector.bodies()} == {2 if both else 1}
    if of_agent == "new":
        assert read_contracts(agent.state / "contracts.json") == ((1, 2) if both else (1,))
        # Also where the collector knows fewer tables: what it cannot be told is not made.
        rows = sum(decode(wire).rows for wire in collector.bodies())
        assert agent.accounts() == Accounts(
            rows, rows, dict.fromkeys(REASONS, 0), dict.fromkeys(CAUSES, 0), 0
        )


@pytest.mark.parametrize(("first", "second"), [("old", "old"), ("old", "new"), ("new", "new")])
def test_what_is_not_read_waits_and_arrives_also_after_an_upgrade_of_the_agent(
    versions, first, second, agent, collector, scan
):
    collector.start(versions["new"])
    agent.join(versions[first], collector.join_code())
    collector.stop()
    collector.start(versions["new"], reads=(3,))
    agent.run_until_said(versions[first], scan("192.168.1.66"), WAITS[first])
    assert len(agent.said(WAITS[first])) == 1
    held = agent.waiting()
    assert 0 < flows(held) <= PORTS
    assert collector.bodies() == []
    found = agent.check(versions["new"])
    assert "contracts_apart" in found
    waits = found["spool_unread"]["message"]
    assert f"in version {WRITTEN[first]} of the contract" in waits
    collector.stop()

    collector.start(versions["new"])
    agent.run(versions[second], scan("192.168.1.77"))
    assert agent.waiting() == []
    collector.stop_when_folded()
    arrived = collector.bodies()
    assert arrived[: len(held)] == held
    assert flows(arrived) == flows(held) + PORTS
    assert collector.scans()


@pytest.mark.parametrize("second", ["old", "new"])
def test_a_spool_filled_while_the_first_collector_was_away_goes_to_any(
    versions, second, agent, collector, scan
):
    collector.start(versions["old"])
    agent.join(versions["old"], collector.join_code())
    collector.stop()
    agent.run_until_said(versions["old"], scan("192.168.1.66"), "the collector cannot be reached")
    held = agent.waiting()
    assert 0 < flows(held) <= PORTS
    collector.start(versions[second])
    agent.run(versions["new"], scan("192.168.1.77"))
    assert agent.waiting() == []
    collector.stop_when_folded()
    arrived = collector.bodies()
    assert arrived[: len(held)] == held
    assert flows(arrived) == flows(held) + PORTS


def test_a_later_contract_waits_for_a_collector_that_does_not_know_it(
    versions, agent, collector, scan
):
    collector.start(versions["old"])
    agent.join(versions["new"], collector.join_code())
    first = encode("bakery", "till", bytes(16), 0, 1_700_000_000_000_000, [])
    held = [first[:3] + b"\2" + first[4:], first]
    spool = Spool(agent.state / "spool")
    for wire in held:
        spool.append(wire, 1)
    spool.close()
    (agent.state / "contracts.json").write_text("[1, 2]")
    words = "the oldest is in version 2 of the contract, and it reads 1"
    agent.run_until_said(versions["new"], scan("192.168.1.66"), words)
    assert len(agent.said(words)) == 1
    assert agent.waiting()[:2] == held
    assert flows(agent.waiting()[2:]) > 0
    assert read_contracts(agent.state / "contracts.json") == (1,)
    found = agent.check(versions["new"])
    assert found["contracts_shared"]["ok"]
    assert "in version 2 of the contract" in found["spool_unread"]["message"]
    collector.stop()
    arrived = collector.bodies()  # what `check` has asked with, it has no rows
    assert (flows(arrived), set(arrived) & set(held)) == (0, set())


def test_what_was_written_for_a_collector_that_was_set_back_waits_for_it(
    versions, agent, collector, scan
):
    collector.start(versions["new"])
    agent.join(versions["new"], collector.join_code())
    collector.stop()
    agent.run_until_said(versions["new"], scan("192.168.1.66"), "the collector cannot be reached")
    held = agent.waiting()
    assert {wire[3] for wire in held} == {2}
    collector.start(versions["new"], reads=(1,))
    words = "the oldest is in version 2 of the contract, and it reads 1"
    agent.run_until_said(versions["new"], scan("192.168.1.77"), words)
    assert agent.waiting()[: len(held)] == held
    assert collector.bodies() == []
    assert agent.accounts().lost == 0
    collector.stop()

    collector.start(versions["new"])
    agent.run(versions["new"], scan("192.168.1.88"))
    assert agent.waiting() == []
    collector.stop_when_folded()
    assert collector.bodies()[: len(held)] == held
    assert {wire[3] for wire in collector.bodies()} >= {1, 2}
    accounts = agent.accounts()
    assert accounts.made == accounts.journalled


@pytest.mark.parametrize("of_agent", ["old", "new"])
def test_a_journal_of_the_first_version_is_gone_on_with(versions, of_agent, agent, collector, scan):
    collector.start(versions["old"])
    agent.join(versions["old"], collector.join_code())
    agent.run(versions["old"], scan("192.168.1.66"))
    collector.stop_when_folded()
    held, told = collector.bodies(), collector.scans()
    assert (flows(held), len(told)) == (PORTS, 1)

    collector.start(versions["new"])
    collector.stop_when_folded()
    assert collector.bodies() == held
    assert collector.scans() == told, "what was told is not told again"

    collector.start(versions["new"])
    agent.run(versions[of_agent], scan("192.168.1.77", start_s=1_700_000_600))
    collector.stop_when_folded()
    assert collector.bodies()[: len(held)] == held
    assert flows(collector.bodies()) == 2 * PORTS
    assert len(collector.scans()) == 2
