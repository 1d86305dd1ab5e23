"""Whose machine a finding is about."""

from __future__ import annotations

import pytest

from dijkwacht_collector.engine.findings import machine_of
from dijkwacht_collector.incidents import Evidence
from dijkwacht_records.addresses import UNSPECIFIED, pack_address


@pytest.mark.parametrize(
    ("who", "whom", "machine"),
    [
        ("10.0.0.7", "198.51.100.1", "10.0.0.7"),
        ("198.51.100.1", "10.0.0.7", "10.0.0.7"),
        ("10.0.0.7", "10.0.0.8", "10.0.0.7"),
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),
        ("2001:db8::1", "fd64:6a6a::c633:6401", "fd64:6a6a::c633:6401"),
        ("", "192.168.1.5", "192.168.1.5"),
        ("198.51.100.1", "", "198.51.100.1"),
    ],
)
def test_it_is_the_inside_end(who, whom, machine):
    src, dst = (pack_address(text) if text else UNSPECIFIED for text in (who, whom))
    assert machine_of(Evidence(0, 1.0, src, 0, dst, 22)) == machine
