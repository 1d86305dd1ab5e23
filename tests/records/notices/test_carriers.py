"""What a receiver does to us, and what a name does to him."""

import contextlib
import email
import email.policy
import json
import smtplib
import socket
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dijkwacht_records.notices import Notice, get, reason_of
from dijkwacht_records.notices import carriers as module
from dijkwacht_records.notices.carriers import Mail, Webhook, as_mail
from dijkwacht_records.notices.letter import compose
from dijkwacht_records.notices.services import body_for

HTTP_HEAD = b"HTTP/1.1 200 OK\r\nX-Long: "
HTTP_BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n"
SLOWLY = 300
"""Bytes, a hundredth of a second apart."""


class Dripping:
    """Says ``at_once``, then a byte now and then, then ``in_the_end``. ``waits``: for a request first."""

    def __init__(self, at_once, in_the_end=b"", *, waits=True, context=None):
        self._said, self._waits, self._context = (at_once, in_the_end), waits, context
        self._over, self._whole = threading.Event(), False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def _answer(self):
        bare, _ = self._server.accept()
        line = self._context.wrap_socket(bare, server_side=True) if self._context else bare
        with contextlib.suppress(OSError), line:
            if self._waits:
                line.recv(65536)
            line.sendall(self._said[0])
            for _ in range(SLOWLY):
                if self._over.wait(0.01):
                    return
                line.sendall(b"x")
            self._whole = True
            line.sendall(self._said[1])
            while line.recv(65536):
                line.sendall(b"250 yes\r\n")

    def hung_up_on(self):
        """Whether the other end left before it had said all."""
        self._thread.join(60)
        return not self._whole

    def close(self):
        self._over.set()
        self._thread.join()
        self._server.close()


@pytest.fixture
def dripping():
    made = []

    def make(*given, **options):
        made.append(Dripping(*given, **options))
        return made[-1]

    yield make
    for double in made:
        double.close()


LETTER = compose("Dijkwacht", "en", [("till", Notice(("till is silent.", ""), ("", "")))])


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_webhook_that_answers_a_byte_now_and_then_is_left(
    dripping, receiver_certificate, encrypted
):
    path, context = receiver_certificate
    slow = dripping(HTTP_HEAD, b"\r\n\r\n", context=context if encrypted else None)
    hook = Webhook(f"http{'s' * encrypted}://127.0.0.1:{slow.port}", path if encrypted else None)
    hook.limit_s = 0.2
    with pytest.raises(TimeoutError) as left:
        hook.carry(LETTER)
    assert slow.hung_up_on()
    assert reason_of(left.value) == "TimeoutError: Connection timed out"


def test_a_watchdog_that_answers_a_byte_now_and_then_is_left(dripping):
    slow = dripping(HTTP_HEAD, b"\r\n\r\n")
    with pytest.raises(TimeoutError):
        get(f"http://127.0.0.1:{slow.port}", limit_s=0.2)
    assert slow.hung_up_on()


def test_what_was_taken_is_not_sent_again_though_more_is_said_slowly(dripping):
    slow = dripping(HTTP_BODY)
    hook = Webhook(f"http://127.0.0.1:{slow.port}")
    hook.limit_s = 0.2
    hook.carry(LETTER)
    assert slow.hung_up_on()


@pytest.mark.parametrize("port", [None, 465])
def test_a_mail_server_that_greets_a_byte_now_and_then_is_left(
    dripping, receiver_certificate, monkeypatch, port
):
    path, context = receiver_certificate
    slow = dripping(b"220 ", b"\r\n", waits=False, context=context if port else None)
    if port:  # where TLS is spoken from the first byte
        monkeypatch.setattr(module, "_IMPLICIT_TLS", slow.port)
    mail = Mail("127.0.0.1", slow.port, "a@example.nl", ["a@example.nl"], None, port and path)
    mail.limit_s = 0.2
    with pytest.raises(TimeoutError):
        mail.carry(LETTER)
    assert slow.hung_up_on()


@pytest.mark.parametrize("line", [b"220-" + b"x" * 4000 + b"\r\n", b"220-\r\n"])
def test_a_mail_server_that_greets_without_end_is_left_before_it_fills_the_memory(dripping, line):
    talker = dripping(line * (1 + (1 << 16) // len(line)), waits=False)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="too long"):
        Mail("127.0.0.1", talker.port, "a@example.nl", ["a@example.nl"]).carry(LETTER)
    assert talker.hung_up_on()


def test_one_that_has_ended_leaves_no_thread(webhook):
    before = {each for each in threading.enumerate() if isinstance(each, threading.Timer)}
    Webhook(webhook.url).carry(LETTER)
    for each in threading.enumerate():
        if isinstance(each, threading.Timer) and each not in before:
            each.join(20)
            assert not each.is_alive()


HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type",
    "Content-Transfer-Encoding", "MIME-Version",
}  # fmt: skip
BREAKS = "\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\x00", "\ud800", "\udc0a"
names = st.lists(
    st.text(st.characters(exclude_categories=()))
    | st.sampled_from(BREAKS)
    | st.sampled_from(["Bcc: evil@example.nl", ".", " ", "=?utf-8?q?=0ABcc:_x?=", "<b>", "\x1b[2J"])
).map("".join)


@given(names, names)
@example("a\r\nBcc: evil@example.nl", "b\r\n.\r\nMAIL FROM:<evil@example.nl>")
@example("", "=?utf-8?q?=0ABcc:_evil=40example.nl?=")
@example("=?utf-8?q?=0D=0ABcc:_evil=40example.nl?=", "\ud800")
def test_no_name_becomes_a_header_a_receiver_or_the_end_of_a_mail(site, agent):
    notice = Notice((f"{agent} of {site} is silent.", f"{agent} zwijgt"), (agent, site))
    letter = compose(f"Dijkwacht, {site}", "both", [(agent, notice)])
    mail = as_mail(letter, "a@example.nl", ["a@example.nl", "b@example.nl"])
    sent = mail.as_bytes(policy=email.policy.SMTP)
    head, _, body = sent.partition(b"\r\n\r\n")
    assert all(line[:1].isspace() or b":" in line for line in head.split(b"\r\n"))
    assert b"\n" not in head.replace(b"\r\n", b"")
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert not set(sent) & {0, 0x1B, 0x7F}
    read = email.message_from_bytes(sent, policy=email.policy.default)
    assert sorted(read.keys()) == sorted(HEADERS)
    assert str(read["To"]) == "a@example.nl, b@example.nl"
    assert str(read["Subject"]).strip().startswith("Dijkwacht:")
    assert str(read["Subject"]).isprintable()
    assert not read.is_multipart()


@given(names, names)
def test_no_name_becomes_another_field_of_what_a_webhook_gets(site, agent):
    notice = Notice((agent, agent), (agent, site))
    letter = compose(site, "en", [(agent, notice)])
    said = json.loads(body_for("https://hooks.example.nl/a", letter))
    assert said.keys() == {"text", "title", "source", "began", "ended"}
    assert len(said["began"]) == 1
