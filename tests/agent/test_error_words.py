"""What an owner reads when something fails: no error numbers, and Dutch where Dutch was asked."""

import errno
import socket
import ssl

import pytest

from dijkwacht_agent.cli import main
from dijkwacht_agent.error_words import reason
from dijkwacht_agent.join import read_token
from dijkwacht_agent.privacy import read_or_make_key
from dijkwacht_records.errors import DijkwachtError
from dijkwacht_records.joincode import make_code, read_code


def said(call, *given):
    with pytest.raises((DijkwachtError, ValueError)) as caught:
        call(*given)
    return caught.value


def typo():
    code = make_code("http://127.0.0.1:8470", bytes(16))
    return code[:-1] + ("0" if code[-1] != "0" else "1")


@pytest.mark.parametrize("code", ["", "NONSENSE!", "0" * 500, typo()])
def test_every_wrong_code_is_refused_in_dutch(code):
    error = said(read_code, code)
    assert reason(error, "en") == str(error)
    assert reason(error, "nl") != str(error)


def test_what_the_agent_refuses_is_known_in_dutch(tmp_path):
    key = tmp_path / "privacy.key"
    key.write_bytes(bytes(32))
    key.chmod(0o644)
    short = tmp_path / "short.key"
    short.write_bytes(b"x")
    short.chmod(0o600)
    for error in (
        said(read_token, tmp_path),
        said(read_or_make_key, key),
        said(read_or_make_key, short),
    ):
        assert reason(error, "nl") != str(error)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connection refused"),
        socket.gaierror(-2, "Name or service not known"),
        TimeoutError("timed out"),
        ssl.SSLCertVerificationError(1, "certificate verify failed"),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        PermissionError(errno.EACCES, "Permission denied", "token"),
    ],
)
def test_what_the_system_says_is_put_in_plain_words(error):
    english, dutch = reason(error, "en"), reason(error, "nl")
    assert "Errno" not in english + dutch
    assert english != dutch


@pytest.mark.parametrize(
    "trouble",
    [
        "the collector cannot be reached: timed out",
        "the collector is busy: later",
        "the collector does not know our token: the token is unknown or revoked",
        "the collector refused a batch: bytes",
    ],
)
def test_trouble_of_the_uplink_is_known_in_dutch(trouble):
    assert "collector" not in reason(trouble, "nl")


def test_what_is_not_known_stays_as_it_is():
    assert reason("the moon is out", "nl") == "the moon is out"


def test_joining_says_where_nobody_answers(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    words = ["--state", str(tmp_path), "join", make_code(url, bytes(16)), "--lang", "nl"]
    assert main(words) == 1
    line = f"dijkwacht-agent: De verzamelaar op {url} antwoordt niet: op dat adres luistert niets"
    assert capsys.readouterr().err.startswith(line)
