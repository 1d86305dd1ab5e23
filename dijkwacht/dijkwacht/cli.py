"""``dijkwacht``: one command, one module each, imported when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from dijkwacht.progress import log_for_people
from dijkwacht.terminal import plain
from dijkwacht_agent.arguments import OneLineParser
from dijkwacht_records.errors import DijkwachtError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("dijkwacht.demo", "collector, console and one agent on a shipped recording"),
    "collect": ("dijkwacht.collect", "run the collector"),
    "site": ("dijkwacht.site", "add a site, print its one-time join code, choose its budget"),
    "notify": ("dijkwacht.notify", "send a try to whoever is told when something falls silent"),
    "authority": ("dijkwacht.authority", "the collector's certificate authority: show, rotate"),
    "replay": (
        "dijkwacht.replay",
        "find incidents in recordings: packets, and logs of other sensors",
    ),
    "flows": ("dijkwacht.flows", "meter a recording into JSON lines, Parquet or Arrow"),
    "try": ("dijkwacht.try_command", "the strangest rows of a recording under one detector"),
    "check-detector": (
        "dijkwacht.check_detector",
        "does a detector keep the contract? a line for each thing it asks",
    ),
    "calibrate": (
        "dijkwacht.calibrate",
        "learn from benign recordings how rare a detector's scores are",
    ),
    "evaluate": ("dijkwacht.evaluate", "the scoreboard over labelled captures"),
    "bench": ("dijkwacht.bench", "measure the hot paths on generated input"),
}
"""Command → its module and one line of help. A module has ``add_arguments`` and ``run``."""

UNREADABLE: Final = 2
INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Errors of the product are one line on stderr."""
    _open_what_is_closed()
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = " ".join(["dijkwacht", *(word for word in words[:1] if word in COMMANDS)])
    try:
        code = _run(words)
        sys.stdout.flush()
    except DijkwachtError as error:
        print(f"{name}: {plain(str(error))}", file=sys.stderr)
        return UNREADABLE
    except KeyboardInterrupt:  # while a command is still being imported, too
        print(f"{name}: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has had enough (head): nothing is wrong, and nothing more can be written.
        _forget_output()
        return 0
    except OSError as error:  # of what a command was to write to: no such folder, a full disk
        place = f"{error.filename}: " if error.filename else ""
        print(f"{name}: {plain(place)}{error.strerror or error}", file=sys.stderr)
        _forget_output()
        return UNREADABLE
    return code


def _run(words: Sequence[str]) -> int:
    parser = _parser(words)
    args = parser.parse_args(words)
    if args.command is None:
        parser.print_help()
        return UNREADABLE
    if args.command != "collect":  # which logs for machines
        log_for_people()
    code: int = importlib.import_module(COMMANDS[args.command][0]).run(args)
    return code


def _open_what_is_closed() -> None:
    """Whoever starts us without an output or an error stream (``>&-``) wants to hear nothing there."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
            setattr(sys, name, nowhere)


def _forget_output() -> None:
    """What still waits for a closed or full output must not fail again when the interpreter ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Every command by name and help; only the one that is asked for fills in its arguments."""
    parser = OneLineParser(
        prog="dijkwacht",
        description="A neighbourhood watch over the networks of small businesses.",
        epilog="'dijkwacht COMMAND --help' says more. The agent has a command of its own: dijkwacht-agent.",
    )
    parser.add_argument("--version", action="version", version=f"dijkwacht {version('dijkwacht')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    asked = next((word for word in words if word in COMMANDS), None)
    for name, (module, help_line) in COMMANDS.items():
        described = importlib.import_module(module) if name == asked else None
        command = commands.add_parser(
            name, help=help_line, description=described.__doc__ if described else None
        )
        if described is not None:
            described.add_arguments(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
