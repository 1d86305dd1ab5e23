"""SMB of every version: trees, pipes, files, log-ins; compounds, encryption, compression, damage."""

import struct
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_agent.protocols.smb import recognise_smb
from dijkwacht_agent.protocols.smb_shares import MAX_PIPES, MAX_TREES
from dijkwacht_records.hints import CalledBack
from dijkwacht_records.rpc_interfaces import RpcInterface
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

SVCCTL, TOOL = RpcInterface.SVCCTL, RpcInterface.REMOTE_TOOL
NO_FILES = (0,) * 7
DENIED, PENDING, MORE, REFUSED = 0xC0000022, 0x103, 0xC0000016, 0xC000006D


def row(kind, status="SUCCESS", count=1, *, via="SMB2", iface=0, op=-1, share="NONE"):
    return (via, kind, iface, op, share, status, count, *NO_FILES)


def files(share, count, counters, status="SUCCESS", via="SMB2"):
    return (via, "FILES", 0, -1, share, status, count, *counters)


def service_made(say):
    """Somebody logs in, opens svcctl and makes a service: ``(by client, message)`` each."""
    pipe = b"\x07"
    return [
        (True, say.framed(say.smb2_session(1, say.ntlm_message(1)))),
        (False, say.framed(say.smb2_session(1, status=MORE))),
        (True, say.framed(say.smb2_session(2, say.ntlm_message(3)))),
        (False, say.framed(say.smb2_session(2, status=0))),
        (True, say.framed(say.smb2_tree(3, "\\\\desk\\IPC$"))),
        (False, say.framed(say.smb2_tree(3, status=0))),
        (True, say.framed(say.smb2_create(4, "svcctl"))),
        (False, say.framed(say.smb2_create(4, status=0, handle=pipe))),
        (True, say.framed(say.smb2_write(5, pipe, say.bind({0: SVCCTL})))),
        (False, say.framed(say.smb2_write(5, status=0))),
        (True, say.framed(say.smb2_read(6, pipe))),
        (False, say.framed(say.smb2_read(6, data=say.bind_ack([0]), status=0))),
        (True, say.framed(say.smb2_transceive(7, pipe, say.request(12, 2)))),
        (False, say.framed(say.smb2_transceive(7, pipe, b"", PENDING))),
        (False, say.framed(say.smb2_transceive(7, pipe, say.response(2), 0))),
    ]


MADE = sorted(
    [
        row("SESSION", "CONTINUED"),
        row("SESSION"),
        row("TREE", share="IPC"),
        row("PIPE", iface=SVCCTL, share="IPC"),
        row("BIND", iface=SVCCTL),
        row("CALL", iface=SVCCTL, op=12),
    ]
)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_service_made_through_a_pipe(say, talk, swapped):
    flow = talk("smb", swapped=swapped)
    for by_client, message in service_made(say):
        flow.say(by_client, message)
    assert flow.facts() == MADE
    assert all(
        r[2:5] == (say.mapped(say.CLIENT), say.mapped(say.SERVER), 445) for _, r in flow.rows
    )
    assert flow.log_ins() == [(AuthService.SMB, AuthMethod.NTLM, AuthStatus.NONE, 0, 1, 0, 1)]
    calls = flow.memory.commanded.calls
    assert calls(1_000_000, say.SERVER, say.CLIENT) is CalledBack.COMMANDER


def test_a_pipe_opened_unseen_is_known_by_what_is_said_through_it(say, talk):
    flow = talk("smb")
    for by_client, message in service_made(say)[8:]:
        flow.say(by_client, message)
    assert flow.facts() == sorted([row("BIND", iface=SVCCTL), row("CALL", iface=SVCCTL, op=12)])


def test_an_interface_is_found_behind_others_in_a_bind_of_many_writes(say, talk):
    flow, pipe = talk("smb"), b"\x07"
    for by_client, message in service_made(say)[:6]:
        flow.say(by_client, message)
    flow.say(True, say.framed(say.smb2_create(4, "browser")))
    flow.say(False, say.framed(say.smb2_create(4, status=0, handle=pipe)))
    decoys = {context: UUID(int=context + 1) for context in range(12)}
    bind = say.bind({**decoys, 12: SVCCTL})
    for at in range(0, len(bind), 50):
        flow.say(True, say.framed(say.smb2_write(100 + at, pipe, bind[at : at + 50])))
        flow.say(False, say.framed(say.smb2_write(100 + at, status=0)))
    answer = say.bind_ack([2] * 12 + [0])
    for at in range(0, len(answer), 50):
        flow.say(True, say.framed(say.smb2_read(1000 + at, pipe)))
        flow.say(False, say.framed(say.smb2_read(1000 + at, data=answer[at : at + 50], status=0)))
    flow.say(True, say.framed(say.smb2_transceive(7, pipe, say.request(12, 2, 12))))
    flow.say(False, say.framed(say.smb2_transceive(7, pipe, say.response(2), 0)))
    assert [found for found in flow.facts() if found[1] in {"BIND", "CALL"}] == sorted(
        [
            row("BIND", "UNSUPPORTED", iface=RpcInterface.UNKNOWN),
            row("BIND", iface=SVCCTL),
            row("CALL", iface=SVCCTL, op=12),
        ]
    )


@settings(max_examples=60)
@given(st.data())
def test_any_cut_into_segments_gives_the_same_rows(say, talk, data):
    flow = talk("smb")
    for by_client, message in service_made(say):
        places = data.draw(st.lists(st.integers(0, len(message)), max_size=6).map(sorted))
        for begin, end in zip([0, *places], [*places, len(message)], strict=True):
            if begin < end:
                flow.say(by_client, message[begin:end])
    assert flow.facts() == MADE


@given(st.data())
def test_damage_raises_nothing_and_adds_no_rows_without_bound(say, talk, data):
    flow = talk("smb")
    for by_client, message in [*service_made(say), *files_moved(say), *service_made_by_smb1(say)]:
        damaged = bytearray(message)
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, len(damaged) - 1))
            damaged[at] = data.draw(st.integers(0, 255))
        flow.say(by_client, bytes(damaged), cut=data.draw(st.sampled_from([1 << 20, 150, 60])))
    assert len(flow.facts()) < 64


def files_moved(say):
    return [
        (True, say.framed(say.smb2_tree(1, "\\\\nas\\C$"))),
        (False, say.framed(say.smb2_tree(1, status=0))),
        (True, say.framed(say.smb2_create(2, "a.doc"))),
        (False, say.framed(say.smb2_create(2, status=0))),
        (True, say.framed(say.smb2_create(3, "b.doc", options=0x1000))),
        (False, say.framed(say.smb2_create(3, status=0))),
        (True, say.framed(say.smb2_create(4, "c.doc"))),
        (False, say.framed(say.smb2_create(4, status=DENIED))),
        (True, say.framed(say.smb2_read(5))),
        (False, say.framed(say.smb2_read(5, data=bytes(4000), status=0))),
        (True, say.framed(say.smb2_write(6, data=bytes(70_000)))),
        (False, say.framed(say.smb2_write(6, data=bytes(70_000), status=0))),
        (True, say.framed(say.smb2_set(7, 10), say.smb2_set(8, 13), say.smb2_set(9, 13, b"\0"))),
        (False, say.framed(say.smb2_set(7, 0, status=0), say.smb2_set(8, 0, status=0))),
    ]


def test_files_are_counted_by_what_was_done_to_them(say, talk):
    flow = talk("smb")
    for by_client, message in files_moved(say):
        flow.say(by_client, message)
    assert flow.facts() == sorted(
        [
            row("TREE", share="DRIVE"),
            files("DRIVE", 6, (1, 1, 2, 1, 2, 4000, 70_000)),
            files("DRIVE", 1, NO_FILES, "DENIED"),
        ]
    )


def service_made_by_smb1(say):
    service = say.text("?????\0")
    tree = b"\xff\0\0\0" + struct.pack("<HH", 8, 1)
    create = b"\xff\0\0\0\0" + struct.pack("<HIIIQIIIIIB", 14, 0, 0, 0, 0, 0, 7, 1, 0, 2, 0)
    write = b"\xff\0\0\0" + struct.pack("<HIIHHHHHI", 9, 0, 0, 8, 0, 0, 72, 64, 0)
    trans = struct.pack(
        "<HHHHBBHIHHHHHBBHH", 0, 32, 0, 1024, 0, 0, 0, 0, 0, 0, 0, 32, 67, 2, 0, 0x26, 9
    )
    answer = struct.pack("<HHHHHHHHHBB", 0, 28, 0, 0, 0, 0, 28, 56, 0, 0, 0)
    opened = b"\xff\0\0\0\0" + struct.pack("<H", 9) + bytes(61)
    return [
        (True, say.framed(say.smb1(0x75, tree, b"\0" + say.text("\\\\d\\IPC$\0") + service, 1))),
        (False, say.framed(say.smb1(0x75, b"\xff\0\0\0\0\0", b"", 1, status=0))),
        (True, say.framed(say.smb1(0xA2, create, b"\0" + say.text("\\svcctl\0"), 2))),
        (False, say.framed(say.smb1(0xA2, opened, b"", 2, status=0))),
        (True, say.framed(say.smb1(0x2F, write, b"\0" + say.bind({0: SVCCTL}), 3))),
        (
            False,
            say.framed(
                say.smb1(0x2F, b"\xff\0\0\0" + struct.pack("<HHI", 72, 0, 0), b"", 3, status=0)
            ),
        ),
        (True, say.framed(say.smb1(0x25, trans, say.request(24, 2), 4))),
        (False, say.framed(say.smb1(0x25, answer, b"\0" + say.response(2), 4, status=0))),
    ]


def test_a_service_made_by_smb1(say, talk):
    flow = talk("smb")
    for by_client, message in service_made_by_smb1(say):
        flow.say(by_client, message)
    assert flow.facts() == sorted(
        [
            row("TREE", via="SMB1", share="IPC"),
            row("PIPE", via="SMB1", iface=SVCCTL, share="IPC"),
            row("BIND", "UNANSWERED", via="SMB1", iface=SVCCTL),
            row("CALL", via="SMB1", iface=SVCCTL, op=24),
        ]
    )


def test_log_ins_count_by_why_they_fail(say, talk):
    flow = talk("smb")
    for number in range(5):
        token = say.ntlm_message(3, user=f"user{number}")
        flow.say(True, say.framed(say.smb2_session(number, token)))
        flow.say(False, say.framed(say.smb2_session(number, status=REFUSED)))
    flow.say(True, say.framed(say.smb2_session(9, say.ntlm_message(3, user="", domain=""))))
    assert flow.facts() == sorted([row("SESSION", "LOGON_FAILED", 5), row("SESSION", "UNANSWERED")])
    assert flow.log_ins() == [
        (AuthService.SMB, AuthMethod.NTLM, AuthStatus.REFUSED, 5, 0, 0, 5),
        (AuthService.SMB, AuthMethod.ANONYMOUS, AuthStatus.NONE, 0, 0, 1, 5),
    ]


def test_encrypted_messages_are_counted_and_compressed_ones_read_as_far_as_they_are_clear(
    say, talk
):
    flow = talk("smb")
    for _ in range(3):
        flow.say(True, say.framed(b"\xfdSMB" + bytes(60)))
    tree = say.smb2_tree(1, "\\\\nas\\photos")
    flow.say(
        True, say.framed(b"\xfcSMB" + struct.pack("<IHHI", 500, 1, 0, len(tree)) + tree + bytes(9))
    )
    assert flow.facts() == sorted(
        [
            row("ENCRYPTED", "UNANSWERED", 3, via="SMB3_ENCRYPTED"),
            row("TREE", "UNANSWERED", share="OTHER"),
        ]
    )


def test_a_tool_s_pipe_commands_the_machine(say, talk):
    flow = talk("smb")
    flow.say(True, say.framed(say.smb2_tree(1, "\\\\d\\IPC$")))
    flow.say(False, say.framed(say.smb2_tree(1, status=0)))
    flow.say(True, say.framed(say.smb2_create(2, "PSEXESVC-DESK-1-stdin")))
    flow.say(False, say.framed(say.smb2_create(2, status=0)))
    assert row("PIPE", iface=TOOL, share="IPC") in flow.facts()
    calls = flow.memory.commanded.calls
    assert calls(1_000_000, say.SERVER, say.CLIENT) is CalledBack.COMMANDER


def test_bodies_cost_no_budget(say, talk):
    write = say.framed(say.smb2_write(1, data=bytes(100_000)))
    frames = [write[at : at + 1460] for at in range(0, len(write), 1460)]
    flow = talk("smb")
    at = flow.next[True]
    costly = 0
    for payload in frames:
        if not flow.conversation.passes(len(payload), at, from_orig=True):
            costly += 1
            flow.say(True, payload, sequence=at)
        at = (at + len(payload)) % (1 << 32)
    assert costly == 2  # the frame ends what KEPT holds in the second segment
    flow.next[True] = at
    flow.say(True, say.framed(say.smb2_tree(2, "\\\\nas\\photos")))
    assert row("TREE", "UNANSWERED", share="OTHER") in flow.facts()


def test_trees_and_pipes_are_bounded(say, talk):
    flow = talk("smb")
    for n in range(3 * MAX_TREES):
        flow.say(True, say.framed(say.smb2_tree(n, "\\\\d\\IPC$")))
        flow.say(False, say.framed(say.smb2_tree(n, status=0, tree=n)))
        flow.say(True, say.framed(say.smb2_create(1000 + n, "svcctl", tree=n)))
        handle = struct.pack("<I", n)
        flow.say(False, say.framed(say.smb2_create(1000 + n, status=0, handle=handle, tree=n)))
    shares = flow.conversation._smb2._shares
    assert len(shares._trees) == MAX_TREES
    assert len(shares._pipes) == MAX_PIPES
    assert flow.facts() == sorted(
        [
            row("TREE", count=3 * MAX_TREES, share="IPC"),
            row("PIPE", count=3 * MAX_TREES, iface=SVCCTL, share="IPC"),
        ]
    )


def test_a_flow_is_recognised_by_its_message_and_not_by_its_port(say, talk):
    flow = talk("smb")
    message = say.framed(say.smb2_session(1))
    for payload, known in (
        (message, True),
        (b"\x81\0\0\x44" + bytes(68), False),
        (message[4:], False),
    ):
        opening = say.Opening(flow.flow, payload, len(payload), True, None, flow.made, flow.memory)
        assert (recognise_smb(opening) is not None) == known


def test_what_a_flow_is_recognised_by_is_not_kept(say, talk, kept):
    flow = talk("smb")
    payload = say.framed(say.smb2_write(1, data=bytes(60_000)))
    opening = say.Opening(flow.flow, payload, len(payload), True, None, flow.made, flow.memory)
    conversation = recognise_smb(opening)
    assert max(map(len, kept(conversation))) < 100
