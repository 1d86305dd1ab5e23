"""Where agent and collector keep their state: one place, whatever the current folder.

========================  ==================================================================
under systemd             the first path of ``$STATE_DIRECTORY``
as root                   ``/var/lib/NAME``
as anybody else           ``$XDG_STATE_HOME/NAME``, or ``~/.local/state/NAME``
========================  ==================================================================

A path of the environment that is not absolute is ignored, as the XDG specification says: state
would depend on the current folder. Without ``$HOME`` the user database knows ``~``; who has no home
there either is given ``/var/lib/NAME``.

Earlier versions kept it under ``var/`` in the current folder. What is in use there is found as long
as the usual place holds nothing.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

SYSTEM: Final = Path("/var/lib")


class StateKind(NamedTuple):
    """Names of one program's state: as root, as another user, formerly.

    ``mark`` is in every used one; of today's, ``or_this`` may be in its place.
    """

    system: str
    user: str
    formerly: Path
    mark: str
    or_this: str = ""


AGENT: Final = StateKind(
    "dijkwacht-agent", "dijkwacht/agent", Path("var/agent"), "token", "identity.pem"
)
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
    listed = environment.get("STATE_DIRECTORY", "").split(":")
    if given := next(filter(None, map(_absolute, listed)), None):
        return StateFolder(given, given)
    usual = system / kind.system
    if not (os.geteuid() == 0 if root is None else root):
        home = _absolute(environment.get("HOME", "")) or _home_of_the_user()
        chosen = _absolute(environment.get("XDG_STATE_HOME", ""))
        if base := chosen or (home and home / ".local/state"):
            usual = base / kind.user
    marks = (kind.mark, kind.or_this or kind.mark)
    used = any((usual / mark).exists() for mark in marks)
    if (kind.formerly / kind.mark).exists() and not used:
        return StateFolder(kind.formerly, usual)
    return StateFolder(usual, usual)


def _absolute(path: str) -> Path | None:
    return Path(path) if Path(path).is_absolute() else None


def _home_of_the_user() -> Path | None:
    try:
        return _absolute(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        return None
