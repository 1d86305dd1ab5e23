"""What an owner reads when something fails: no error numbers, and Dutch where Dutch was asked."""

import errno
import socket
import ssl

import pytest

from dijkwacht_agent.cli import main
from dijkwacht_agent.error_words import REFUSED, error_message, refusal_message, words
from dijkwacht_agent.join import read_token
from dijkwacht_agent.privacy import read_or_make_key
from dijkwacht_records.errors import (
    DijkwachtError,
    Message,
    SettingsError,
    TransferError,
    UnreadableInput,
)
from dijkwacht_records.joincode import make_code, read_code
from dijkwacht_records.replies import Refusal


def raised(call, *given):
    with pytest.raises((DijkwachtError, ValueError)) as caught:
        call(*given)
    return caught.value


def typo():
    code = make_code("http://127.0.0.1:8470", bytes(16))
    return code[:-1] + ("0" if code[-1] != "0" else "1")


@pytest.mark.parametrize("code", ["", "NONSENSE!", "0" * 500, typo()])
def test_every_wrong_code_is_refused_in_dutch(code):
    error = raised(read_code, code)
    assert words(error, "en") == str(error)
    assert words(error, "nl") != str(error)


def test_what_the_agent_refuses_is_known_in_dutch(tmp_path):
    key = tmp_path / "privacy.key"
    key.write_bytes(bytes(32))
    key.chmod(0o644)
    short = tmp_path / "short.key"
    short.write_bytes(b"x")
    short.chmod(0o600)
    for error in (
        raised(read_token, tmp_path),
        raised(read_or_make_key, key),
        raised(read_or_make_key, short),
    ):
        assert words(error, "en") == str(error)
        assert words(error, "nl") != str(error)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connection refused"),
        socket.gaierror(-2, "Name or service not known"),
        TimeoutError("timed out"),
        ssl.SSLCertVerificationError(1, "certificate verify failed"),
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        PermissionError(errno.EACCES, "Permission denied", "token"),
        OSError(errno.ENOSPC, "No space left on device", "token"),
        OSError(errno.EROFS, "Read-only file system", "token"),
        NotADirectoryError(errno.ENOTDIR, "Not a directory", "state/token"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "token"),
    ],
)
def test_what_the_system_reports_is_put_in_plain_words(error):
    english, dutch = words(error, "en"), words(error, "nl")
    assert "Errno" not in english + dutch
    assert english != dutch


def test_every_reason_of_the_error_tree_has_its_words():
    kinds = [TransferError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    reasons = {kind.reason for kind in kinds} - {TransferError.reason}
    assert reasons <= set(REFUSED)


def test_a_refusal_is_known_by_its_reason_not_by_its_text():
    refusal = Refusal("not_authorised", "a text that nobody expected")
    assert words(refusal_message(refusal, 401), "nl") == "zijn toegang is onbekend of ingetrokken"


def test_a_refusal_of_a_newer_collector_is_shown_as_it_came():
    refusal = Refusal("a_new_reason", "the moon is out")
    assert words(refusal_message(refusal, 400), "nl") == "the moon is out"


def test_a_message_may_hold_a_message():
    trouble = Message("trouble_unreachable", {"why": error_message(ConnectionRefusedError())})
    assert words(trouble, "nl").startswith("de verzamelaar is niet te bereiken: op dat adres luist")


@pytest.mark.parametrize("error", [UnreadableInput("a", "b", "c"), SettingsError("no message")])
def test_what_has_no_message_stays_as_it_is(error):
    assert words(error, "nl") == str(error)


def test_joining_says_where_nobody_answers(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    words = ["--state", str(tmp_path), "join", make_code(url, bytes(16)), "--lang", "nl"]
    assert main(words) == 1
    line = f"dijkwacht-agent: De verzamelaar op {url} antwoordt niet: op dat adres luistert niets"
    assert capsys.readouterr().err.startswith(line)
