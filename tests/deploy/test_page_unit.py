import subprocess

import pytest


@pytest.fixture(name="unit")
def _unit(root, tmp_path):
    """The unit with a command that exists here: systemd-analyze looks for it."""
    text = (root / "deploy/systemd/dijkwacht-agent-page.service").read_text("utf-8")
    path = tmp_path / "dijkwacht-agent-page.service"
    path.write_text(text.replace("/usr/bin/dijkwacht-agent page", "/bin/true"))
    assert path.read_text() != text
    return path


def analyze(*words):
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


@pytest.mark.tools("systemd-analyze")
def test_systemd_understands_every_line(unit):
    done = analyze("verify", str(unit))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.tools("systemd-analyze")
def test_it_has_fewer_rights_than_the_agent(unit):
    done = analyze("security", "--offline=true", "--threshold=15", "--no-pager", str(unit))
    assert done.returncode == 0, done.stdout


def test_it_is_the_agents_own_user(unit):
    assert "User=dijkwacht-agent" in unit.read_text().splitlines()
