import subprocess

import pytest

from dijkwacht_agent.join import TOKEN_FILE


@pytest.fixture(name="unit")
def _unit(root, tmp_path):
    """The unit with a command that exists here: systemd-analyze looks for it."""
    text = (root / "deploy/systemd/dijkwacht-agent.service").read_text()
    path = tmp_path / "dijkwacht-agent.service"
    path.write_text(text.replace("/usr/bin/dijkwacht-agent run", "/bin/true"))
    assert path.read_text() != text
    return path


def analyze(*words):
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


@pytest.mark.tools("systemd-analyze")
def test_systemd_understands_every_line(unit):
    done = analyze("verify", str(unit))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.tools("systemd-analyze")
def test_it_has_few_rights(unit):
    done = analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(unit))
    assert done.returncode == 0, done.stdout


def test_what_the_system_metrics_need_is_not_hidden(unit):
    lines = unit.read_text().splitlines()
    assert not any(line.startswith(("ProcSubset=", "ProtectProc=")) for line in lines)
    assert "CapabilityBoundingSet=CAP_NET_RAW" in lines


def test_it_starts_only_where_somebody_has_joined(unit):
    """Any one of them is enough: the bar says so to systemd."""
    conditions = [line for line in unit.read_text().splitlines() if line.startswith("Condition")]
    assert all(line.startswith("ConditionPathExists=|/var/lib/") for line in conditions)
    assert any(line.endswith("/" + TOKEN_FILE) for line in conditions)


def test_it_may_give_up_its_rights_and_dumps_no_key(unit):
    lines = unit.read_text().splitlines()
    denied = lines.index("SystemCallFilter=~@privileged @resources")
    assert lines.index("SystemCallFilter=capset") > denied
    assert "LimitCORE=0" in lines
