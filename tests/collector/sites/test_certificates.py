"""Who is let in by which certificate, over a fake connection and a clock that is set."""

from types import SimpleNamespace

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dijkwacht_collector.settings import DAY_US
from dijkwacht_collector.sites import Sites, authority
from dijkwacht_collector.sites.access import TokenAuthenticator
from dijkwacht_collector.sites.authority import Authority
from dijkwacht_collector.sites.certificate_access import CertificateAuthenticator
from dijkwacht_collector.sites.certificate_making import AGENT_DAYS
from dijkwacht_records.enrolment import Enrolment, agent_proof, stretch
from dijkwacht_records.errors import (
    CertificateExpired,
    CertificateRevoked,
    CertificateUnknown,
    ForeignCollector,
    MalformedBatch,
    NoCertificate,
    NotAuthorised,
    RejectedBatch,
)
from dijkwacht_records.joincode import read_code

NOW = 1_790_000_000_000_000
URL = "https://lab.example.nl"


class Site:
    """A collector's doorkeeper, and agents that come to it; ``now`` is set by the test."""

    def __init__(self, folder, **options):
        self.now = NOW
        self.sites = Sites(folder / "sites.db")
        self.sites.open()
        self.sites.add("bakery", NOW)
        self.authority = Authority(folder / "authority", [], lambda: self.now)
        self.door = CertificateAuthenticator(
            self.sites, self.authority, lambda: self.now, **options
        )
        self.door.refresh()

    def code(self):
        return self.sites.make_join_code("bakery", URL, self.now)

    def asked(self, code, agent, request, **changed):
        keys = stretch(read_code(code)[1])
        seen = self.authority.context.fingerprint
        asked = Enrolment(keys.id, agent, request, bytes(32), seen, b"")
        asked = msgspec.structs.replace(asked, **changed)
        return msgspec.structs.replace(asked, proof=agent_proof(keys, asked)), seen

    def join(self, agent, code=None, request=None):
        asked, seen = self.asked(code or self.code(), agent, request or a_request())
        return shown(self.door.enrol(asked, seen, self.now).certificate)

    def renew(self, who):
        return shown(self.door.renew(who, a_request(), self.now).certificate)


def a_request():
    key = ec.generate_private_key(ec.SECP256R1())
    built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def shown(pem, headers=()):
    """A request on a connection that showed this certificate."""
    serial = f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:X}" if pem else ""
    extra = {"peercert": {"serialNumber": serial} if pem else None}
    return SimpleNamespace(get_extra_info=extra.get, headers=dict(headers))


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.sites.close()


def test_who_joined_is_known_at_once_and_after_a_restart(site, tmp_path):
    till = site.join("till")
    assert site.door.agent_of(till) == ("bakery", "till")
    again = CertificateAuthenticator(site.sites, site.authority, lambda: site.now)
    again.refresh()
    assert again.known(till) == ("bakery", "till")


def test_a_wrong_proof_spends_nothing(site):
    code, request = site.code(), a_request()
    for changed in ({"agent": "oven"}, {"request": a_request()}, {"proof": bytes(32)}):
        asked, seen = site.asked(code, "till", request)
        with pytest.raises(NotAuthorised):
            site.door.enrol(msgspec.structs.replace(asked, **changed), seen, NOW)
    asked, seen = site.asked(code, "till", request, seen=bytes(32))
    with pytest.raises(ForeignCollector):
        site.door.enrol(asked, seen, NOW)
    asked, seen = site.asked(code, "till", b"no request")
    with pytest.raises(MalformedBatch):
        site.door.enrol(asked, seen, NOW)
    assert site.join("till", code, request)


def test_a_code_is_bound_to_the_key_that_used_it_and_to_its_day(site):
    code, request = site.code(), a_request()
    first = site.join("till", code, request)
    second = site.join("till", code, request)
    with pytest.raises(CertificateUnknown):
        site.door.agent_of(first)
    assert site.door.agent_of(second)
    with pytest.raises(NotAuthorised):
        site.join("till", code)
    with pytest.raises(NotAuthorised):
        site.sites.join(code, "till", NOW)
    late = site.code()
    site.now += DAY_US
    with pytest.raises(NotAuthorised):
        site.join("oven", late)
    assert site.sites.names_of_codes()
    site.sites.forget_codes(site.now)
    assert not site.sites.names_of_codes()


def test_a_code_that_came_whole_is_spent_for_everybody(site):
    code = site.code()
    site.sites.join(code, "till", NOW)
    with pytest.raises(NotAuthorised):
        site.join("till", code)


def test_what_ran_out_is_refused_and_may_be_renewed_for_a_year(site):
    till = site.join("till")
    site.now += AGENT_DAYS * DAY_US
    with pytest.raises(CertificateExpired):
        site.door.agent_of(till)
    site.now += 365 * DAY_US - 1
    renewed = site.renew(till)
    assert site.door.agent_of(renewed) == ("bakery", "till")
    other = site.join("oven")
    site.now += (AGENT_DAYS + 365) * DAY_US
    with pytest.raises(CertificateExpired):
        site.renew(other)


@pytest.mark.parametrize("act", ["revoke", "remove_agent"])
def test_who_is_revoked_or_removed_comes_back_by_a_code_alone(site, act):
    till = site.join("till")
    assert getattr(site.sites, act)("bakery", "till", NOW)
    site.door._version = -1  # as another process would have changed it
    site.door.refresh()
    for ask in (site.door.agent_of, site.door.known, site.renew):
        with pytest.raises(CertificateRevoked):
            ask(till)
    [row] = site.sites.agents()
    assert row.standing == {"revoke": "revoked", "remove_agent": "removed"}[act]
    assert site.door.agent_of(site.join("till")) == ("bakery", "till")
    assert site.sites.agents()[0].standing == "never_heard"


def test_a_renewal_counts_once_it_is_used_and_one_that_was_lost_is_forgotten(site):
    first = site.join("till")
    site.door.agent_of(first)
    site.now += 15 * DAY_US
    lost, second = site.renew(first), site.renew(first)
    assert site.door.known(second)
    assert site.door.agent_of(first), "known is no use"
    with pytest.raises(CertificateUnknown):
        site.door.agent_of(lost)
    site.door.agent_of(second)
    with pytest.raises(CertificateUnknown):
        site.door.agent_of(first)
    site.door.refresh()
    assert [row.used for row in site.sites.certificates()] == [site.now], "one an agent is kept"
    with pytest.raises(CertificateUnknown):
        site.renew(first)
    site.sites.note_agents({("bakery", "till"): NOW + 1})
    assert site.sites.agents()[0].standing == "live", "renewing is not joining"


def test_a_rotation_ends_when_no_agent_needs_the_former_root(site, monkeypatch):
    monkeypatch.setattr(authority, "SETTLED_S", 0.0)
    till, oven = site.join("till"), site.join("oven")
    for who in (till, oven):
        site.door.agent_of(who)
    site.authority.rotate()
    site.now += DAY_US
    till = site.renew(till)
    site.door.agent_of(till)
    site.door.refresh()
    assert site.authority.rotating, "the oven knows the former one only"
    site.now += (AGENT_DAYS + 363) * DAY_US
    site.door.refresh()
    assert site.authority.rotating, "it may come back"
    site.now += 2 * DAY_US
    site.door.refresh()
    assert not site.authority.rotating


def test_a_clock_that_is_far_ahead_ends_nothing(site):
    till = site.join("till")
    site.door.agent_of(till)
    site.authority.rotate()
    site.now += 20 * 365 * DAY_US
    site.join("oven")
    site.door.refresh()
    with pytest.raises(CertificateExpired):
        site.door.agent_of(till)
    site.now = NOW + DAY_US
    site.door.refresh()
    assert site.authority.rotating
    assert site.door.agent_of(till) == ("bakery", "till")
    assert len(site.authority.context.get_ca_certs()) == 2


def test_a_root_whose_time_has_not_come_takes_no_ones_place(site, monkeypatch):
    monkeypatch.setattr(authority, "SETTLED_S", 0.0)
    site.now += 20 * 365 * DAY_US
    site.authority.rotate()
    site.now = NOW
    site.door.refresh()  # nobody needs the former one, and no agent could take the newer
    assert site.authority.rotating
    assert site.authority.untimely is None


def test_an_authority_of_a_wrong_clock_is_replaced_by_itself_while_nobody_has_joined(tmp_path):
    site = Site(tmp_path)
    site.now = NOW - 20 * 365 * DAY_US
    site.authority.replace()
    former, site.now = site.authority.oldest, NOW
    site.door.refresh()
    assert site.authority.oldest != former
    assert site.authority.untimely is None
    site.join("till")
    former, site.now = site.authority.oldest, NOW + 20 * 365 * DAY_US
    site.door.refresh()
    assert site.authority.oldest == former, "somebody would have to join again"


def test_nothing_shown_is_no_certificate_unless_tokens_are_good_enough(site, tmp_path):
    token = site.sites.make_token("bakery", "old", NOW)
    asks = shown("", {"Authorization": f"Bearer {token}"})
    site.door._version = -1
    site.door.refresh()
    with pytest.raises(NoCertificate):
        site.door.agent_of(asks)
    with pytest.raises(NoCertificate):
        site.door.join(site.sites.make_join_code("bakery", URL, NOW, long=True), "old", NOW)
    patient = CertificateAuthenticator(site.sites, site.authority, lambda: site.now, tokens=True)
    patient.refresh()
    assert patient.agent_of(asks) == ("bakery", "old")
    code = site.sites.make_join_code("bakery", URL, NOW, long=True)
    assert patient.join(code, "older", NOW).site == "bakery"
    with pytest.raises(NoCertificate):
        patient.renew(asks, a_request(), NOW)


def test_without_tls_the_same_proof_gives_a_token(site):
    door, code = TokenAuthenticator(site.sites), site.code()
    door.refresh()
    asked, _ = site.asked(code, "till", b"", seen=b"")
    admitted = door.enrol(asked, b"", NOW)
    asks = shown("", {"Authorization": f"Bearer {admitted.token}"})
    assert door.agent_of(asks) == ("bakery", "till")
    with pytest.raises(NotAuthorised):
        door.enrol(asked, b"", NOW)
    with pytest.raises(RejectedBatch):
        door.renew(asks, a_request(), NOW)
    assert door.waits_for(asked.id)


def test_a_token_ends_when_a_certificate_of_its_agent_is_used(tmp_path):
    site = Site(tmp_path, tokens=True)
    token = site.sites.make_token("bakery", "till", NOW - 1)
    asks = shown("", {"Authorization": f"Bearer {token}"})
    site.door._version = -1
    site.door.refresh()
    till = site.join("till")
    site.door.refresh()
    assert site.door.agent_of(asks) == ("bakery", "till"), "the certificate was not used yet"
    site.door.agent_of(till)
    site.door.refresh()
    with pytest.raises(NotAuthorised):
        site.door.agent_of(asks)
    assert site.sites.agents()[0].standing == "never_heard"
    site.sites.close()


def elsewhere(tmp_path):
    """The same file in another process, as a command has it."""
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    return sites


@pytest.mark.parametrize("end", [Sites.revoke, Sites.remove_agent])
def test_nobody_renews_what_was_revoked_a_moment_ago(site, tmp_path, end):
    till = site.join("till")
    site.door.agent_of(till)
    command = elsewhere(tmp_path)
    assert end(command, "bakery", "till", site.now)
    command.close()
    assert site.door.agent_of(till)  # it is not looked at yet
    with pytest.raises(CertificateRevoked):
        site.renew(till)
    site.door.refresh()
    with pytest.raises(CertificateRevoked):
        site.door.agent_of(till)
    assert {agent.standing for agent in site.sites.agents()} <= {"revoked", "removed"}


def test_what_is_not_kept_is_not_renewed(site, tmp_path):
    till = site.join("till")
    newer = site.renew(till)
    command = elsewhere(tmp_path)
    [_, row] = command.certificates()
    command.note_used({row.serial: site.now})
    command.close()
    with pytest.raises(CertificateUnknown):
        site.renew(till)
    site.door.refresh()
    assert site.door.agent_of(newer)


@pytest.mark.parametrize("revoked", [False, True])
def test_a_code_is_over_once_its_answer_was_used_or_revoked(site, revoked):
    code, request = site.code(), a_request()
    till = site.join("till", code, request)
    if revoked:
        site.sites.revoke("bakery", "till", site.now)
    else:
        site.door.agent_of(till)
    site.door.refresh()
    for agent in ("till", "oven"):
        with pytest.raises(NotAuthorised):
            site.join(agent, code, request)
    assert [agent.agent for agent in site.sites.agents()] == ["till"]


def test_who_joins_again_after_a_clock_was_ahead_is_known(site):
    site.now += 400 * DAY_US
    former = site.join("till")
    site.door.agent_of(former)
    site.door.refresh()
    site.now -= 400 * DAY_US
    newer = site.join("till")
    for _ in range(2):
        assert site.door.agent_of(newer) == ("bakery", "till")
        with pytest.raises(CertificateUnknown):
            site.door.agent_of(former)
        site.door.refresh()
