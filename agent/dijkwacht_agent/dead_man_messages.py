"""What an owner reads by mail or webhook when something has fallen silent, and about the settings of that."""

from __future__ import annotations

from typing import Final

DEAD_MAN_MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "told_source": ("Agent {agent} of {site}", "Agent {agent} van {site}"),
    "told_collector": (
        "For {minutes} minutes nothing of what {agent} of {site} sees has reached the collector: {why}. It is kept on disk; until it arrives nobody is warned.",
        "Al {minutes} minuten komt niets van wat {agent} van {site} ziet bij de verzamelaar aan: {why}. Het wordt op de schijf bewaard; tot het aankomt, wordt er niemand gewaarschuwd.",
    ),
    "told_collector_quiet": ("it does not answer", "hij antwoordt niet"),
    "told_collector_over": (
        "the collector answers {agent} of {site} again",
        "de verzamelaar antwoordt {agent} van {site} weer",
    ),
    "told_view": (
        "For {minutes} minutes {agent} of {site} has seen no packet at all. Is the cable in, and is the mirror port still set?",
        "Al {minutes} minuten ziet {agent} van {site} geen enkel pakketje. Zit de kabel erin, en staat de spiegelpoort nog aan?",
    ),
    "told_view_gone": (
        "{agent} of {site} cannot see traffic any more: {why}.",
        "{agent} van {site} kan het verkeer niet meer zien: {why}.",
    ),
    "told_view_over": (
        "{agent} of {site} sees traffic again",
        "{agent} van {site} ziet weer verkeer",
    ),
    "told_disk": (
        "The disk of {agent} of {site} is full: what cannot be sent at once is lost. Make room on that machine.",
        "De schijf van {agent} van {site} is vol: wat niet meteen verstuurd kan worden, gaat verloren. Maak ruimte op dat apparaat.",
    ),
    "told_disk_over": (
        "there is room again on the disk of {agent} of {site}",
        "er is weer ruimte op de schijf van {agent} van {site}",
    ),
    "told_try": (
        "This is a try, asked for at {agent} of {site}: messages arrive.",
        "Dit is een proefbericht, gevraagd bij {agent} van {site}: berichten komen aan.",
    ),
    "notice_sent": (
        "A try was sent by {by}. Look whether it has arrived.",
        "Er is een proefbericht verstuurd per {by}. Kijk of het is aangekomen.",
    ),
    "notice_fails": (
        "No message can be sent by {by}: {why}.",
        "Per {by} kan geen bericht worden verstuurd: {why}.",
    ),
    "notice_nobody": (
        "Nobody is told when something falls silent: set notify_mail or notify_url.",
        "Niemand krijgt bericht als er iets stilvalt: stel notify_mail of notify_url in.",
    ),
    "watchdog_reached": ("The watchdog's address answers.", "Het adres van de waakhond antwoordt."),
    "watchdog_fails": (
        "The watchdog's address cannot be reached: {why}.",
        "Het adres van de waakhond is niet te bereiken: {why}.",
    ),
    "notify_no_server": (
        "notify_mail is set and notify_mail_server is not: which server sends the mail?",
        "notify_mail is ingesteld en notify_mail_server niet: welke server verstuurt de mail?",
    ),
    "mail_log_in": (
        "the mail server does not accept the name or the password",
        "de mailserver neemt de naam of het wachtwoord niet aan",
    ),
    "mail_no_tls": (
        "the mail server offers no encryption (STARTTLS)",
        "de mailserver biedt geen versleuteling (STARTTLS)",
    ),
    "mail_refused": (
        "the mail server refused it ({why})",
        "de mailserver weigerde het ({why})",
    ),
    "allowed_patience": (
        "a number of seconds, 60 to 604800",
        "een aantal seconden, van 60 tot 604800",
    ),
    "allowed_address": (
        "a whole address that begins with https:// or http://",
        "een heel adres dat begint met https:// of http://",
    ),
    "allowed_mail": (
        "a mail address, or several with commas between",
        "een mailadres, of meer met komma's ertussen",
    ),
    "allowed_server": ("HOST or HOST:PORT", "NAAM of NAAM:POORT"),
    "allowed_language": ("en, nl or both", "en, nl of both (allebei)"),
    "allowed_per_hour": ("a whole number, 1 to 60", "een heel getal, van 1 tot 60"),
}
