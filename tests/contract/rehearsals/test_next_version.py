"""Agents, collectors, journals and checkpoints of a next version, in every pairing with the present one."""

import re
import shutil
import urllib.request

import msgspec
import pytest

from dijkwacht_agent.contracts import read_contracts
from dijkwacht_agent.spool import Spool

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

PORTS = 300
START_S = 1_700_000_000
STANDS_STILL = "engine stopped: the journal holds batches of a later version"
OWN_DETECTORS = '''
import numpy as np

from dijkwacht_detectors.api import ENTITY_COLUMNS, SiteDetector, Who

ENTITY_COLUMNS["knocks"] = {{name: ("orig_h",) for name in ("orig", "resp", "pair")}}


class Asked(SiteDetector):
    """Has an opinion where a row has the default of each column that the next version adds."""

    name = "asked"
    reads = {reads}
    who = Who("orig_h", "", "")

    def score_many(self, window):
        expected = {expected}
        return np.where(expected, 0.0, np.nan)

    def learn_many(self, window):
        pass
'''
ADDED = {
    "reads": {"flows": ("odd",), "dhcp": ("vendor", "relay_h", "lease"), "system": ("scale",)},
    "expected": """np.choose(window["table"], [
            window["odd"] == 7,
            (np.diff(window["vendor"].offsets) == 0)
            & (window["relay_h"] == 0).all(axis=1)
            & (window["lease"] == -3_600),
            window["scale"] == 0.5,
        ])""",
}
KNOCKS = {"reads": {"knocks": ("share", "banner")}, "expected": 'window["share"] < 1.0'}


@pytest.fixture(name="versions")
def _versions(new, coming):
    return {"new": new, "next": coming}


@pytest.fixture
def detectors(tmp_path):
    """Makes a folder with a detector that reads what only the next version has."""

    def make(declared):
        folder = tmp_path / "detectors"
        folder.mkdir(exist_ok=True)
        (folder / "asked.py").write_text(OWN_DETECTORS.format(**declared), "utf-8")
        return "--detectors", folder

    return make


def rows(version, wires):
    """All rows in these batches, as ``version`` reads them."""
    answers = version.speak(*(["read", wire.hex()] for wire in wires))
    return [row for answer in answers for row in answer["plain"]]


def flows(version, wires):
    """How many flows these batches tell of that the recording of a scan has."""
    return sum(
        table == "flows" and row["part"] == 0 and row["resp_p"] <= PORTS
        for table, row in rows(version, wires)
    )


def written(version, contract, count=3):
    """Some batches of ``version``, with rows of every table it has."""
    asked = (["write", contract, seed, "now"] for seed in range(count))
    return [bytes.fromhex(one["wire"]) for one in version.speak(*asked)]


def counted(collector, name, **labels):
    """What a metric of the collector says, or the sum of its series with these ``labels``."""
    with urllib.request.urlopen(f"http://127.0.0.1:{collector.port}/metrics", timeout=10) as reply:
        said = re.findall(
            rf"^dijkwacht_{name}\{{(.*)\}} (.+)$", reply.read().decode(), re.MULTILINE
        )
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    return sum(float(value) for inside, value in said if wanted <= set(inside.split(",")))


def spooled(agent, wires):
    spool = Spool(agent.state / "spool")
    for wire in wires:
        spool.append(wire, 1)
    spool.close()


@pytest.mark.parametrize(
    ("of_agent", "of_collector", "reads", "chosen"),
    [
        ("next", "new", (1,), 1),
        ("next", "new", (1, 2), 2),
        ("new", "next", (1, 2, 3), 2),
        ("next", "next", (1, 2, 3), 3),
    ],
)
def test_the_highest_version_that_both_know_is_written(
    versions, of_agent, of_collector, reads, chosen, agent, collector, scan
):
    collector.start(versions[of_collector], reads=reads)
    agent.join(versions[of_agent], collector.join_code())
    agent.run(versions[of_agent], scan("192.168.1.66"))
    assert agent.waiting() == []
    assert len(agent.log.read_text().splitlines()) == 1, "that it listens, and nothing else"
    collector.stop_when_folded()
    assert read_contracts(agent.state / "contracts.json") == reads
    bodies = collector.bodies()
    assert {body[3] for body in bodies} == {chosen}
    assert flows(versions["next"], bodies) == PORTS
    assert len(collector.scans()) == 1


def test_a_table_of_the_next_version_is_skipped_until_it_is_known(
    versions, agent, collector, scan, detectors
):
    collector.start(versions["new"], reads=(1, 2))
    agent.join(versions["next"], collector.join_code())
    sent = written(versions["next"], 2)
    spooled(agent, sent)
    agent.run(versions["next"], scan("192.168.1.66", START_S + 60))
    assert agent.waiting() == []
    bodies = collector.bodies()
    assert bodies[: len(sent)] == sent
    known = rows(versions["next"], bodies)
    knocks = sum(table == "knocks" for table, _ in known)
    assert knocks > 0
    skipped = {"site": "bakery", "reason": "unknown_table"}
    assert counted(collector, "rows_skipped_total", **skipped) == knocks
    assert counted(collector, "rows_total", site="bakery") == len(known)
    collector.stop_when_folded()
    told = collector.scans()
    assert len(told) == 1

    collector.start(versions["next"])
    collector.stop_when_folded()
    assert collector.scans() == told, "what was told is not told again"

    shutil.rmtree(
        collector.state / "checkpoints"
    )  # so that it reads the journal from its beginning
    collector.start(versions["next"], *detectors(KNOCKS))
    collector.wait_until_folded()
    assert counted(collector, "detector_scored_rows_total", detector="asked") == knocks
    assert counted(collector, "detector_failures_total") == 0
    collector.stop()
    assert collector.bodies() == bodies
    assert collector.scans() == told


def test_a_journal_of_this_version_has_the_defaults_of_the_next(
    versions, agent, collector, scan, detectors
):
    collector.start(versions["new"], reads=(1, 2))
    agent.join(versions["new"], collector.join_code())
    spooled(agent, [*written(versions["new"], 1, 2), written(versions["new"], 2)[2]])
    agent.run(versions["new"], scan("192.168.1.66", START_S + 60))
    collector.stop_when_folded()
    bodies, told = collector.bodies(), collector.scans()
    assert {body[3] for body in bodies} == {1, 2}
    assert len(told) == 1

    shutil.rmtree(
        collector.state / "checkpoints"
    )  # so that it reads the journal from its beginning
    collector.start(versions["next"], *detectors(ADDED))
    collector.wait_until_folded()
    reads = sum(table in ADDED["reads"] for table, _ in rows(versions["next"], bodies))
    assert reads > PORTS
    assert counted(collector, "detector_scored_rows_total", detector="asked") == reads
    assert counted(collector, "detector_failures_total") == 0
    collector.stop()
    assert collector.bodies() == bodies
    assert collector.scans() == told, "what was told is not told again"


def test_a_journal_of_the_next_contract_waits_for_the_next_version(
    versions, agent, collector, scan
):
    collector.start(versions["next"])
    agent.join(versions["next"], collector.join_code())
    agent.run(versions["next"], scan("192.168.1.66"))
    collector.stop_when_folded()
    told = collector.scans()
    collector.start(versions["next"])
    process = agent.start(versions["next"], scan("192.168.1.77", START_S + 600))
    assert process.wait(240) == 0
    collector.process.kill()  # with nothing saved of what came last
    collector.process.wait()
    bodies = collector.bodies()
    assert {body[3] for body in bodies} == {3}

    collector.start(versions["new"])
    collector.wait_until_failing()
    collector.stop()
    lines = [line for line in collector.log.read_text().splitlines() if STANDS_STILL in line]
    assert len(lines) == 1
    assert '"version":3,"reads":[1,2]' in lines[0]
    assert "raceback" not in collector.log.read_text()
    assert collector.bodies() == bodies

    collector.start(versions["next"])
    collector.stop_when_folded()
    assert collector.bodies() == bodies
    assert collector.scans().items() >= told.items()
    assert len(collector.scans()) == 2


@pytest.mark.parametrize("order", [("new", "next", "new"), ("next", "new", "next")])
def test_checkpoints_go_from_one_version_to_the_other_and_back(
    versions, order, agent, collector, scan
):
    first, second, third = (versions[name] for name in order)
    collector.start(first, reads=(1,))
    agent.join(versions["new"], collector.join_code())
    agent.run(versions["new"], scan("192.168.1.66"))
    collector.wait_until_folded()
    told, known = collector.scans(), still_open(collector)
    assert len(told) == 1
    assert told.keys() <= known
    collector.stop()

    collector.start(second, reads=(1,))
    collector.wait_until_folded()
    assert (collector.scans(), still_open(collector)) == (told, known), "nothing is told again"
    agent.run(versions["new"], scan("192.168.1.77", START_S + 600))
    collector.wait_until_folded()
    [found] = collector.scans().keys() - told.keys()
    assert collector.scans().items() >= told.items(), (
        "one that is open is gone on with, not begun anew"
    )
    answer(collector, found)
    collector.stop_when_folded()

    told = collector.scans()
    collector.start(third, reads=(1,))
    collector.wait_until_folded()
    assert found not in still_open(collector)
    agent.run(versions["new"], scan("192.168.1.77", START_S + 1200))
    collector.stop_when_folded()
    assert collector.scans().keys() == told.keys(), "what was answered stays so"
    assert collector.scans()[found] == told[found]
    said = collector.log.read_text()
    assert "discarded" not in said
    assert "raceback" not in said


def still_open(collector):
    return {one["finding_info"]["uid"] for one in collector.ask("/v1/incidents?open=1")}


def answer(collector, uid):
    """Say of an incident that it is normal."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{collector.port}/v1/incidents/{uid}/verdict",
        msgspec.json.encode({"verdict": "normal"}),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=10) as reply:
        assert reply.status == 200
