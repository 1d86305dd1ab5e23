"""The collector's systemd unit, by the tool that owns its format."""

import subprocess

import pytest


@pytest.fixture
def unit(root, tmp_path):
    """The unit with a command that exists here: systemd-analyze looks for it."""
    text = (root / "deploy/systemd/dijkwacht-collector.service").read_text("utf-8")
    path = tmp_path / "dijkwacht-collector.service"
    path.write_text(text.replace("/usr/bin/dijkwacht", "/bin/true"), "utf-8")
    return path


def analyze(*words):
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


@pytest.mark.tools("systemd-analyze")
def test_systemd_reads_it_without_a_word(unit):
    done = analyze("verify", str(unit))
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.tools("systemd-analyze")
def test_it_is_well_shut_in(unit):
    done = analyze("security", "--offline=true", "--threshold=20", str(unit))
    assert done.returncode == 0, done.stdout[-500:]
