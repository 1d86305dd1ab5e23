"""What was chosen for a site: how often it may be interrupted, and what it calls normal.

A collector that runs on the same state folder takes a choice over within seconds, another when it starts.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dijkwacht_records.pseudonyms import marked

if TYPE_CHECKING:
    from dijkwacht_collector.incidents import Exempted
    from dijkwacht_collector.sites import ChoiceTable

ACTIONS = ("budget", "normal")
_SOON = "A collector that runs takes this over within seconds, another when it starts."


def add_arguments(add: Callable[..., argparse.ArgumentParser]) -> list[argparse.ArgumentParser]:
    """Declare the actions; ``add`` makes one by name and help."""
    budget = add("budget", help="how often a week somebody may be called without cause")
    budget.add_argument("name")
    budget.add_argument(
        "per_week", nargs="?", type=float, metavar="N", help="0: none does, all is context"
    )
    normal = add("normal", help="what the site calls normal, and is not reported")
    normal.add_argument("name")
    either = normal.add_mutually_exclusive_group()
    either.add_argument("--remove", metavar="ID", help="report this again from now on")
    either.add_argument(
        "--try", dest="tried", metavar="UID",
        help="what it would have hidden lately to call this incident or story normal",
    )  # fmt: skip
    normal.add_argument("--json", action="store_true")
    return [budget, normal]


def act(args: argparse.Namespace, choices: ChoiceTable, state: Path) -> None:
    """Do what was asked on a state folder. Raises ``ValueError``, ``KeyError`` with a sentence."""
    choices.check_site(args.name)
    if args.action == "budget":
        _budget(choices, args)
    else:
        _normal(choices, args, state / "incidents.db")


def _budget(choices: ChoiceTable, args: argparse.Namespace) -> None:
    from dijkwacht_collector.sites import ChosenBudget, check_budget  # noqa: PLC0415  heavy

    write = sys.stdout.write
    if args.per_week is not None:
        chosen = ChosenBudget(check_budget(args.per_week))
        choices.choose(args.name, chosen, _who(), _now())
        write(f"{args.name}: {_often(args.per_week)}. {_SOON}\n")
        return
    present = choices.budget(args.name)
    if present is None:
        from dijkwacht_collector.policy import DEFAULT_BUDGET  # noqa: PLC0415  heavy

        write(f"{args.name}: {_often(DEFAULT_BUDGET)}; nobody has chosen otherwise.\n")
        return
    per_week = json.loads(present.body)["per_week"]
    waits = "" if present.position is not None else "; no collector has taken it over yet"
    write(
        f"{args.name}: {_often(per_week)}, chosen by {present.by} on {_day(present.time)}{waits}.\n"
    )


def _normal(choices: ChoiceTable, args: argparse.Namespace, incidents: Path) -> None:
    from dijkwacht_collector.sinks import read_exemptions  # noqa: PLC0415  heavy

    if args.tried is not None:
        _try(args, incidents)
        return
    write = sys.stdout.write
    rows = read_exemptions(incidents, args.name, _now())
    if args.remove is not None:
        row = next((row for row in rows if row.id == args.remove), None)
        if row is None:
            raise KeyError(f"site {args.name!r} calls nothing normal under {args.remove!r}")
        choices.choose(args.name, row.taken_back(), _who(), _now())
        write(f"{args.name}: {_named(row)} is reported again. {_SOON}\n")
        return
    leaving = {
        json.loads(choice.body)["id"]
        for choice in choices.waiting(args.name)
        if choice.kind == "normal"
    }
    for row in rows:
        if args.json:
            told: dict[str, Any] = row.told() | {"taken_back": row.id in leaving}
            write(json.dumps(told) + "\n")
            continue
        said = f"said by {row.by} on " if row.by else "since "
        ending = "; being taken back" if row.id in leaving else ""
        line = (
            f"{row.id}  {_named(row)}: until {_day(row.until)}, {said}{_day(row.since)},"
            f" has hidden {row.hidden} finding(s){ending}"
        )
        _write_line(line)
    if not rows and not args.json:
        write(f"{args.name} calls nothing normal.\n")


def _try(args: argparse.Namespace, incidents: Path) -> None:
    from dijkwacht_collector.sinks import read_trial  # noqa: PLC0415  heavy

    trial = read_trial(incidents, args.name, args.tried, _now())
    if trial is None:
        raise KeyError(f"site {args.name!r} has no incident or story {args.tried!r}")
    if args.json:
        sys.stdout.write(json.dumps(trial.told()) + "\n")
        return
    _write_line("Called normal, for 30 days this would not be reported:")
    for row in trial.exempted:
        _write_line(f"  {_named(row)}")
    part = f", and {len(trial.partly)} in part" if trial.partly else ""
    _write_line(
        f"In the 30 days to {_day(trial.until)} that would have hidden {len(trial.silent)} finding(s),"
        f" {len(trial.called)} of which called somebody{part}:"
    )
    for one in trial.silent:
        called = "  (called)" if one.uid in trial.called else ""
        _write_line(f"  {one.uid}  {_day(one.end)}  {one.kind}  {marked(one.title_en)}{called}")


def _named(row: Exempted) -> str:
    """What an exemption is of."""
    if not row.machine:
        return marked(f"{row.kind} by {row.subject}")
    if not row.peer:
        return marked(f"{row.kind} about {row.machine}")
    return marked(f"{row.kind} between {row.machine} and {row.peer}")


def _write_line(line: str) -> None:
    """What a release before this one has kept must not steer the terminal either."""
    sys.stdout.write(f"{line if line.isprintable() else ascii(line)}\n")


def _often(per_week: float) -> str:
    if per_week == 0:
        return "nothing interrupts, all is context"
    return f"at most {per_week:g} call(s) a week without cause, on average"


def _who() -> str:
    from dijkwacht_collector.journal import NOBODY, person  # noqa: PLC0415  heavy

    try:
        return person(getpass.getuser())
    except (KeyError, OSError):  # a process without a name
        return NOBODY


def _now() -> int:
    return time.time_ns() // 1000


def _day(time_us: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time_us / 1e6, UTC):%F}"
    except (OverflowError, ValueError, OSError):
        return "a day that no calendar has"
