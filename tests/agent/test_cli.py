import errno
import io
import json
import os
import struct
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from dijkwacht_agent import cli
from dijkwacht_agent.check import Finding
from dijkwacht_agent.cli import main
from dijkwacht_records.joincode import HERE, make_code
from dijkwacht_records.tables import TABLES


def test_join_says_where_it_joined(tmp_path, collector, capsys):
    code = make_code(collector.url, bytes(16))
    assert main(["--state", str(tmp_path), "join", code, "--name", "till"]) == 0
    assert "Joined bakery as till" in capsys.readouterr().out


def test_a_code_may_be_typed_in_groups_or_asked_for(tmp_path, collector, capsys, monkeypatch):
    code = make_code(collector.url, bytes(16))
    groups = code.lower().split("-")
    assert main(["--state", str(tmp_path / "a"), "join", *groups, "--name", "till"]) == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO(code + "\n"))
    assert main(["--state", str(tmp_path / "b"), "join", "--name", "oven"]) == 0
    assert [asked["agent"] for asked in collector.joins] == ["till", "oven"]
    assert "code" not in capsys.readouterr().err, "nobody is asked who is no terminal"


def test_the_state_folder_may_stand_behind_the_command(tmp_path, collector, capsys):
    code = make_code(collector.url, bytes(16))
    assert main(["join", code, "--state", str(tmp_path / "s"), "--lang", "nl"]) == 0
    assert "Aangemeld bij bakery" in capsys.readouterr().out
    assert (tmp_path / "s" / "token").exists()


def no_access(folder, *_, **__):
    raise PermissionError(errno.EACCES, "Permission denied", str(folder))


@pytest.mark.parametrize(
    ("user", "spoken", "advice"),
    [
        (0, "en", "cannot be written, not even by root (perhaps it can only be read)"),
        (0, "nl", "hier kan niet worden geschreven, ook niet door root"),
        (1000, "en", "no access; use sudo and name this folder: --state {state}, or name a folder"),
        (1000, "nl", "geen toegang; gebruik sudo en noem deze map erbij: --state {state}, of noem"),
    ],
)
def test_no_access_to_the_state_folder_is_advised_by_who_asks(
    tmp_path, collector, capsys, monkeypatch, user, spoken, advice
):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(Path, "mkdir", no_access)
    state = tmp_path / "deep" / "state"
    words = ["--state", str(state), "join", make_code(collector.url, bytes(16)), "--lang", spoken]
    assert main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"dijkwacht-agent: {state}: {advice.format(state=state)}")
    assert collector.joins == []


def test_no_access_to_the_settings_is_advised_too(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(Path, "read_text", no_access)
    assert main(["--state", str(tmp_path), "run"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"dijkwacht-agent: {tmp_path}/agent.toml: no access; use sudo and name")
    assert f"--state {tmp_path}, or" in line


def test_no_access_to_another_file_has_nothing_to_do_with_the_state(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cli, "_would_leave", lambda *_: no_access("morning.pcap"))
    assert main(["--state", str(tmp_path), "show"]) == 1
    assert capsys.readouterr().err == "dijkwacht-agent: morning.pcap: this user has no access\n"


@pytest.mark.parametrize(
    ("spoken", "sentence"),
    [
        ("en", "this folder cannot be made here; name another with --state"),
        ("nl", "deze map kan hier niet worden gemaakt; noem een andere met --state"),
    ],
)
@pytest.mark.parametrize("folder", ["/proc/dijkwacht", "/proc/dijkwacht/agent"])
def test_a_state_folder_that_cannot_be_made_is_no_missing_file(
    collector, capsys, folder, spoken, sentence
):
    code = make_code(collector.url, bytes(16))
    assert main(["--state", folder, "join", code, "--lang", spoken]) == 1
    assert capsys.readouterr().err == f"dijkwacht-agent: {folder}: {sentence}\n"
    assert collector.joins == []


def test_a_folder_that_is_there_and_takes_no_files_is_not_writable(collector, capsys):
    assert main(["--state", "/proc", "join", make_code(collector.url, bytes(16))]) == 1
    assert "/proc: cannot be written" in capsys.readouterr().err


def test_an_error_is_one_line(tmp_path, capsys):
    assert main(["--state", str(tmp_path), "join", "nonsense"]) == 1
    assert main(["--state", str(tmp_path), "run", "--recording", "nowhere.pcap"]) == 1
    for line in capsys.readouterr().err.splitlines():
        assert line.startswith("dijkwacht-agent: ")


def test_run_plays_a_recording(joined, recording, collector, capsys):
    words = ["--state", str(joined), "run", "--recording", str(recording), "--speed", "max"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [line for line in err.splitlines() if "listens on recording" in line]
    assert collector.received


def test_a_recording_that_is_none_is_told(joined, tmp_path, capsys):
    path = tmp_path / "notes.txt"
    path.write_text("not a recording at all, but long enough to be one")
    assert main(["--state", str(joined), "run", "--recording", str(path)]) == 1
    assert "notes.txt" in capsys.readouterr().err


def test_what_of_a_recording_cannot_be_read_is_told(joined, recording, collector, capsys):
    recording.write_bytes(recording.read_bytes()[:-10])
    words = ["--state", str(joined), "run", "--recording", str(recording), "--speed", "max"]
    assert main(words) == 0
    assert "questions.pcap: byte" in capsys.readouterr().err
    assert sum(number == 1 for number, _ in collector.rows()) == 9


def test_show_prints_what_run_would_send(joined, recording, capsys):
    assert main(["--state", str(joined), "show", "--recording", str(recording)]) == 0
    text = capsys.readouterr().out
    assert "till at bakery" in text
    assert "query=www.example.nl" in text
    assert "192.168.1.5 " not in text
    assert "bytes on the wire: " in text


def test_show_prints_every_table_that_run_sends(joined, recording, collector, capsys):
    assert main(["--state", str(joined), "show", "--json", "--recording", str(recording)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    words = ["--state", str(joined), "run", "--recording", str(recording), "--speed", "max"]
    assert main(words) == 0
    sent = {TABLES[number].name for number, _ in collector.rows()}
    assert {line["table"] for line in lines if "table" in line} == sent
    assert "agent" in sent


def test_show_works_before_joining_and_for_programs(tmp_path, recording, capsys):
    assert main(["--state", str(tmp_path), "show", "--json", "--recording", str(recording)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(line.get("table") == "dns" for line in lines) == 10
    assert list(tmp_path.glob("*.key")) == []


@pytest.mark.parametrize(("wrong", "code"), [(0, 0), (1, 1), (2, 1)])
def test_check_ends_with_what_it_means(tmp_path, capsys, monkeypatch, wrong, code):
    found = [Finding("meter_reference", True, {"rate": 1, "megabits": 1})]
    found += [Finding("not_joined", False)] * wrong
    monkeypatch.setattr("dijkwacht_agent.check.check", lambda *_: iter(found))
    assert main(["--state", str(tmp_path), "check", "--lang", "nl"]) == code
    lines = capsys.readouterr().out.splitlines()
    assert [line[0] for line in lines[:-1]] == [" ", *"!" * wrong]
    assert (
        lines[-1]
        == [
            "Alles is in orde.",
            "Eén ding vraagt aandacht: zie de regel met een uitroepteken.",
            "2 dingen vragen aandacht: zie de regels met een uitroepteken.",
        ][wrong]
    )


def test_check_for_programs_names_a_wrong_setting(tmp_path, capsys):
    (tmp_path / "agent.toml").write_text("intreface = 'eth0'")
    assert main(["--state", str(tmp_path), "check", "--json"]) == 1
    (found,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (found["check"], found["ok"]) == ("settings_wrong", False)
    assert "'interface'" in found["message"]


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan", "inf"])
def test_a_speed_is_above_zero(speed, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", "--speed", speed])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"--speed: '{speed}' is no speed; expected a number above 0, or max" in line


@pytest.mark.parametrize("command", ["run", "show"])
def test_a_network_that_is_none_is_wrong_usage(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--local", "10.0.0.0/99"])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"dijkwacht-agent {command}: --local: '10.0.0.0/99' is no network; expec"
    )


def test_a_network_that_is_none_in_the_settings_names_the_file(tmp_path, capsys):
    (tmp_path / "agent.toml").write_text('local = ["10.0.0.0/8", "10.0.0.0/99"]')
    assert main(["--state", str(tmp_path), "show"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert 'agent.toml: local is ["10.0.0.0/8","10.0.0.0/99"]; expected networks such as' in line


def test_version_says_what_is_installed_and_costs_nothing_else(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"dijkwacht-agent {metadata.version('dijkwacht')}\n"
    code = "import sys; import dijkwacht_agent.cli; sys.exit('importlib.metadata' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_joined_and_asked_from_another_folder(tmp_path, collector, capsys, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert main(["join", make_code(collector.url, bytes(16))]) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    main(["check", "--json", "--interface", "nowhere0"])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()[1:]]
    assert "joined" in {finding["check"] for finding in found}


def test_an_agent_that_joined_in_this_folder_is_found_and_says_so(joined, capsys, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", str(joined.parent / "none"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    (joined.parent / "var").mkdir()
    joined.rename(joined.parent / "var" / "agent")
    monkeypatch.chdir(joined.parent)
    main(["check", "--interface", "nowhere0", "--lang", "nl"])
    out, err = capsys.readouterr()
    assert "hoort bij bakery" in out
    assert "een eerdere versie in var/agent" in err


def test_a_packet_in_no_calendar_is_told_and_the_rest_is_shown(tmp_path, capsys):
    def block(kind, body):
        size = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + size + body + size

    def packet(interface, time):
        head = struct.pack("<IIIII", interface, time >> 32, time & 0xFFFFFFFF, 44, 44)
        return block(6, head + bytes(12) + b"\x08\x06" + bytes(30))

    offset = struct.pack("<HHqHH", 14, 8, 1 << 40, 0, 0)
    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    interfaces = [block(1, struct.pack("<HHI", 1, 0, 0) + options) for options in (b"", offset)]
    path = tmp_path / "far.pcapng"
    today = 1_700_000_000_000_000
    path.write_bytes(b"".join([section, *interfaces, packet(1, 1), packet(0, today)]))
    assert main(["--state", str(tmp_path), "show", "--recording", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "packets_seen=1" in out
    assert err.endswith("byte 84: expected a packet's time before the year 10000\n")


@pytest.mark.parametrize(
    ("typed", "spoken", "said"),
    [
        ("joni", "en", "'joni' is no command; did you mean 'join'?"),
        ("joni", "nl", "'joni' is geen opdracht; bedoelt u 'join'?\n"),
        ("bread", "nl", "'bread' is geen opdracht; er zijn: run, join,"),
    ],
)
def test_a_command_that_is_none(typed, spoken, said, monkeypatch, capsys):
    monkeypatch.setenv("LC_ALL", spoken)
    with pytest.raises(SystemExit):
        main([typed, "CODE"])
    assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([])
    assert "--help" in capsys.readouterr().err


def test_a_code_without_its_address(tmp_path, monkeypatch, capsys):
    def refused(*_, **__):
        raise ConnectionRefusedError

    monkeypatch.setattr(cli, "join_site", refused)
    code = make_code(HERE, bytes(10))
    assert main(["--state", str(tmp_path), "join", code, "--lang", "nl"]) == 1
    assert "typ er @ en het adres achter" in capsys.readouterr().err


def test_who_ends_the_questions_gets_no_traceback(tmp_path, monkeypatch, capsys):
    def ended(*_):
        raise EOFError

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("getpass.getpass", ended)
    assert main(["--state", str(tmp_path), "pin"]) == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "english", "dutch"),
    [
        (["key"], "something is missing: save|restore, FILE", "er ontbreekt iets: save|restore, FILE"),
        (["key", "save"], "something is missing: FILE (see", "er ontbreekt iets: FILE (zie"),
        (["key", "sav", "x"], "'sav' is none of save, restore", "'sav' is geen van save, restore"),
    ],
)  # fmt: skip
def test_what_a_line_lacks_is_said_in_the_owners_language(
    words, english, dutch, monkeypatch, capsys
):
    for language, expected in (("C", english), ("nl_NL.UTF-8", dutch)):
        monkeypatch.setenv("LC_ALL", language)
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert expected in line


def test_help_names_the_commands_in_the_owners_language(monkeypatch, capsys):
    said = []
    for language in ("C", "nl_NL.UTF-8"):
        monkeypatch.setenv("LC_ALL", language)
        with pytest.raises(SystemExit):
            main(["--help"])
        said.append(" ".join(capsys.readouterr().out.split()))
    assert "First: dijkwacht-agent join CODE" in said[0]
    assert "Eerst: dijkwacht-agent join CODE" in said[1]
    assert "find out what is wrong" in said[0]
    assert "zeggen of alles goed is" in said[1]


def test_an_address_behind_a_code_is_corrected_as_it_was_typed(tmp_path, capsys):
    code = make_code("https://lab.example.nl", bytes(10)).partition("@")[0]
    assert main(["--state", str(tmp_path), "join", f"{code}@lab:847o", "--lang", "nl"]) == 1
    assert "wat achter de @ staat, 'lab:847o', is geen adres" in capsys.readouterr().err
