"""Where agent and collector keep their state: one place, whatever the current folder.

========================  ==================================================================
under systemd             the first path of ``$STATE_DIRECTORY``
as root                   ``/var/lib/NAME``
as anybody else           ``$XDG_STATE_HOME/NAME``, or ``~/.local/state/NAME``
========================  ==================================================================

Earlier versions kept it under ``var/`` in the current folder. What is in use there is found as long
as the usual place holds nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

SYSTEM: Final = Path("/var/lib")


class StateKind(NamedTuple):
    """Names of one program's state: as root, as another user, formerly; ``mark`` is in every used one."""

    system: str
    user: str
    formerly: Path
    mark: str


AGENT: Final = StateKind("dijkwacht-agent", "dijkwacht/agent", Path("var/agent"), "token")
COLLECTOR: Final = StateKind("dijkwacht", "dijkwacht/collector", Path("var/collector"), "sites.db")


class StateFolder(NamedTuple):
    """The folder to use, and the ``usual`` one: another where state of an earlier version was found."""

    path: Path
    usual: Path

    @property
    def former(self) -> bool:
        """The folder is one of an earlier version, found in the current folder."""
        return self.path != self.usual


def state_folder(
    kind: StateKind,
    environment: Mapping[str, str] = os.environ,
    *,
    root: bool | None = None,
    system: Path = SYSTEM,
) -> StateFolder:
    """Where the state of ``kind`` is; nothing is made. ``root``: asked of the system if ``None``."""
    if given := environment.get("STATE_DIRECTORY", "").partition(":")[0]:
        return StateFolder(Path(given), Path(given))
    if os.geteuid() == 0 if root is None else root:
        usual = system / kind.system
    else:
        home = Path(environment.get("HOME") or Path.home())
        chosen = Path(environment.get("XDG_STATE_HOME", ""))
        # The XDG specification: a path that is not absolute is to be ignored.
        usual = (chosen if chosen.is_absolute() else home / ".local/state") / kind.user
    if (kind.formerly / kind.mark).exists() and not (usual / kind.mark).exists():
        return StateFolder(kind.formerly, usual)
    return StateFolder(usual, usual)
