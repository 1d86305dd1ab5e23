"""An agent writes what its collector reads, and what it does not read waits until it does."""

import os
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_agent.check import check_collector, check_contracts
from dijkwacht_agent.cli import main
from dijkwacht_agent.contracts import CONTRACTS_FILE, Contracts, read_contracts
from dijkwacht_agent.error_words import words
from dijkwacht_agent.run import Agent
from dijkwacht_agent.settings import read_settings
from dijkwacht_agent.spool import Record, Spool
from dijkwacht_agent.spool_segments import versions_in
from dijkwacht_agent.uplink import LONGEST_PAUSE_S, Uplink, read_answer
from dijkwacht_records.contracts import choose
from dijkwacht_records.errors import UnknownContract
from dijkwacht_records.joincode import make_code
from dijkwacht_records.replies import Refusal, Reply, encode_reply

VERSIONS = st.lists(st.integers(1, 255), max_size=5)


def body(version, rest=b""):
    """The beginning of a batch of ``version``."""
    return b"DWB" + bytes([version]) + rest


def refusal(*reads):
    return encode_reply(Refusal("unknown_contract", "not read here", reads))


OLD = b'{"reason":"unknown_contract","message":"contract version 2; this side reads 1"}'
"""What the first collectors answer, with 400."""


@pytest.fixture(name="spool")
def _spool(tmp_path):
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()


class Reader:
    """A collector, as `Post` shows it: takes the versions it ``reads``."""

    def __init__(self, *reads, status=503):
        self.reads, self.status, self.taken = reads, status, []

    def __call__(self, wire):
        if wire[3] in self.reads:
            self.taken.append(wire)
            return Reply(0, False, 0, contracts=self.reads)
        said = refusal(*self.reads) if self.status == 503 else OLD
        return read_answer(self.status, said, "7" if self.status == 503 else None, wire[3])

    def close(self):
        pass


def read_error(*answer):
    with pytest.raises(UnknownContract) as caught:
        read_answer(*answer)
    return caught.value


@pytest.mark.parametrize(
    ("retry_after", "pause"), [("7", 7), ("0", 0.1), ("99999", LONGEST_PAUSE_S), (None, 60)]
)
def test_what_is_not_read_is_tried_again_when_the_collector_says(retry_after, pause):
    error = read_error(503, refusal(1, 2), retry_after, 3)
    assert (error.version, error.reads, error.retry_after_s) == (3, (1, 2), pause)


@pytest.mark.parametrize(("version", "reads"), [(1, ()), (2, (1,)), (4, (1, 2, 3))])
def test_a_collector_that_does_not_say_what_it_reads_reads_what_is_below(version, reads):
    error = read_error(400, OLD, None, version)
    assert (error.version, error.reads, error.retry_after_s) == (version, reads, 60)


@pytest.mark.parametrize("status", [400, 503])
def test_a_batch_that_is_not_read_waits_in_its_place(spool, status):
    bodies = [body(2, b"a"), body(1, b"b"), body(2, b"c")]
    for one in bodies:
        spool.append(one, 5)
    told = []
    reader = Reader(1, status=status)
    uplink = Uplink(spool, reader, lambda: 0, on_contracts=told.append)
    pause = 7 if status == 503 else 60
    assert [uplink.send(spool.peek()) for _ in range(3)] == [pause] * 3
    assert (reader.taken, spool.rows_waiting, spool.rows_shed) == ([], 15, 0)
    assert sum(uplink.rows_rejected.values()) == 0
    assert told == [(1,)] * 3
    assert words(uplink.trouble, "en") == (
        "what was seen waits on disk until the collector is upgraded:"
        " the oldest is in version 2 of the contract, and it reads 1"
    )
    assert "wacht op de schijf" in words(uplink.trouble, "nl")
    reader.reads = (1, 2)
    assert [uplink.send(spool.peek()) for _ in range(3)] == [0] * 3
    assert (reader.taken, spool.rows_waiting, uplink.trouble) == (bodies, 0, None)
    assert told[3:] == [(1, 2)] * 3


@given(
    batches=st.lists(st.integers(1, 4), max_size=12),
    upgrades=st.lists(st.sets(st.integers(1, 4)), max_size=6),
)
def test_whatever_is_read_when_all_arrives_once_in_its_order(tmp_path_factory, batches, upgrades):
    spool, reader = Spool(tmp_path_factory.mktemp("spool")), Reader()
    bodies = [body(version, b"%d" % n) for n, version in enumerate(batches)]
    for one in bodies:
        spool.append(one, 1)
    uplink = Uplink(spool, reader, lambda: 0)
    for reads in [*upgrades, {1, 2, 3, 4}]:
        reader.reads = tuple(reads)
        while (record := spool.peek()) is not None and uplink.send(record) == 0:
            pass
        assert len(reader.taken) + spool.rows_waiting == len(bodies)
    assert reader.taken == bodies
    assert spool.rows_shed == sum(uplink.rows_rejected.values()) == 0
    spool.close()


@given(reads=VERSIONS, writes=st.lists(st.integers(1, 255), min_size=1, max_size=5))
def test_the_highest_that_both_know_is_written_also_after_a_restart(
    tmp_path_factory, reads, writes
):
    file = tmp_path_factory.mktemp("state") / CONTRACTS_FILE
    contracts = Contracts(file, writes)
    assert contracts.chosen == choose((1,), writes)
    contracts.learn(reads)
    assert contracts.chosen == Contracts(file, writes).chosen == choose(reads, writes)


@pytest.mark.parametrize("content", [None, b"", b"\xff", b'{"reads":[1]}', b'["1"]', b"[" * 9000])
def test_a_file_that_cannot_be_read_is_a_first_collector(tmp_path, content):
    file = tmp_path / CONTRACTS_FILE
    if content is not None:
        file.write_bytes(content)
    assert read_contracts(file) == (1,)


def test_numbers_that_can_be_no_version_are_passed_over(tmp_path):
    contracts = Contracts(tmp_path / CONTRACTS_FILE, (1, 2))
    contracts.learn([-1, 0, 256, 1 << 70, 2, 2])
    assert (contracts.reads, contracts.chosen) == ((2,), 2)


def test_a_state_folder_that_is_full_does_not_stop_the_agent(tmp_path):
    contracts = Contracts(tmp_path / "gone" / CONTRACTS_FILE, (1, 2))
    contracts.learn([1, 2])
    assert contracts.chosen == 2
    (tmp_path / "gone").mkdir()
    contracts.learn([1, 2])
    assert Contracts(tmp_path / "gone" / CONTRACTS_FILE, (1, 2)).chosen == 2


@pytest.fixture(name="agent_with")
def _agent_with(joined, recording, collector):
    """Makes an agent that may write the versions given, and writes its lines to a list."""
    agents = []

    def make(*writes, report=lambda _: None):
        settings = read_settings(joined, {})
        agents.append(Agent(settings, joined, [recording], None, report, writes))
        return agents[-1]

    yield make
    for agent in agents:
        agent.source.source.close()
        agent.spool.close()


def test_an_agent_writes_what_the_reply_says_from_there_on(agent_with, joined, collector):
    collector.reads = (1, 2)
    agent = agent_with(1, 2)
    agent._ship(0)
    assert agent.batcher.contract == 1
    assert agent.run(threading.Event())
    assert read_contracts(joined / CONTRACTS_FILE) == (1, 2)
    later = agent_with(1, 2)
    later._ship(0)
    assert later.batcher.contract == 2
    collector.reads = (1,)
    later.uplink.send(Record(body(2), 0, 0, 0))
    later._ship(0)
    assert later.batcher.contract == 1
    later.uplink._post.close()


def test_one_line_says_that_something_waits_and_one_that_it_no_longer_does(agent_with, collector):
    lines = []
    agent = agent_with(1, report=lines.append)
    del lines[:]
    collector.script = [(503, refusal(2), [("Retry-After", "60")])] * 3
    for _ in range(3):
        assert agent.uplink.send(Record(body(1), 1, 0, 0)) == 60
        agent._ship(0)
    (line,) = lines
    assert line.endswith("the oldest is in version 1 of the contract, and it reads 2")
    assert agent.uplink.send(Record(body(1), 1, 0, 0)) == 0
    agent._ship(0)
    agent._ship(0)
    assert lines[1:] == ["the collector answers again"]
    agent.uplink._post.close()


def test_a_recording_that_has_ended_does_not_wait_in_silence(agent_with, collector):
    collector.script = [(503, refusal(2), [("Retry-After", "60")])]
    stop, lines = threading.Event(), []

    def report(line):
        lines.append(line)
        if "until the collector is upgraded" in line:
            stop.set()

    agent = agent_with(1, report=report)
    # Nothing of it reaches the spool before the recording is over.
    agent._every = dict.fromkeys(agent._every, 1e12)
    assert not agent.run(stop)
    assert sum("until the collector is upgraded" in line for line in lines) == 1
    assert agent.spool.rows_waiting == agent.batcher.rows_made


def test_joining_tells_which_versions_are_read(tmp_path, collector, capsys, monkeypatch):
    monkeypatch.setenv("LANG", "nl_NL.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    collector.join_answer[1]["contracts"] = [7, 8]
    code = make_code(collector.url, bytes(16))
    state = tmp_path / "state"
    assert main(["join", code, "--state", os.fspath(state)]) == 0
    assert read_contracts(state / CONTRACTS_FILE) == (7, 8)
    assert "leest versie 7, 8 van het contract, deze agent schrijft 1" in capsys.readouterr().out


def findings(joined):
    return [
        (finding.key, finding.ok) for finding in check_collector(read_settings(joined, {}), joined)
    ]


def test_check_says_that_the_collector_reads_other_versions(joined, collector):
    collector.script = [(503, refusal(7, 8), [("Retry-After", "60")])]
    assert findings(joined)[-2:] == [("token_good", True), ("contracts_apart", False)]


def test_check_says_what_waits_in_a_version_that_is_not_read(joined, collector):
    spool = Spool(joined / "spool")
    spool.append(body(1), 1)
    assert findings(joined)[-1] == ("contracts_shared", True)
    spool.append(body(4), 1)
    spool.append(body(2), 1)
    *_, found = check_contracts((1, 2), joined)
    assert (found.key, found.ok) == ("spool_unread", False)
    assert "in version 4 of the contract; the collector reads 1, 2" in found.sentence("en")
    assert "in versie 4 van het contract; de verzamelaar leest 1, 2" in found.sentence("nl")
    assert findings(joined)[-2:] == [("contracts_shared", True), ("spool_unread", False)]
    spool.close()


def test_versions_are_found_beside_a_torn_record(tmp_path, spool):
    assert versions_in(tmp_path / "nowhere") == set()
    for version in (3, 1):
        spool.append(body(version), 1)
    with next((tmp_path / "spool").glob("*.spool")).open("ab") as file:
        file.write(b"DWS1torn")
    assert versions_in(tmp_path / "spool") == {1, 3}


def test_a_collector_that_reads_nothing_we_know_is_told_apart(tmp_path):
    (found,) = check_contracts((), tmp_path)
    assert "reads version none" in found.sentence("en")
    assert "leest versie geen" in found.sentence("nl")


def test_the_state_file_is_plain_json(tmp_path):
    Contracts(tmp_path / CONTRACTS_FILE).learn([3, 1])
    assert msgspec.json.decode((tmp_path / CONTRACTS_FILE).read_bytes()) == [1, 3]
