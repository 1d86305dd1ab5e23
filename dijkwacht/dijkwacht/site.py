"""Sites and their agents: adds a site, makes join codes, lists, revokes and removes, gives orders, takes choices."""

from __future__ import annotations

import argparse
import json
import shlex
import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dijkwacht import site_choices, site_orders
from dijkwacht.collector_state import add_state, add_state_behind, state_of
from dijkwacht.site_orders import utc_text
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.joincode import HERE, SECRET_BYTES, make_code

if TYPE_CHECKING:
    from dijkwacht_collector.sites.agents import AgentRow
    from dijkwacht_collector.sites.sites import Sites


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command understands."""
    add_state(parser)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="a new site and a join code for its first agent")
    add.add_argument("name")
    code = actions.add_parser("code", help="a join code for one more agent of a site")
    code.add_argument("name")
    for parser_of_code in (add, code):
        parser_of_code.add_argument(
            "--url", help=f"where agents reach the collector (as it was started, else {HERE})"
        )
        parser_of_code.add_argument(
            "--long", action="store_true", help="a code that agents of before certificates read"
        )
    listing = actions.add_parser("list", help="the sites and their agents")
    listing.add_argument("--json", action="store_true")
    revoke = actions.add_parser("revoke", help="refuse an agent from now on")
    revoke.add_argument("name")
    revoke.add_argument("agent")
    remove = actions.add_parser("remove-agent", help="an agent that is gone: nobody waits for it")
    remove.add_argument("name")
    remove.add_argument("agent")
    chosen = site_choices.add_arguments(actions.add_parser)
    every = (add, code, listing, revoke, remove, *site_orders.add_arguments(actions), *chosen)
    add_state_behind(every)


def run(args: argparse.Namespace) -> int:
    """Do what was asked. Raises `SettingsError` naming why not."""
    from dijkwacht_collector.sites.sites import Sites  # noqa: PLC0415  heavy

    state = state_of(args, "site")
    if args.action != "add" and not (state / "sites.db").exists():
        raise SettingsError(
            f"{state}: there is no collector state in this folder;"
            " --state names another, 'dijkwacht site add NAME' makes it"
        )
    sites = Sites(state / "sites.db")
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        sites.open()
        if args.action in site_choices.ACTIONS:
            site_choices.act(args, sites.choices, state)
        else:
            _act(args, sites, state)
    except KeyError as error:
        raise SettingsError(str(error.args[0])) from None
    except (ValueError, OSError, sqlite3.Error) as error:
        raise SettingsError(str(error)) from None
    finally:
        sites.close()
    return 0


def _act(args: argparse.Namespace, sites: Sites, state: Path) -> None:
    now = time.time_ns() // 1000
    write = sys.stdout.write
    if args.action == "list":
        _list(sites, as_json=args.json)
        if not sites.sites():
            given = f"--state {shlex.quote(args.state)} " if args.state else ""
            sys.stderr.write(
                f"dijkwacht site: there is no site yet; add one: dijkwacht site {given}add NAME\n"
            )
    elif args.action == "order":
        site_orders.give_order(args, sites, now)
    elif args.action == "orders":
        site_orders.list_orders(args, sites, state, now)
    elif args.action == "revoke":
        if not sites.revoke(args.name, args.agent, now):
            raise ValueError(f"site {args.name!r} has no agent {args.agent!r} that is let in")
        write(f"Agent {args.agent} of {args.name} is refused from now on.\n")
    elif args.action == "remove-agent":
        if not sites.remove_agent(args.name, args.agent, now):
            raise ValueError(f"site {args.name!r} has no agent {args.agent!r}")
        write(
            f"Agent {args.agent} of {args.name} is removed: it is refused, and nobody waits for it."
            " With a new join code it can come back.\n"
        )
    else:
        _add(args, sites, state, now)


def _add(args: argparse.Namespace, sites: Sites, state: Path, now: int) -> None:
    from dijkwacht_collector.sites import Reached, read_reached  # noqa: PLC0415  heavy

    reached = read_reached(state) or Reached(None, encrypted=True)
    if (
        reached.url is None
        and not args.url
        and reached.encrypted
        and (state / "authority").exists()
    ):
        raise ValueError(
            "where do agents reach the collector? name it here, or when it is started: --url https://NAME:8470"
        )
    url = args.url or reached.url or HERE
    # Behind a proxy that ends TLS no agent sees this collector's own certificate.
    long = args.long or (url.startswith("https:") and not reached.encrypted)
    make_code(url, bytes(SECRET_BYTES))  # before a site is there whose code cannot be made
    if args.action == "add":
        sites.add(args.name, now)
    code = sites.make_join_code(args.name, url, now, long=long)
    write = sys.stdout.write
    write(f"Site {args.name}. Its owner types, on the machine that will watch:\n\n")
    write(f"    dijkwacht-agent join {code}\n\n")
    write(f"The code works once, within 24 hours. It leads to {url}")
    elsewhere = "; --url names another address" if url == HERE else ""
    write(f"{elsewhere}.\n")


def _list(sites: Sites, *, as_json: bool) -> None:
    agents = sites.agents()
    write = sys.stdout.write
    for site in sites.sites():
        own = [agent for agent in agents if agent.site == site.name]
        if as_json:
            line = {
                "site": site.name,
                "created": site.created,
                "agents": {row.agent: row.last_seen for row in own},
                "joined": {row.agent: row.joined for row in own},
                "standing": {row.agent: row.standing for row in own},
                "copies": {row.agent: row.copies for row in own},
            }
            write(json.dumps(line) + "\n")
            continue
        here = sum(row.standing in {"live", "never_heard"} for row in own)
        gone = f", {len(own) - here} gone" if len(own) > here else ""
        write(f"{site.name}: {here} agent(s){gone}\n")
        for row in own:
            write(f"    {row.agent}, {_story(row)}\n")
            if row.copies:
                write(
                    f"        {row.copies + 1} machines use its identity: was its disk copied?"
                    " Remove it, and let each join again.\n"
                )


def _story(row: AgentRow) -> str:
    heard = f"last seen {utc_text(row.last_seen)}" if row.last_seen else "never heard"
    if row.standing == "never_heard":
        heard = f"joined {utc_text(row.joined)}, {heard if row.last_seen else 'not heard yet'}"
    return heard if row.standing in {"live", "never_heard"} else f"{row.standing}, {heard}"
