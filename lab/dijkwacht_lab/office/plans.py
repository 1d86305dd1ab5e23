"""The offices there are: addresses, people, places on the internet, attacks and their moments."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from dijkwacht_lab.office.fence import Fence

Kind = Literal["workstation", "visitor", "thing"]


@dataclass(frozen=True, slots=True)
class Host:
    """A device with a person or a habit: ``pace`` is the mean number of seconds between pages."""

    name: str
    address: str
    kind: Kind = "workstation"
    pace: float = 10.0


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: ``begins`` and ``lasts`` at most, in seconds from the start; ``by`` a host.

    ``options`` are the tool's own words; ``target`` is an address or a network of the plan.
    ``load`` is, for iodine, kilobytes to carry and bytes a message.
    ``kind`` is the incident class that would be right and ``technique`` its ATT&CK id.
    """

    begins: float
    lasts: float
    tool: Literal["nmap", "hydra", "iodine", "hping3", "arpspoof"]
    by: str
    target: str
    kind: str
    technique: str
    options: tuple[str, ...] = ()
    load: tuple[float, float] = (0, 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that makes one recording what it is; see `PLANS`.

    ``sites`` maps each name on the internet to its address. The tunnel's zone is served at
    ``tunnel_server``, its inner addresses are those of ``tunnel_network`` (a /24).
    """

    name: str
    story: str
    seed: int
    seconds: float
    network: str
    internet: tuple[str, ...]
    gateway: str
    gateway_outside: str
    resolver: str
    server: str
    printer: str
    hosts: tuple[Host, ...]
    sites: dict[str, str]
    mail_site: str
    mail_every: float
    file_every: float
    print_every: float
    tunnel_zone: str
    tunnel_server: str
    tunnel_network: str
    strict_names: bool
    """Does the gateway refuse names with other characters than ASCII's? Tunnels adapt to that."""
    guess: tuple[str, str]
    """User and password that open the server: the last of the attacker's list."""
    attacks: tuple[Attack, ...]

    def fence(self) -> Fence:
        """What this plan's tools may be pointed at."""
        return Fence((self.network, *self.internet, self.tunnel_network))

    def host(self, name: str) -> Host:
        """The host of that name. Raises ``KeyError``."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(f"{self.name} has no host {name!r}")

    def mac(self, name: str) -> str:
        """A hardware address for a device of this office, locally administered, always the same."""
        digest = hashlib.blake2b(f"{self.name} {name}".encode(), digest_size=5).digest()
        return f"02:{digest.hex(':')}"


DEMO: Final = Plan(
    name="demo",
    story="A bakery with an office upstairs: five desks, a till, and a visitor's laptop.",
    seed=20,
    seconds=185,
    network="192.168.20.0/24",
    internet=("203.0.113.0/24", "198.51.100.0/24"),
    gateway="192.168.20.1",
    gateway_outside="203.0.113.1",
    resolver="203.0.113.53",
    server="192.168.20.2",
    printer="192.168.20.3",
    hosts=(
        Host("oven", "192.168.20.11", pace=18),
        Host("counter", "192.168.20.12", pace=24),
        Host("ledger", "192.168.20.13", pace=17),
        Host("orders", "192.168.20.14", pace=26),
        Host("till", "192.168.20.40", "thing", pace=20),
        Host("guest-laptop", "192.168.20.66", "visitor", pace=30),
    ),
    sites={
        "www.meelmolen.example": "203.0.113.10",
        "static.meelmolen.example": "203.0.113.10",
        "nieuws.dagblad.example": "203.0.113.20",
        "img1.dagblad.example": "203.0.113.21",
        "img2.dagblad.example": "203.0.113.21",
        "stats.teller.example": "203.0.113.22",
        "cdn.snelweb.example": "203.0.113.30",
        "fonts.snelweb.example": "203.0.113.30",
        "bank.polderbank.example": "203.0.113.40",
        "login.polderbank.example": "203.0.113.41",
        "boekhouden.kantoorwolk.example": "203.0.113.50",
        "sync.kantoorwolk.example": "203.0.113.51",
        "weer.dijkring.example": "203.0.113.60",
        "till.kassacloud.example": "203.0.113.70",
        "update.systeem.example": "203.0.113.80",
        "mail.postbode.example": "203.0.113.25",
        "time.tikker.example": "203.0.113.123",
        "status.rustpunt.example": "198.51.100.77",
    },
    mail_site="mail.postbode.example",
    mail_every=45,
    file_every=25,
    print_every=90,
    tunnel_zone="t.zandloper.example",
    tunnel_server="203.0.113.99",
    tunnel_network="172.30.99.0/24",
    strict_names=True,
    guess=("bakker", "krentenbol"),
    attacks=(
        Attack(40, 20, "nmap", "guest-laptop", "192.168.20.2", "scan", "T1046",
               ("-sS", "-Pn", "-n", "-T4", "-p", "1-1000")),
        Attack(58, 20, "nmap", "guest-laptop", "198.51.100.0/25", "scan", "T1595.001",
               ("-sS", "-Pn", "-n", "-T4", "--max-retries", "1", "-p", "22,445")),
        Attack(82, 30, "hydra", "guest-laptop", "192.168.20.2", "bruteforce", "T1110.001",
               ("-t", "4", "-I", "ftp")),
        Attack(112, 35, "iodine", "orders", "203.0.113.99", "dns", "T1071.004", ("-T", "TXT"), (32, 500)),
        Attack(150, 10, "hping3", "guest-laptop", "192.168.20.2", "dos", "T1498.001",
               ("-S", "-p", "80", "-i", "u2000", "-c", "1500")),
        Attack(162, 14, "arpspoof", "guest-laptop", "192.168.20.12", "arp", "T1557.002"),
    ),
)  # fmt: skip

CLINIC: Final = Plan(
    name="clinic",
    story="A dental clinic: other addresses, other habits, and its attacks in another order.",
    seed=77,
    seconds=165,
    network="10.44.7.0/24",
    internet=("198.51.100.0/24", "192.0.2.0/24"),
    gateway="10.44.7.254",
    gateway_outside="198.51.100.254",
    resolver="198.51.100.2",
    server="10.44.7.10",
    printer="10.44.7.20",
    hosts=(
        Host("desk", "10.44.7.101", pace=10),
        Host("room-one", "10.44.7.102", pace=22),
        Host("room-two", "10.44.7.103", pace=26),
        Host("xray", "10.44.7.150", "thing", pace=20),
        Host("hygienist", "10.44.7.104", pace=17),
    ),
    sites={
        "portaal.zorgverzekering.example": "198.51.100.11",
        "api.zorgverzekering.example": "198.51.100.12",
        "www.tandartsgroothandel.example": "198.51.100.30",
        "afbeeldingen.tandartsgroothandel.example": "198.51.100.31",
        "agenda.afspraakje.example": "198.51.100.60",
        "push.afspraakje.example": "198.51.100.61",
        "radio.achtergrond.example": "198.51.100.90",
        "a7f3c2.edge.contentnet.example": "198.51.100.120",
        "b19d04.edge.contentnet.example": "198.51.100.120",
        "pacs.beeldarchief.example": "198.51.100.150",
        "download.programma.example": "198.51.100.200",
        "imap.praktijkpost.example": "198.51.100.143",
        "klok.nauwkeurig.example": "198.51.100.123",
        "cdn.telemetry-sync.example": "192.0.2.200",
    },
    mail_site="imap.praktijkpost.example",
    mail_every=28,
    file_every=40,
    print_every=60,
    tunnel_zone="dl.wachtkamer.example",
    tunnel_server="192.0.2.66",
    tunnel_network="172.27.5.0/24",
    strict_names=False,
    guess=("assistent", "Spoelbak7"),
    attacks=(
        Attack(28, 40, "iodine", "room-one", "192.0.2.66", "dns", "T1071.004",
               ("-T", "NULL", "-m", "180"), (40, 300)),
        Attack(72, 28, "hydra", "hygienist", "10.44.7.10", "bruteforce", "T1110.001",
               ("-t", "2", "-I", "-s", "8110", "pop3")),
        Attack(102, 25, "nmap", "hygienist", "10.44.7.0/24", "scan", "T1018",
               ("-sn", "-n", "-PR", "-T4")),
        Attack(112, 25, "nmap", "hygienist", "10.44.7.20", "scan", "T1046",
               ("-sT", "-Pn", "-n", "--top-ports", "300", "--scan-delay", "15ms")),
        Attack(140, 8, "hping3", "room-one", "10.44.7.10", "dos", "T1498.001",
               ("--udp", "-p", "445", "-d", "64", "-i", "u3000", "-c", "2000")),
    ),
)  # fmt: skip

PLANS: Final = {plan.name: plan for plan in (DEMO, CLINIC)}
