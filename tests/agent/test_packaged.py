import os
import string
import subprocess

import pytest

from dijkwacht_agent import packaged
from dijkwacht_agent.messages import MESSAGES
from dijkwacht_agent.package_messages import INSTEAD
from dijkwacht_agent.packaged import RESTART, _restarted, main, read_defaults


@pytest.fixture(name="asked")
def _asked(monkeypatch):
    """What reaches the command that the package wraps; nothing is run, and nothing started."""
    asked = []

    def command(words):
        asked.append(list(words))
        return 0

    monkeypatch.setattr(packaged.cli, "main", command)
    monkeypatch.setattr(packaged, "_restarted", lambda: asked.append("restarted") or True)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(packaged, "MESSAGES", {})
    monkeypatch.setattr(packaged, "DEFAULTS", packaged.DEFAULTS / "none")
    return asked


def test_joining_starts_the_service(asked, capsys):
    assert main(["join", "CODE"]) == 0
    assert asked == [["join", "CODE"], "restarted"]
    assert "sudo dijkwacht-agent check" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["--state", "x", "join", "C"], ["join", "--state=x", "C"], ["check"], ["--version"]]
)
def test_nothing_else_starts_it(asked, words):
    assert main(words) == 0
    assert asked == [words]


def test_a_join_without_systemd_says_what_to_type(asked, capsys, monkeypatch):
    monkeypatch.setattr(packaged, "_restarted", lambda: False)
    main(["join", "CODE"])
    assert "sudo systemctl restart dijkwacht-agent" in capsys.readouterr().out


def test_who_forgets_sudo_spends_no_code(asked, capsys, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["join", "CODE"]) == 1
    assert asked == []
    assert "sudo dijkwacht-agent join CODE" in capsys.readouterr().err
    assert main(["show", "--recording", "x.pcap"]) == 0
    assert main(["join", "--help"]) == 0


def test_the_service_has_its_settings_from_systemd(asked, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/dijkwacht-agent")
    assert main(["run"]) == 0


def test_the_settings_file_holds_for_every_command(tmp_path):
    path = tmp_path / "default"
    path.write_text(
        "# DIJKWACHT_AGENT_LOCAL=1.2.3.0/24\n"
        'DIJKWACHT_AGENT_INTERFACE="enp2s0"\n'
        "  DIJKWACHT_AGENT_SITE=bakery\n"
        "PATH=/tmp\n"
    )
    environment = {"DIJKWACHT_AGENT_SITE": "other"}
    read_defaults(path, environment)
    assert environment == {
        "DIJKWACHT_AGENT_SITE": "other",
        "DIJKWACHT_AGENT_INTERFACE": "enp2s0",
    }
    read_defaults(tmp_path / "none", environment)
    assert len(environment) == 2


def test_a_setting_that_was_written_twice_is_the_last_one_as_for_the_service(tmp_path):
    path, environment = tmp_path / "default", {}
    path.write_text("DIJKWACHT_AGENT_INTERFACE=enp9s0\nDIJKWACHT_AGENT_INTERFACE=enp2s0\n")
    read_defaults(path, environment)
    assert environment == {"DIJKWACHT_AGENT_INTERFACE": "enp2s0"}


def test_the_service_is_restarted_only_where_systemd_runs(tmp_path):
    ran = []
    assert _restarted(tmp_path, lambda words, **_: ran.append(words))
    assert ran == [RESTART]
    assert not _restarted(tmp_path / "none", lambda words, **_: ran.append(words))

    def fails(words, **_):
        raise subprocess.CalledProcessError(1, words)

    assert not _restarted(tmp_path, fails)
    assert len(ran) == 1


@pytest.mark.parametrize("key", INSTEAD)
def test_what_the_package_says_instead_is_of_a_message_there_is_and_of_its_values(key):
    def places(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    english, dutch = INSTEAD[key]
    assert places(english) == places(dutch) <= places(MESSAGES[key][0])


def test_it_is_said_once_the_command_is_the_packages(asked):
    main(["check"])
    assert packaged.MESSAGES == INSTEAD
