"""What somebody at a PC or with a telephone does, and what these do by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk, log_in
from dijkwacht_lab.traffic.habit import Habit, Presence, size
from dijkwacht_lab.traffic.ledger import HOUR, MINUTE, SECOND, TCP, UDP, Call, Device, Ledger
from dijkwacht_lab.traffic.programs import CHAT, CLOUD, MAIL, PUSH, SHIELD, UPDATER
from dijkwacht_lab.traffic.world import PLACES, spread
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

_MAIL, _CLOUD, _UPDATES, _SHIELD, _PUSH, _, _, _CALLS = range(40, 48)
_CHAT: Final = 61
_OLD_MAIL: Final = 67
_CHAT_BEAT_US: Final = 30 * SECOND
_PUSH_BEAT_US: Final = 240 * SECOND


def sit_at(ledger: Ledger, pc: Device, rate: float, people: Presence, on: Presence) -> list[Habit]:
    """All that a PC and its owner do with the world outside."""
    habits = _desk(ledger, pc, rate, people) + _background(ledger, pc, on)
    habits.append(Habit(ledger, _chat(ledger, pc), 45 * MINUTE, 0.1, on))
    if pc.mac % 8 == 0:
        habits.append(Habit(ledger, _old_mail(ledger, pc), 10 * MINUTE, 0.02, on))
    return habits


def _desk(ledger: Ledger, pc: Device, rate: float, people: Presence) -> list[Habit]:
    """What somebody at a PC does: read, call, open files that the antivirus asks about."""
    rng = ledger.rng

    def browse(at: int) -> None:
        first = ledger.place()
        for number in range(1 + int(rng.expovariate(0.28))):
            place = ledger.place() if number else first
            ledger.visit(at, pc, place, 900 + size(ledger, 1_500), size(ledger, 18_000, 1.5),
                         int(rng.lognormvariate(13.8, 1.6)))  # fmt: skip
            at += int(rng.expovariate(1) * 150_000)

    def shield(at: int) -> None:
        for _ in range(1 + rng.getrandbits(2)):
            name = f"{rng.getrandbits(96):024x}.avqs.shield.example"
            at = ledger.ask(at, pc, name, 1 if rng.random() < 0.8 else 16, 3 * rng.getrandbits(1))

    def call(at: int) -> None:
        seconds = int((5 + rng.expovariate(1 / 20)) * 60)
        rate_up = 20_000 + rng.getrandbits(17)
        # Sound and pictures of both sides cross all the time.
        talk = Talk(seconds * (8 + rng.getrandbits(4)), 1_050, 1_120, 8, 60)
        ledger.flow(at, Call(pc.address, PLACES[_CALLS + rng.getrandbits(3)], 3478, UDP),
                    up=rate_up * seconds, down=2 * rate_up * seconds, last_us=seconds * SECOND,
                    shown=Shown(talk))  # fmt: skip

    return [
        Habit(ledger, browse, 75 * SECOND / rate, 1, people),
        Habit(ledger, shield, 12 * MINUTE / rate, 1, people),
        Habit(ledger, call, 5 * HOUR / rate, 1, people),
    ]


def _background(ledger: Ledger, pc: Device, on: Presence) -> list[Habit]:
    """What a PC does by itself: poll mail and cloud, look for updates, shout for printers."""
    rng = ledger.rng
    beat = rng.choice((60, 90, 120, 300)) * SECOND

    def mail(at: int) -> None:
        attaches = rng.random() < 0.01
        ledger.visit(at, pc, _MAIL, size(ledger, 1_500_000 if attaches else 900, 0.4),
                     size(ledger, 6_000), 350_000, MAIL)  # fmt: skip

    def cloud(at: int) -> None:
        saves = rng.random() < 0.02
        ledger.visit(at, pc, _CLOUD + spread(pc.mac, 4) * 50,
                     size(ledger, 400_000 if saves else 1_200, 0.3), 2_400, 280_000,
                     CLOUD)  # fmt: skip

    def update(at: int) -> None:
        fetches = rng.random() < 0.1
        ledger.visit(at, pc, _UPDATES, 2_000, size(ledger, 3e7 if fetches else 9_000),
                     40 * SECOND if fetches else 700_000, UPDATER)  # fmt: skip
        ledger.visit(at + SECOND, pc, _SHIELD, 1_600, size(ledger, 40_000), 900_000, SHIELD)

    def chatter(at: int) -> None:
        kind = rng.random()
        if kind < 0.5:
            ledger.shout(at, pc, "_ipp._tcp.local", 5353)
        elif kind < 0.7:
            ledger.shout(at, pc, f"{pc.name}", 5355)
        elif kind < 0.85:
            ledger.ask(at, pc, "wpad.office.example", 1, 3, 0)
        else:
            other = rng.randrange(1, 60)
            ledger.ask(at, pc, f"{other}.1.168.192.in-addr.arpa", 12, 3, 0)

    return [
        Habit(ledger, mail, beat * 2, 0.1, on),
        Habit(ledger, cloud, beat, 0.15, on),
        Habit(ledger, update, 3 * HOUR, 0.3, on),
        Habit(ledger, chatter, 9 * MINUTE, 1, on),
    ]


def _chat(ledger: Ledger, pc: Device) -> Callable[[int], None]:
    """A messenger's web socket: open for long, and kept so every half minute."""
    rng = ledger.rng

    def chat(at: int) -> None:
        at = ledger.look_up(at, pc, _CHAT)
        beats = (800_000, *range(_CHAT_BEAT_US, rng.randrange(5, 45) * MINUTE, _CHAT_BEAT_US))
        call = Call(pc.address, PLACES[_CHAT], CHAT.port)
        ledger.flow(at, call, up=2_000 + 40 * len(beats), down=4_000 + 60 * len(beats),
                    last_us=beats[-1], beats=beats,
                    shown=Shown(Talk(2 * len(beats), 35, 31, 90, 12)))  # fmt: skip
        ledger.hello(at, call, CHAT, _CHAT)

    return chat


def _old_mail(ledger: Ledger, pc: Device) -> Callable[[int], None]:
    """A mail program that was never told to encrypt; once in a while its owner mistypes."""
    rng = ledger.rng
    account = f"{pc.name}@old-mail.example"
    service, port = ((AuthService.POP, 110), (AuthService.IMAP, 143))[pc.mac >> 3 & 1]

    def poll(at: int) -> None:
        at = ledger.look_up(at, pc, _OLD_MAIL)
        for status in (*mistyped(ledger, 0.004), AuthStatus.NONE):
            counted = log_in(90_000, service, AuthMethod.PASSWORD, account, status=status)
            call = Call(pc.address, PLACES[_OLD_MAIL], port, TCP)
            ledger.flow(at, call, up=90, down=400 + size(ledger, 3_000) * rng.getrandbits(1),
                        last_us=260_000, shown=Shown(Talk(11, 6, 40), (counted,)))  # fmt: skip
            at += 20 * SECOND

    return poll


def mistyped(ledger: Ledger, chance: float) -> tuple[AuthStatus, ...]:
    """How often a password is wrong before it is right: hardly ever, then once or twice."""
    luck = ledger.rng.random()
    return (AuthStatus.REFUSED,) * (luck < chance) * (1 + (luck < chance / 3))


def telephone(
    ledger: Ledger, phone: Device, rate: float, people: Presence, on: Presence
) -> list[Habit]:
    """A telephone: messages wait at its maker's, its owner looks things up."""
    rng = ledger.rng

    def push(at: int) -> None:
        at = ledger.look_up(at, phone, _PUSH)
        beats = (600_000, *range(_PUSH_BEAT_US, 20 * MINUTE, _PUSH_BEAT_US))
        call = Call(phone.address, PLACES[_PUSH], PUSH.port)
        ledger.flow(at, call, up=1_800, down=2_600, last_us=beats[-1], beats=beats,
                    shown=Shown(Talk(2 * len(beats), 41, 41, 90, 40)))  # fmt: skip
        ledger.hello(at, call, PUSH, _PUSH)

    def look(at: int) -> None:
        for _ in range(1 + rng.getrandbits(2)):
            ledger.visit(at, phone, ledger.place(), 1_400, size(ledger, 25_000, 1.4),
                         int(rng.lognormvariate(14, 1.2)))  # fmt: skip

    return [
        Habit(ledger, push, 25 * MINUTE, 0.2, on),
        Habit(ledger, look, 6 * MINUTE / rate, 1, people),
    ]
