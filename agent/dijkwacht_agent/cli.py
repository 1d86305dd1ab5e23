"""``dijkwacht-agent run | join CODE | pair | check | show | who ~ADDRESS | page | pin | key``.

Exit codes: 0 all is well; 1 something is wrong (one line on stderr names it); 2 wrong usage.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from pathlib import Path
from types import FrameType
from typing import Any

from dijkwacht_agent.arguments import OneLineParser, network, seconds, speed
from dijkwacht_agent.batches import Batcher, Parcel
from dijkwacht_agent.contracts import CONTRACTS_FILE, compared, read_contracts
from dijkwacht_agent.dead_man import DeadMan
from dijkwacht_agent.error_words import error_message, error_message_of_state, words
from dijkwacht_agent.health import agent_row
from dijkwacht_agent.join import KEY_FILE, finish_joining, join_site
from dijkwacht_agent.messages import language, message_text
from dijkwacht_agent.observed import observe
from dijkwacht_agent.owner.cli import add_owner_commands
from dijkwacht_agent.pacing import Live, Paced, wall_clock
from dijkwacht_agent.privacy import KEY_BYTES, Pseudonyms, read_or_make_key
from dijkwacht_agent.rights import give_up
from dijkwacht_agent.run import Agent
from dijkwacht_agent.settings import Settings, read_settings
from dijkwacht_agent.sources.recording import Recording
from dijkwacht_agent.state_format import claim
from dijkwacht_records.contracts import choose
from dijkwacht_records.errors import DijkwachtError, Message, SettingsError
from dijkwacht_records.joincode import HERE, read_code
from dijkwacht_records.state_folder import AGENT, state_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    args = _parser(language()).parse_args(arguments)
    spoken = language(getattr(args, "lang", None))
    try:
        args.state = args.state or _usual_state(spoken)
        code: int = args.command(args)
    except (BrokenPipeError, KeyboardInterrupt, EOFError):
        return 1
    except (DijkwachtError, OSError) as error:
        _report(words(error_message_of_state(error, args.state), spoken))
        return 1
    return code


def _usual_state(spoken: str) -> Path:
    found = state_folder(AGENT)
    if found.former:
        values = {"path": str(found.path), "usual": str(found.usual)}
        _report(message_text(Message("state_former", {**values}), spoken))
    return found.path


def _run(args: argparse.Namespace) -> int:
    stop = threading.Event()

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_to_stop)
    _settings(args)  # what is wrong with them, or with the folder, is told first
    claim(args.state)
    finish_joining(args.state)
    settings = _settings(args)
    with DeadMan(settings, args.state) as dead_man:
        agent = Agent(settings, args.state, args.recording or (), args.speed, _report)
        if not (args.recording or give_up()):
            _report(message_text(Message("rights_kept"), language()))
        dead_man.watch(agent)
        drained = agent.run(stop)
    _report_problems(agent.source)
    return 0 if drained or stop.is_set() else 1


def _join(args: argparse.Namespace) -> int:
    spoken = language(args.lang)
    code = " ".join(args.code) or _asked_for(message_text(Message("code_wanted"), spoken))
    try:
        settings, others, remark = join_site(code, args.state, args.name, again=args.again)
    except OSError as error:
        if error.filename is not None:
            raise
        url, why = read_code(code)[0], error_message(error)
        _report(message_text(Message("collector_silent", {"url": url, "why": why}), spoken))
        if url == HERE and "@" not in code:
            _report(message_text(Message("join_no_address"), spoken))
        return 1
    joined = Message("joined_now", {"site": settings.site or "", "agent": settings.agent or ""})
    print(message_text(joined, spoken))
    versions = compared(read_contracts(args.state / CONTRACTS_FILE))
    if versions.key == "contracts_apart":
        print(message_text(versions, spoken))
    if remark is not None:
        _report(message_text(remark, spoken))
    if others:
        print(message_text(Message("joined_others", {"others": others}), spoken))
    return 0


def _asked_for(prompt: str) -> str:
    """A line of the terminal, or of standard input: what is typed there is in no list of processes."""
    if sys.stdin.isatty():
        print(prompt, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()


def _pair(args: argparse.Namespace) -> int:
    from dijkwacht_agent.pairing import accept, offer  # noqa: PLC0415  not in the memory of one that runs

    spoken, settings = language(args.lang), _settings(args)
    try:
        if args.word:
            former = accept(settings, args.state, args.word)
            done = Message("pair_done", {"site": settings.site or "", "path": str(former)})
            print(message_text(done, spoken))
            return 0
        words_ = offer(settings, args.state)
    except (OSError, HTTPException) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise
        url, why = settings.url or "", error_message(error)
        _report(message_text(Message("collector_silent", {"url": url, "why": why}), spoken))
        return 1
    print(message_text(Message("pair_offered"), spoken))
    print(f"\n    dijkwacht-agent pair {' '.join(words_)}\n")
    print(message_text(Message("pair_offered_why"), spoken))
    return 0


def _check(args: argparse.Namespace) -> int:
    import json  # noqa: PLC0415  not in the memory of one that runs

    from dijkwacht_agent.check import Finding, check, check_selftest  # noqa: PLC0415  not in the memory of one that runs
    from dijkwacht_agent.check_notices import check_notices  # noqa: PLC0415  not in the memory of one that runs

    spoken = language(args.lang)
    wrong = 0
    try:
        settings = _settings(args)
        if args.selftest:
            findings = check_selftest(settings, args.state)
        else:
            findings = check(settings, args.state, args.seconds)
        if args.notify:
            findings = itertools.chain(findings, check_notices(settings))
    except SettingsError as error:
        findings = iter([Finding("settings_wrong", False, {"why": error})])
    for finding in findings:
        wrong += not finding.ok
        if args.json:
            found = {"check": finding.key, "ok": finding.ok, "message": finding.sentence(spoken)}
            print(json.dumps(found, ensure_ascii=False), flush=True)
        else:
            print("  " if finding.ok else "! ", finding.sentence(spoken), sep="", flush=True)
    if not args.json:
        key = "not_fine_one" if wrong == 1 else "not_fine" if wrong else "all_fine"
        print(message_text(Message(key, {"count": wrong}), spoken))
    return 1 if wrong else 0


def _show(args: argparse.Namespace) -> int:
    from dijkwacht_agent.show import show, show_json  # noqa: PLC0415  not in the memory of one that runs

    parcels = _would_leave(args, _settings(args))
    lines = show_json(parcels) if args.json else show(parcels, language(args.lang))
    for line in lines:
        print(line)
    return 0


def _would_leave(args: argparse.Namespace, settings: Settings) -> Iterator[Parcel]:
    """The batches of a few seconds of an interface, or of recordings, made as `run` makes them."""
    path = args.state / KEY_FILE
    # Before joining there is no key: any will show the same fields.
    key = read_or_make_key(path) if path.exists() else bytes(KEY_BYTES)
    _, inside, source, meter, system = observe(settings, args.recording or (), None)
    names = settings.site or "site", settings.agent or "agent"
    batcher = Batcher(*names, Pseudonyms(key, inside), wall_clock)
    if path.exists():  # it has joined: a collector may read less than could be told
        batcher.contract = choose(read_contracts(args.state / CONTRACTS_FILE))
    end = time.monotonic() + args.seconds
    if system is not None:
        system.sample(source.now())
        batcher.add(system.take(source.now()))
    for block in source.blocks():
        meter.feed(block)
        meter.advance(source.now())
        batcher.add(meter.take())
        yield from batcher.take()
        if not args.recording and time.monotonic() > end:
            break
    source.source.close()
    _report_problems(source)
    meter.finish()
    batcher.add(meter.take())
    if system is not None:
        system.sample(source.now())
        batcher.add(system.take(source.now()))
        system.close()
    batcher.add(agent_row(source.now(), {**meter.counters, "rows_made": batcher.rows_made}))
    yield from batcher.take(everything=True)


def _report(sentence: str) -> None:
    print(f"dijkwacht-agent: {sentence}", file=sys.stderr, flush=True)


def _report_problems(source: Live | Paced) -> None:
    """What of a recording could not be read; an interface has nothing to report."""
    if isinstance(source.source, Recording):
        for problem in source.source.problems:
            _report(problem)


def _settings(args: argparse.Namespace) -> Settings:
    names = ("interface", "flow_export", "local", "url", "site", "agent")
    return read_settings(args.state, flags={name: getattr(args, name, None) for name in names})


class _Version(argparse.Action):
    """Print the version of what is installed; looked up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415  not in the memory of one that runs

        print(f"dijkwacht-agent {version('dijkwacht')}")
        parser.exit()


def _parser(spoken: str = "en") -> argparse.ArgumentParser:
    def said(key: str) -> str:
        return message_text(Message(key), spoken)

    parser = OneLineParser(prog="dijkwacht-agent", description=said("help_agent"))
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FOLDER",
        help=f"where key, certificate, settings and spool are (default: {state_folder(AGENT).path})",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help=said("help_run"))
    _listening(run)
    run.add_argument(
        "--speed",
        type=speed,
        default=1.0,
        metavar="N|max",
        help="how fast a recording is played: 1, 60, max (default: 1)",
    )
    run.set_defaults(command=_run)

    enter = commands.add_parser("join", help=said("help_join"))
    enter.add_argument(
        "code", metavar="CODE", nargs="*",
        help="what the operator of the collector gave you; without it you are asked for it",
    )  # fmt: skip
    enter.add_argument("--name", help="what the agent is called within the site")
    enter.add_argument("--again", action="store_true", help="leave the site joined before")
    enter.set_defaults(command=_join)

    pair = commands.add_parser("pair", help=said("help_pair"))
    pair.add_argument("word", nargs="*", metavar="WORD", help="what the first agent printed")
    pair.set_defaults(command=_pair)

    look = commands.add_parser("check", help=said("help_check"))
    _place(look)
    look.add_argument(
        "--notify",
        action="store_true",
        help="send a try to whoever is told when something is silent",
    )
    look.add_argument(
        "--selftest",
        action="store_true",
        help="play a harmless crafted recording through agent and collector, and nothing else",
    )
    look.set_defaults(command=_check)

    print_ = commands.add_parser("show", help=said("help_show"))
    _listening(print_)
    print_.set_defaults(command=_show)
    for command in (look, print_):
        command.add_argument(
            "--seconds", type=seconds, default=3.0, metavar="S", help="how long to listen"
        )
        command.add_argument("--json", action="store_true", help="for programs")
    owners = add_owner_commands(commands, said)
    speaking: list[argparse.ArgumentParser] = [enter, pair, look, print_, *owners]
    for one in speaking:
        one.add_argument("--lang", choices=("en", "nl"), help="the language of the output")
    for one in [run, *speaking]:  # may stand behind the command's name as well
        one.add_argument("--state", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def _place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--interface", metavar="NAME", help="what to listen on")
    parser.add_argument(
        "--flow-export",
        metavar="ADDRESS:PORT",
        help="where a router's NetFlow or IPFIX arrives, instead of an interface",
    )


def _listening(parser: argparse.ArgumentParser) -> None:
    _place(parser)
    parser.add_argument(
        "--local",
        type=network,
        metavar="CIDR",
        action="append",
        help="what is inside (may be repeated)",
    )
    parser.add_argument(
        "--recording",
        type=Path,
        metavar="PATH",
        action="append",
        help="a pcap or pcapng file instead of an interface (may be repeated)",
    )
