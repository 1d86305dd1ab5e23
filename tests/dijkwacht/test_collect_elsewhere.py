"""A collector that others reach: one command, a token for its operators, codes that lead there."""

import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from dijkwacht import cli
from dijkwacht_collector.sites import Reached, write_reached
from dijkwacht_records.joincode import read_code


def site(state, *arguments):
    return cli.main(["site", "--state", str(state), *arguments])


def said_until(process, pattern):
    said = ""
    for line in process.stderr:
        said += line
        if found := re.search(pattern, line):
            return found
    raise AssertionError(said)


def test_a_collector_elsewhere_needs_one_command(tmp_path, capsys):
    url = "https://localhost:8470"
    words = ["collect", "--state", tmp_path, "--listen", "0.0.0.0:0", "--url", url, "--no-training"]
    command = [sys.executable, "-m", "dijkwacht.cli", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        path = said_until(process, r"the operators' token is in (\S+)")[1]
        port = said_until(process, r"listening on https://0\.0\.0\.0:(\d+)")[1]
        assert path == str(tmp_path / "operator.token")
        assert Path(path).stat().st_mode & 0o777 == 0o600
        trusted = ssl.create_default_context(cafile=tmp_path / "authority" / "root-1.pem")

        def status(path, token=None):
            request = urllib.request.Request(f"https://localhost:{port}{path}")
            if token is not None:
                request.add_header("Authorization", f"Bearer {token}")
            try:
                with urllib.request.urlopen(request, context=trusted, timeout=10) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                error.close()
                return error.code

        token = (tmp_path / "operator.token").read_text().strip()
        assert [status("/healthz"), status("/"), status("/", "x" * 32)] == [200, 401, 401]
        assert [status("/", token), status("/v1/incidents", token)] == [200, 200]
        assert site(tmp_path, "add", "bakery") == 0
        code = re.search(r"dijkwacht-agent join (\S+)", capsys.readouterr().out)[1]
        assert code.endswith("@localhost:8470")
        assert read_code(code)[0] == url
        process.terminate()
        process.stderr.read()
        assert process.wait(30) == 0


def test_a_code_for_who_is_behind_a_proxy_is_of_the_long_form(tmp_path, capsys):
    write_reached(tmp_path, Reached("https://lab.example.nl", encrypted=False))
    assert site(tmp_path, "add", "bakery") == 0
    code = re.search(r"dijkwacht-agent join (\S+)", capsys.readouterr().out)[1]
    assert "@" not in code
    assert read_code(code)[0] == "https://lab.example.nl"


def test_where_it_is_reached_is_asked_for_if_nobody_said(tmp_path, capsys):
    write_reached(tmp_path, Reached(None, encrypted=True))
    (tmp_path / "authority").mkdir()
    assert site(tmp_path, "add", "bakery") == 2
    assert "--url https://NAME:8470" in capsys.readouterr().err
    assert site(tmp_path, "add", "bakery", "--url", "https://lab.example.nl") == 0
