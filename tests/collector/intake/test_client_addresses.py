"""Where a client calls from."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from dijkwacht_collector.intake.client_addresses import client_address


def request(remote, *forwarded):
    return SimpleNamespace(
        remote=remote, headers=CIMultiDict([("X-Forwarded-For", value) for value in forwarded])
    )


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        ("198.51.100.7", ["203.0.113.1"], "198.51.100.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.1"], "203.0.113.1"),
        ("127.0.0.1", ["1.2.3.4, 203.0.113.1"], "203.0.113.1"),
        ("127.0.0.1", ["1.2.3.4", "203.0.113.1"], "203.0.113.1"),
        ("127.0.0.1", ["203.0.113.1:8080"], "203.0.113.1"),
        ("::1", ["2001:db8:1:2:3::4"], "2001:db8:1:2::/64"),
        ("::1", ["[2001:db8:1:2:3::4]:99"], "2001:db8:1:2::/64"),
        ("::ffff:127.0.0.1", ["::ffff:203.0.113.1"], "203.0.113.1"),
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.1,"], "127.0.0.1"),
        ("fe80::1%eth0", [], "fe80::/64"),
        (None, ["203.0.113.1"], "unknown"),
    ],
)
def test_whose_attempt_it_is(remote, forwarded, address):
    assert client_address(request(remote, *forwarded)) == address


@given(st.text(max_size=60), st.lists(st.text(max_size=60), max_size=3))
def test_any_text_is_somebody(remote, forwarded):
    assert client_address(request(remote, *forwarded))
