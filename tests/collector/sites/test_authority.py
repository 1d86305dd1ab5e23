import contextlib
import errno
import os
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dijkwacht_collector.journal import replace_file
from dijkwacht_collector.settings import DAY_US
from dijkwacht_collector.sites import authority as module
from dijkwacht_collector.sites.authority import ROTATE_DAYS, Authority
from dijkwacht_collector.sites.certificate_making import (
    AGENT_DAYS,
    ROOT_DAYS,
    SERVER_DAYS,
    key_digest,
)
from dijkwacht_collector.sites.speaker import Speaker
from dijkwacht_records.enrolment import COLLECTOR_NAME
from dijkwacht_records.errors import DijkwachtError, MalformedBatch

NOW = 1_790_000_000_000_000
TILL = Speaker("bakery", "till")


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def authority(tmp_path, clock):
    made = Authority(tmp_path / "authority", ["lab.example.nl", "192.0.2.7"], clock)
    made.open()
    return made


def request(key=None, name="who cares"):
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    built = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def server(folder):
    return x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())


def test_what_it_makes_is_its_owners_alone_and_serves_again(authority, tmp_path, clock):
    folder = tmp_path / "authority"
    assert {p.name: p.stat().st_mode & 0o777 for p in folder.iterdir()} == {
        "root-1.pem": 0o600,
        "server.pem": 0o600,
    }
    assert folder.stat().st_mode & 0o777 == 0o700
    again = Authority(folder, ["192.0.2.7", "lab.example.nl"], clock)
    again.open()
    assert again.bundle == authority.bundle
    assert again.context.fingerprint == authority.context.fingerprint


def test_what_others_could_read_is_shut_and_told(authority, tmp_path, clock, caplog):
    folder = tmp_path / "authority"
    (folder / "root-1.pem").chmod(0o644)
    folder.chmod(0o755)
    Authority(folder, [], clock).open()
    assert (folder / "root-1.pem").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    told = [getattr(record, "path", "") for record in caplog.records]
    assert told == [str(folder), str(folder / "root-1.pem")]


def test_the_collectors_certificate_is_for_the_name_that_agents_ask_for(authority, tmp_path):
    certificate = server(tmp_path / "authority")
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {COLLECTOR_NAME, "localhost", "lab.example.nl"} == set(
        held.get_values_for_type(x509.DNSName)
    )
    addresses = map(str, held.get_values_for_type(x509.IPAddress))
    assert set(addresses) == {"127.0.0.1", "::1", "192.0.2.7"}


def test_another_name_makes_another_certificate(authority, tmp_path, clock):
    before = authority.context.fingerprint
    other = Authority(tmp_path / "authority", ["elsewhere.example"], clock)
    other.open()
    assert other.context.fingerprint != before


def test_an_agent_gets_what_it_is_and_not_what_it_asks_for(authority):
    asked = request(name="somebody else")
    leaf = authority.issue(asked, TILL, NOW)
    certificate = x509.load_pem_x509_certificate(leaf.pem.encode())
    root = x509.load_pem_x509_certificate(authority.bundle.encode())
    certificate.verify_directly_issued_by(root)
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = held.get_values_for_type(x509.UniformResourceIdentifier)
    assert uris == ["urn:dijkwacht:site:bakery:agent:till"]
    [use] = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert use == x509.ExtendedKeyUsageOID.CLIENT_AUTH
    assert certificate.subject.rfc4514_string() == "CN=till,O=bakery"
    assert leaf.expires - leaf.issued == AGENT_DAYS * DAY_US
    assert (leaf.key, len(leaf.serial)) == (key_digest(certificate.public_key()), 32)
    assert certificate.public_key() == x509.load_der_x509_csr(asked).public_key()
    assert int(leaf.serial, 16) == certificate.serial_number
    assert authority.issue(asked, TILL, NOW).serial != leaf.serial


OTHER_KEYS = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "p-384": lambda: ec.generate_private_key(ec.SECP384R1()),
}


@pytest.mark.parametrize("make", OTHER_KEYS.values(), ids=OTHER_KEYS)
def test_a_key_of_another_kind_gets_none(authority, make):
    with pytest.raises(MalformedBatch, match="P-256"):
        authority.issue(request(make()), TILL, NOW)


@pytest.mark.parametrize("junk", [b"", b"0", bytes(500), b"\x30\x82\xff\xff"])
def test_what_is_no_request_gets_none(authority, junk):
    with pytest.raises(MalformedBatch, match="no request"):
        authority.issue(junk, TILL, NOW)


REQUEST = request()


@given(st.lists(st.tuples(st.integers(0, 180), st.integers(0, 255)), min_size=1, max_size=4))
@example([(7, 1)])  # another version of requests
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_request_is_refused_by_one_word(authority, damage):
    asked = bytearray(REQUEST)
    for place, value in damage:
        asked[place] = value
    with contextlib.suppress(MalformedBatch):
        authority.issue(bytes(asked), TILL, NOW)


def test_a_request_of_a_version_that_there_is_none_of_is_no_request(authority):
    asked = bytearray(request())
    asked[7] = 1
    with pytest.raises(MalformedBatch, match="no request for a certificate: InvalidVersion"):
        authority.issue(bytes(asked), TILL, NOW)


def test_a_request_that_its_key_did_not_sign_gets_none(authority):
    asked = bytearray(request())
    asked[-1] ^= 1
    with pytest.raises(MalformedBatch):
        authority.issue(bytes(asked), TILL, NOW)


def test_the_collectors_certificate_is_renewed_at_half_its_life(authority, tmp_path, clock):
    first = authority.context
    clock.now += SERVER_DAYS * DAY_US // 2 - 1
    authority.refresh()
    assert authority.context is first
    clock.now += DAY_US
    authority.refresh()
    assert authority.context.fingerprint != first.fingerprint
    assert server(tmp_path / "authority").not_valid_after_utc.timestamp() * 1e6 > clock.now


def test_one_that_was_made_by_a_clock_that_was_ahead_is_made_anew(authority, tmp_path, clock):
    clock.now += 400 * DAY_US
    authority.refresh()
    clock.now = NOW
    authority.refresh()
    begins = server(tmp_path / "authority").not_valid_before_utc
    assert begins.timestamp() * 1e6 < NOW
    shown = authority.context
    authority.refresh()
    assert authority.context is shown


def test_a_rotation_lets_both_be_trusted_and_the_newer_sign(authority, clock):
    before, shown = authority.bundle, authority.context.fingerprint
    authority.rotate()
    authority.refresh()
    assert authority.bundle.startswith(before)
    assert authority.bundle.count("BEGIN") == 2
    assert authority.context.fingerprint == shown, "agents know the old one only"
    old, new = authority.roots()
    assert (old.serves, old.issues, new.serves, new.issues) == (True, False, False, True)
    assert authority.issue(request(), TILL, NOW).root == new.name
    with pytest.raises(DijkwachtError, match="already"):
        authority.rotate()
    authority.drop_oldest()
    assert [row.name for row in authority.roots()] == [new.name]
    assert authority.context.fingerprint != shown
    assert authority.oldest == new.name


def test_what_another_process_rotates_is_taken_over(authority, tmp_path, clock):
    other = Authority(tmp_path / "authority", ["lab.example.nl", "192.0.2.7"], clock)
    other.open()
    other.rotate()
    assert not authority.rotating
    assert authority.refresh()
    assert authority.rotating
    assert not authority.refresh()
    assert len(authority.context.get_ca_certs()) == 2


def test_a_root_is_replaced_by_itself_in_its_last_years(authority, clock, monkeypatch):
    clock.now += (ROOT_DAYS - ROTATE_DAYS) * DAY_US - 1
    authority.refresh()
    assert not authority.rotating
    clock.now += 2
    authority.refresh()
    assert not authority.rotating, "who has just woken may have a wrong clock"
    monkeypatch.setattr(module, "SETTLED_S", 0.0)
    assert authority.refresh()
    assert authority.rotating
    assert not authority.refresh()


@pytest.mark.parametrize("off_days", [4 * 365, -15 * 365])
def test_an_authority_of_a_wrong_clock_is_told_and_replaced_by_a_command(
    tmp_path, clock, caplog, off_days
):
    clock.now += off_days * DAY_US
    Authority(tmp_path / "authority", [], clock).open()
    assert caplog.messages == []
    clock.now = NOW
    authority = Authority(tmp_path / "authority", [], clock)
    authority.open()
    [said] = caplog.messages
    assert said == authority.untimely
    assert "dijkwacht authority rotate --finish" in said
    former = authority.oldest
    authority.replace()
    assert authority.oldest != former
    assert authority.untimely is None
    assert [root.number for root in authority.roots()] == [2]
    server(tmp_path / "authority").verify_directly_issued_by(
        x509.load_pem_x509_certificate(authority.bundle.encode())
    )


def test_a_clock_set_right_while_it_runs_is_told_once(tmp_path, clock, caplog):
    clock.now += 4 * 365 * DAY_US
    authority = Authority(tmp_path / "authority", [], clock)
    authority.open()
    clock.now = NOW
    for _ in range(3):
        authority.refresh()
    assert len(caplog.messages) == 1


def test_a_disk_that_is_full_keeps_it_serving(authority, clock, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "replace_file", full)
    context = authority.context
    clock.now += SERVER_DAYS * DAY_US // 2 + 1
    authority.refresh()
    assert authority.context is context
    assert caplog.messages == ["the authority cannot be renewed"]


@pytest.mark.parametrize("damage", [b"", b"not a key"])
def test_a_damaged_root_is_one_line_that_names_it(authority, tmp_path, clock, damage):
    (tmp_path / "authority" / "root-1.pem").write_bytes(damage)
    with pytest.raises(DijkwachtError, match=r"root-1\.pem"):
        Authority(tmp_path / "authority", [], clock).open()


def test_a_damaged_certificate_of_the_collector_is_made_anew(authority, tmp_path, clock):
    (tmp_path / "authority" / "server.pem").write_bytes(b"x")
    again = Authority(tmp_path / "authority", [], clock)
    again.open()
    assert again.context.minimum_version == ssl.TLSVersion.TLSv1_3


@pytest.fixture
def given_away(tmp_path, monkeypatch):
    """Root types the command in the folder of another: what root gives away meanwhile."""
    if os.geteuid() == 0:
        os.chown(tmp_path, 1234, 1234)
    found = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda file, *_: found.append(os.fstat(file).st_ino))
    monkeypatch.setattr(os, "chown", lambda path, *_: found.append(path.stat().st_ino))
    return found


def test_root_gives_nobody_the_folder_that_a_link_leads_to(tmp_path, clock, given_away):
    elsewhere = tmp_path / "elsewhere" / "authority"
    Authority(elsewhere, [], clock).open()
    given_away.clear()
    (tmp_path / "authority").symlink_to(elsewhere)
    authority = Authority(tmp_path / "authority", [], clock)
    authority.read()
    with pytest.raises(OSError, match="authority"):
        authority.rotate()
    assert not given_away
    assert not (elsewhere / "root-2.pem").exists()


def test_root_gives_nobody_the_file_that_a_draft_leads_to(tmp_path, given_away):
    (tmp_path / "elsewhere").write_text("another's")
    (tmp_path / "root-2.pem.new").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        replace_file(tmp_path / "root-2.pem", b"ours", (1234, 1234))
    assert not given_away
    assert (tmp_path / "elsewhere").read_text() == "another's"
