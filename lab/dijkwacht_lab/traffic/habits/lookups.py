"""Names asked for in numbers: that nobody has, that are new each time, or that a maker made up."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.dice import Dice
from dijkwacht_lab.traffic.habit import between, switched_on
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.site import HOUR, MINUTE, Device
from dijkwacht_lab.traffic.world import NAMES

_A, _MX, _TXT, _AAAA, _NO_SUCH_NAME = 1, 15, 16, 28, 3
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_HEX: Final = "0123456789abcdef"
_TOPS: Final = ("example", "com", "net", "org", "nl", "info", "top", "xyz")


def _drawn(dice: Dice, low: int, high: int) -> str:
    return "".join(dice.choices(_LETTERS, k=dice.randrange(low, high)))


def _word(here: Premises) -> str:
    """A name of syllables, as a firm or a product might have."""
    return "".join(NAMES[here.place()].split(".")[-2][:6] for _ in range(2))


def free_names(here: Premises) -> None:
    """Somebody tries by a program which names are free: words, short ones, and a few of letters by chance."""
    dice = here.dice
    pc, many = here.pc(), dice.count(10, 300)
    tops = dice.some(_TOPS, 0.2, 1)
    short = dice.uniform(0, 0.3)

    def try_names(at: int) -> None:
        for _ in range(dice.count(5, many)):
            name = _drawn(dice, 3, 7) if dice.chance(short) else _word(here)
            found = dice.chance(0.3)
            at = here.ledger.ask(
                at, pc, f"{name}.{dice.choice(tops)}", _A, 0 if found else _NO_SUCH_NAME, int(found)
            )
            at += dice.count(1_000, 900_000)

    here.every(try_names, dice.wide(20, 200) * HOUR, 1, between(9, 22))


def typing_errors(here: Premises) -> None:
    """People type names wrong: a letter left out, doubled, or exchanged; browsers then try with www."""
    dice = here.dice
    for pc in here.pcs():

        def mistype(at: int, pc: Device = pc) -> None:
            word = NAMES[here.place()].split(".")[-2]
            k = dice.randrange(0, len(word))
            wrong = dice.choice(
                (
                    word[:k] + word[k + 1 :],
                    word[:k] + word[k : k + 1] + word[k:],
                    word[:k] + dice.choice(_LETTERS) + word[k + 1 :],
                )
            )
            for name in (f"{wrong}.{dice.choice(_TOPS)}", f"www.{wrong}.example"):
                at = here.ledger.ask(at, pc, name, _A, _NO_SUCH_NAME, 0)

        here.every(mistype, dice.wide(10, 600) * MINUTE / here.rate, 1, between(8, 18))


def dead_advertisers(here: Premises) -> None:
    """Pages call for advertisers that are gone, some of which had names of letters by chance."""
    dice = here.dice
    drawn = dice.uniform(0, 0.6)
    gone = [
        f"{_drawn(dice, 6, 14) if dice.chance(drawn) else _word(here)}.{dice.choice(_TOPS)}"
        for _ in range(dice.count(5, 120))
    ]
    for pc in here.pcs():

        def load(at: int, pc: Device = pc) -> None:
            for name in dice.some(gone, 0.02, 0.2):
                at = here.ledger.ask(at, pc, name, dice.choice((_A, _AAAA)), _NO_SUCH_NAME, 0)

        here.every(load, dice.wide(5, 120) * MINUTE / here.rate, 1, between(8, 18))


def filtered_names(here: Premises) -> None:
    """The router denies what is on its lists: advertisers and trackers do not exist, each time they are asked for."""
    dice = here.dice
    denied = [NAMES[here.place()] for _ in range(dice.count(20, 400))]
    denied += [f"{_drawn(dice, 6, 13)}.{dice.choice(_TOPS)}" for _ in range(dice.count(1, 25))]
    for who in (*here.pcs(), *here.phones()):

        def load(at: int, who: Device = who) -> None:
            for _ in range(dice.count(1, 12)):
                at = here.ledger.ask(
                    at, who, dice.choice(denied), dice.choice((_A, _AAAA)), _NO_SUCH_NAME, 0
                )

        here.every(load, dice.wide(1, 30) * MINUTE / here.rate, 1, between(8, 20))


def spam_senders(here: Premises) -> None:
    """A mail server looks up the domains that letters claim to be from: many are made up, some by chance."""
    dice, server = here.dice, here.server()
    drawn, gone = dice.uniform(0, 0.5), dice.uniform(0.02, 0.5)

    def receive(at: int) -> None:
        word = _drawn(dice, 5, 13) if dice.chance(drawn * gone) else _word(here)
        domain, exists = f"{word}.{dice.choice(_TOPS)}", not dice.chance(gone)
        for qtype in (_MX, _A, _TXT):
            at = here.ledger.ask(
                at, server, domain, qtype, 0 if exists else _NO_SUCH_NAME, int(exists)
            )
        for _ in range(dice.count(1, 4)):
            link = f"{_word(here)}.{dice.choice(_TOPS)}"
            exists = dice.chance(0.8)
            at = here.ledger.ask(at, server, link, _A, 0 if exists else _NO_SUCH_NAME, int(exists))

    here.every(receive, dice.wide(20, 1_800) * 1_000_000, 1)


def suffixes_tried(here: Premises) -> None:
    """A name of one label is tried below each suffix that the network tells: none of them has it."""
    dice = here.dice
    suffixes = [dice.choice(("localdomain", "office", "router", "lan", "fritz.box", "home.arpa", "kantoor.example"))
                for _ in range(dice.count(1, 3))]  # fmt: skip
    names = [
        dice.choice(("printer", "nas", "srv", "pc", "tv")) + str(n)
        for n in range(dice.count(1, 30))
    ]
    for pc in here.pcs():

        def seek(at: int, pc: Device = pc) -> None:
            name = dice.choice(names) if dice.chance(0.6) else _drawn(dice, 7, 16)
            for suffix in suffixes:
                at = here.ledger.ask(
                    at, pc, f"{name}.{suffix}", dice.choice((_A, _AAAA)), _NO_SUCH_NAME, 0
                )

        here.every(seek, dice.wide(1, 90) * MINUTE, 1, switched_on(0, at_night=False))


def measured_pages(here: Premises) -> None:
    """Pages measure networks by names that nobody asked for before: each visit makes a few new ones."""
    dice = here.dice
    domain = f"rum.measure-{dice.randrange(30)}.example"
    length = dice.randrange(8, 37)
    pcs = here.pcs(0.1)
    few = dice.count(1, 5)

    def load(at: int) -> None:
        pc = dice.choice(pcs)
        for _ in range(dice.count(1, few)):
            digits = "".join(dice.choices(_HEX, k=length))
            at = here.ledger.ask(at, pc, f"{digits}.{domain}", _A)

    here.every(load, dice.wide(5, 300) * MINUTE / here.rate, 1, between(8, 18))


def numbered_machines(here: Premises) -> None:
    """A cloud's machines have names by number and chance: a program meets some new ones each day."""
    dice = here.dice
    who = dice.choice([here.pc(), here.server(), here.adds("recorder")])
    domain = f"{dice.choice(('eu-west', 'fra1', 'relay'))}.cloud-{dice.randrange(60)}.example"
    known = [f"i-{''.join(dice.choices(_HEX, k=17))}.{domain}" for _ in range(dice.count(2, 60))]
    fresh = dice.uniform(0, 0.2)

    def call(at: int) -> None:
        if dice.chance(fresh):
            known[dice.randrange(0, len(known))] = f"i-{''.join(dice.choices(_HEX, k=17))}.{domain}"
        here.ledger.ask(at, who, dice.choice(known), dice.choice((_A, _AAAA)))

    here.every(call, dice.wide(0.5, 60) * MINUTE, 1)
