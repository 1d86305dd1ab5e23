"""What makers of programs do: repositories, jobs, robots, trials of their own servers."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import between
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import BROWSER, CLOUD, program
from dijkwacht_lab.traffic.site import HOUR, MINUTE, SECOND, Kind
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import Alpn

_ROBOT = program("a robot's browser", asks=4)
_GIT = program("a repository's client", Alpn.HTTP_1_1)


def repository(here: Premises) -> None:
    """Programs fetch from a repository every minute or so, by SSH or HTTPS, nearly always for nothing."""
    dice = here.dice
    who, place = dice.choice([here.pc(), here.server()]), here.home(0.1)
    port = dice.choice((22, 443, 443, 9418))
    parts = dice.count(1, 6)

    def fetch(at: int) -> None:
        for _ in range(parts):
            here.call(at, who, place, port, (2900, dice.size(4000, 0.3)), SECOND, shown=_GIT if port == 443 else None)  # fmt: skip
            at += SECOND

    here.every(fetch, dice.wide(20, 1_800) * SECOND, dice.choice((0.005, 0.1)))


def web_robot(here: Premises) -> None:
    """A robot fills a form of a supplier's site for hours: the same page, the same sizes, hundreds of times."""
    dice = here.dice
    pc = here.pc()
    inside = dice.chance(0.4)
    where = here.server() if inside else here.place()
    port = dice.choice((80, 8080)) if inside else 443
    gap = dice.wide(0.7, 30) * SECOND
    up, down = dice.count(600, 4_000), dice.count(500, 60_000)
    one = dice.chance(0.5)

    def fill(at: int) -> None:
        lasts = int(dice.wide(5, 300) * MINUTE)
        if one:
            talk = Talk(
                2 * lasts // int(gap), up, down, dice.randrange(60, 100), dice.randrange(5, 60)
            )
            here.keeps(at, pc, where, port, Pace(int(gap), lasts), (up, down), shown=Over(None if inside else _ROBOT, Shown(talk, speech=_speech(port))))  # fmt: skip
            return
        until = at + lasts
        while at < until:
            at += int(gap * dice.uniform(0.8, 1.2))
            here.call(at, pc, where, port, (up, dice.size(down, 0.02)), 300000, shown=Over(None if inside else _ROBOT, Shown(speech=_speech(port))))  # fmt: skip

    here.every(fill, dice.wide(8, 60) * HOUR, 1, between(8, 18))


def load_trial(here: Premises) -> None:
    """Somebody tries how much a server of the office can bear: many requests a second, for minutes."""
    dice = here.dice
    pc, server = here.pc(), here.server()
    port = dice.choice((80, 8080, 3000, 443))
    a_second = dice.wide(5, 60)
    fails = dice.uniform(0, 0.2)

    def strain(at: int) -> None:
        until = at + int(dice.wide(20, 500) * SECOND)
        while at < until:
            at += int(dice.expovariate(a_second) * SECOND) + 1
            if dice.chance(fails):
                here.refused(at, pc, server, port)
            else:
                here.call(at, pc, server, port, (300, 2_000), 20_000, Shown(speech=Speech.HTTP))

    here.every(strain, dice.wide(20, 150) * HOUR, 1, between(9, 17, weekends=False))


def transfer_jobs(here: Premises) -> None:
    """Jobs with rsync, rclone, SFTP or FTP, by the hour: sometimes nothing, sometimes everything."""
    dice = here.dice
    who, place = here.server(), here.home(0.4)
    port = dice.choice((22, 873, 21, 990, 443))
    middle = dice.wide(2e3, 2e9)

    def copy(at: int) -> None:
        size = dice.size(middle, 2)
        up, down = (size, size // 80) if dice.chance(0.6) else (size // 80, size)
        lasts = SECOND + size // 5
        here.call(
            at,
            who,
            place,
            port,
            (up, down),
            min(lasts, 6 * HOUR),
            shown=CLOUD if port == 443 else None,
        )
        if port == 21:
            for _ in range(dice.count(1, 40)):
                at += SECOND
                here.call(
                    at, who, place, dice.randrange(40_000, 60_000), (size // 20, 0), 3 * SECOND
                )

    here.every(copy, dice.wide(0.1, 24) * HOUR, 0.02)


def crash_reports(here: Premises) -> None:
    """A program crashes and sends a picture of its memory to its maker, over and over."""
    dice = here.dice

    def crash(at: int) -> None:
        pc, place = here.pc(), here.place()
        size = dice.wide(2e5, 8e8)
        for _ in range(dice.count(1, 12)):
            here.call(
                at,
                pc,
                place,
                443,
                (dice.size(size, 0.2), 2000),
                dice.count(2, 300) * SECOND,
                shown=BROWSER,
            )
            at += dice.count(20, 900) * SECOND

    here.every(crash, dice.wide(3, 100) * HOUR, 1, between(7, 22))


def images(here: Premises) -> None:
    """Machines of machines: images by the gigabyte, and names of services that exist only inside."""
    dice = here.dice
    who = here.server()
    names = [
        f"{dice.choice(('api', 'db', 'cache', 'queue'))}-{n}.svc.cluster.local"
        for n in range(dice.count(2, 20))
    ]

    def start(at: int) -> None:
        for _ in range(dice.count(1, 8)):
            here.call(
                at, who, here.place(), 443, (4000, dice.size(90000000.0)), 20 * SECOND, shown=CLOUD
            )
        for _ in range(dice.count(10, 400)):
            at = here.ledger.ask(at, who, dice.choice(names), dice.choice((1, 28)), 3, 0)

    here.every(start, dice.wide(0.2, 40) * HOUR, 1)


def _speech(port: int) -> Speech:
    return Speech.HTTP if port != 443 else Speech.NOTHING


def second_lines(here: Premises) -> None:
    """FTP between a PC and a server: a line of control, and another for each file, from either end."""
    dice, server = here.dice, here.server()
    active, encrypted = dice.chance(0.3), dice.chance(0.3)

    def transfer(at: int) -> None:
        pc = here.pc()
        here.call(at, pc, server, 21, (400, 900), dice.count(5, 90) * SECOND,
                  Shown(speech=Speech.TEXT, resp_first=True))  # fmt: skip
        for _ in range(dice.count(1, 30)):
            at += dice.count(1, 3) * SECOND
            size, upward = dice.size(300_000, 0.9), dice.chance(0.5)
            first, other = (server, pc) if active else (pc, server)
            sends = upward != active
            moved = (size, 0) if sends else (0, size)
            speech = Speech.TLS if encrypted else dice.choice((Speech.BYTES, Speech.TEXT))
            if encrypted:
                moved = (moved[0] + 700, moved[1] + 3_000)
            here.call(at, first, other, dice.randrange(1_025, 65_000), moved, SECOND,
                      Shown(speech=speech, resp_first=not (sends or encrypted)))  # fmt: skip

    here.every(transfer, dice.wide(10, 600) * MINUTE / here.rate, 1)


def stepped_through(here: Premises) -> None:
    """A developer opens a page of the trial server, which calls the debugger on the PC and waits for its steps."""
    dice = here.dice
    pc, server = here.pc(), here.adds("trial", Kind.UNIX)
    port = dice.choice((80, 443, 8000, 8080, 8443))
    back = dice.choice((9_003, 9_003, 9_003, 9_000, 5_678))

    def step(at: int) -> None:
        here.call(at, pc, server, port, (900, 9_000), dice.count(1, 90) * SECOND)
        here.call(at + 20_000, server, pc, back, (dice.size(40_000), 3_000), dice.count(1, 80) * SECOND,
                  Shown(speech=Speech.TEXT))  # fmt: skip

    here.every(step, dice.wide(1, 60) * MINUTE / here.rate, 1, between(9, 18, weekends=False))


def restarted(here: Premises) -> None:
    """A server of the workshop restarts: its programs are refused, while its folders are open again."""
    dice, server = here.dice, here.adds("workshop", Kind.UNIX)
    port = dice.choice((7_070, 1_234, 4_321, 8_765, dice.randrange(1_025, 65_000)))
    speech = dice.choice((Speech.BYTES, Speech.TEXT, Speech.TLS, Speech.HTTP))
    first = dice.chance(0.2)

    def restart(at: int) -> None:
        for pc in here.pcs():
            now = at + dice.count(1, 20) * SECOND
            for _ in range(dice.count(1, 12)):
                here.refused(now, pc, server, port)
                now += dice.count(1, 5) * SECOND
            here.call(now, pc, server, dice.choice((80, 443, 445, 8080)), (900, 9_000), SECOND)
            here.call(now + 3 * SECOND, pc, server, port, (2_000, 9_000), dice.count(1, 600) * SECOND,
                      Shown(speech=speech, resp_first=first))  # fmt: skip

    def work(at: int) -> None:
        here.call(at, here.pc(), server, port, (2_000, 9_000), dice.count(1, 600) * SECOND,
                  Shown(speech=speech, resp_first=first))  # fmt: skip

    here.every(restart, dice.wide(8, 200) * HOUR, 1)
    here.every(work, dice.wide(1, 90) * MINUTE / here.rate, 1, between(7, 19))
