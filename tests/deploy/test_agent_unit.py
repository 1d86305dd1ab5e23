import subprocess

import pytest


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
