"""Community ID against the values that its specification and reference implementation publish."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records.addresses import pack_address
from dijkwacht_records.community_id import community_id

ICMP, TCP, UDP, RSVP, ICMPV6, SCTP = 1, 6, 17, 46, 58, 132
LINK = "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea"
ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1"]).map(pack_address)
PORTS = st.integers(0, 65_535)


def of(orig, resp, orig_p, resp_p, proto):
    return community_id(pack_address(orig), pack_address(resp), orig_p, resp_p, proto)


@pytest.mark.parametrize(
    ("flow", "published"),
    [
        (("128.232.110.120", "66.35.250.204", 34855, 80, TCP), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (("66.35.250.204", "128.232.110.120", 80, 34855, TCP), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (("192.168.1.52", "8.8.8.8", 54585, 53, UDP), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        (("8.8.8.8", "192.168.1.52", 53, 54585, UDP), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        (("192.168.170.8", "192.168.170.56", 7, 80, SCTP), "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="),
        (("192.168.0.89", "192.168.0.1", 8, 0, ICMP), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        (("192.168.0.1", "192.168.0.89", 0, 8, ICMP), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        (("192.168.0.89", "192.168.0.1", 20, 0, ICMP), "1:3o2RFccXzUgjl7zDpqmY7yJi8rI="),
        (("192.168.0.89", "192.168.0.1", 20, 1, ICMP), "1:tz/fHIDUHs19NkixVVoOZywde+I="),
        ((*LINK, 135, 0, ICMPV6), "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
        ((*LINK[::-1], 136, 0, ICMPV6), "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
        (("10.1.24.4", "10.1.12.1", 0, 0, RSVP), "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4="),
        (("10.1.12.1", "10.1.24.4", 0, 0, RSVP), "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4="),
    ],
)
def test_published_values(flow, published):
    assert of(*flow) == published


@given(ADDRESSES, ADDRESSES, PORTS, PORTS, st.sampled_from([TCP, UDP, SCTP, RSVP]))
def test_both_directions_are_one_flow(orig, resp, orig_p, resp_p, proto):
    assert community_id(orig, resp, orig_p, resp_p, proto) == community_id(
        resp, orig, resp_p, orig_p, proto
    )


@given(ADDRESSES, ADDRESSES, st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_any_protocol_has_one(orig, resp, kind, code, proto):
    assert len(community_id(orig, resp, kind, code, proto)) == 30
