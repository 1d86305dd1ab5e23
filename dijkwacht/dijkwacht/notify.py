"""Notices of the collector: sends a try to whoever is told when something falls silent."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dijkwacht.collector_state import add_state, add_state_behind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command understands."""
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help="the TOML file of settings of the collector"
    )
    add_state(parser)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    test = actions.add_parser("test", help="send a try by each way that the settings name")
    # May stand behind the action as well.
    test.add_argument("--settings", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    add_state_behind([test])


def run(args: argparse.Namespace) -> int:
    """Send the try; 1 if nobody is to be told, or somebody could not be. Raises `SettingsError`."""
    from dijkwacht_collector.notices import SOURCE, TRY  # noqa: PLC0415  heavy
    from dijkwacht_collector.settings import load_settings  # noqa: PLC0415  the same
    from dijkwacht_records.notices import FAILURES, carriers_of, compose, get, reason_of  # noqa: PLC0415

    settings = load_settings(args.settings, state=args.state)
    carriers = carriers_of(settings)
    failed = 0
    if not carriers:
        sys.stderr.write(
            "dijkwacht notify: nobody is told: set notify_mail or notify_url in a file and name it"
            " with --settings\n"
        )
    letter = compose(SOURCE, settings.notify_language, [("try", TRY)])
    for carrier in carriers:
        try:
            carrier.carry(letter)
        except FAILURES as error:
            failed += 1
            sys.stderr.write(f"dijkwacht notify: by {carrier.name}: {reason_of(error)}\n")
        else:
            sys.stdout.write(f"A try was sent by {carrier.name}. Look whether it has arrived.\n")
    if settings.watchdog_url:
        try:
            get(settings.watchdog_url, settings.notify_ca_file)
        except FAILURES as error:
            failed += 1
            sys.stderr.write(f"dijkwacht notify: the watchdog's address: {reason_of(error)}\n")
        else:
            sys.stdout.write("The watchdog's address answers.\n")
    return 1 if failed or not carriers else 0
