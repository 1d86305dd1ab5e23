"""The collector's certificate authority: shows its roots, and replaces the one that signs."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from dijkwacht.collector_state import add_state, add_state_behind, state_of
from dijkwacht.site_orders import utc_text
from dijkwacht_records.errors import SettingsError

if TYPE_CHECKING:
    from dijkwacht_collector.sites.authority import Authority
    from dijkwacht_collector.sites.certificates import CertificateRow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command understands."""
    add_state(parser)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser(
        "show", help="the roots, and how many agents' certificates are of each"
    )
    show.add_argument(
        "--pem", action="store_true", help="the roots themselves, as browsers take them"
    )
    rotate = actions.add_parser(
        "rotate", help="make the next root; agents learn of it as they renew"
    )
    rotate.add_argument(
        "--finish",
        action="store_true",
        help="trust the former one no more, though agents may know no other: they must join again",
    )
    add_state_behind((show, rotate))


def run(args: argparse.Namespace) -> int:
    """Do what was asked. Raises `DijkwachtError` naming why not."""
    from dijkwacht_collector.sites.authority import Authority  # noqa: PLC0415  heavy
    from dijkwacht_collector.sites.sites import Sites  # noqa: PLC0415  the same

    state = state_of(args, "authority")
    folder = state / "authority"
    if not folder.exists():
        raise SettingsError(
            f"{state}: there is no authority in this folder; a collector that speaks TLS makes it"
            " when it starts"
        )
    authority = Authority(folder, (), lambda: time.time_ns() // 1000)
    authority.read()
    sites = Sites(state / "sites.db")
    sites.open()
    try:
        rows = sites.certificates()
    finally:
        sites.close()
    if args.action == "show":
        sys.stdout.write(authority.bundle if args.pem else _shown(authority, rows))
    elif args.finish:
        _finish(authority, rows)
    else:
        authority.rotate()
        sys.stdout.write(
            "There is a new root, which signs from now on. Agents learn of it as they renew, within"
            " 15 days; the former one is trusted until none that may come back needs it.\n"
        )
    return 0


def _finish(authority: Authority, rows: list[CertificateRow]) -> None:
    from dijkwacht_collector.sites.certificates import needing  # noqa: PLC0415  heavy

    if not authority.rotating and not authority.untimely:
        raise SettingsError("no rotation is under way")
    if authority.rotating and not authority.may_drop:
        raise SettingsError(
            "the newer root is not valid at this time, so no agent could take it: is the clock right?"
        )
    left = needing(rows, authority.oldest, time.time_ns() // 1000)
    if authority.rotating:
        authority.drop_oldest()
    else:
        authority.replace()
    agents = ", ".join(f"{agent} of {site}" for site, agent in left)
    sys.stdout.write(
        f"The former root is trusted no more. Agents that must join again: {len(left)}.\n"
    )
    if left:
        sys.stdout.write(
            f"    {agents}\n"
            "    for each: dijkwacht site code SITE, and on its machine: dijkwacht-agent join CODE --again\n"
        )


def _shown(authority: Authority, rows: list[CertificateRow]) -> str:
    from dijkwacht_collector.sites.certificates import needing  # noqa: PLC0415  heavy

    lines, now = [], time.time_ns() // 1000
    for root in authority.roots():
        does = [word for word, true in (("signs", root.issues), ("shown", root.serves)) if true]
        count = len(needing(rows, root.name, now))
        lines.append(
            f"root {root.number}: {', '.join(does)}, until {utc_text(root.expires)},"
            f" certificates of {count} agent(s)\n    SHA-256 {root.fingerprint}\n"
        )
    if why := authority.untimely:
        lines.append(f"! {why}.\n")
    return "".join(lines)
