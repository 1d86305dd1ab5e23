"""Every text of the agent that an owner reads, in English and in plain Dutch (B1), by its key.

The keys of findings are those of `check`. Texts of errors are parts of sentences, without a full
stop: they stand alone behind the command's name, or fill ``{why}``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from dijkwacht_agent.code_messages import CODE_MESSAGES
from dijkwacht_agent.dead_man_messages import DEAD_MAN_MESSAGES
from dijkwacht_agent.export_messages import EXPORT_MESSAGES
from dijkwacht_agent.help_messages import HELP_MESSAGES
from dijkwacht_agent.owner_messages import OWNER_MESSAGES
from dijkwacht_agent.package_messages import PACKAGE_MESSAGES
from dijkwacht_agent.page_messages import PAGE_MESSAGES
from dijkwacht_agent.pairing_messages import PAIRING_MESSAGES
from dijkwacht_agent.plain_text import plain
from dijkwacht_agent.row_messages import ROW_MESSAGES
from dijkwacht_agent.selftest_messages import SELFTEST_MESSAGES
from dijkwacht_agent.trust_messages import TRUST_MESSAGES
from dijkwacht_records.errors import Message

MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "settings_wrong": (
        "The settings cannot be used: {why}",
        "De instellingen kloppen niet: {why}",
    ),
    "joined_now": (
        "Joined {site} as {agent}. See whether all is well: dijkwacht-agent check. Start: dijkwacht-agent run",
        "Aangemeld bij {site} als {agent}. Kijk of alles klopt: dijkwacht-agent check. Starten: dijkwacht-agent run",
    ),
    "joined": (
        "This agent is {agent} of site {site}.",
        "Deze agent heet {agent} en hoort bij {site}.",
    ),
    "not_joined": (
        "This agent has not joined a site. Ask for a join code and run: dijkwacht-agent join CODE",
        "Deze agent hoort nog nergens bij. Vraag een code en typ: dijkwacht-agent join CODE",
    ),
    "interface_up": ("Interface {name} is up.", "Netwerkaansluiting {name} staat aan."),
    "interface_down": (
        "Interface {name} is down. Is the cable in?",
        "Netwerkaansluiting {name} staat uit. Zit de kabel erin?",
    ),
    "interface_none": (
        "There is no interface to listen on: {why}.",
        "Er is geen netwerkaansluiting om op te luisteren: {why}.",
    ),
    "capture_works": (
        "The agent can see traffic on {name}.",
        "De agent kan het verkeer op {name} zien.",
    ),
    "capture_fails": (
        "The agent cannot see traffic: {why}.",
        "De agent kan geen verkeer zien: {why}.",
    ),
    "share_many": (
        "In {seconds:g} s it saw traffic between other machines ({others} of them): this place sees the network.",
        "In {seconds:g} s zag hij verkeer tussen andere apparaten ({others} stuks): deze plek ziet het netwerk.",
    ),
    "share_own": (
        "In {seconds:g} s it saw only traffic of this machine and what is sent to everybody. To see the other machines, use a mirror port of the switch, a bridge, or the router.",
        "In {seconds:g} s zag hij alleen het verkeer van dit apparaat en wat aan iedereen wordt gestuurd. Om de andere apparaten te zien is een spiegelpoort van de switch, een brug of de router nodig.",
    ),
    "share_none": (
        "In {seconds:g} s no packet passed. Is this the right interface?",
        "In {seconds:g} s kwam er geen enkel pakketje langs. Is dit de goede aansluiting?",
    ),
    "collector_answers": ("The collector at {url} answers.", "De verzamelaar op {url} antwoordt."),
    "collector_silent": (
        "The collector at {url} does not answer: {why}.",
        "De verzamelaar op {url} antwoordt niet: {why}.",
    ),
    "plain_http": (
        "The way to {url} is not encrypted: who is on that way can read what is sent. Use https.",
        "De weg naar {url} is niet versleuteld: wie onderweg meekijkt, kan meelezen. Gebruik https.",
    ),
    "token_good": ("The collector knows this agent.", "De verzamelaar kent deze agent."),
    "token_bad": (
        "The collector does not know this agent: {why}. Ask for a new code and run: dijkwacht-agent join CODE --again",
        "De verzamelaar kent deze agent niet: {why}. Vraag een nieuwe code en typ: dijkwacht-agent join CODE --again",
    ),
    "token_unsure": (
        "Whether the collector knows this agent could not be found out: {why}.",
        "Of de verzamelaar deze agent kent, was niet te zien: {why}.",
    ),
    "clock_right": (
        "The clock is right (it differs {offset:.0f} s from the collector's).",
        "De klok loopt goed (hij scheelt {offset:.0f} s met die van de verzamelaar).",
    ),
    "clock_wrong": (
        "The clock of this machine is {much} {side}. Turn on time synchronisation.",
        "De klok van dit apparaat loopt {much} {side}. Zet het gelijkzetten van de tijd aan.",
    ),
    "contracts_shared": (
        "The collector reads what this agent writes (versions of the contract: it reads {reads}, the agent writes {writes}).",
        "De verzamelaar leest wat deze agent schrijft (versies van het contract: hij leest {reads}, de agent schrijft {writes}).",
    ),
    "contracts_apart": (
        "The collector reads version {reads} of the contract, this agent writes {writes}: what it sees waits on disk. Upgrade the older of the two.",
        "De verzamelaar leest versie {reads} van het contract, deze agent schrijft {writes}: wat hij ziet, wacht op de schijf. Werk de oudste van de twee bij.",
    ),
    "spool_unread": (
        "Batches wait on disk in version {unread} of the contract; the collector reads {reads}. They are kept until it is upgraded.",
        "Op de schijf wachten gegevens in versie {unread} van het contract; de verzamelaar leest {reads}. Ze blijven bewaard tot hij is bijgewerkt.",
    ),
    "no_version": ("none", "geen"),
    "key_wrong": (
        "The key that hides your addresses cannot be used: {why}.",
        "De sleutel die uw adressen verbergt is niet te gebruiken: {why}.",
    ),
    "running": (
        "The agent is running; it has seen {packets} packets and lost {lost}.",
        "De agent draait; hij zag {packets} pakketjes en miste er {lost}.",
    ),
    "losing": (
        "The agent is running, but loses packets: {lost} of {packets}. This machine is too slow for this network.",
        "De agent draait, maar mist pakketjes: {lost} van de {packets}. Dit apparaat is te traag voor dit netwerk.",
    ),
    "in_trouble": ("The agent is running, but {why}.", "De agent draait, maar er is iets: {why}."),
    "not_running": (
        "The agent is not running now: nobody watches. Start it: sudo systemctl enable --now dijkwacht-agent (or, without the service: dijkwacht-agent run)",
        "De agent draait nu niet: er wordt niet gewaakt. Starten: sudo systemctl enable --now dijkwacht-agent (of, zonder de dienst: dijkwacht-agent run)",
    ),
    "meter_reference": (
        "This machine can keep up with a busy line of about {megabits} Mbit/s.",
        "Dit apparaat kan een drukke lijn van ongeveer {megabits} Mbit/s bijhouden.",
    ),
    "all_fine": ("All is well.", "Alles is in orde."),
    "not_fine": (
        "{count} things need attention: see the lines with an exclamation mark.",
        "{count} dingen vragen aandacht: zie de regels met een uitroepteken.",
    ),
    "not_fine_one": (
        "One thing needs attention: see the line with an exclamation mark.",
        "Eén ding vraagt aandacht: zie de regel met een uitroepteken.",
    ),
    # Errors: where, what, and what would help.
    "has_not_joined": (
        "this agent has not joined a site: dijkwacht-agent join CODE",
        "deze agent hoort nog nergens bij; vraag een code en typ: dijkwacht-agent join CODE",
    ),
    "has_joined": (
        "this agent has joined {site} already, and need not again; to do it anew all the same, with a new code, put --again behind it",
        "deze agent hoort al bij {site}: aanmelden hoeft niet nog eens; wilt u het toch, met een nieuwe code, zet er dan --again achter",
    ),
    "has_joined_some": (
        "this agent has joined a site before; to do it anew, with a new code, put --again behind it",
        "deze agent hoort al ergens bij; wilt u hem opnieuw aanmelden, met een nieuwe code, zet er dan --again achter",
    ),
    "join_busy": (
        "too many agents join at once; try again in a minute",
        "er melden zich te veel agents tegelijk aan; probeer het over een minuut nog eens",
    ),
    "join_unusable": (
        "{url} gave a site or a token that cannot be used",
        "{url} gaf een naam of toegangsbewijs dat niet te gebruiken is",
    ),
    "no_collector": (
        "{url} does not answer like a collector",
        "wat op {url} antwoordt is geen verzamelaar",
    ),
    "agent_name": (
        "'{name}': a name has small letters, digits and dashes, 63 at most",
        "'{name}': een naam heeft kleine letters, cijfers en streepjes, hoogstens 63",
    ),
    "state_former": (
        "using the state of an earlier version in {path}; moved to {usual}, it is found from every folder",
        "de gegevens van een eerdere versie in {path} worden gebruikt; verplaatst naar {usual} zijn ze vanuit elke map te vinden",
    ),
    "state_no_access": (
        "{path}: no access; use sudo and name this folder: --state {state}, or name a folder of your own with --state",
        "{path}: geen toegang; gebruik sudo en noem deze map erbij: --state {state}, of noem met --state een eigen map",
    ),
    "state_not_writable": (
        "{path}: cannot be written, not even by root (perhaps it can only be read)",
        "{path}: hier kan niet worden geschreven, ook niet door root (misschien is alleen lezen mogelijk)",
    ),
    "state_not_made": (
        "{path}: this folder cannot be made here; name another with --state",
        "{path}: deze map kan hier niet worden gemaakt; noem een andere met --state",
    ),
    "key_size": (
        "{path}: a key has {wanted} bytes, this has {found}",
        "{path}: een sleutel heeft {wanted} bytes, deze {found}",
    ),
    "key_open": (
        "{path}: other users may read the key; chmod 600 it",
        "andere gebruikers kunnen hem lezen; typ: chmod 600 {path}",
    ),
    "settings_file": (
        "{path}: cannot be read as TOML: {why}",
        "{path}: dit is geen leesbaar instellingenbestand (TOML): {why}",
    ),
    "setting_unknown": (
        "{where}: '{name}' is no setting of the agent; docs/reference/settings.md has all of them",
        "{where}: '{name}' is geen instelling van de agent; docs/reference/settings.md noemt ze alle",
    ),
    "setting_near": (
        "{where}: '{name}' is no setting of the agent; did you mean '{near}'?",
        "{where}: '{name}' is geen instelling van de agent; bedoelt u '{near}'?",
    ),
    "setting_value": (
        "{where}: {name} is {value}; expected {allowed}",
        "{where}: {name} is {value}; verwacht: {allowed}",
    ),
    "in_environment": ("the environment ({variable})", "de omgeving ({variable})"),
    "on_command_line": ("the command line", "de opdrachtregel"),
    "allowed_name": (
        "small letters, digits and dashes, 63 at most",
        "kleine letters, cijfers en streepjes, hoogstens 63",
    ),
    "allowed_url": (
        "http://HOST:PORT or https://HOST:PORT",
        "http://NAAM:POORT of https://NAAM:POORT",
    ),
    "allowed_key": ("64 hexadecimal digits", "64 hexadecimale cijfers"),
    "allowed_text": ("a text", "een tekst"),
    "allowed_networks": (
        "networks such as 192.168.1.0/24 or 2001:db8::/32",
        "netwerken zoals 192.168.1.0/24 of 2001:db8::/32",
    ),
    "allowed_consents": (
        "any of: evidence, canary, settings, renew, update, diagnostics",
        "een of meer van: evidence, canary, settings, renew, update, diagnostics",
    ),
    "allowed_bytes": (
        "a whole number of bytes, 1048576 at least",
        "een heel getal, in bytes, minstens 1048576",
    ),
    "allowed_seconds": (
        "a number of seconds, above 0 and at most 3600",
        "een aantal seconden, meer dan 0 en hoogstens 3600",
    ),
    "interface_which": (
        "which interface? --interface NAME; there are: {there}",
        "welke? kies met --interface NAAM; er zijn: {there}",
    ),
    "interface_missing": (
        "there is no interface {name}; there are: {there}",
        "{name} is er niet, wel: {there}",
    ),
    "interface_kind": (
        "{name}: kind {kind} of interface is not understood",
        "{name}: dit soort aansluiting ({kind}) is niet bekend",
    ),
    "interface_gone": (
        "{name}: the interface is down or gone",
        "{name}: de aansluiting staat uit of is weg",
    ),
    "capture_right": (
        "{name}: capturing needs the right CAP_NET_RAW; run as root or grant it to the service",
        "{name}: meeluisteren vraagt het recht CAP_NET_RAW; start met sudo, of geef het aan de dienst",
    ),
    "capture_memory": (
        "{name}: no memory for a ring of {mebibytes} MiB; ask for a smaller one",
        "{name}: geen geheugen voor een buffer van {mebibytes} MiB; vraag een kleinere",
    ),
    "capture_system": (
        "this system has no AF_PACKET: live capture needs Linux",
        "dit systeem kan niet meeluisteren (geen AF_PACKET): daar is Linux voor nodig",
    ),
    "capture_other": ("{name}: cannot capture: {why}", "{name}: meeluisteren lukt niet: {why}"),
    # What is wrong on the way to the collector.
    "trouble_rejected": (
        "the collector refused a batch: {why}",
        "de verzamelaar weigerde een deel: {why}",
    ),
    "trouble_busy": ("the collector is busy: {why}", "de verzamelaar heeft het te druk: {why}"),
    "trouble_unread": (
        "what was seen waits on disk until the collector is upgraded: the oldest is in version {version} of the contract, and it reads {reads}",
        "wat gezien is wacht op de schijf tot de verzamelaar is bijgewerkt: het oudste heeft versie {version} van het contract, en hij leest {reads}",
    ),
    "trouble_unknown": (
        "the collector does not know this agent: {why}",
        "de verzamelaar kent deze agent niet: {why}",
    ),
    "trouble_unreachable": (
        "the collector cannot be reached: {why}",
        "de verzamelaar is niet te bereiken: {why}",
    ),
    "refused_malformed": ("the bytes arrived corrupt", "de gegevens kwamen beschadigd aan"),
    "refused_unknown_contract": (
        "it does not read what this version of the agent writes; update the collector",
        "hij kan niet lezen wat deze versie van de agent schrijft; werk de verzamelaar bij",
    ),
    "refused_too_large": (
        "it has more bytes than the collector takes",
        "het is groter dan de verzamelaar aanneemt",
    ),
    "refused_rejected": (
        "it breaks a rule of the collector",
        "het past niet bij de regels van de verzamelaar",
    ),
    "refused_not_authorised": (
        "the token is unknown or revoked",
        "zijn toegang is onbekend of ingetrokken",
    ),
    "refused_busy": ("it asks to try again later", "hij vraagt om het later nog eens te proberen"),
    "refused_status": (
        "it answered with HTTP status {status}",
        "hij antwoordde met HTTP-status {status}",
    ),
    "refused_strangely": (
        "the answer (HTTP status {status}) is not a collector's",
        "het antwoord (HTTP-status {status}) is niet van een verzamelaar",
    ),
    # What the operating system reports.
    "os_refused": (
        "nothing listens at that address (perhaps the collector does not run)",
        "op dat adres luistert niets (misschien draait de verzamelaar niet)",
    ),
    "os_name": (
        "that name is not known (perhaps the internet does not work, or the address is wrong)",
        "die naam is niet bekend (misschien werkt het internet niet, of klopt het adres niet)",
    ),
    "os_certificate": (
        "it cannot prove who it is (its certificate is not trusted)",
        "hij kan niet bewijzen wie hij is (het certificaat wordt niet vertrouwd)",
    ),
    "os_timeout": (
        "it takes too long (perhaps a firewall is in between)",
        "het duurt te lang (misschien zit er een firewall tussen)",
    ),
    "os_no_route": (
        "there is no way to it (perhaps the cable is out)",
        "er is geen weg naartoe (misschien zit de kabel er niet in)",
    ),
    "os_no_access": (
        "{path}: this user has no access",
        "{path}: deze gebruiker heeft geen toegang",
    ),
    "os_disk_full": ("{path}: the disk is full", "{path}: de schijf is vol"),
    "os_read_only": (
        "{path}: the disk can only be read",
        "{path}: op deze schijf kan niet worden geschreven",
    ),
    "os_no_folder": (
        "{path}: a part of this path is no folder",
        "{path}: een deel van dit pad is geen map",
    ),
    "os_missing": ("{path}: there is no such file", "{path}: dit bestand is er niet"),
    "other": ("{text}", "{text}"),
    **CODE_MESSAGES,
    **DEAD_MAN_MESSAGES,
    **EXPORT_MESSAGES,
    **HELP_MESSAGES,
    **ROW_MESSAGES,
    **PACKAGE_MESSAGES,
    **PAIRING_MESSAGES,
    **OWNER_MESSAGES,
    **PAGE_MESSAGES,
    **SELFTEST_MESSAGES,
    **TRUST_MESSAGES,
}


def message_text(message: Message, language: str) -> str:
    """``message`` in ``language`` (``en`` or ``nl``), with its values filled in."""
    values = {
        name: message_text(value, language)
        if isinstance(value, Message)
        else (plain(value) if isinstance(value, str) else value)
        for name, value in message.values.items()
    }
    return MESSAGES[message.key][language == "nl"].format(**values)


def language(asked: str | None = None, environment: Mapping[str, str] = os.environ) -> str:
    """``en`` or ``nl``: what was asked, else what the environment's locale begins with."""
    spoken = next((v for k in ("LC_ALL", "LC_MESSAGES", "LANG") if (v := environment.get(k))), "")
    return asked or ("nl" if spoken.lower().startswith("nl") else "en")
