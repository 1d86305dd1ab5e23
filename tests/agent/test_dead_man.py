"""The agent tells when its collector, its view or its disk is gone, and when it is back."""

import json
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from dijkwacht_agent.check_notices import check_notices
from dijkwacht_agent.cli import main
from dijkwacht_agent.dead_man import DeadMan, source_of
from dijkwacht_agent.run import Agent
from dijkwacht_agent.settings import Settings, read_settings
from dijkwacht_records.errors import CaptureError, Message, SettingsError
from dijkwacht_records.notices import Outboxes

LIMIT_S = 1800.0
SETTINGS = Settings(site="bakery", agent="till", url="http://a", silent_after_s=LIMIT_S)


class Told:
    """What was told last, and how the rest was judged."""

    def __init__(self):
        self.standing, self.verdict, self.stopped = {}, None, False

    def start(self):
        pass

    def tell(self, standing, verdict):
        self.standing, self.verdict = dict(standing), verdict

    def stop(self, limit_s):
        self.stopped = True


class Parts:
    """An agent's parts, and a clock."""

    def __init__(self):
        self.now = 1000.0
        self.uplink = SimpleNamespace(last_reply=0, trouble=None, alive=True)
        self.spool = SimpleNamespace(waiting_bytes=0, disk_full=False)
        self.packets = 0
        self.told = Told()
        self.dead_man = DeadMan(SETTINGS, None, lambda: self.now, self.told)
        self.dead_man.attach(self.uplink, self.spool, lambda: self.packets)

    def go(self, seconds, packets=1, reply=1, waiting=0):
        """So long with so many packets and replies each second, and so many bytes that wait."""
        for _ in range(int(seconds)):
            self.now += 1
            self.packets += packets
            self.uplink.last_reply += reply
            self.spool.waiting_bytes = waiting
            self.dead_man.look()
        return set(self.told.standing)


@pytest.fixture
def parts():
    return Parts()


def test_a_collector_that_is_silent_is_told_after_half_an_hour_and_so_is_its_return(parts):
    assert parts.go(100) == set()
    parts.uplink.trouble = Message("trouble_unreachable", {"why": Message("os_refused")})
    assert parts.go(LIMIT_S - 1, reply=0, waiting=9) == set()
    assert parts.go(1, reply=0, waiting=9) == {"collector"}
    english, dutch = parts.told.standing["collector"].begun
    assert "For 30 minutes" in english
    assert "nothing listens at that address" in english
    assert "Al 30 minuten" in dutch
    assert "op dat adres luistert niets" in dutch
    assert parts.go(5, waiting=9) == set()
    assert parts.told.verdict("collector") == "well"


def test_who_has_nothing_to_send_misses_no_answer(parts):
    assert parts.go(2 * LIMIT_S, reply=0) == set()
    assert parts.go(LIMIT_S - 1, reply=0, waiting=9) == set()


def test_after_a_start_nothing_is_said_to_be_back_before_it_is(parts):
    parts.go(10, packets=0, reply=0, waiting=9)
    assert [parts.told.verdict(w) for w in ("collector", "view", "disk", "else")] == [
        "unsure", "unsure", "unsure", "gone",
    ]  # fmt: skip
    parts.go(60)
    assert {parts.told.verdict(w) for w in ("collector", "view", "disk")} == {"well"}


def test_a_view_without_packets_is_told(parts):
    parts.go(10)
    assert parts.go(LIMIT_S - 1, packets=0) == set()
    assert parts.go(1, packets=0) == {"view"}
    assert "no packet at all" in parts.told.standing["view"].begun[0]
    assert parts.go(1) == set()


def test_a_full_disk_is_told_at_once(parts):
    parts.spool.disk_full = True
    assert parts.go(1) == {"disk"}
    assert "disk of till of bakery is full" in parts.told.standing["disk"].begun[0]


def test_an_interface_that_goes_is_told_before_the_agent_ends(parts):
    error = CaptureError("eth0: the interface is down or gone")
    error.message = Message("interface_gone", {"name": "eth0"})
    with pytest.raises(CaptureError), parts.dead_man:
        raise error
    assert parts.told.stopped
    assert parts.told.standing["view"].begun[1] == (
        "till van bakery kan het verkeer niet meer zien: eth0: de aansluiting staat uit of is weg."
    )
    assert parts.told.verdict("collector") == "unsure"


def test_it_moves_while_it_looks_is_answered_and_nothing_is_wrong(parts):
    moves = parts.dead_man.moves
    assert not moves()
    parts.go(5)
    assert moves()
    assert not moves(), "its main thread hangs"
    parts.go(5, reply=0, waiting=9)
    assert not moves(), "what it sends is not answered"
    parts.go(5, reply=0)
    assert moves(), "nothing waits"
    parts.spool.disk_full = True
    parts.go(5)
    assert not moves()
    parts.spool.disk_full = False
    parts.go(5)
    assert moves()
    parts.uplink.alive = False
    parts.go(5)
    assert not moves()


def test_a_recording_has_no_view_to_lose(parts):
    parts.dead_man.attach(parts.uplink, parts.spool, None)
    assert parts.go(2 * LIMIT_S, packets=0) == set()


def write(joined, **more):
    with (joined / "agent.toml").open("a") as file:
        for name, value in more.items():
            file.write(f"{name} = {json.dumps(value)}\n")


def test_a_collector_that_is_killed_is_told_by_mail_and_its_return_too(
    joined, recording, collector, mail_server, wait_for
):
    """The agent as it runs: only its clock is ours, so that half an hour passes at once."""
    write(joined, notify_mail="baker@example.nl", notify_mail_server=mail_server.address)
    settings = read_settings(joined, {})
    ahead = [0.0]

    def clock():
        ahead[0] += 0.25
        return ahead[0]

    outboxes = Outboxes(settings, source_of(settings), joined, 0.0)
    dead_man = DeadMan(settings, joined, clock, outboxes)
    stop = threading.Event()
    agent = Agent(settings, joined, [recording], 1.0)
    dead_man.watch(agent)
    agent.uplink._jitter = lambda: -0.45  # so that it soon tries again
    thread = threading.Thread(target=agent.run, args=(stop,))
    with dead_man:
        thread.start()
        wait_for(lambda: collector.received)
        collector.script = [(None, b"", [])] * 10_000
        ahead[0] += 10.0
        wait_for(lambda: agent.uplink.trouble)
        ahead[0] += 1800.0
        wait_for(lambda: len(mail_server.mails) == 1)
        collector.script.clear()
        wait_for(lambda: len(mail_server.mails) == 2)
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    told = mail_server.texts()
    assert "nothing of what till of bakery sees has reached the collector" in told[0]
    assert "Voorbij: de verzamelaar antwoordt till van bakery weer" in told[1]
    assert "Agent till of bakery" in told[0]


def test_an_interface_that_is_not_there_is_told_once_however_often_it_starts(
    joined, webhook, collector, capsys
):
    write(joined, notify_url=webhook.url, interface="dw-none0")
    for _ in range(3):
        assert main(["--state", str(joined), "run"]) == 1
    assert [letter["began"] for letter in webhook.letters] == [["view"]]
    assert "dw-none0" in webhook.letters[0]["text"]


def test_a_process_calls_its_watchdog_while_it_is_answered(
    joined, recording, collector, webhook, wait_for
):
    write(joined, watchdog_url=f"{webhook.url}/ping", watchdog_s=0.05)
    words = ["--state", str(joined), "run", "--recording", str(recording), "--speed", "0.5"]
    with subprocess.Popen([sys.executable, "-m", "dijkwacht_agent", *words]) as child:
        wait_for(lambda: len(webhook.calls) > 1)
        collector.script = [(None, b"", [])] * 10_000
        wait_for(lambda: len(collector.script) < 9_999)
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
    assert set(webhook.calls) == {"/ping"}
    assert os.environ.get("NOTIFY_SOCKET") is None


def test_check_sends_a_try_when_it_is_asked_to(joined, webhook, mail_server):
    write(
        joined, notify_url=webhook.url, notify_mail="baker@example.nl",
        notify_mail_server=mail_server.address, watchdog_url=f"{webhook.url}/ping",
    )  # fmt: skip
    found = list(check_notices(read_settings(joined, {})))
    assert [(finding.key, finding.ok) for finding in found] == [
        ("notice_sent", True), ("notice_sent", True), ("watchdog_reached", True),
    ]  # fmt: skip
    assert "proefbericht" in webhook.letters[0]["text"]
    assert "This is a try" in mail_server.texts()[0]
    assert found[0].sentence("nl") == (
        "Er is een proefbericht verstuurd per webhook. Kijk of het is aangekomen."
    )


def test_check_says_what_keeps_a_message_from_arriving(joined, webhook, receivers, tmp_path):
    password = tmp_path / "password"
    password.write_text("wrong")
    server = receivers("mail", password="rye")
    write(
        joined, notify_url=webhook.url, notify_mail="baker@example.nl",
        notify_mail_server=server.address, notify_mail_password_file=str(password),
        watchdog_url="http://127.0.0.1:9",
    )  # fmt: skip
    webhook.script = [403]
    settings = read_settings(joined, {})
    assert [finding.sentence("nl") for finding in check_notices(settings)] == [
        "Per webhook kan geen bericht worden verstuurd: hij antwoordde met HTTP-status 403.",
        "Per mail kan geen bericht worden verstuurd: de mailserver neemt de naam of het wachtwoord niet aan.",
        "Het adres van de waakhond is niet te bereiken: op dat adres luistert niets (misschien draait de verzamelaar niet).",
    ]
    password.unlink()
    [finding] = check_notices(settings)
    assert finding.sentence("en").endswith("there is no such file.")


def test_check_says_that_nobody_is_told(joined):
    [finding] = check_notices(read_settings(joined, {}))
    assert (finding.key, finding.ok) == ("notice_nobody", False)


def test_a_mail_without_a_server_is_a_setting_that_is_wrong(tmp_path):
    with pytest.raises(SettingsError, match="which server sends the mail"):
        DeadMan(Settings(notify_mail="a@example.nl"), tmp_path)
    [finding] = check_notices(Settings(notify_mail="a@example.nl"))
    assert "welke server" in finding.sentence("nl")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("notify_url", "ftp://a"),
        ("notify_url", "https://a b"),
        ("notify_mail", "baker"),
        ("notify_mail", "a@example.nl\nBcc: b@example.nl"),
        ("notify_mail_server", "http://a"),
        ("notify_language", "fr"),
        ("notify_per_hour", 0),
        ("silent_after_s", 5),
        ("watchdog_url", "a"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(tmp_path, name, value):
    with pytest.raises(SettingsError, match=name):
        read_settings(tmp_path, {}, {name: value})
