"""Renewing by an order, and by several at once: a real collector, its command, the agent's own code."""

import contextlib
import os
import time

import pytest

from dijkwacht import cli
from dijkwacht_agent.identity import IDENTITY_FILE, Identity
from dijkwacht_agent.join import read_who
from dijkwacht_agent.renewal import Renewal
from dijkwacht_agent.settings import read_settings
from dijkwacht_agent.uplink import Post
from dijkwacht_agent.way_back import way_back
from dijkwacht_records.errors import CertificateRevoked, CollectorBusy, SettingsError

pytestmark = pytest.mark.timeout(240)


class Running:
    """What of an agent that runs obeys orders, without what listens."""

    def __init__(self, secure, state, name, consents='["renew"]'):
        secure.joined(state, name)
        with (state / "agent.toml").open("a") as file:
            file.write(f"consents = {consents}\n")
        self.secure, self.state, self.name = secure, state, name
        settings, self.who = read_settings(state, {}), read_who(state)
        renewal = Renewal(settings.url, self.who, state)
        self.back = way_back(settings, state, self.who, renewal)

    def reply(self):
        with contextlib.closing(Post(self.secure.url, self.who)) as post:
            return post(self.secure.batch(self.name))

    def asked(self, kind):
        """The reply that carries the order which the operator gives now."""
        words = ["site", "--state", str(self.secure.state), "order", "bakery", self.name, kind]
        assert cli.main(words) == 0
        return until(lambda: (reply := self.reply()).sealed and reply)

    def outcome(self):
        query = "SELECT outcome, detail FROM orders WHERE agent = ? AND outcome IS NOT NULL"
        return self.secure.execute(query, self.name)

    def certificates(self):
        query = "SELECT count(*) FROM certificates WHERE agent = ? AND revoked IS NULL"
        return self.secure.execute(query, self.name)[0][0]

    def identity(self):
        return (self.state / IDENTITY_FILE).read_bytes()

    def log(self):
        return (self.state / "orders.log").read_text()


def until(true, limit_s=30.0):
    end = time.monotonic() + limit_s
    while not (found := true()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_an_operator_has_an_agent_renew_now_and_hears_of_it(secure, tmp_path, capsys):
    agent = Running(secure, tmp_path, "renewing")
    before = agent.identity()
    agent.back.take(agent.asked("renew"))
    assert until(agent.outcome) == [("carried_out", "")]
    agent.back.stop(20)
    assert agent.identity() != before
    assert agent.who.version == 2
    assert '"begun"' in agent.log()
    assert '"carried_out"' in agent.log()
    assert agent.reply().sealed == []
    assert Identity(tmp_path).issued >= agent.who.issued
    capsys.readouterr()
    assert cli.main(["site", "--state", str(secure.state), "orders", "bakery"]) == 0
    assert "renew for renewing" in capsys.readouterr().out


def test_without_its_owners_consent_nothing_is_renewed(secure, tmp_path):
    agent = Running(secure, tmp_path, "unwilling", consents='["diagnostics"]')
    before = agent.identity()
    agent.back.take(agent.asked("renew"))
    assert until(agent.outcome) == [("no_consent", "")]
    assert agent.identity() == before


def test_an_agent_that_was_revoked_gains_nothing_by_an_order_it_still_has(secure, tmp_path):
    agent = Running(secure, tmp_path, "revoked")
    [sealed] = agent.asked("renew").sealed
    before = agent.identity()
    assert cli.main(["site", "--state", str(secure.state), "revoke", "bakery", "revoked"]) == 0

    def refused():
        with contextlib.suppress(CertificateRevoked):
            return agent.reply() and False
        return True

    until(refused)  # the collector has heard of it
    with pytest.raises(CertificateRevoked):
        agent.back._orders.receive(sealed)
    assert agent.identity() == before
    assert (agent.certificates(), agent.outcome()) == (0, [])


def renew_in_a_child(secure, state):
    """A process of its own that renews at once: its number. It ends with 0 as it did, or was kept from it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            Renewal(secure.url, read_who(state), state).renew()
            code = 0
        except CollectorBusy:
            code = 0
        except SettingsError as error:
            code = 0 if error.message and error.message.key == "identity_replaced" else 1
        finally:
            os._exit(code)
    return child


def test_processes_that_renew_together_leave_one_identity_that_is_good(secure, tmp_path):
    state = secure.joined(tmp_path, "together")
    before = (state / IDENTITY_FILE).read_bytes()
    for _ in range(3):
        children = [renew_in_a_child(secure, state) for _ in range(3)]
        ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert ends == [0, 0, 0]
        secure.send(state, "together")
    assert (state / IDENTITY_FILE).read_bytes() != before
