import re
from pathlib import Path

import pytest

from dijkwacht_collector.settings import load_settings, make_operator_token, parse_listen
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.state_folder import COLLECTOR, state_folder


def test_defaults_need_nothing(monkeypatch):
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    settings = load_settings()
    assert settings.state == state_folder(COLLECTOR).path
    assert settings.loopback
    assert settings.operator_token() is None


def test_systemd_says_where_state_lies(monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/elsewhere:/var/lib/second")
    assert load_settings().state == Path("/var/lib/elsewhere")


def test_what_is_given_wins_over_the_file(tmp_path):
    file = tmp_path / "collector.toml"
    file.write_text('state = "elsewhere"\nworkers = 3\nport = 9000\n')
    settings = load_settings(file, port=9001, host=None)
    assert (settings.state, settings.workers, settings.port) == (Path("elsewhere"), 3, 9001)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("workers = 0", "workers is 0; allowed: at least 1, at most 128"),
        ("workers = 'two'", "workers is 'two'; allowed: a whole number"),
        ("retention_days = 'x'", "retention_days is 'x'; allowed: a number"),
        ("training = 'perhaps'", "training is 'perhaps'; allowed: true or false"),
        ("state = 5", "state is 5; allowed: text"),
        ("names = 'bakery.example'", "names is 'bakery.example'; allowed: a list of names"),
        ("port = 70000", "port is 70000"),
        ("color = 'red'", "'color' is no setting of the collector"),
        ("worker = 2", "did you mean 'workers'"),
        ("port = ", "Invalid value"),
        ("host = '0.0.0.0'", "operator_token_file must name"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, text, sentence):
    file = tmp_path / "collector.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=sentence):
        load_settings(file)


def test_the_operators_token_comes_from_a_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("correct-horse-battery\n")
    settings = load_settings(host="0.0.0.0", operator_token_file=str(file))
    assert settings.operator_token() == "correct-horse-battery"
    file.write_text("short")
    with pytest.raises(SettingsError, match="fewer than 16"):
        settings.operator_token()
    file.unlink()
    with pytest.raises(SettingsError, match="operator_token_file"):
        settings.operator_token()


def test_listen_is_host_and_port():
    assert parse_listen("127.0.0.1:0") == ("127.0.0.1", 0)
    assert parse_listen("[::1]:8470") == ("::1", 8470)
    for text in ("8470", "localhost:", ":8470", "a:b"):
        with pytest.raises(SettingsError, match="HOST:PORT"):
            parse_listen(text)


@pytest.mark.parametrize(
    ("host", "tls", "encrypted"),
    [
        ("127.0.0.1", "auto", False),
        ("127.0.0.1", "on", True),
        ("0.0.0.0", "auto", True),
        ("0.0.0.0", "off", False),
    ],
)
def test_beyond_this_machine_it_speaks_tls_unless_told_otherwise(tmp_path, host, tls, encrypted):
    url = "https://lab.example.nl:8470"
    settings = load_settings(None, state=str(tmp_path), host=host, tls=tls, url=url)
    assert settings.encrypted is encrypted
    assert settings.known_names >= {"localhost", "lab.example.nl"}
    assert "0.0.0.0" not in settings.known_names


def test_a_token_for_operators_is_made_once_where_others_can_reach_it(tmp_path):
    url = "https://lab.example.nl"
    settings = load_settings(None, state=str(tmp_path / "state"), host="0.0.0.0", url=url)
    assert make_operator_token(settings)
    token = settings.operator_token()
    assert len(token) >= 32
    assert not make_operator_token(settings)
    assert settings.operator_token() == token
    assert not make_operator_token(load_settings(None, state=str(tmp_path), url=url))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"tls": "maybe"}, "tls is 'maybe'; allowed: auto, on, off"),
        ({"url": "lab.example.nl"}, "url: 'lab.example.nl' is not the address"),
        ({"host": "0.0.0.0"}, "say where it is reached"),
    ],
)
def test_a_wrong_word_about_tls_is_told(tmp_path, given, sentence):
    with pytest.raises(SettingsError, match=re.escape(sentence)):
        load_settings(None, state=str(tmp_path), **given)
