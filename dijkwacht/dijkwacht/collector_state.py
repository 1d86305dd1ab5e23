"""Where the collector's state lies, as the commands ask for it and find it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from dijkwacht_records.state_folder import COLLECTOR, state_folder


def add_state(parser: argparse.ArgumentParser) -> None:
    """Declare ``--state``."""
    usual = state_folder(COLLECTOR).path
    parser.add_argument(
        "--state", metavar="DIR", help=f"where the collector's state lies ({usual})"
    )


def add_state_behind(actions: Iterable[argparse.ArgumentParser]) -> None:
    """Let it stand behind the name of an action as well."""
    for action in actions:
        action.add_argument("--state", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def state_of(args: argparse.Namespace, command: str) -> Path:
    """The folder that ``args`` name, or the usual one."""
    state = Path(args.state) if args.state else state_folder(COLLECTOR).path
    report_former_state(command, state)
    return state


def report_former_state(command: str, state: Path) -> None:
    """One line on standard error if ``state`` is of an earlier version, in the current folder."""
    found = state_folder(COLLECTOR)
    if found.former and state == found.path:
        sys.stderr.write(
            f"dijkwacht {command}: using the state of an earlier version in {found.path}; "
            f"moved to {found.usual}, it is found from every folder\n"
        )
