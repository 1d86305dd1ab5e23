"""What remote control does to a machine, and how an owner is told."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Deed(IntEnum):
    """What an operation does to the machine that is asked."""

    SERVICES = 0
    TASKS = 1
    METHODS = 2
    DRIVERS = 3
    SECRETS = 4
    FORCED = 5
    SETTINGS = 6
    ACCOUNTS = 7
    TRACES = 8
    FOLDERS = 9
    QUESTIONS = 10


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
    Deed.FORCED: (
        "{src} attacked the log-in of {dst}.",
        "{src} attacked the log-in of {dst}, which refused.",
        "{src} viel de aanmelding van {dst} aan.",
        "{src} viel de aanmelding van {dst} aan, die weigerde.",
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
