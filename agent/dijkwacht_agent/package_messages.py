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
