"""DCE/RPC over TCP: what is called, who calls, how it is answered."""

from ipaddress import ip_address
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.protocols.rpc_exchange import MAX_WAITING
from dijkwacht_agent.protocols.rpc_rows import MAX_MERGED, MAX_ROWS
from dijkwacht_records.hints import CALLED_BACK, CalledBack
from dijkwacht_records.rpc_interfaces import EXECUTES, RpcInterface
from dijkwacht_records.tables import FLOWS, TABLES
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

NOBODY = UUID("17fc11e9-c258-4b8d-8d07-2f4125156244")
SVCCTL, EPM = RpcInterface.SVCCTL, RpcInterface.EPM
NO_FILES = (0,) * 7


def call(iface: int, op: int, status: str = "SUCCESS", count: int = 1) -> tuple:
    return ("TCP", "CALL", iface, op, "NONE", status, count, *NO_FILES)


def bound(iface: int, status: str = "SUCCESS", count: int = 1) -> tuple:
    return ("TCP", "BIND", iface, -1, "NONE", status, count, *NO_FILES)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
def test_calls_count_by_interface_operation_and_answer(say, talk, big, swapped):
    flow = talk("rpc", swapped=swapped)
    flow.say(True, say.bind({0: SVCCTL, 1: EPM, 2: NOBODY}, big=big))
    flow.say(False, say.bind_ack([0, 0, 2], big=big))
    for number, (context, op) in enumerate([(0, 12), (0, 12), (1, 3), (2, 2)]):
        flow.say(True, say.request(op, number, context, big=big))
        flow.say(False, say.response(number, big=big))
    assert flow.facts() == sorted(
        [
            bound(SVCCTL),
            bound(EPM),
            bound(RpcInterface.UNKNOWN, "UNSUPPORTED"),
            call(SVCCTL, 12, count=2),
            call(EPM, 3),
            call(RpcInterface.UNKNOWN, 2),
        ]
    )
    row = flow.rows[0][1]
    assert (row[2], row[3], row[4]) == (say.mapped(say.CLIENT), say.mapped(say.SERVER), 445)


def test_a_call_counts_by_its_first_fragment_and_its_answer(say, talk):
    flow = talk("rpc")
    flow.say(
        True,
        say.request(12, 5, flags=1) + say.request(12, 5, flags=0) + say.request(12, 5, flags=2),
    )
    flow.say(False, say.response(5, flags=1) + say.response(5, flags=2))
    flow.say(True, say.request(3, 6) + say.request(4, 7) + say.request(5, 8) + say.request(6, 9))
    flow.say(False, say.fault(5, 6) + say.fault(0x1C010003, 7) + say.fault(0x000006F7, 8))
    assert flow.facts() == sorted(
        [
            call(1, 12),
            call(1, 3, "DENIED"),
            call(1, 4, "UNSUPPORTED"),
            call(1, 5, "FAULT"),
            call(1, 6, "UNANSWERED"),
        ]
    )


def test_a_call_waits_for_its_answer_over_the_end_of_a_part(say, talk):
    flow = talk("rpc")
    flow.say(True, say.request(12))
    assert flow.facts(last=False) == []
    flow.say(False, say.response())
    assert flow.facts(last=False) == [call(1, 12)]
    assert flow.facts() == []


def test_contexts_are_added_and_a_refused_bind_is_unsupported(say, talk):
    flow = talk("rpc")
    flow.say(True, say.bind({0: EPM}, 1))
    flow.say(False, say.pdu(13, bytes(8), 1))
    flow.say(True, say.bind({0: EPM}, 2) + say.bind({4: SVCCTL}, 3, kind=14))
    flow.say(False, say.bind_ack([0], 2) + say.bind_ack([0], 3, kind=15))
    flow.say(True, say.request(19, 4, 4))
    assert flow.facts() == sorted(
        [bound(EPM, "UNSUPPORTED"), bound(EPM), bound(SVCCTL), call(SVCCTL, 19, "UNANSWERED")]
    )


def test_who_is_made_to_run_something_counts_as_commanded(say, talk):
    for iface, op in sorted(EXECUTES):
        for swapped in (False, True):
            flow = talk("rpc", swapped=swapped)
            flow.say(True, say.bind({0: iface}))
            calls = flow.memory.commanded.calls
            client, server = say.CLIENT, say.SERVER
            assert calls(1_000_000, server, client) is CalledBack.NO
            flow.say(True, say.request(op, 2))
            assert calls(1_000_000, server, client) is CalledBack.COMMANDER
            assert calls(1_000_000, client, server) is CalledBack.NO


@pytest.mark.parametrize(
    "machines",
    [("10.0.0.9", "10.0.0.2", "10.0.0.3"), ("fd00::9", "fd00::2", "fd00::3")],
)
def test_what_a_commanded_machine_calls_is_marked_in_its_flow(say, machines):
    client, server, other = machines
    layer = IP if ip_address(client).version == 4 else IPv6
    meter, at = Meter(LocalNetworks()), 1
    frames = []
    for data in (say.bind({0: SVCCTL}), say.request(12, 2)):  # CreateServiceW
        frames.append((client, server, 135, at, data))
        at += len(data)
    frames += [(server, there, 8080, 1, b"x") for there in (other, client)]
    for moment, (orig, resp, port, sequence, data) in enumerate(frames):
        tcp = TCP(sport=50_000, dport=port, seq=sequence, flags="A")
        frame = bytes(Ether() / layer(src=orig, dst=resp) / tcp / Raw(data))
        meter.feed(block_of([(moment, 1, frame, len(frame), 0)]))
    meter.finish()
    flows = [row for number, row in meter.take().rows() if TABLES[number] is FLOWS]
    assert [CalledBack(CALLED_BACK.get(row[FLOWS.index("hints")])) for row in flows] == [
        CalledBack.NO,
        CalledBack.COMMANDED,
        CalledBack.COMMANDER,
    ]


@pytest.mark.parametrize(
    ("answer", "failed", "succeeded", "unknown", "status"),
    [
        ("response", 0, 1, 0, AuthStatus.NONE),
        ("fault", 1, 0, 0, AuthStatus.REFUSED),
        ("", 0, 0, 1, AuthStatus.NONE),
    ],
)
def test_a_log_in_is_as_good_as_the_next_call(
    say, talk, answer, failed, succeeded, unknown, status
):
    flow = talk("rpc")
    flow.say(True, say.bind({0: EPM}, auth=say.ntlm_message(1)))
    flow.say(False, say.bind_ack([0]))
    flow.say(True, say.pdu(16, bytes(4), auth=say.ntlm_message(3)) + say.request(3, 2))
    if answer:
        flow.say(False, say.response(2) if answer == "response" else say.fault(5, 2))
    flow.facts()
    ntlm = AuthService.RPC, AuthMethod.NTLM
    assert flow.log_ins() == [(*ntlm, status, failed, succeeded, unknown, 1)]


def test_rows_and_what_waits_are_bounded(say, talk):
    flow = talk("rpc")
    for op in range(200):
        flow.say(True, say.request(op, op))
    rows = flow.facts()
    assert len(rows) <= MAX_ROWS + MAX_MERGED + 1
    assert sum(row[6] for row in rows) == 200
    assert rows[0][3] == -1
    assert rows[0][6] == 200 - MAX_ROWS
    assert MAX_WAITING < 200


@settings(max_examples=60)
@given(st.data())
def test_any_cut_into_segments_gives_the_same_rows(say, talk, data):
    asked = say.bind({0: SVCCTL, 1: EPM}) + b"".join(
        say.request(n % 3, n, n % 2, bytes(n * 700)) for n in range(6)
    )
    said = say.bind_ack([0, 0]) + b"".join(say.response(n, bytes(n * 900)) for n in range(6))
    whole, cut = talk("rpc"), talk("rpc")
    whole.say(True, asked)
    whole.say(False, said)
    for by_client, stream in ((True, asked), (False, said)):
        places = data.draw(st.lists(st.integers(0, len(stream)), max_size=30).map(sorted))
        for begin, end in zip([0, *places], [*places, len(stream)], strict=True):
            if begin < end:
                cut.say(by_client, stream[begin:end])
                if data.draw(st.booleans()):  # once more: a repetition
                    at = (cut.next[by_client] - (end - begin)) % (1 << 32)
                    cut.say(by_client, stream[begin:end], sequence=at)
    assert cut.facts() == whole.facts()


def test_reading_goes_on_behind_what_is_missing(say, talk):
    flow = talk("rpc")
    long = say.request(1, 1, stub=bytes(5000))
    flow.say(True, long[:1000])
    flow.lose(True, 2000)
    flow.say(True, long[3000:] + say.request(2, 2))  # missing inside a body: the end is known
    flow.lose(True, 100)
    flow.say(True, b"the rest of something" + say.request(3, 3))  # no message begins here
    flow.say(True, say.request(4, 4))
    assert [(row[3], row[6]) for row in flow.facts()] == [(1, 1), (2, 1), (4, 1)]


def test_a_capture_that_cuts_packets_is_passed_over_by_their_length(say, talk):
    flow = talk("rpc")
    first = say.request(1, 1, stub=bytes(3000))
    flow.say(True, first[:1400], cut=100)
    flow.say(True, first[1400:], cut=100)
    flow.say(True, say.request(2, 2), cut=100)
    assert [row[3] for row in flow.facts()] == [1, 2]
