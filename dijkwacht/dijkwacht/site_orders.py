"""Orders for a site's agents: gives one, and shows how each ended."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dijkwacht_records.orders import ORDER_KINDS

if TYPE_CHECKING:
    from dijkwacht_collector.sites import Sites
    from dijkwacht_collector.sites.orders import OrderRow

_HOUR_US = 3600 * 1_000_000


def add_arguments(actions: Any) -> list[argparse.ArgumentParser]:
    """Declare ``order`` and ``orders`` among the ``actions`` of the command: their parsers."""
    order = actions.add_parser("order", help="ask something of an agent, if its owner consents")
    order.add_argument("name")
    order.add_argument("agent")
    order.add_argument("kind", choices=ORDER_KINDS)
    order.add_argument(
        "--hours", type=float, default=24.0, metavar="N", help="how long it waits (24, at most 168)"
    )
    orders = actions.add_parser("orders", help="what agents were asked, and how it ended")
    orders.add_argument("name")
    orders.add_argument("--json", action="store_true")
    return [order, orders]


def give_order(args: argparse.Namespace, sites: Sites, now: int) -> None:
    """Let an order wait. Raises ``ValueError``."""
    from dijkwacht_collector.sites import Speaker  # noqa: PLC0415  heavy

    if not 0 < args.hours <= 168:
        raise ValueError("--hours: more than 0 and at most 168")
    to = Speaker(args.name, args.agent)
    name = sites.orders.add(to, args.kind, now, now + round(args.hours * _HOUR_US))
    sys.stdout.write(
        f"Order {name} ({args.kind}) waits for {args.agent} of {args.name}, for {args.hours:g} hours.\n"
        f"How it ends: dijkwacht site orders {args.name}\n"
    )


def list_orders(args: argparse.Namespace, sites: Sites, state: Path, now: int) -> None:
    """Print the orders of a site, the latest first. Raises ``ValueError``."""
    rows = sites.orders.of(args.name)
    if not rows and not args.json:
        sys.stdout.write(f"No agent of {args.name} was asked anything.\n")
    for row in rows:
        file = str(state / "uploads" / row.file) if row.file else None
        if args.json:
            sys.stdout.write(json.dumps(row._asdict() | {"file": file}) + "\n")
            continue
        sys.stdout.write(f"{row.id} {row.kind} for {row.agent}, given {utc_text(row.issued)}\n")
        sys.stdout.write(f"    {_end(row, now)}{f'; file {file}' if file else ''}\n")


def _end(row: OrderRow, now: int) -> str:
    if row.outcome is not None:
        # What an agent says must not steer the terminal.
        detail = row.detail if row.detail.isprintable() else ascii(row.detail)
        said = f"{row.outcome} ({detail})" if detail else row.outcome
        return f"{said}, said {utc_text(row.answered or 0)}"
    return (
        f"waits until {utc_text(row.expires)}" if row.expires > now else "ran out without an answer"
    )


def utc_text(time_us: int) -> str:
    """A time in µs UTC as operators read it."""
    return f"{datetime.fromtimestamp(time_us / 1e6, UTC):%F %T} UTC"
