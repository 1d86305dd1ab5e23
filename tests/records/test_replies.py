import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records.replies import Order, Refusal, Reply, decode_reply, encode_reply

ORDER = Order(
    id="o1",
    kind="settings",
    site="bakery",
    agent="till",
    issued=1,
    expires=2,
    arguments={"b": "2", "a": "1"},
    signature=b"s" * 64,
)


CLOCKS = st.integers(0, (1 << 62) - 1)


@given(st.builds(Reply, clock=CLOCKS, orders=st.lists(st.builds(Order), max_size=3)))
def test_a_reply_arrives_as_it_was_sent(reply):
    assert decode_reply(encode_reply(reply)) == reply


def test_an_order_outside_the_closed_set_is_refused():
    body = encode_reply(Reply(1, duplicate=False, clock=2, orders=[ORDER]))
    with pytest.raises(msgspec.ValidationError):
        decode_reply(body.replace(b'"settings"', b'"run"'))


def test_an_order_with_an_unknown_field_is_refused():
    body = encode_reply(Reply(1, duplicate=False, clock=2, orders=[ORDER]))
    with pytest.raises(msgspec.ValidationError):
        decode_reply(body.replace(b'"kind"', b'"command":"x","kind"'))


def test_a_newer_collector_may_say_more_in_its_reply():
    assert decode_reply(b'{"seq":1,"duplicate":false,"clock":2,"weather":"high water"}').seq == 1


def test_the_signature_covers_everything_but_itself():
    signed = ORDER.signed_bytes()
    replace = msgspec.structs.replace
    assert replace(ORDER, signature=b"x").signed_bytes() == signed
    assert replace(ORDER, arguments={"a": "1", "b": "2"}).signed_bytes() == signed
    for change in (
        {"id": "o2"},
        {"kind": "renew"},
        {"site": "clinic"},
        {"agent": "x"},
        {"issued": 0},
        {"expires": 3},
        {"arguments": {}},
    ):
        assert replace(ORDER, **change).signed_bytes() != signed


@given(st.binary(max_size=200))
def test_any_body_is_a_reply_or_refused(body):
    with contextlib.suppress(msgspec.MsgspecError):
        decode_reply(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"seq":0,"duplicate":false,"clock":0,"x":' + b"[" * 500_000,
        b'{"seq":0,"duplicate":false,"clock":0,"orders":[{"id":"\xff"}]}',
        b'{"seq":0,"duplicate":false,"clock":99999999999999999999}',
    ],
    ids=["deep", "not UTF-8", "clock"],
)
def test_what_no_collector_says_is_refused(body):
    with pytest.raises(msgspec.MsgspecError):
        decode_reply(body)


def test_a_refusal_is_no_reply():
    with pytest.raises(msgspec.ValidationError):
        decode_reply(encode_reply(Refusal("malformed", "not a batch")))
