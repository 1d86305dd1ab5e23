"""Messages leave by real servers on this machine, in threads that nobody waits for."""

import logging
import ssl
from types import SimpleNamespace

import pytest

from dijkwacht_records.errors import SettingsError
from dijkwacht_records.notices import (
    Letter,
    Notice,
    Outboxes,
    Undelivered,
    Watchdog,
    carriers_of,
    get,
    reason_of,
)

LETTER = Letter("till is silent.\n\nDijkwacht", "till is silent.", "Dijkwacht", ["till"], [])
SILENT = Notice(("till is silent.", "till is stil."), ("till is back", "till is er weer"))
AT_ONCE = {"gather_s": 0.0, "pauses": (0.01, 0.02)}


def settings(**given):
    named = dict.fromkeys(
        ("url", "mail", "mail_server", "mail_from", "mail_user", "mail_password_file", "ca_file")
    )
    named |= {"language": "both", "per_hour": 60} | given
    return SimpleNamespace(**{f"notify_{name}": value for name, value in named.items()})


def carry(**given):
    [carrier] = carriers_of(settings(**given))
    carrier.carry(LETTER)


def test_a_webhook_gets_json_whose_text_is_for_people(webhook):
    carry(url=f"{webhook.url}/hook?a=b")
    [letter] = webhook.letters
    assert letter == {
        "text": LETTER.text, "title": LETTER.title, "source": "Dijkwacht", "began": ["till"], "ended": [],
    }  # fmt: skip
    assert webhook.content_types == ["application/json"]


def test_what_a_webhook_refuses_did_not_arrive_and_its_address_is_not_said(webhook):
    webhook.script = [500]
    with pytest.raises(Undelivered) as refused:
        carry(url=f"{webhook.url}/secret-token")
    assert reason_of(refused.value) == "it answered with HTTP status 500"


def test_tls_is_verified(receivers, receiver_certificate):
    path, context = receiver_certificate
    webhook = receivers("webhook", context)
    with pytest.raises(ssl.SSLCertVerificationError):
        carry(url=webhook.url)
    carry(url=webhook.url, ca_file=path)
    assert len(webhook.letters) == 1


def test_a_mail_is_for_people_and_for_nobodys_holiday_answer(mail_server):
    carry(mail="a@example.nl, b@example.nl", mail_server=mail_server.address)
    [(sender, receivers, message, tls)] = mail_server.mails
    assert (sender, receivers, tls) == ("a@example.nl", ["a@example.nl", "b@example.nl"], False)
    assert message["Subject"] == "Dijkwacht: till is silent."
    assert message["Auto-Submitted"] == "auto-generated"
    assert mail_server.texts() == [LETTER.text.replace("\n", "\r\n") + "\r\n"]


def test_a_mail_goes_by_starttls_and_a_log_in_with_the_password_of_a_file(
    receivers, receiver_certificate, tmp_path
):
    path, context = receiver_certificate
    server = receivers("mail", context, password="rye and spelt")
    (tmp_path / "password").write_text("rye and spelt\n")
    asked = {
        "mail": "a@example.nl", "mail_server": server.address, "mail_user": "baker",
        "mail_password_file": tmp_path / "password", "ca_file": path,
    }  # fmt: skip
    carry(**asked)
    assert [tls for *_, tls in server.mails] == [True]
    (tmp_path / "password").write_text("wrong")
    with pytest.raises(OSError, match="535") as refused:
        carry(**asked)
    assert reason_of(refused.value) == "SMTPAuthenticationError 535"


def test_beyond_this_machine_nothing_is_sent_without_tls(mail_server, monkeypatch, tmp_path):
    monkeypatch.setattr("dijkwacht_records.notices.carriers._is_loopback", lambda _: False)
    (tmp_path / "password").write_text("rye")
    with pytest.raises(OSError, match="STARTTLS") as refused:
        carry(
            mail="a@example.nl",
            mail_server=mail_server.address,
            mail_password_file=tmp_path / "password",
        )
    assert not mail_server.mails
    assert reason_of(refused.value).startswith("SMTPNotSupportedError")


def test_nothing_that_is_named_wrongly_is_found_out_later(tmp_path):
    with pytest.raises(SettingsError, match="notify_mail_server"):
        carriers_of(settings(mail="a@example.nl"))
    with pytest.raises(OSError, match="none"):
        carriers_of(
            settings(mail="a@a", mail_server="a", mail_password_file=str(tmp_path / "none"))
        )
    with pytest.raises(OSError, match="none"):
        carriers_of(settings(url="http://a", ca_file=tmp_path / "none"))
    assert carriers_of(settings()) == []


def test_each_receiver_is_told_whatever_becomes_of_the_other(
    webhook, mail_server, tmp_path, caplog, wait_for
):
    webhook.script = [500, 503, 404]
    mail_server.refuses = ["451 later"]
    named = settings(
        url=f"{webhook.url}/secret-path", mail="a@example.nl", mail_server=mail_server.address
    )
    with caplog.at_level(logging.WARNING):
        outboxes = Outboxes(named, "Dijkwacht", tmp_path, **AT_ONCE)
        outboxes.start()
        outboxes.tell({"till": SILENT}, lambda _: "well")
        wait_for(lambda: webhook.letters and mail_server.mails)
        outboxes.tell({}, lambda _: "well")
        wait_for(lambda: len(webhook.letters) == 2 and len(mail_server.mails) == 2)
        outboxes.stop(30)
    assert [(one["began"], one["ended"]) for one in webhook.letters] == [
        (["till"], []),
        ([], ["till"]),
    ]
    assert "Over: till is back" in webhook.letters[1]["text"]
    said = [f"{record.getMessage()} {record.by} {record.why}" for record in caplog.records]
    assert len(said) == 2, "one line each, not one a try"
    assert not any("secret" in line or "example" in line for line in said)


def test_what_is_gathering_leaves_at_once_when_it_stops(webhook, tmp_path):
    outboxes = Outboxes(settings(url=webhook.url), "Dijkwacht", tmp_path, gather_s=10.0)
    outboxes.start()
    outboxes.tell({"till": SILENT}, lambda _: "well")
    outboxes.stop(60)
    assert [one["began"] for one in webhook.letters] == [["till"]]
    again = Outboxes(settings(url=webhook.url), "Dijkwacht", tmp_path, gather_s=10.0)
    again.start()
    again.tell({"till": SILENT}, lambda _: "well")
    again.stop(60)
    assert len(webhook.letters) == 1, "it was told before the restart"


def test_a_watchdog_calls_while_it_moves_and_no_longer(webhook, wait_for):
    moving = [True]
    watchdog = Watchdog(f"{webhook.url}/ping/1", lambda: moving[0], 0.005)
    watchdog.start()
    wait_for(lambda: len(webhook.calls) >= 3)
    webhook.script = [500] * 3
    wait_for(lambda: not webhook.script)
    moving[0] = False
    asked = []

    def still():
        asked.append(1)
        return False

    watchdog._moves = still
    wait_for(lambda: len(asked) > 2)
    before = len(webhook.calls)
    wait_for(lambda: len(asked) > 5)
    watchdog.stop()
    assert len(webhook.calls) == before
    assert set(webhook.calls) == {"/ping/1"}


def test_an_answer_that_is_no_success_is_no_success(webhook):
    webhook.script = [302]
    with pytest.raises(Undelivered, match="302"):
        get(webhook.url)


@pytest.mark.parametrize("url", [f"http://{'a' * 70}.nl", "http://127.0.0.1:99999", "http://a..b"])
def test_a_name_that_no_address_can_have_ends_no_thread(url, tmp_path, wait_for, caplog):
    outboxes = Outboxes(settings(url=url), "Dijkwacht", tmp_path, **AT_ONCE)
    outboxes.start()
    outboxes.tell({"till": SILENT}, lambda _: "well")
    wait_for(lambda: caplog.records)
    [outbox] = outboxes._all
    assert outbox._thread.is_alive()
    outboxes.stop(30)
    assert not outbox._thread.is_alive()
