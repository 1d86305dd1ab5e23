"""What remote control does to a machine, and how an owner is told."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from dijkwacht_detectors.api import Explanation


class Deed(IntEnum):
    """What an operation does to the machine that is asked; `QUESTIONS`, which do nothing, are the last."""

    SERVICES = 0
    TASKS = 1
    METHODS = 2
    OBJECTS = 3
    DRIVERS = 4
    SECRETS = 5
    COPIES = 6
    FORCED = 7
    TRUST = 8
    SETTINGS = 9
    ACCOUNTS = 10
    TRACES = 11
    FOLDERS = 12
    QUESTIONS = 13


TECHNIQUES: Final[dict[Deed, str]] = {
    Deed.SERVICES: "T1569.002",
    Deed.TASKS: "T1053.005",
    Deed.METHODS: "T1047",
    Deed.OBJECTS: "T1021.003",
    Deed.DRIVERS: "T1210",
    Deed.SECRETS: "T1003.002",
    Deed.COPIES: "T1003.006",
    Deed.FORCED: "T1187",
    Deed.TRUST: "T1210",
    Deed.SETTINGS: "T1112",
    Deed.ACCOUNTS: "T1098",
    Deed.TRACES: "T1070.001",
    Deed.FOLDERS: "T1021.002",
    Deed.QUESTIONS: "T1087",
}
"""ATT&CK technique of each deed."""


WORDS: Final[dict[Deed, tuple[str, str, str, str]]] = {
    Deed.SERVICES: (
        "{src} made {dst} run a program from a distance.",
        "{src} tried to make {dst} run a program from a distance.",
        "{src} liet {dst} op afstand een programma draaien.",
        "{src} probeerde {dst} op afstand een programma te laten draaien.",
    ),
    Deed.TASKS: (
        "{src} scheduled a task on {dst} from a distance.",
        "{src} tried to schedule a task on {dst} from a distance.",
        "{src} plande op afstand een taak op {dst}.",
        "{src} probeerde op afstand een taak op {dst} te plannen.",
    ),
    Deed.METHODS: (
        "{src} gave commands to {dst} from a distance.",
        "{src} tried to give commands to {dst} from a distance.",
        "{src} gaf {dst} op afstand opdrachten.",
        "{src} probeerde {dst} op afstand opdrachten te geven.",
    ),
    Deed.OBJECTS: (
        "{src} ran a program of {dst} by remote control.",
        "{src} tried to run a program of {dst} by remote control.",
        "{src} bediende op afstand een programma van {dst}.",
        "{src} probeerde op afstand een programma van {dst} te bedienen.",
    ),
    Deed.DRIVERS: (
        "{src} used the print service of {dst} to load a program into it.",
        "{src} tried to use the print service of {dst} to load a program into it.",
        "{src} gebruikte de afdrukservice van {dst} om er een programma in te laden.",
        "{src} probeerde de afdrukservice van {dst} te gebruiken om er een programma in te laden.",
    ),
    Deed.SECRETS: (
        "{src} copied stored passwords out of {dst}.",
        "{src} tried to copy stored passwords out of {dst}.",
        "{src} kopieerde bewaarde wachtwoorden uit {dst}.",
        "{src} probeerde bewaarde wachtwoorden uit {dst} te kopiëren.",
    ),
    Deed.COPIES: (
        "{src} copied passwords of your whole network out of {dst}.",
        "{src} tried to copy passwords of your whole network out of {dst}.",
        "{src} kopieerde wachtwoorden van uw hele netwerk uit {dst}.",
        "{src} probeerde wachtwoorden van uw hele netwerk uit {dst} te kopiëren.",
    ),
    Deed.FORCED: (
        "{src} told {dst} to log in somewhere else.",
        "{src} told {dst} to log in somewhere else, which refused.",
        "{src} droeg {dst} op om ergens anders in te loggen.",
        "{src} droeg {dst} op om ergens anders in te loggen, maar die weigerde.",
    ),
    Deed.TRUST: (
        "{src} tried again and again to pass for a computer that {dst} trusts.",
        "{src} tried again and again to pass for a computer that {dst} trusts, which refused.",
        "{src} probeerde steeds opnieuw door te gaan voor een computer die {dst} vertrouwt.",
        "{src} probeerde steeds opnieuw door te gaan voor een computer die {dst} vertrouwt, maar die weigerde.",
    ),
    Deed.SETTINGS: (
        "{src} changed settings of {dst} from a distance.",
        "{src} tried to change settings of {dst} from a distance.",
        "{src} veranderde op afstand instellingen van {dst}.",
        "{src} probeerde op afstand instellingen van {dst} te veranderen.",
    ),
    Deed.ACCOUNTS: (
        "{src} changed accounts on {dst}.",
        "{src} tried to change accounts on {dst}.",
        "{src} veranderde accounts op {dst}.",
        "{src} probeerde accounts op {dst} te veranderen.",
    ),
    Deed.TRACES: (
        "{src} erased a log of {dst}.",
        "{src} tried to erase a log of {dst}.",
        "{src} wiste een logboek van {dst}.",
        "{src} probeerde een logboek van {dst} te wissen.",
    ),
    Deed.FOLDERS: (
        "{src} used the system folders of {dst}.",
        "{src} tried to use the system folders of {dst}.",
        "{src} gebruikte de systeemmappen van {dst}.",
        "{src} probeerde de systeemmappen van {dst} te gebruiken.",
    ),
    Deed.QUESTIONS: (
        "{src} is asking {dst} who and what there is on your network.",
        "{src} is trying to ask {dst} who and what there is on your network.",
        "{src} vraagt {dst} uit over wie en wat er op uw netwerk is.",
        "{src} probeert {dst} uit te vragen over wie en wat er op uw netwerk is.",
    ),
}
"""By deed: what is said of one that was done and one that was refused, in English, then in Dutch."""

ADVICE: Final[dict[Deed, tuple[str, str]]] = {
    Deed.DRIVERS: (
        "If it was not a printer being installed, have the print service of {dst} switched off and updated.",
        "Als er geen printer werd geïnstalleerd: laat de afdrukservice van {dst} uitzetten en bijwerken.",
    ),
    Deed.SECRETS: (
        "And if nobody did, have every password that {dst} keeps changed, from a machine that is not involved.",
        "En deed niemand dit, laat dan elk wachtwoord dat {dst} bewaart wijzigen, vanaf een apparaat dat erbuiten staat.",
    ),
    Deed.COPIES: (
        (
            "Programs that take your accounts to a cloud do this too, every few minutes. If {src} runs no such program, "
            "every password must be changed, from a machine that is not involved."
        ),
        (
            "Programma's die uw accounts naar een cloud overbrengen doen dit ook, elke paar minuten. Draait er op {src} "
            "niet zo'n programma, dan moet elk wachtwoord worden gewijzigd, vanaf een apparaat dat erbuiten staat."
        ),
    ),
    Deed.FORCED: (
        (
            "Intruders do so to use that log-in for themselves. Have {dst} updated, and the log-ins of {dst} at other "
            "machines looked at."
        ),
        (
            "Indringers doen dat om zelf met die aanmelding binnen te komen. Laat {dst} bijwerken, en laat nakijken waar "
            "{dst} zich heeft aangemeld."
        ),
    ),
    Deed.TRUST: (
        "A computer that must be added to your network anew does so too, but slowly. Have {dst} updated.",
        "Een computer die opnieuw aan uw netwerk moet worden toegevoegd doet dit ook, maar langzaam. Laat {dst} bijwerken.",
    ),
    Deed.ACCOUNTS: (
        "If nobody did, have the accounts of {dst} that are new or were changed today looked at.",
        "Deed niemand dit, laat dan de accounts van {dst} nakijken die vandaag nieuw of gewijzigd zijn.",
    ),
}
"""What else to do, by deed, of one that was done: in English, then in Dutch."""


class About(IntEnum):
    """What a question is about."""

    ACCOUNTS = 0
    GROUPS = 1
    REGISTRY = 2
    SERVICES = 3
    SHARES = 4
    SESSIONS = 5
    OFFERS = 6
    SERVERS = 7


_ASKED: Final[dict[About, str]] = {
    About.ACCOUNTS: "T1087",
    About.GROUPS: "T1069",
    About.REGISTRY: "T1012",
    About.SERVICES: "T1007",
    About.SHARES: "T1135",
    About.SESSIONS: "T1049",
    About.OFFERS: "T1046",
    About.SERVERS: "T1018",
}


def technique_of(deed: Deed, about: float) -> str:
    """The ATT&CK technique of a deed; of questions, of what they are about, a number of `About`.

    >>> technique_of(Deed.TASKS, 0), technique_of(Deed.QUESTIONS, About.GROUPS)
    ('T1053.005', 'T1069')
    """
    if deed is not Deed.QUESTIONS:
        return TECHNIQUES[deed]
    return _ASKED[About(int(about)) if about in set(About) else About.ACCOUNTS]


LED: Final = (
    "Shortly before, another machine controlled {src} in the same way: so intruders move on. ",
    "Kort daarvoor werd {src} zelf zo door een ander apparaat bestuurd: zo trekken indringers verder. ",
)
WHO: Final = (
    (
        "This is what whoever looks after your computers can do, and what an intruder does to move from one "
        "machine to the next. "
    ),
    (
        "Dit kan wie uw computers beheert, en het is wat een indringer doet om van het ene apparaat naar het "
        "andere te komen. "
    ),
)
WHO_BREAKS_IN: Final = (
    "Intruders do this to take over a server through an old flaw; nobody needs it to manage computers. ",
    "Indringers doen dit om via een oud lek een server over te nemen; voor beheer heeft niemand het nodig. ",
)
TODO: Final = (
    (
        "Ask whether somebody did this just now. If nobody did, disconnect {src} from "
        "the network, leave it switched on, and have {dst} looked at too. If {src} is no device of yours, "
        "disconnect {dst} instead."
    ),
    (
        "Vraag na of iemand dit zojuist deed. Zo niet: haal {src} van het netwerk, laat het "
        "aanstaan en laat ook {dst} nakijken. Is {src} geen apparaat van u, haal dan {dst} van het netwerk."
    ),
)


def worded(facts: Mapping[str, float]) -> Explanation:
    """What an owner is told of deeds; facts: of each what was done, by its name in lower case, ``refused``, ``led``, ``about``."""
    deed = max(Deed, key=lambda deed: facts[deed.name.lower()])
    done, tried, gedaan, geprobeerd = WORDS[deed]
    refused = facts["refused"] > 0.5 * facts[deed.name.lower()]
    title, titel = (tried, geprobeerd) if refused else (done, gedaan)
    led, geleid = LED if facts["led"] else ("", "")
    who, wie = WHO_BREAKS_IN if deed is Deed.TRUST else WHO
    more, meer = ("", "") if refused else ADVICE.get(deed, ("", ""))
    return Explanation(
        title,
        titel,
        f"{led}{who}{TODO[0]} {more}".rstrip(),
        f"{geleid}{wie}{TODO[1]} {meer}".rstrip(),
        technique_of(deed, facts["about"]),
    )
