"""The command itself: help, versions, errors in one line."""

import argparse
import subprocess
import sys

import pytest

from dijkwacht import cli
from dijkwacht_agent import cli as agent_cli


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert all(f"    {name}" in out for name in cli.COMMANDS)


def test_version(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.startswith("dijkwacht ")


def test_without_a_command_help_is_shown(capsys):
    assert cli.main([]) == 2
    assert "COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    assert "usage: dijkwacht" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["replay", "x", "--site", "Bad Name"], "--site Bad Name: lower-case"),
        (["replay", "x", "--batch-rows", "0"], "--batch-rows 0: at least 1"),
        (["evaluate", "/none.csv"], "/none.csv: start: expected a file that can be opened"),
        (["try", "/none.py", "x", "--top", "0"], "--top 0: at least 1"),
        (["try", "/none.py", "x", "--top", "-3"], "--top -3: at least 1"),
        (["try", "/none.py", "x"], "/none.py: no such file"),
    ],
)
def test_errors_are_one_line(words, said, capsys):
    assert cli.main(words) == 2
    err = capsys.readouterr().err.strip().splitlines()
    assert len(err) == 1
    assert err[0].startswith(f"dijkwacht {words[0]}: {said}")


LOCAL = ["--local", "10.0.0.0/99"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["replay", "x", *LOCAL], "'10.0.0.0/99' is no network; expected one such as 192.168.1.0/24"),
        (["flows", "x", *LOCAL], "'10.0.0.0/99' is no network"),
        (["try", "d.py", "x", *LOCAL], "'10.0.0.0/99' is no network"),
        (["evaluate", "x.csv", *LOCAL], "'10.0.0.0/99' is no network"),
        (["replay", "x", "--speed", "fast"], "'fast' is no speed; expected a number above 0, or max"),
        (["replay", "x", "--speed", "0"], "'0' is no speed"),
        (["try", "d.py", "x", "--top", "few"], "--top: 'few' is not a whole number"),
        (["collect", "--workers", "few"], "--workers: 'few' is not a whole number"),
        (["replay"], "something is missing: PATH"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line(words, expected, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"dijkwacht {words[0]}: ")
    assert expected in line


def test_a_command_within_a_command_says_which_it_is(capsys):
    with pytest.raises(SystemExit):
        cli.main(["site", "order", "bakery", "till", "diagnostics", "--hours", "few"])
    said = "--hours: 'few' is not a number (see dijkwacht site order --help)"
    assert capsys.readouterr().err == f"dijkwacht site order: {said}\n"


def subcommands(parser, path):
    """Every parser within, with what one types to reach it."""
    yield path, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, within in action.choices.items():
                yield from subcommands(within, (*path, name))


def test_no_help_shows_markup():
    parsers = [*subcommands(agent_cli._parser(), ("dijkwacht-agent",))]
    for name in cli.COMMANDS:
        parsers += subcommands(cli._parser([name]), (name,))
    assert {"run", "replay", "revoke"} <= {path[-1] for path, _ in parsers}
    for path, parser in parsers:
        assert "`" not in parser.format_help(), path


def test_help_needs_nothing_heavy():
    code = (
        "import sys; from dijkwacht import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'numpy', 'numba', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0


def test_a_reader_that_leaves_is_no_error(scan):
    command = f"{sys.executable} -m dijkwacht.cli flows {scan} | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True, text=True)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("to", ["none/rows.jsonl", "none/rows.parquet"])
def test_what_cannot_be_written_is_one_line(scan, tmp_path, to, capsys):
    assert cli.main(["flows", str(scan), "--to", str(tmp_path / to)]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("dijkwacht flows: ")
    assert "No such file or directory" in last


def test_a_full_disk_is_one_line(scan):
    command = f"{sys.executable} -m dijkwacht.cli flows {scan} > /dev/full"
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False, text=True)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == "dijkwacht flows: No space left on device"


@pytest.mark.parametrize(("closed", "left"), [(">&-", "stderr"), ("2>&-", "stdout")])
def test_a_closed_stream_is_one_to_say_nothing_on(scan, closed, left):
    command = f"{sys.executable} -m dijkwacht.cli flows {scan} {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True, text=True)
    assert getattr(done, left)
    assert "Traceback" not in done.stderr


def test_ctrl_c_while_a_command_is_imported_is_one_line(monkeypatch, capsys):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.importlib, "import_module", interrupted)
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr().err == "dijkwacht demo: stopped\n"
