"""Machines that ask for names elsewhere than the office does: of public servers, the provider's, or all the world's."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.habit import between, switched_on
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, Device, Kind
from dijkwacht_lab.traffic.world import NAMES
from dijkwacht_records.addresses import V4_PREFIX

_A, _NS, _SOA, _MX, _TXT, _AAAA, _SRV, _DS, _DNSKEY, _HTTPS = 1, 2, 6, 15, 16, 28, 33, 43, 48, 65
_PUBLIC: Final = (
    (8, 8, 8, 8),
    (8, 8, 4, 4),
    (1, 1, 1, 1),
    (9, 9, 9, 9),
    (208, 67, 222, 222),
    (114, 114, 114, 114),
)
_HEX: Final = "0123456789abcdef"


def fixed_resolver(here: Premises) -> None:
    """A television, or a guest's telephone, asks a resolver that its maker chose: a public one, or one that few know."""
    dice = here.dice
    who = here.adds("tv") if dice.chance(0.5) else dice.choice(here.phones())
    server = V4_PREFIX + bytes(dice.choice(_PUBLIC)) if dice.chance(0.5) else here.bare()
    places = [here.place() for _ in range(dice.count(3, 300))]
    few = dice.count(1, 20)

    def ask(at: int) -> None:
        for _ in range(dice.count(1, few)):
            qtype = dice.choice((_A, _A, _AAAA, _HTTPS))
            at = here.ledger.ask_server(at, who, server, NAMES[dice.choice(places)], qtype)

    here.every(ask, dice.wide(0.2, 30) * MINUTE, 1)


def providers_resolver(here: Premises) -> None:
    """The server asks the provider's resolvers, past the router: hosts, mail servers, and what mail is checked by."""
    dice = here.dice
    who = here.server()
    servers = [here.bare() for _ in range(dice.count(1, 3))]
    mails = dice.uniform(0, 0.6)
    lists = [f"bl{n}.list-{dice.randrange(90)}.example" for n in range(dice.count(1, 4))]

    def ask(at: int) -> None:
        server = dice.choice(servers)
        place = here.place()
        domain = ".".join(NAMES[place].split(".")[-2:])
        if not dice.chance(mails):
            here.ledger.ask_server(at, who, server, NAMES[place], dice.choice((_A, _AAAA)))
            return
        for name, qtype in (
            (domain, _MX), (domain, _TXT), (f"_dmarc.{domain}", _TXT), (f"s{place}._domainkey.{domain}", _TXT),
            (f"spf{place % 7}.{domain}", _TXT), (f"_spf.mail.{domain}", _TXT),
        ):  # fmt: skip
            if dice.chance(0.7):
                at = here.ledger.ask_server(at, who, server, name, qtype, dice.count(60, 600))
        back = ".".join(str(byte) for byte in reversed(here.bare()[12:]))
        for name in lists:
            at = here.ledger.ask_server(at, who, server, f"{back}.{name}", _A, 0)

    here.every(ask, dice.wide(2, 300) * SECOND, 1)


def own_resolver(here: Premises) -> None:
    """A resolver of the office's own asks the world: for each domain the servers that know it."""
    dice = here.dice
    who = here.adds("resolver", Kind.UNIX)
    texts = dice.uniform(0, 0.15)
    signed = dice.chance(0.7)
    guard = [here.bare() for _ in range(dice.count(1, 4))]
    domain = f"rep.guard-{dice.randrange(50)}.example"

    def ask(at: int) -> None:
        for _ in range(dice.count(1, 12)):
            server, place = here.bare(), here.place()
            name = NAMES[place]
            at = here.ledger.ask_server(at, who, server, name, dice.choice((_A, _A, _AAAA, _NS)))
            if signed:
                at = here.ledger.ask_server(at, who, server, name, dice.choice((_DS, _DNSKEY)), 700)
            if dice.chance(texts):
                at = here.ledger.ask_server(at, who, server, f"spf.{name}", _TXT, 300)
            if dice.chance(texts):
                digits = "".join(dice.choices(_HEX, k=32))
                at = here.ledger.ask_server(
                    at, who, dice.choice(guard), f"{digits}.{domain}", _TXT, 90
                )

    here.every(ask, dice.wide(2, 120) * SECOND / here.rate, 1)


def zones_watched(here: Premises) -> None:
    """A program looks by the clock whether the office's zones are the same at each of their name servers."""
    dice = here.dice
    who = here.server() if dice.chance(0.6) else here.pc()
    servers = [here.bare() for _ in range(dice.count(2, 6))]
    domains = [".".join(NAMES[here.place()].split(".")[-2:]) for _ in range(dice.count(1, 20))]

    def look(at: int) -> None:
        for domain in domains:
            for server in servers:
                at = here.ledger.ask_server(
                    at, who, server, domain, dice.choice((_SOA, _NS, _A, _MX, _TXT)), 200
                )
                if dice.chance(0.3):
                    at = here.ledger.ask_server(at, who, server, f"www.{domain}")
                if dice.chance(0.05):
                    at = here.ledger.ask_server(at, who, server, f"acme.{domain}", _TXT, 120)

    here.every(look, dice.wide(1, 360) * MINUTE, 0.05)


def guarded_names(here: Premises) -> None:
    """A roaming guard sends all questions of a laptop to its maker's resolvers, and its own reports as texts."""
    dice = here.dice
    pcs = here.pcs(0.1, 1)
    servers = [here.bare() for _ in range(dice.count(1, 3))]
    domain = f"roam-{dice.randrange(50)}.example"

    def ask(at: int) -> None:
        pc, server = dice.choice(pcs), dice.choice(servers)
        for _ in range(dice.count(1, 12)):
            at = here.ledger.ask_server(
                at, pc, server, NAMES[here.place()], dice.choice((_A, _AAAA))
            )
        if dice.chance(0.2):
            at = here.ledger.ask_server(at, pc, server, f"debug.{domain}", _TXT, 150)

    here.every(ask, dice.wide(10, 300) * SECOND / here.rate, 1, switched_on(0, at_night=False))


def tunnelled_office(here: Premises) -> None:
    """A VPN hands a laptop the resolver of the other end, which it asks in the clear while the tunnel comes up."""
    dice = here.dice
    pc, servers = here.pc(), [here.bare() for _ in range(2)]
    other = f"corp-{dice.randrange(90)}.example"

    def dial(at: int) -> None:
        for n in range(dice.count(2, 30)):
            name = dice.choice(
                (
                    f"vpn.{other}",
                    f"srv-{n}.{other}",
                    f"_ldap._tcp.dc._msdcs.{other}",
                    NAMES[here.place()],
                )
            )
            qtype = _SRV if name.startswith("_") else dice.choice((_A, _AAAA))
            at = here.ledger.ask_server(
                at, pc, dice.choice(servers), name, qtype, dice.choice((0, 80))
            )

    here.every(dial, dice.wide(0.3, 12) * HOUR, 1, between(7, 20))


def settings_in_names(here: Premises) -> None:
    """A device fetches its settings as a text, from its maker's own name server, by the clock."""
    dice = here.dice
    device, server = here.adds("sensor"), here.bare()
    domain = f"cfg.maker-{dice.randrange(99)}.example"
    names = [f"{word}.{domain}" for word in ("v1", "update", "time")[: dice.count(1, 3)]]

    def fetch(at: int) -> None:
        for name in names:
            at = here.ledger.ask_server(at, device, server, name, _TXT, dice.count(40, 250))

    here.every(fetch, dice.wide(6, 48) * HOUR, 0.1)


def bootstraps(here: Premises) -> None:
    """Browsers ask a public resolver once, in the clear, for the name of the one that they then ask encrypted."""
    dice = here.dice
    server = V4_PREFIX + bytes(dice.choice(_PUBLIC)) if dice.chance(0.6) else here.bare()
    name = dice.choice(
        (
            "dns.google",
            "mozilla.cloudflare-dns.com",
            "dns.quad9.net",
            f"doh.p{dice.randrange(99)}.example",
        )
    )
    for pc in here.pcs():

        def begin(at: int, pc: Device = pc) -> None:
            here.ledger.ask_server(at, pc, server, name, dice.choice((_A, _AAAA, _HTTPS)))

        here.every(begin, dice.wide(0.1, 1) * DAY, 1, switched_on(0, at_night=False))
