"""Without apt: pipx puts agent and collector into environments of their own, and they run."""

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.tools("pipx"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    words = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(root)]
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(name="home")
def _home(tmp_path):
    """A home of nobody's: what is installed, and what the programs keep, goes there."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("DIJKWACHT", "PYTHON", "XDG", "PIPX"))
    }
    return {**kept, "HOME": str(tmp_path), "STATE_DIRECTORY": str(tmp_path / "state"), "LANG": "C"}


def run(words, environment, code=0):
    done = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def install(wanted, home, tmp_path):
    run(["pipx", "install", "--python", sys.executable, wanted], home)
    return tmp_path / ".local/bin"


def test_the_agent_is_installed_and_says_what_is_wrong(wheel, home, tmp_path):
    programs = install(wheel, home, tmp_path)
    assert run([programs / "dijkwacht-agent", "--version"], home).startswith("dijkwacht-agent ")
    said = run(
        [programs / "dijkwacht-agent", "check", "--seconds", "0.2", "--interface", "lo"],
        home,
        code=1,
    )
    assert "has not joined" in said
    run(["pipx", "uninstall", "dijkwacht"], home)
    assert not list(programs.iterdir())


@pytest.mark.long
def test_the_collector_is_installed_and_makes_a_site(wheel, home, tmp_path):
    programs = install(f"{wheel}[collector]", home, tmp_path)
    assert "dijkwacht-agent join " in run([programs / "dijkwacht", "site", "add", "bakery"], home)
    assert "collect" in run([programs / "dijkwacht", "--help"], home)
