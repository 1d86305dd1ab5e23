"""What an owner reads of the installed package: English, and plain Dutch."""

from __future__ import annotations

from typing import Final

PACKAGE_MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "needs_root": (
        "only who manages this computer may do this; type sudo before it: sudo dijkwacht-agent {command}",
        "dit mag alleen wie deze computer beheert; typ er sudo voor: sudo dijkwacht-agent {command}",
    ),
    "service_runs": (
        "The agent runs now, and will by itself whenever this machine starts. See whether all is well: sudo dijkwacht-agent check",
        "De agent draait nu, en begint voortaan vanzelf als dit apparaat aangaat. Kijk of alles klopt: sudo dijkwacht-agent check",
    ),
    "service_asked": (
        "Now start it: sudo systemctl restart dijkwacht-agent",
        "Start hem nu: sudo systemctl restart dijkwacht-agent",
    ),
    "command_none": (
        "which command? --help names all of them",
        "welke opdracht? --help noemt ze alle",
    ),
    "command_near": (
        "'{typed}' is no command; did you mean '{near}'?",
        "'{typed}' is geen opdracht; bedoelt u '{near}'?",
    ),
    "command_unknown": (
        "'{typed}' is no command; there are: {there}",
        "'{typed}' is geen opdracht; er zijn: {there}",
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
    "in_environment": (
        "/etc/default/dijkwacht-agent ({variable})",
        "/etc/default/dijkwacht-agent ({variable})",
    ),
    "identity_unusable": (
        "{path}: the key and certificate in it cannot be used; join again with a new code: sudo dijkwacht-agent join CODE --again",
        "{path}: de sleutel en het certificaat hierin zijn niet te gebruiken; meld de agent opnieuw aan met een nieuwe code: sudo dijkwacht-agent join CODE --again",
    ),
    "joined_others": (
        "This site has had another agent ({others}). So that one device has one name in both, give this one the site's key. If the other one still runs: type on its machine sudo dijkwacht-agent pair, and here what it prints. If not, put your copy back: sudo dijkwacht-agent key restore FILE",
        "Deze locatie heeft of had al een agent ({others}). Geef deze agent de sleutel van de locatie, zodat een apparaat bij beide dezelfde schuilnaam heeft. Draait die andere nog: typ daar sudo dijkwacht-agent pair, en hier wat hij laat zien. Zo niet, zet uw kopie terug: sudo dijkwacht-agent key restore BESTAND",
    ),
    "who_no_key": (
        "this agent has not joined, or its key is lost; put your copy back: sudo dijkwacht-agent key restore FILE",
        "deze agent hoort nog nergens bij, of zijn sleutel is weg; zet uw kopie terug: sudo dijkwacht-agent key restore BESTAND",
    ),
    "who_none_given": (
        "which pseudonym? for example: sudo dijkwacht-agent who ~192.168.23.254",
        "welke schuilnaam? bijvoorbeeld: sudo dijkwacht-agent who ~192.168.23.254",
    ),
    "key_saved_why": (
        "With the file and the words the key can be put back (sudo dijkwacht-agent key restore {path}); nobody can with one of the two. The words are not shown again.",
        "Met het bestand en de woorden is de sleutel terug te zetten (sudo dijkwacht-agent key restore {path}); met één van de twee kan niemand dat. De woorden worden niet nog eens getoond.",
    ),
    "key_restored": (
        "The key of site {site} is back. Now restart the agent, so that it uses it: sudo systemctl restart dijkwacht-agent",
        "De sleutel van locatie {site} is terug. Start de agent nu opnieuw, dan gebruikt hij hem: sudo systemctl restart dijkwacht-agent",
    ),
    "key_without_copy": (
        "There is no copy of the key that opens your pseudonyms; if this machine breaks, nobody can tell any more who was meant. Make one on a USB stick: sudo dijkwacht-agent key save FILE",
        "Er is geen kopie van de sleutel die uw schuilnamen opent; gaat dit apparaat stuk, dan weet niemand meer wie er bedoeld werd. Maak er een op een USB-stick: sudo dijkwacht-agent key save BESTAND",
    ),
    "pair_done": (
        "This agent now has the key of site {site}; the former one is kept in {path}. Now restart it: sudo systemctl restart dijkwacht-agent",
        "Deze agent heeft nu de sleutel van locatie {site}; de oude is bewaard in {path}. Start hem nu opnieuw: sudo systemctl restart dijkwacht-agent",
    ),
    "pin_set": (
        "The PIN is set. Now start the page: sudo systemctl enable --now dijkwacht-agent-page. It is then at http://127.0.0.1:8471 in this computer's browser.",
        "De pincode is ingesteld. Zet nu de pagina aan: sudo systemctl enable --now dijkwacht-agent-page. Daarna staat ze op http://127.0.0.1:8471 in de browser van deze computer.",
    ),
    "pin_none": (
        "there is no PIN yet: sudo dijkwacht-agent pin",
        "er is nog geen pincode: sudo dijkwacht-agent pin",
    ),
}
"""What the package says in the place of other messages: its agent is a service, and root's."""
