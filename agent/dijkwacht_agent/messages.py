"""What the agent says to an owner, in English and in plain Dutch (B1). Keys are those of `check`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "settings_wrong": (
        "The settings cannot be used: {why}.",
        "De instellingen kloppen niet: {why}.",
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
    "interface_up": (
        "Interface {name} is up.",
        "Netwerkaansluiting {name} staat aan.",
    ),
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
        "In {seconds:g} s zag hij alleen het verkeer van dit apparaat en wat aan iedereen wordt gestuurd. Om de andere apparaten te zien is een mirrorpoort van de switch, een brug of de router nodig.",
    ),
    "share_none": (
        "In {seconds:g} s no packet passed. Is this the right interface?",
        "In {seconds:g} s kwam er geen enkel pakketje langs. Is dit de goede aansluiting?",
    ),
    "collector_answers": (
        "The collector at {url} answers.",
        "De verzamelaar op {url} antwoordt.",
    ),
    "collector_silent": (
        "The collector at {url} does not answer: {why}.",
        "De verzamelaar op {url} antwoordt niet: {why}.",
    ),
    "plain_http": (
        "The way to {url} is not encrypted: who is on that way can read what is sent. Use https.",
        "De weg naar {url} is niet versleuteld: wie onderweg meekijkt, kan meelezen. Gebruik https.",
    ),
    "token_good": (
        "The collector knows this agent.",
        "De verzamelaar kent deze agent.",
    ),
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
        "The clock differs {offset:.0f} s from the collector's. Turn on time synchronisation.",
        "De klok scheelt {offset:.0f} s met die van de verzamelaar. Zet het gelijkzetten van de tijd aan.",
    ),
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
    "in_trouble": (
        "The agent is running, but {why}.",
        "De agent draait, maar er is iets: {why}.",
    ),
    "not_running": (
        "The agent is not running now: nobody watches. Start it: dijkwacht-agent run",
        "De agent draait nu niet: er wordt niet gewaakt. Starten: dijkwacht-agent run",
    ),
    "spool_fine": (
        "{waiting} wait on disk to be sent, of {limit} at most.",
        "{waiting} wacht op de schijf op verzending, van hoogstens {limit}.",
    ),
    "spool_filling": (
        "{waiting} wait on disk to be sent, of {limit} at most: when it is full the oldest is lost. Does the collector answer?",
        "{waiting} wacht op de schijf op verzending, van hoogstens {limit}: is het vol, dan gaat het oudste verloren. Antwoordt de verzamelaar?",
    ),
    "disk_fine": (
        "There is room on the disk ({free} free).",
        "Er is plaats op de schijf ({free} vrij).",
    ),
    "disk_full": (
        "The disk is nearly full ({free} free), too little for what may have to wait ({limit}).",
        "De schijf is bijna vol ({free} vrij), te weinig voor wat moet kunnen wachten ({limit}).",
    ),
    "meter_reference": (
        "This machine can keep up with a busy line of about {megabits} Mbit/s.",
        "Dit apparaat kan een drukke lijn van ongeveer {megabits} Mbit/s bijhouden.",
    ),
    "all_fine": (
        "All is well.",
        "Alles is in orde.",
    ),
    "not_fine": (
        "{count} things need attention: see the lines with an exclamation mark.",
        "{count} dingen vragen aandacht: zie de regels met een uitroepteken.",
    ),
    "not_fine_one": (
        "One thing needs attention: see the line with an exclamation mark.",
        "Eén ding vraagt aandacht: zie de regel met een uitroepteken.",
    ),
}


def say(key: str, language: str, **values: object) -> str:
    """The sentence ``key`` in ``language`` (``en`` or ``nl``) with ``values`` filled in."""
    return SENTENCES[key][language == "nl"].format(**values)


def language(asked: str | None = None, environment: Mapping[str, str] = os.environ) -> str:
    """``en`` or ``nl``: what was asked, else what the environment's locale begins with."""
    spoken = next((v for k in ("LC_ALL", "LC_MESSAGES", "LANG") if (v := environment.get(k))), "")
    return asked or ("nl" if spoken.lower().startswith("nl") else "en")
