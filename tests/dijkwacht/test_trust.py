"""Agents and a collector over mutual TLS: a real collector, the agent's own code, and strangers."""

import contextlib
import datetime as dt
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dijkwacht_agent import enrolling, identity
from dijkwacht_agent.identity import IDENTITY_FILE, Identity
from dijkwacht_agent.join import join, join_site, read_who
from dijkwacht_agent.renewal import Renewal
from dijkwacht_agent.uplink import Post
from dijkwacht_collector.sites import Sites
from dijkwacht_collector.sites.authority import Authority
from dijkwacht_collector.sites.speaker import Speaker
from dijkwacht_records.enrolment import PATH, Enrolment, stretch
from dijkwacht_records.errors import (
    CertificateExpired,
    CertificateRevoked,
    CertificateUnknown,
    CollectorBusy,
    ForeignCollector,
    NoCertificate,
    NotAuthorised,
)
from dijkwacht_records.joincode import read_code
from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import encode

BEAT = TABLES.index(AGENT), (1, *(0 for _ in AGENT.columns[1:]))
pytestmark = pytest.mark.timeout(240)


class Collector:
    """``dijkwacht collect`` over TLS on a port of this machine."""

    def __init__(self, folder):
        self.state = folder / "collector"
        settings = folder / "collector.toml"
        settings.write_text('tls = "on"\ntraining = false\njoins_per_minute = 3\n')
        words = ["collect", "--state", self.state, "--settings", settings]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dijkwacht.cli", *words, "--listen", "127.0.0.1:0"],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = []
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(r"listening on https://127\.0\.0\.1:(\d+)", line):
                break
        else:
            pytest.fail("".join(self.said))
        self.port = int(found[1])
        self.url = f"https://127.0.0.1:{self.port}"
        self.codes = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self):
        self.said.extend(self.process.stderr)

    def sites(self, act):
        sites = Sites(self.state / "sites.db")
        sites.open()
        try:
            return act(sites)
        finally:
            sites.close()

    def code(self, url=None):
        now = time.time_ns() // 1000
        made = self.sites(lambda s: s.make_join_code("bakery", url or self.url, now))
        self.codes.append(made)
        return made

    def execute(self, query, *values):
        with contextlib.closing(sqlite3.connect(self.state / "sites.db")) as database, database:
            return database.execute(query, values).fetchall()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        self._listener.join()
        self.process.stderr.close()


@pytest.fixture(scope="module")
def collector(tmp_path_factory):
    running = Collector(tmp_path_factory.mktemp("trust"))
    running.sites(lambda sites: sites.add("bakery", 1))
    yield running
    running.stop()


def batch(agent, seq=0):
    return encode("bakery", agent, os.urandom(16), seq, time.time_ns() // 1000, [BEAT])


def joined(collector, state, name):
    """The folder of an agent that joined, also where somebody has failed too often just before."""
    code = collector.code()

    def joins():
        with contextlib.suppress(CollectorBusy):
            return join(code, state, name)

    until_true(joins)
    return state


def send(collector, state, name):
    post = Post(collector.url, read_who(state))
    with contextlib.closing(post):
        return post(batch(name))


def until_raised(kind, act, limit_s=20.0):
    """Another process takes a moment to hear of what was written into its database."""
    end = time.monotonic() + limit_s
    while True:
        try:
            act()
        except kind as error:
            return error
        assert time.monotonic() < end, f"no {kind.__name__}"
        time.sleep(0.05)


def test_an_agent_joins_and_sends_by_its_certificate(collector, tmp_path):
    settings, _, remark = join_site(collector.code(), tmp_path, "till")
    assert (settings.site, settings.agent, settings.url) == ("bakery", "till", collector.url)
    assert remark is None
    assert not (tmp_path / "token").exists()
    assert not (tmp_path / enrolling.JOINING_FILE).exists()
    assert {p.name: p.stat().st_mode & 0o777 for p in tmp_path.glob("*.pem")} == {
        "identity.pem": 0o600,
        "authority.pem": 0o600,
    }
    assert send(collector, tmp_path, "till").duplicate is False
    who = Identity(tmp_path)
    life = dt.timedelta(microseconds=who.expires - who.issued)
    assert life == dt.timedelta(days=30)
    certificate = x509.load_pem_x509_certificate((tmp_path / IDENTITY_FILE).read_bytes())
    [uri] = certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value.get_values_for_type(x509.UniformResourceIdentifier)
    assert uri == "urn:dijkwacht:site:bakery:agent:till"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_only_tls_1_3_is_spoken(collector):
    def offered(version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", collector.port), timeout=10) as bare:
            try:
                with context.wrap_socket(bare) as line:
                    return line.version(), line.cipher()[0]
            except (ssl.SSLError, ConnectionError):
                return None

    old = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2]
    assert [offered(version) for version in old] == [None, None, None]
    version, cipher = offered(ssl.TLSVersion.TLSv1_3)
    assert version == "TLSv1.3"
    assert cipher == "TLS_AES_256_GCM_SHA384"


@pytest.mark.tools("openssl")
def test_a_scan_finds_the_suites_of_tls_1_3_and_nothing_else(collector):
    def taken(*options):
        words = ["openssl", "s_client", "-connect", f"127.0.0.1:{collector.port}", *options]
        done = subprocess.run(words, input=b"", capture_output=True, timeout=30, check=False)
        found = re.search(rb"New, (TLSv[\d.]+), Cipher is (\S+)", done.stdout)
        return found and found[1].decode() == "TLSv1.3"

    good = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
    weak = ["TLS_AES_128_CCM_8_SHA256"]
    assert [bool(taken("-tls1_3", "-ciphersuites", suite)) for suite in good] == [True] * 3
    assert [bool(taken("-tls1_3", "-ciphersuites", suite)) for suite in weak] == [False]
    assert not taken("-tls1_2")


def test_a_token_or_nothing_is_no_certificate(collector, tmp_path):
    state = joined(collector, tmp_path, "tokened")
    token = collector.sites(lambda sites: sites.make_token("bakery", "tokened", 1))
    for who in ("", token):
        post = Post(collector.url, who, state / "authority.pem")
        with contextlib.closing(post), pytest.raises(NoCertificate):
            post(batch("tokened"))


def test_a_revoked_certificate_is_refused_on_a_connection_that_is_open(collector, tmp_path):
    state = joined(collector, tmp_path, "revoked")
    post = Post(collector.url, read_who(state))
    post(batch("revoked"))
    assert collector.sites(lambda sites: sites.revoke("bakery", "revoked", 1)) == 1
    until_raised(CertificateRevoked, lambda: post(batch("revoked")))
    post.close()
    with pytest.raises(CertificateRevoked):
        Renewal(collector.url, read_who(state), state).renew()


def test_an_expired_certificate_is_refused_and_renews_itself(collector, tmp_path):
    state = joined(collector, tmp_path, "expired")
    who = read_who(state)
    now = time.time_ns() // 1000
    collector.execute("UPDATE certificates SET expires = ? WHERE agent = 'expired'", now - 1)
    until_raised(CertificateExpired, lambda: send(collector, state, "expired"))
    Renewal(collector.url, who, state).renew()
    assert send(collector, state, "expired").seq == 0


def test_a_renewed_certificate_takes_the_place_of_the_one_before_once_it_is_used(
    collector, tmp_path
):
    state, former = joined(collector, tmp_path / "now", "renewed"), tmp_path / "before"
    shutil.copytree(state, former)
    who = read_who(state)
    post = Post(collector.url, who)
    post(batch("renewed"))
    key = (state / IDENTITY_FILE).read_bytes()
    Renewal(collector.url, who, state).renew()
    assert (state / IDENTITY_FILE).read_bytes() != key
    send(collector, former, "renewed")  # the new one was not used yet
    post(batch("renewed"))
    post.close()
    with pytest.raises(CertificateUnknown):
        send(collector, former, "renewed")
    with pytest.raises(CertificateUnknown):
        Renewal(collector.url, read_who(former), former).renew()


def other_authority(folder):
    made = Authority(folder, ["127.0.0.1"], lambda: time.time_ns() // 1000)
    made.open()
    return made


def test_a_certificate_of_another_authority_is_refused_by_that_word(collector, tmp_path):
    state = joined(collector, tmp_path / "state", "foreign")
    key = ec.generate_private_key(ec.SECP256R1())
    built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    now = time.time_ns() // 1000
    leaf = other_authority(tmp_path / "other").issue(request, Speaker("bakery", "foreign"), now)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(*form, serialization.NoEncryption()).decode()
    head = f"issued {leaf.issued} expires {leaf.expires}\n"
    (state / IDENTITY_FILE).write_text(head + pem + leaf.pem)
    with pytest.raises(CertificateUnknown):
        send(collector, state, "foreign")


def test_another_collector_is_told_nothing(collector, tmp_path):
    state = joined(collector, tmp_path / "state", "loyal")
    authority = other_authority(tmp_path / "other")
    with Relay(collector.port, authority.context) as relay:
        post = Post(relay.url, read_who(state))
        with contextlib.closing(post), pytest.raises(ForeignCollector):
            post(batch("loyal"))
        assert relay.heard == b""


class Relay:
    """Stands between an agent and the collector, with a certificate of its own."""

    def __init__(self, port, context):
        self._there, self._context = port, context
        self.heard = b""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.close()

    def _run(self):
        onward = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        onward.check_hostname, onward.verify_mode = False, ssl.CERT_NONE
        with contextlib.suppress(OSError):
            while True:
                bare, _ = self._server.accept()
                with contextlib.suppress(OSError), bare:
                    bare.settimeout(10)
                    near = self._context.wrap_socket(bare, server_side=True)
                    said = near.recv(65536)
                    while b"\r\n\r\n" not in said or not said.endswith(b"}"):
                        said += near.recv(65536)
                    self.heard += said
                    with socket.create_connection(("127.0.0.1", self._there), 10) as raw:
                        far = onward.wrap_socket(raw)
                        far.sendall(said)
                        near.sendall(far.recv(65536))
                    near.unwrap()


def test_whoever_stands_between_while_joining_spends_nothing_and_learns_nothing(
    collector, tmp_path
):
    authority = other_authority(tmp_path / "other")
    with Relay(collector.port, authority.context) as relay:
        code = collector.code(relay.url)
        with pytest.raises(ForeignCollector):
            join(code, tmp_path / "state", "between")
        _, secret = read_code(code)
        for learnt in (secret, secret.hex().encode(), code[:23].encode(), *stretch(secret)[1:]):
            assert learnt not in relay.heard
    direct = code[:23] + "@" + collector.url.removeprefix("https://")
    assert join(direct, tmp_path / "state", "between").agent == "between"
    assert any("somebody stands in between" in line for line in collector.said)


def test_an_answer_that_is_lost_does_not_burn_the_code(collector, tmp_path, monkeypatch):
    code, real = collector.code(), http.client.HTTPConnection.getresponse

    def lost(self):
        real(self).read()
        raise ConnectionResetError

    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", lost)
    with pytest.raises(ConnectionResetError):
        join(code, tmp_path / "state")
    monkeypatch.undo()
    with pytest.raises(NotAuthorised):  # bound to the key of the first
        join(code, tmp_path / "another", "lost")
    first = json.loads((tmp_path / "state" / enrolling.JOINING_FILE).read_bytes())["agent"]
    assert join(code, tmp_path / "state").agent == first
    assert send(collector, tmp_path / "state", first).seq == 0
    rows = collector.execute("SELECT count(*) FROM certificates WHERE agent = ?", first)
    assert rows == [(1,)], "what was lost is kept no more"
    with pytest.raises(NotAuthorised):
        join(code, tmp_path / "another", "lost")


def test_strangers_block_nobody_who_joins(collector, tmp_path):
    code = collector.code()
    with contextlib.ExitStack() as stack:
        for number in range(200):  # half a handshake each, or what is none
            line = stack.enter_context(
                socket.create_connection(("127.0.0.1", collector.port), timeout=10)
            )
            with contextlib.suppress(OSError):
                line.sendall((b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n")[number % 2])
        statuses = [wrong_proof(collector, bytes(16)) for _ in range(6)]
        assert statuses[-1] == 503, "who guesses has to wait"
        known = stretch(read_code(code)[1]).id
        until_true(lambda: wrong_proof(collector, known) == 401)
        assert join(code, tmp_path, "guest").agent == "guest"


def until_true(true, limit_s=20.0):
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def wrong_proof(collector, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    line = http.client.HTTPSConnection("127.0.0.1", collector.port, context=context, timeout=10)
    with contextlib.closing(line):
        asked = Enrolment(name, "x", b"", bytes(32), b"", bytes(32))
        line.request("POST", PATH, msgspec.json.encode(asked))
        return line.getresponse().status


def test_no_secret_is_an_argument_of_a_process_or_in_what_is_said(collector, tmp_path, monkeypatch):
    seen, real = [], subprocess.run

    def run(command, **options):
        seen.append((command, options["input"]))
        return real(command, **options)

    monkeypatch.setattr(identity.subprocess, "run", run)
    state = joined(collector, tmp_path, "silent")
    code = collector.codes[-1]
    key = (state / IDENTITY_FILE).read_text().split("-----")[2].strip()
    secrets = {key.splitlines()[1], code[:23], read_code(code)[1].hex()}
    command, told = seen[-1]
    assert command == [sys.executable, "-I", identity.certificate_request.__file__]
    context = Identity(state).context()
    context.check_hostname = False
    line = http.client.HTTPSConnection("127.0.0.1", collector.port, context=context, timeout=10)
    line.request("GET", "/metrics")
    told += line.getresponse().read()
    line.close()
    arguments = b"".join(
        path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
    )
    said = "".join(collector.said) + arguments.decode(errors="replace") + told.decode()
    assert not [secret for secret in secrets if secret in said]
