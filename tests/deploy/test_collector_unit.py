"""The collector's systemd unit, by the tool that owns its format."""

import pytest


@pytest.fixture
def unit(unit_of):
    return unit_of("dijkwacht-collector.service", "/usr/bin/dijkwacht")


@pytest.mark.tools("systemd-analyze")
def test_systemd_reads_it_without_a_word(unit, analyze):
    done = analyze("verify", unit)
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.tools("systemd-analyze")
def test_it_is_well_shut_in(unit, analyze):
    done = analyze("security", "--offline=true", "--threshold=20", unit)
    assert done.returncode == 0, done.stdout[-500:]
