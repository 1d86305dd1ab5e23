"""Who answers, and when it is: the agent's side of TLS against a collector with any certificate and clock."""

import base64
import contextlib
import datetime as dt
import email.utils
import ssl
import subprocess
import sys
import threading
import time

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dijkwacht_agent.check import check_collector
from dijkwacht_agent.error_words import words
from dijkwacht_agent.identity import CLOCK_FILE, Identity, make_key, write_identity
from dijkwacht_agent.renewal import Renewal
from dijkwacht_agent.settings import Settings
from dijkwacht_agent.spool import Spool
from dijkwacht_agent.uplink import Post, Uplink
from dijkwacht_records.enrolment import COLLECTOR_NAME, Grant
from dijkwacht_records.errors import (
    CertificateExpired,
    CertificateUnknown,
    ForeignCollector,
    Message,
    SettingsError,
    TransferError,
    WrongClock,
)
from dijkwacht_records.replies import Refusal, Reply, encode_reply

DAY = 86_400
PEM = serialization.Encoding.PEM
PLAIN = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()


def now():
    return time.time_ns() // 1000


class Authority:
    """Makes certificates of any time."""

    def __init__(self, days=(-4000, 4000)):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a root")])
        self.certificate = self.make(self.name, self.key.public_key(), days, ca=True)
        self.pem = self.certificate.public_bytes(PEM).decode()

    def make(self, subject, public, days, names=(), *, ca=False):
        today = dt.datetime.now(dt.UTC)
        begins, ends = (today + dt.timedelta(days=each) for each in days)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            names = x509.SubjectAlternativeName(map(x509.DNSName, names))
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def server(self, path, days=(-1, 90), name=COLLECTOR_NAME):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.make(x509.Name([]), key.public_key(), days, [name])
        path.write_bytes(key.private_bytes(PEM, *PLAIN) + certificate.public_bytes(PEM))
        return path

    def grant(self, request, issued=None, days=30):
        public = x509.load_der_x509_csr(request).public_key()
        certificate = self.make(x509.Name([]), public, (-1, days))
        clock = issued or now()
        return Grant(
            site="bakery",
            agent="till",
            clock=clock,
            expires=clock + days * DAY * 10**6,
            certificate=certificate.public_bytes(PEM).decode(),
            authorities=self.pem,
        )


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def state(tmp_path, authority):
    made = make_key()
    write_identity(tmp_path, made.key, authority.grant(made.request))
    return tmp_path


@pytest.fixture
def secured(collector, authority, tmp_path):
    """The double behind TLS, with a certificate that is good for some days and a clock of its own."""

    def secure(days=(-1, 90), ahead_days=0, by=authority, name=COLLECTOR_NAME):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(by.server(tmp_path / "server.pem", days, name))
        collector.server.socket = context.wrap_socket(collector.server.socket, server_side=True)
        handler = collector.server.RequestHandlerClass
        time_of = lambda *_: email.utils.formatdate(time.time() + ahead_days * DAY, usegmt=True)  # noqa: E731
        handler.date_time_string = time_of
        return collector.url.replace("http:", "https:")

    return secure


def sent(collector, url, who, wire=b"one"):
    collector.script = [(200, b'{"seq":0,"duplicate":false,"clock":%d}' % now(), ())]
    with contextlib.closing(Post(url, who)) as post:
        return post(wire)


def test_the_collector_that_was_joined_gets_batches_whatever_its_address(collector, secured, state):
    assert sent(collector, secured(), Identity(state)).seq == 0


def test_another_authoritys_collector_is_told_nothing(collector, secured, state):
    url = secured(by=Authority())
    with pytest.raises(ForeignCollector):
        sent(collector, url, Identity(state))
    assert collector.paths == []


def test_another_servers_name_is_no_collectors(collector, secured, state):
    url = secured(name="printer.dijkwacht.internal")
    with pytest.raises(ForeignCollector):
        sent(collector, url, Identity(state))


@pytest.mark.parametrize(
    ("days", "ahead", "key", "word"),
    [((-100, -10), -50, "clock_ahead", "ahead"), ((40, 130), 50, "clock_behind", "behind")],
)
def test_a_clock_that_may_be_wrong_waits_and_is_told(
    collector, secured, state, days, ahead, key, word
):
    who = Identity(state)
    who.issued -= 60 * DAY * 10**6
    with pytest.raises(WrongClock, match=word) as caught:
        sent(collector, secured(days, ahead), who)
    assert caught.value.message == Message(key, {"much": Message("span_days", {"count": 50})})
    assert caught.value.ahead_s == pytest.approx(-ahead * DAY, abs=60)
    assert "50 dagen" in words(caught.value, "nl")
    assert collector.paths == []


@pytest.mark.parametrize("days", [(400, 4000), (-4000, -400)])
@pytest.mark.parametrize("joined_ahead", [False, True])
def test_an_authority_of_a_wrong_clock_is_told_from_our_own_clock(
    collector, secured, tmp_path, days, joined_ahead
):
    untimely, made = Authority(days), make_key()
    issued = now() + 401 * DAY * 10**6 if joined_ahead else None
    write_identity(tmp_path, made.key, untimely.grant(made.request, issued))
    with pytest.raises(ForeignCollector) as caught:
        sent(collector, secured(by=untimely), Identity(tmp_path))
    assert caught.value.message == Message("authority_untimely")
    assert "rotate --finish" in words(caught.value, "nl")
    assert collector.paths == []


def test_a_clock_that_is_certainly_behind_keeps_nobody(collector, secured, state):
    who = Identity(state)
    who.hear(now() + 45 * DAY * 10**6)
    assert sent(collector, secured((40, 130), 50), who).seq == 0
    assert who.trouble.key == "clock_behind"


def test_what_was_heard_is_known_after_a_restart(state):
    who = Identity(state)
    later = now() + 45 * DAY * 10**6
    who.hear(later)
    who.note()
    assert Identity(state).known_time == later
    (state / CLOCK_FILE).write_text("no number")
    assert Identity(state).known_time == who.issued


@pytest.mark.parametrize("ahead", [0, -200, 300])
def test_a_certificate_that_ran_out_by_its_own_clock_too_is_a_strangers(
    collector, secured, state, ahead
):
    who = Identity(state)
    who.issued -= 150 * DAY * 10**6
    with pytest.raises(ForeignCollector):
        sent(collector, secured((-100, -10), ahead), who)


def test_a_time_before_what_it_said_already_is_a_strangers(collector, secured, state):
    with pytest.raises(ForeignCollector):
        sent(collector, secured((-100, -10), -50), Identity(state))


@pytest.mark.parametrize("damage", [b"", b"issued 1 expires 2\n", b"\xff", None])
def test_an_identity_that_cannot_be_used_is_one_line(state, damage):
    path = state / "identity.pem"
    path.write_bytes(damage if damage is not None else path.read_bytes()[:-100])
    with pytest.raises(SettingsError, match=r"identity\.pem"):
        Identity(state)


def test_a_certificate_for_another_key_is_not_kept(state, authority):
    before = (state / "identity.pem").read_bytes()
    with pytest.raises(TransferError, match="cannot be used"):
        write_identity(state, make_key().key, authority.grant(make_key().request))
    assert (state / "identity.pem").read_bytes() == before
    assert sorted(path.name for path in state.iterdir()) == ["authority.pem", "identity.pem"]


def test_the_agents_own_process_reads_no_certificate(state):
    script = (
        "import sys; from pathlib import Path; from dijkwacht_agent import cli, run;"
        "from dijkwacht_agent.identity import Identity, make_key; Identity(Path(sys.argv[1]));"
        "make_key(); print([m for m in sys.modules if 'x509' in m])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, state], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


class Line:
    """A way to the collector that answers with what is next in ``script``."""

    def __init__(self, authority):
        self.authority, self.script, self.asked = authority, [], threading.Event()

    def ask(self, method, path, body=b""):
        self.asked.set()
        if self.script:
            raise self.script.pop(0)
        request = base64.b64decode(msgspec.json.decode(body)["request"])
        return msgspec.json.encode(self.authority.grant(request))


@pytest.fixture
def renewal(state, authority):
    made = Renewal("https://localhost", Identity(state), state)
    made._line = Line(authority)
    yield made
    made.stop(20)


def test_it_is_renewed_at_half_its_life_with_another_key(renewal, state):
    who = renewal._identity
    assert not renewal.due()
    half = who.issued + 15 * DAY * 10**6
    who.clock = lambda: half
    assert renewal.due()
    before, version = (state / "identity.pem").read_bytes(), who.version
    renewal.renew()
    assert who.version == version + 1
    after = (state / "identity.pem").read_bytes()
    assert (
        after.split(b"-----END")[0].split(b"\n", 1)[1]
        != before.split(b"-----END")[0].split(b"\n", 1)[1]
    )


def test_a_collector_that_was_ahead_for_a_moment_has_nobody_renew_for_ever(renewal, state):
    who = renewal._identity
    who.hear(now() + 4000 * DAY * 10**6)
    who.note()
    assert renewal.due()
    renewal.renew()
    assert not renewal.due()
    who.note()
    renewal._identity = Identity(state)
    assert not renewal.due()


def test_a_clock_that_is_weeks_ahead_has_nobody_renew_for_ever(renewal):
    who = renewal._identity
    who.clock = lambda: now() + 40 * DAY * 10**6
    assert renewal.due()  # for nobody has said what time it is
    who.hear(now())
    assert not renewal.due()
    renewal._failed = Message("os_timeout")
    assert renewal.trouble is None


def test_what_was_heard_goes_on_by_a_clock_that_nobody_sets(state):
    passed = [7.0]
    who = Identity(state, steady=lambda: passed[0])
    who.hear(now())
    assert not who.late(who.now())
    passed[0] += 25 * DAY
    assert who.late(who.now())


def test_what_a_killed_renewal_left_goes_with_the_next(renewal, state):
    (state / ".trying-killed").mkdir()
    (state / ".trying-killed" / "identity.pem").write_text("a key")
    renewal.renew()
    assert not list(state.glob(".trying-*"))


def test_trouble_is_said_from_three_quarters_of_the_life_on(renewal):
    who = renewal._identity
    renewal._failed = Message("os_timeout")
    for day, key in ((20, None), (24, "renewal_late"), (31, "renewal_over")):
        time_then = who.issued + day * DAY * 10**6
        who.clock = lambda time_then=time_then: time_then
        assert (renewal.trouble.key if renewal.trouble else None) == key
    assert "verlopen" in words(renewal.trouble, "nl")


def test_what_ran_out_is_renewed_at_once_and_a_failure_is_tried_again(renewal, monkeypatch):
    monkeypatch.setattr("dijkwacht_agent.renewal.PAUSES_S", (0.01, 0.02))
    renewal._pause_s = 0.01
    renewal._line.script = [OSError("away"), TransferError("odd")]
    who = renewal._identity
    over = who.expires + DAY * 10**6
    who.clock = lambda: over
    renewal.start()
    renewal.hasten()
    end = time.monotonic() + 60
    while who.version == 1:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_uplink_asks_for_a_renewal_when_it_is_told_that_it_ran_out(tmp_path):
    told = []
    with contextlib.closing(Spool(tmp_path / "spool")) as spool:
        spool.append(b"a", 1)

        def post(_wire):
            raise CertificateExpired("over")

        uplink = Uplink(spool, post, now)
        uplink.on_expired = lambda: told.append(1)
        assert 0 < uplink.send(spool.peek()) < 60
        assert told == [1]
        assert spool.rows_waiting == 1


def test_a_wrong_clock_keeps_what_is_seen_and_it_goes_on_when_the_clock_does(tmp_path):
    answers = [WrongClock("ahead"), ForeignCollector("who?"), Reply(0, False, now())]

    def post(_wire):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with contextlib.closing(Spool(tmp_path / "spool")) as spool:
        spool.append(b"a", 1)
        uplink = Uplink(spool, post, now)
        for _ in range(2):
            assert uplink.send(spool.peek()) > 0
            assert (spool.rows_waiting, uplink.trouble.key) == (1, "trouble_unreachable")
        assert uplink.send(spool.peek()) == 0
        assert (spool.rows_waiting, uplink.trouble) == (0, None)


def joined_settings(url):
    return Settings(site="bakery", agent="till", url=url)


def test_check_tells_a_wrong_clock_and_a_stranger_apart(collector, secured, state):
    identity = (state / "identity.pem").read_text()
    who = Identity(state)
    past = who.issued - 60 * DAY * 10**6
    (state / "identity.pem").write_text(identity.replace(f"issued {who.issued}", f"issued {past}"))
    found = list(check_collector(joined_settings(secured((-100, -10), -50)), state))
    assert [each.key for each in found] == ["joined", "clock_wrong"]
    assert found[-1].values["offset"] == pytest.approx(50 * DAY, abs=60)


def test_check_says_that_it_is_a_stranger(collector, secured, state):
    found = list(check_collector(joined_settings(secured(by=Authority())), state))
    assert [each.key for each in found] == ["joined", "collector_foreign"]
    assert "niet te vertrouwen" in found[-1].sentence("nl")


@pytest.mark.parametrize("kind", [CertificateUnknown, CertificateExpired])
def test_the_word_of_a_refusal_is_read_back(collector, secured, state, kind):
    url = secured()
    collector.script = [(401, encode_reply(Refusal(kind.reason, "no")), ())]
    with contextlib.closing(Post(url, Identity(state))) as post, pytest.raises(kind) as caught:
        post(b"one")
    assert words(caught.value, "nl") != words(caught.value, "en")
