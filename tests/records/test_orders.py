import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records.orders import Order, OrderHead, SealedOrder, encode_order
from dijkwacht_records.replies import decode_json, decode_reply

ORDER = Order("o-1", "settings", "bakery", "till", 1, 2, {"b": "2", "a": "1"})


def test_the_signature_covers_the_very_bytes_and_that_they_are_an_order():
    sealed = SealedOrder(encode_order(ORDER), b"")
    assert sealed.signed_bytes == b"dijkwacht order 2\n" + sealed.body
    assert encode_order(ORDER) == encode_order(
        msgspec.structs.replace(ORDER, arguments={"a": "1", "b": "2"})
    )


@given(
    st.lists(st.builds(SealedOrder, st.binary(max_size=99), st.binary(max_size=64)), max_size=5),
    st.integers(0, (1 << 62) - 1),
)
def test_whatever_an_order_holds_the_reply_around_it_is_read(sealed, clock):
    body = {"seq": 1, "duplicate": False, "clock": clock, "sealed": sealed}
    assert decode_reply(msgspec.json.encode(body)).sealed == sealed


def test_what_the_first_collectors_called_orders_is_not_read():
    body = {"seq": 1, "duplicate": False, "clock": 2, "orders": [{"kind": "reboot"}, 7]}
    assert decode_reply(msgspec.json.encode(body)).sealed == []


@pytest.mark.parametrize("changed", [{"id": "../x"}, {"id": ""}, {"id": "a\nb"}, {"kind": "RUN!"}])
def test_a_name_is_a_name(changed):
    body = msgspec.to_builtins(ORDER) | changed
    with pytest.raises(msgspec.ValidationError):
        decode_json(msgspec.json.encode(body), OrderHead)


def test_a_later_kind_and_a_later_field_leave_the_head_readable():
    body = msgspec.to_builtins(ORDER) | {"kind": "polish", "not_before": 3}
    encoded = msgspec.json.encode(body)
    assert decode_json(encoded, OrderHead).kind == "polish"
    with pytest.raises(msgspec.ValidationError):
        decode_json(encoded, Order)
