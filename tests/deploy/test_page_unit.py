import pytest


@pytest.fixture
def unit(unit_of):
    return unit_of("dijkwacht-agent-page.service", "/usr/bin/dijkwacht-agent page")


@pytest.mark.tools("systemd-analyze")
def test_systemd_understands_every_line(unit, analyze):
    done = analyze("verify", unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.tools("systemd-analyze")
def test_it_has_fewer_rights_than_the_agent(unit, analyze):
    done = analyze("security", "--offline=true", "--threshold=15", "--no-pager", unit)
    assert done.returncode == 0, done.stdout


def test_it_is_the_agents_own_user(unit):
    assert "User=dijkwacht-agent" in unit.read_text().splitlines()
