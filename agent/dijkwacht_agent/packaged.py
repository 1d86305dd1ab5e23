"""The command as Debian's package installs it: its settings file, and the service beside it.

All that this adds to ``dijkwacht-agent``: what ``/etc/default/dijkwacht-agent`` sets holds for every
command and not only for the service; ``join`` starts the service; and where an owner is told what to
type, it is what he has to type here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Final

from dijkwacht_agent import cli
from dijkwacht_agent.messages import MESSAGES, language, message_text
from dijkwacht_agent.package_messages import INSTEAD
from dijkwacht_agent.settings import VARIABLE
from dijkwacht_records.errors import Message

DEFAULTS: Final = Path("/etc/default/dijkwacht-agent")
BOOTED: Final = Path("/run/systemd/system")
"""Is there where systemd runs the machine."""
RESTART: Final = ("systemctl", "restart", "dijkwacht-agent.service")
_ANYBODYS: Final = {"", "show"}
"""Commands that do without the service's folder."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    MESSAGES.update(INSTEAD)
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in words if not word.startswith("-")), "")
    elsewhere = any(word.partition("=")[0] == "--state" for word in words)
    under_systemd = "STATE_DIRECTORY" in os.environ
    helped = {"-h", "--help"} & set(words)
    if command not in _ANYBODYS and not (elsewhere or under_systemd or helped):
        if os.geteuid() != 0:
            _say("needs_root", sys.stderr.write, command=" ".join(words))
            return 1
        read_defaults(DEFAULTS, os.environ)
    code = cli.main(words)
    if code == 0 and command == "join" and not (elsewhere or helped):
        _say("service_runs" if _restarted() else "service_asked", sys.stdout.write)
    return code


def read_defaults(path: Path, environment: MutableMapping[str, str]) -> None:
    """Put the settings in ``path`` into ``environment`` that are not there; as systemd reads them."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.strip().partition("=")
        if name.startswith(VARIABLE):
            found[name] = value.strip().strip("\"'")  # the last line of a name holds
    for name, value in found.items():
        environment.setdefault(name, value)


def _restarted(booted: Path = BOOTED, run: Callable[..., object] = subprocess.run) -> bool:
    """Start the service, anew if it ran for another site: done?"""
    if not booted.is_dir():
        return False
    try:
        run(RESTART, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _say(key: str, write: Callable[[str], object], **values: str) -> None:
    write(message_text(Message(key, {**values}), language()) + "\n")
