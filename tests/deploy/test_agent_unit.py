import pytest

from dijkwacht_agent.identity import IDENTITY_FILE
from dijkwacht_agent.join import TOKEN_FILE


@pytest.fixture
def unit(unit_of):
    return unit_of("dijkwacht-agent.service", "/usr/bin/dijkwacht-agent run")


@pytest.mark.tools("systemd-analyze")
def test_systemd_understands_every_line(unit, analyze):
    done = analyze("verify", unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.tools("systemd-analyze")
def test_it_has_few_rights(unit, analyze):
    done = analyze("security", "--offline=true", "--threshold=20", "--no-pager", unit)
    assert done.returncode == 0, done.stdout


def test_what_the_system_metrics_need_is_not_hidden(unit):
    lines = unit.read_text().splitlines()
    assert not any(line.startswith(("ProcSubset=", "ProtectProc=")) for line in lines)
    assert "CapabilityBoundingSet=CAP_NET_RAW" in lines


def test_it_starts_only_where_somebody_has_joined(unit):
    """Any one of them is enough: the bar says so to systemd."""
    conditions = [line for line in unit.read_text().splitlines() if line.startswith("Condition")]
    assert all(line.startswith("ConditionPathExists=|/var/lib/") for line in conditions)
    assert {line.rpartition("/")[2] for line in conditions} == {TOKEN_FILE, IDENTITY_FILE}


def test_it_may_give_up_its_rights_and_dumps_no_key(unit):
    lines = unit.read_text().splitlines()
    denied = lines.index("SystemCallFilter=~@privileged @resources")
    assert lines.index("SystemCallFilter=capset") > denied
    assert "LimitCORE=0" in lines
