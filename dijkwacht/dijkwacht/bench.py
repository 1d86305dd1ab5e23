"""Measure the hot paths on generated input: one JSON object each, in base units.

What is measured lives in dijkwacht_lab/bench, one module a path with a function ``measure``.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from typing import Any, Final

import msgspec

from dijkwacht.extras import install_command
from dijkwacht.progress import report
from dijkwacht.shadow import report_shadow
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.errors import SettingsError

PATHS: Final = {
    "engine": "rows a second through decode, state, every detector and policy",
    "intake": "rows and posts a second from HTTP to durable to scored",
    "capture": "packets a CPU second through the meter",
    "latency": "seconds from arrival to incident",
}
_MISSING: Final = {
    "peers": "no peer of this path is measured",
    "contract": "this path has no choice of a contract",
    "rate": "this path has no rate of its own",
    "batch_rows": "this path has no choice of the rows of a batch",
    "sites": "this path has no choice of sites",
    "inputs": "this path has one input",
    "tls": "this path has no connections of agents",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument(
        "path", choices=sorted(PATHS), help="; ".join(f"{k}: {v}" for k, v in PATHS.items())
    )
    parser.add_argument("--peers", action="store_true", help="also what is installed of others")
    parser.add_argument(
        "--contract", type=int, choices=CONTRACTS, help="the version that batches are written in"
    )
    add = parser.add_argument
    add("--rate", type=int, metavar="N", help="rows a second beside which latency is measured")
    add("--batch-rows", type=int, nargs="+", metavar="N", help="rows of a batch")
    add(
        "--sites", type=int, nargs="+", metavar="N", help="how many; more than one shows the growth"
    )
    add("--inputs", nargs="+", metavar="NAME",
        help="mixed uploads churn fresh 'in turn' 'one table' 'one site': the first is the ordinary "
        "one, the others are what no shortcut helps with")  # fmt: skip
    add("--tls", action="store_true", help="over mutual TLS too, in turn with that without")
    parser.add_argument("--json", action="store_true", help="one JSON object on one line")


def options_of(args: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, as ``measure`` takes it. Raises `SettingsError` for what cannot be measured."""
    for name in ("rate", "batch_rows", "sites"):
        given = getattr(args, name)
        numbers = [given] if isinstance(given, int) else given or ()
        if any(number < 1 for number in numbers):
            raise SettingsError(f"--{name.replace('_', '-')}: at least 1")
    asked = {name: getattr(args, name) or None for name in _MISSING}
    return {name: value for name, value in asked.items() if value is not None}


def run(args: argparse.Namespace) -> int:
    """Measure and print; 1 if what was measured is not what was asked for, which is said."""
    name = f"dijkwacht_lab.bench.{args.path}"
    try:
        measure = importlib.import_module(name).measure
    except ModuleNotFoundError as error:
        if error.name != name:
            raise SettingsError(
                f"bench {args.path} needs {error.name}: {install_command('lab')}"
            ) from None
        raise SettingsError(f"bench {args.path}: not measured in this version") from None
    options = options_of(args)
    for name in options.keys() - inspect.signature(measure).parameters.keys():
        raise SettingsError(f"bench {args.path}: {_MISSING[name]}")
    report_shadow()
    report(f"measuring {PATHS[args.path]} …")
    measured = measure(**options)
    result = msgspec.json.encode(measured)
    sys.stdout.write((result if args.json else msgspec.json.format(result)).decode() + "\n")
    failed = measured.get("failed", ())
    for why in failed:
        sys.stderr.write(f"bench {args.path}: {why}\n")
    return 1 if failed else 0
