"""Mail that a server of the office sends and receives itself."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Shown, log_in
from dijkwacht_lab.traffic.habit import between
from dijkwacht_lab.traffic.habits.premises import Premises, Where
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, TCP, Call, Device
from dijkwacht_lab.traffic.world import NAMES, PLACES
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import AuthMethod, AuthService

_MX = 15
_OWN_ADDRESS = ("checkip.dyndns.org", "api.ipify.org", "ip-api.com", "ipinfo.io", "icanhazip.com")


def dead_queue(here: Premises) -> None:
    """Mail for hosts that do not answer is tried again, by the clock, for days."""
    dice, server = here.dice, here.server()
    dead = [here.place() for _ in range(dice.count(2, 60))]
    refuse = dice.uniform(0, 0.3)

    def retry(at: int) -> None:
        for place in dead:
            at = here.ledger.ask(at, server, NAMES[place], _MX, answers=1)
            where: Where = place if dice.chance(0.7) else PLACES[place]
            if dice.chance(refuse):
                here.refused(at, server, where, 25)
            else:
                here.silence(at, server, where, 25)

    here.every(retry, dice.wide(4, 90) * MINUTE, 0.05)


def newsletter(here: Premises) -> None:
    """A letter to all customers: hundreds of mail servers within minutes."""
    dice, server = here.dice, here.server()
    places = [here.place() for _ in range(dice.count(30, 600))]
    gap = int(dice.wide(0.02, 5) * SECOND)
    size = dice.count(8_000, 900_000)

    def send(at: int) -> None:
        for place in places:
            at += gap
            if dice.chance(0.06):
                here.silence(at, server, place, 25)
            else:
                here.call(at, server, place, 25, (size, 900), dice.count(1, 9) * SECOND)

    here.every(send, dice.wide(1, 7) * DAY, 0.1, between(7, 19))


def blocklists(here: Premises) -> None:
    """Each sender is looked up in lists of spammers: backward addresses, mostly not found."""
    dice, server = here.dice, here.server()
    lists = [
        f"{dice.choice(('zen', 'bl', 'dnsbl'))}.list-{n}.example" for n in range(dice.count(1, 6))
    ]
    asks = dice.chance(0.4)

    def receive(at: int) -> None:
        sender = here.bare()
        back = ".".join(str(byte) for byte in reversed(sender[12:]))
        for name in lists:
            listed = dice.chance(0.1)
            at = here.ledger.ask(at, server, f"{back}.{name}", 1, 0 if listed else 3, int(listed))
            if asks and listed:
                at = here.ledger.ask(at, server, f"{back}.{name}", 16)
        call = Call(sender, server.address, 25, TCP)
        here.ledger.flow(at, call, up=dice.size(20_000), down=900, last_us=2 * SECOND)

    here.every(receive, dice.wide(5, 900) * SECOND, 1)


def fetcher(here: Premises) -> None:
    """A program empties several mailboxes elsewhere, by POP without TLS, every few minutes."""
    dice, who = here.dice, here.server()
    boxes = [here.place() for _ in range(dice.count(1, 8))]

    def fetch(at: int) -> None:
        for box in boxes:
            here.call(at, who, box, 110, (110, dice.size(700, 0.8)), 600_000)

    here.every(fetch, dice.wide(0.5, 15) * MINUTE, 0.02)
    here.every(lambda at: here.silence(at, who, boxes[0], 110), dice.wide(1, 20) * HOUR, 1)


def name_kept(here: Premises) -> None:
    """A storage server keeps a name on the internet: it asks for its address, and mails without encryption."""
    dice, server = here.dice, here.server()
    asked = dice.choice(_OWN_ADDRESS)
    provider = here.place()
    size = dice.count(2_000, 900_000)

    def ask(at: int) -> None:
        here.ledger.ask(at, server, asked)

    def report(at: int) -> None:
        _hand_in(here, at, server, provider, size)

    here.every(ask, dice.wide(1, 400) * MINUTE, 0.02)
    here.every(report, dice.wide(0.2, 30) * HOUR, 0.3)


def old_programs(here: Premises) -> None:
    """People mail by programs that do not encrypt, and read pages that ask for their visitor's address."""
    dice, provider = here.dice, here.place()
    fetches = dice.count(2, 30) * MINUTE
    for pc in here.pcs():

        def fetch(at: int, pc: Device = pc) -> None:
            shown = Shown(
                counted=(log_in(SECOND, AuthService.POP, AuthMethod.PASSWORD, pc.name),),
                speech=Speech.TEXT,
                resp_first=True,
            )
            here.call(at, pc, provider, 110, (110, dice.size(900, 0.8)), 2 * SECOND, shown)

        def send(at: int, pc: Device = pc) -> None:
            _hand_in(here, at, pc, provider, dice.size(60_000))

        def read(at: int, pc: Device = pc) -> None:
            here.ledger.ask(at, pc, dice.choice(_OWN_ADDRESS))

        when = between(8, 18, weekends=False)
        here.every(fetch, fetches, 0.02, when)
        here.every(send, dice.wide(10, 300) * MINUTE / here.rate, 1, when)
        here.every(read, dice.wide(0.5, 60) * HOUR, 1, when)


def reports_by_ftp(here: Premises) -> None:
    """Meters, inverters and cameras put small files on their maker's server, by FTP without encryption."""
    dice, maker = here.dice, here.home(0.3)
    period = dice.wide(1, 300) * MINUTE
    size = dice.count(200, 200_000)
    asks = dice.chance(0.2)
    for _ in range(dice.count(1, 4)):
        device = here.adds("meter")

        def report(at: int, device: Device = device) -> None:
            if asks:
                at = here.ledger.ask(at, device, _OWN_ADDRESS[0])
            told = log_in(SECOND, AuthService.FTP, AuthMethod.PASSWORD, device.name)
            shown = Shown(counted=(told,), speech=Speech.TEXT, resp_first=True)
            here.call(at, device, maker, 21, (160, 700), 5 * SECOND, shown)
            here.call(at + 2 * SECOND, device, maker, dice.randrange(1_025, 65_000), (size, 0))

        here.every(report, period, 0.02)


def several_accounts(here: Premises) -> None:
    """People send by accounts at several providers, each of which answers at an address or a few."""
    dice = here.dice
    for pc in here.pcs():
        accounts = [[here.bare() for _ in range(dice.count(1, 5))] for _ in range(dice.count(1, 6))]
        port = dice.choice((25, 465, 587, 587))
        at_once = dice.count(1, 4)

        def send(
            at: int,
            pc: Device = pc,
            accounts: list[list[bytes]] = accounts,
            port: int = port,
            at_once: int = at_once,
        ) -> None:
            for _ in range(dice.count(1, at_once)):
                where = dice.choice(dice.choice(accounts))
                here.call(at, pc, where, port, (dice.size(40_000), 4_000), 3 * SECOND)
                at += int(dice.wide(2, 90) * SECOND)

        here.every(send, dice.wide(5, 240) * MINUTE / here.rate, 1, between(8, 18, weekends=False))


def watched_servers(here: Premises) -> None:
    """A service looks by the clock whether the mail servers of customers still answer."""
    dice = here.dice
    who = here.server() if dice.chance(0.7) else here.adds("watcher")
    watched = [here.place() for _ in range(dice.count(2, 40))]
    port = dice.choice((25, 25, 465, 587))
    gap = int(dice.wide(0.05, 20) * SECOND)

    def look(at: int) -> None:
        for place in watched:
            at += gap
            if dice.chance(0.02):
                here.silence(at, who, place, port)
            else:
                here.call(at, who, place, port, (40, 150), SECOND)

    here.every(look, dice.wide(1, 60) * MINUTE, 0.02)


def _hand_in(here: Premises, at: int, who: Device, provider: int, size: int) -> None:
    """A mail goes to the provider by a log-in that can be read."""
    told = log_in(SECOND, AuthService.SMTP, AuthMethod.PASSWORD, who.name)
    shown = Shown(counted=(told,), speech=Speech.TEXT, resp_first=True)
    here.call(at, who, provider, here.dice.choice((25, 587)), (size, 600), 4 * SECOND, shown)
