"""`dijkwacht notify test`: a try by each way that the settings name."""

import json

from dijkwacht.cli import main


def run(tmp_path, **given):
    file = tmp_path / "collector.toml"
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items()))
    return main(["notify", "test", "--settings", str(file), "--state", str(tmp_path)])


def test_a_try_arrives_and_the_watchdog_is_called(tmp_path, webhook, mail_server, capsys):
    code = run(
        tmp_path, notify_url=webhook.url, notify_mail="lab@example.nl",
        notify_mail_server=mail_server.address, notify_language="en",
        watchdog_url=f"{webhook.url}/ping",
    )  # fmt: skip
    assert code == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "A try was sent by webhook. Look whether it has arrived.",
        "A try was sent by mail. Look whether it has arrived.",
        "The watchdog's address answers.",
    ]
    assert webhook.letters[0]["began"] == ["try"]
    assert webhook.calls == ["/ping"]
    assert "This is a try" in mail_server.texts()[0]


def test_what_does_not_arrive_is_said_without_the_address(tmp_path, webhook, capsys):
    webhook.script = [404, 500]
    secret = f"{webhook.url}/secret"
    assert run(tmp_path, notify_url=secret, watchdog_url=secret) == 1
    said = capsys.readouterr().err
    assert "by webhook: it answered with HTTP status 404" in said
    assert "the watchdog's address: it answered with HTTP status 500" in said
    assert "secret" not in said


def test_nobody_to_tell_is_said(tmp_path, capsys):
    assert run(tmp_path) == 1
    assert "nobody is told" in capsys.readouterr().err


def test_a_password_that_cannot_be_read_is_one_line(tmp_path, capsys):
    given = {"notify_mail": "a@example.nl", "notify_mail_server": "localhost"}
    assert run(tmp_path, **given, notify_mail_password_file=str(tmp_path / "none")) == 2
    assert "none" in capsys.readouterr().err
