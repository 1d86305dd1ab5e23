import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records.orders import SealedOrder
from dijkwacht_records.replies import Refusal, Reply, decode_reply, encode_reply

CLOCKS = st.integers(0, (1 << 62) - 1)


@given(st.builds(Reply, clock=CLOCKS, sealed=st.lists(st.builds(SealedOrder), max_size=3)))
def test_a_reply_arrives_as_it_was_sent(reply):
    assert decode_reply(encode_reply(reply)) == reply


def test_a_newer_collector_may_say_more_in_its_reply():
    assert decode_reply(b'{"seq":1,"duplicate":false,"clock":2,"weather":"high water"}').seq == 1


@given(st.binary(max_size=200))
def test_any_body_is_a_reply_or_refused(body):
    with contextlib.suppress(msgspec.MsgspecError):
        decode_reply(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"seq":0,"duplicate":false,"clock":0,"x":' + b"[" * 500_000,
        b'{"seq":0,"duplicate":false,"clock":0,"sealed":[{"body":"\xff"}]}',
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
