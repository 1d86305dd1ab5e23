"""What an owner reads of the installed package: English, and plain Dutch."""

from __future__ import annotations

from typing import Final

PACKAGE_MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "needs_root": (
        "the service's own folder is root's; type: sudo dijkwacht-agent {command}",
        "de map van de dienst is van root; typ: sudo dijkwacht-agent {command}",
    ),
    "service_runs": (
        "The agent runs now, and will by itself whenever this machine starts. See whether all is well: sudo dijkwacht-agent check",
        "De agent draait nu, en begint voortaan vanzelf als dit apparaat aangaat. Kijk of alles klopt: sudo dijkwacht-agent check",
    ),
    "service_asked": (
        "Now start it: sudo systemctl restart dijkwacht-agent",
        "Start hem nu: sudo systemctl restart dijkwacht-agent",
    ),
    "state_newer": (
        "{path} was written by a newer version of the agent; install that one: sudo apt install dijkwacht-agent",
        "{path} is door een nieuwere versie van de agent geschreven; installeer die: sudo apt install dijkwacht-agent",
    ),
    "rights_kept": (
        "this machine does not let the agent give up its rights: it keeps them",
        "op dit apparaat kan de agent zijn rechten niet opgeven: hij houdt ze",
    ),
}
"""Key → English, Dutch."""

INSTEAD: Final[dict[str, tuple[str, str]]] = {
    "joined_now": ("Joined {site} as {agent}.", "Aangemeld bij {site} als {agent}."),
    "not_joined": (
        "This agent has not joined a site. Ask for a join code and type: sudo dijkwacht-agent join CODE",
        "Deze agent hoort nog nergens bij. Vraag een code en typ: sudo dijkwacht-agent join CODE",
    ),
    "has_not_joined": (
        "this agent has not joined a site; ask for a code and type: sudo dijkwacht-agent join CODE",
        "deze agent hoort nog nergens bij; vraag een code en typ: sudo dijkwacht-agent join CODE",
    ),
    "token_bad": (
        "The collector does not know this agent: {why}. Ask for a new code and type: sudo dijkwacht-agent join CODE --again",
        "De verzamelaar kent deze agent niet: {why}. Vraag een nieuwe code en typ: sudo dijkwacht-agent join CODE --again",
    ),
    "not_running": (
        "The agent is not running now: nobody watches. Start it: sudo systemctl restart dijkwacht-agent",
        "De agent draait nu niet: er wordt niet gewaakt. Starten: sudo systemctl restart dijkwacht-agent",
    ),
    "capture_right": (
        "{name}: listening needs a right that you do not have; type sudo before it",
        "{name}: meeluisteren vraagt een recht dat u niet hebt; typ er sudo voor",
    ),
}
"""What the package says in the place of other messages: its agent is a service, and root's."""
