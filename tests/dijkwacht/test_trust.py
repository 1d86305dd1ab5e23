"""Agents and a collector over mutual TLS: a real collector, the agent's own code, and strangers."""

import contextlib
import datetime as dt
import http.client
import re
import shutil
import socket
import sqlite3
import ssl
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dijkwacht import cli
from dijkwacht_agent import enrolling
from dijkwacht_agent.check import check_collector, check_selftest
from dijkwacht_agent.identity import AUTHORITY_FILE, IDENTITY_FILE, Identity
from dijkwacht_agent.join import join_site, read_who
from dijkwacht_agent.renewal import Renewal
from dijkwacht_agent.settings import read_settings
from dijkwacht_agent.uplink import Post
from dijkwacht_collector.sites import Sites
from dijkwacht_collector.sites.authority import Authority
from dijkwacht_collector.sites.certificates import keep_certificate
from dijkwacht_collector.sites.speaker import Speaker
from dijkwacht_records.errors import (
    CertificateExpired,
    CertificateRevoked,
    CertificateUnknown,
    ForeignCollector,
    NoCertificate,
    NotAuthorised,
)
from dijkwacht_records.tables import AGENT, TABLES

BEAT = TABLES.index(AGENT), (1, *(0 for _ in AGENT.columns[1:]))
pytestmark = pytest.mark.timeout(240)


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


def test_an_agent_joins_and_sends_by_its_certificate(secure, tmp_path):
    settings, _, remark = join_site(secure.code(), tmp_path, "till")
    assert (settings.site, settings.agent, settings.url) == ("bakery", "till", secure.url)
    assert remark is None
    assert not (tmp_path / "token").exists()
    assert not (tmp_path / enrolling.JOINING_FILE).exists()
    assert {p.name: p.stat().st_mode & 0o777 for p in tmp_path.glob("*.pem")} == {
        "identity.pem": 0o600,
        "authority.pem": 0o600,
    }
    assert secure.send(tmp_path, "till").duplicate is False
    who = Identity(tmp_path)
    life = dt.timedelta(microseconds=who.expires - who.issued)
    assert life == dt.timedelta(days=30)
    certificate = x509.load_pem_x509_certificate((tmp_path / IDENTITY_FILE).read_bytes())
    [uri] = certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value.get_values_for_type(x509.UniformResourceIdentifier)
    assert uri == "urn:dijkwacht:site:bakery:agent:till"


def test_the_self_test_goes_by_the_certificate_too(secure, tmp_path):
    settings, _, _ = join_site(secure.code(), tmp_path, "till")
    found = list(check_selftest(settings, tmp_path))
    assert [finding.key for finding in found if not finding.ok] == []
    assert any(finding.key == "selftest_collector" for finding in found), found


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_only_tls_1_3_is_spoken(secure):
    def offered(version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", secure.port), timeout=10) as bare:
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
def test_a_scan_finds_the_suites_of_tls_1_3_and_nothing_else(secure):
    def taken(*options):
        words = ["openssl", "s_client", "-connect", f"127.0.0.1:{secure.port}", *options]
        done = subprocess.run(words, input=b"", capture_output=True, timeout=30, check=False)
        found = re.search(rb"New, (TLSv[\d.]+), Cipher is (\S+)", done.stdout)
        return found and found[1].decode() == "TLSv1.3"

    good = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
    weak = ["TLS_AES_128_CCM_8_SHA256"]
    assert [bool(taken("-tls1_3", "-ciphersuites", suite)) for suite in good] == [True] * 3
    assert [bool(taken("-tls1_3", "-ciphersuites", suite)) for suite in weak] == [False]
    assert not taken("-tls1_2")


def test_a_token_or_nothing_is_no_certificate(secure, tmp_path):
    state = secure.joined(tmp_path, "tokened")
    token = secure.sites(lambda sites: sites.make_token("bakery", "tokened", 1))
    for who in ("", token):
        post = Post(secure.url, who, state / "authority.pem")
        with contextlib.closing(post), pytest.raises(NoCertificate):
            post(secure.batch("tokened"))


def test_a_certificate_speaks_for_its_own_agent_alone(secure, tmp_path):
    state = secure.joined(tmp_path, "honest")
    with contextlib.closing(Post(secure.url, read_who(state))) as post:
        with pytest.raises(NotAuthorised) as caught:
            post(secure.batch("another"))
        assert type(caught.value) is NotAuthorised
        assert post(secure.batch("honest")).seq == 0


def test_the_collectors_own_certificate_is_no_agents(secure, tmp_path):
    state = secure.joined(tmp_path, "double")
    head, own = "issued 1 expires 2\n", (secure.state / "authority" / "server.pem").read_text()
    (state / IDENTITY_FILE).write_text(head + own)
    with pytest.raises(CertificateUnknown):
        secure.send(state, "double")


def test_a_revoked_certificate_is_refused_on_a_connection_that_is_open(secure, tmp_path):
    state = secure.joined(tmp_path, "revoked")
    post = Post(secure.url, read_who(state))
    post(secure.batch("revoked"))
    assert secure.sites(lambda sites: sites.revoke("bakery", "revoked", 1)) == 1
    until_raised(CertificateRevoked, lambda: post(secure.batch("revoked")))
    post.close()
    with pytest.raises(CertificateRevoked):
        Renewal(secure.url, read_who(state), state).renew()


def test_an_expired_certificate_is_refused_and_renews_itself(secure, tmp_path):
    state = secure.joined(tmp_path, "expired")
    who = read_who(state)
    now = time.time_ns() // 1000
    secure.execute("UPDATE certificates SET expires = ? WHERE agent = 'expired'", now - 1)
    until_raised(CertificateExpired, lambda: secure.send(state, "expired"))
    Renewal(secure.url, who, state).renew()
    assert secure.send(state, "expired").seq == 0


def test_a_renewed_certificate_takes_the_place_of_the_one_before_once_it_is_used(secure, tmp_path):
    state, former = secure.joined(tmp_path / "now", "renewed"), tmp_path / "before"
    shutil.copytree(state, former)
    who = read_who(state)
    post = Post(secure.url, who)
    post(secure.batch("renewed"))
    key = (state / IDENTITY_FILE).read_bytes()
    Renewal(secure.url, who, state).renew()
    assert (state / IDENTITY_FILE).read_bytes() != key
    secure.send(former, "renewed")  # the new one was not used yet
    post(secure.batch("renewed"))
    post.close()
    with pytest.raises(CertificateUnknown):
        secure.send(former, "renewed")
    with pytest.raises(CertificateUnknown):
        Renewal(secure.url, read_who(former), former).renew()


def other_authority(folder):
    made = Authority(folder, ["127.0.0.1"], lambda: time.time_ns() // 1000)
    made.open()
    return made


def test_a_certificate_of_another_authority_is_refused_by_that_word(secure, tmp_path):
    state = secure.joined(tmp_path / "state", "foreign")
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
        secure.send(state, "foreign")


def test_another_collector_is_told_nothing(secure, relay, tmp_path):
    state = secure.joined(tmp_path / "state", "loyal")
    with relay(secure.port) as between:
        post = Post(between.url, read_who(state))
        with contextlib.closing(post), pytest.raises(ForeignCollector):
            post(secure.batch("loyal"))
        assert between.heard == b""


def test_an_agent_renews_while_it_sends_and_nothing_is_refused(secure, tmp_path, monkeypatch):
    monkeypatch.setattr("dijkwacht_agent.renewal.LOOK_S", 0.01)
    state = secure.joined(tmp_path, "busy")
    who = read_who(state)
    who.issued -= 20 * 86_400_000_000
    who.expires -= 20 * 86_400_000_000
    renewal = Renewal(secure.url, who, state)
    renewal.start()
    sent, end = 0, time.monotonic() + 30
    with contextlib.closing(Post(secure.url, who)) as post:
        while who.version == 1 or sent < 20:
            assert post(secure.batch("busy")).duplicate is False
            sent += who.version > 1
            assert time.monotonic() < end
    renewal.stop(20)
    assert renewal.trouble is None
    assert Identity(state).expires == who.expires


def test_check_says_that_each_knows_the_other(secure, tmp_path):
    state = secure.joined(tmp_path, "checked")
    found = {each.key: each.ok for each in check_collector(read_settings(state, {}), state)}
    assert found["certificate_good"]
    assert found["token_good"]
    who = read_who(state)
    text = (state / IDENTITY_FILE).read_text()
    past = who.issued - 25 * 86_400_000_000
    aged = text.replace(
        f"issued {who.issued} expires {who.expires}",
        f"issued {past} expires {past + 30 * 86_400_000_000}",
    )
    (state / IDENTITY_FILE).write_text(aged)
    found = {each.key: each.ok for each in check_collector(read_settings(state, {}), state)}
    assert found["certificate_late"] is False


def test_a_page_of_the_other_scheme_is_a_strangers(secure):
    context = ssl.create_default_context(cadata=(secure.state / "authority/root-1.pem").read_text())
    statuses = []
    for scheme in ("http", "https"):
        line = http.client.HTTPSConnection("127.0.0.1", secure.port, timeout=20, context=context)
        origin = {"Origin": f"{scheme}://127.0.0.1:{secure.port}"}
        with contextlib.closing(line):
            line.request("POST", "/incidents/none/verdict", b"verdict=normal", origin)
            statuses.append(line.getresponse().status)
    assert statuses[0] == 403
    assert statuses[1] != 403


def test_the_authority_is_replaced_without_an_agent_noticing(secure, tmp_path, capsys):
    """The last of these: what joined before and does not renew is left behind."""
    state, late = secure.joined(tmp_path / "a", "rotates"), secure.joined(tmp_path / "b", "late")
    command = ["authority", "--state", str(secure.state)]
    secure.send(state, "rotates")
    assert cli.main([*command, "rotate"]) == 0
    assert cli.main([*command, "rotate"]) == 2
    assert "being rotated already" in capsys.readouterr().err

    def renewed():
        Renewal(secure.url, read_who(state), state).renew()
        return (state / AUTHORITY_FILE).read_text().count("BEGIN") == 2 or None

    end = time.monotonic() + 20
    while not renewed():  # until the collector has heard of it
        assert time.monotonic() < end
    secure.send(state, "rotates")
    secure.send(late, "late")
    assert cli.main([*command, "show"]) == 0
    old, _, new, _ = capsys.readouterr().out.splitlines()
    assert old.startswith("root 1: shown, until 2036-")
    assert new.startswith("root 2: signs, until 2036-")
    assert cli.main([*command, "rotate", "--finish"]) == 0
    assert "must join again" in capsys.readouterr().out
    until_raised(ForeignCollector, lambda: secure.send(late, "late"))
    secure.send(state, "rotates")
    assert cli.main([*command, "show", "--pem"]) == 0
    assert capsys.readouterr().out.count("BEGIN") == 1
    assert cli.main([*command, "rotate", "--finish"]) == 2
    assert cli.main(["authority", "--state", str(tmp_path), "show"]) == 2
    assert "no authority in this folder" in capsys.readouterr().err


def test_an_authority_made_by_a_clock_that_was_ahead_is_told_and_replaced(tmp_path, capsys):
    then = time.time_ns() // 1000 + 4 * 365 * 86_400_000_000
    authority = Authority(tmp_path / "authority", [], lambda: then)
    authority.open()
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    sites.close()
    built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = built.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    till = Speaker("bakery", "till")
    leaf = authority.issue(request.public_bytes(serialization.Encoding.DER), till, then)
    with contextlib.closing(sqlite3.connect(tmp_path / "sites.db")) as database, database:
        keep_certificate(database, till, leaf, then)
    command = ["authority", "--state", str(tmp_path)]
    assert cli.main([*command, "show"]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith(
        "! no agent can take this collector's certificate: its authority is valid from"
    )
    assert cli.main([*command, "rotate", "--finish"]) == 0
    told = capsys.readouterr().out
    assert "Agents that must join again: 1." in told
    assert "till of bakery" in told
    assert "dijkwacht-agent join CODE --again" in told
    assert cli.main([*command, "show"]) == 0
    assert "!" not in capsys.readouterr().out
    assert cli.main([*command, "rotate", "--finish"]) == 2
    assert "no rotation is under way" in capsys.readouterr().err
    ahead = Authority(tmp_path / "authority", [], lambda: then + 20 * 365 * 86_400_000_000)
    ahead.read()
    ahead.rotate()
    assert cli.main([*command, "rotate", "--finish"]) == 2
    assert "is the clock right?" in capsys.readouterr().err
