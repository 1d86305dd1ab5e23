"""``dijkwacht-agent who | page | pin | key``: what the owner asks of his own machine."""

from __future__ import annotations

import argparse
import getpass
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from dijkwacht_agent.error_words import error_message, worded, words
from dijkwacht_agent.messages import language, message_text
from dijkwacht_agent.pacing import moment
from dijkwacht_agent.plain_text import plain
from dijkwacht_agent.settings import read_settings
from dijkwacht_records.errors import Message, SettingsError
from dijkwacht_records.pseudonyms import spans

if TYPE_CHECKING:
    from dijkwacht_agent.owner.unmasked_log import Way
    from dijkwacht_agent.owner.who import Found

LISTEN: Final = "127.0.0.1:8471"


def add_owner_commands(commands: Any, said: Callable[[str], str]) -> list[argparse.ArgumentParser]:
    """Add the commands to those of the agent; returns their parsers. ``said``: the text of a key."""
    who = commands.add_parser("who", help=said("help_who"))
    who.add_argument(
        "pseudonym",
        nargs="*",
        metavar="~ADDRESS",
        help="pseudonyms, or a whole sentence; - reads a text from standard input",
    )
    who.add_argument("--log", action="store_true", help="what was opened before, and by whom")
    who.add_argument("--json", action="store_true", help="for programs")
    who.add_argument(
        "--key", type=Path, metavar="FILE", help="of a former key, for what it had hidden"
    )
    who.set_defaults(command=_who)

    page = commands.add_parser("page", help=said("help_page"))
    page.add_argument(
        "--listen", metavar="ADDRESS:PORT", default=LISTEN,
        help=f"of this machine (default: {LISTEN}; on another than loopback by TLS)",
    )  # fmt: skip
    page.set_defaults(command=_page)

    pin = commands.add_parser("pin", help=said("help_pin"))
    pin.set_defaults(command=_pin)

    key = commands.add_parser("key", help=said("help_key"))
    key.add_argument(
        "what", choices=("save", "restore"), metavar="save|restore",
        help="save: write a copy, and print the eight words that open it; restore: put it back",
    )  # fmt: skip
    key.add_argument("file", type=Path, metavar="FILE", help="the copy, best on a stick")
    key.add_argument(
        "word", nargs="*", default=[], metavar="WORD", help="of restore; asked for without"
    )
    key.set_defaults(command=_key)
    return [who, page, pin, key]


def _who(args: argparse.Namespace) -> int:
    spoken, given = language(args.lang), args.pseudonym
    if args.log:
        return _log(args, spoken)
    if not given:
        raise worded(SettingsError, "who_none_given")
    if given == ["-"]:
        return _sentence(args, sys.stdin.read(1 << 20), spoken)
    found = [list(spans(one)) for one in given]
    parts = any(at not in ([], [(0, len(one))]) for one, at in zip(given, found, strict=True))
    # A sentence without quotation marks has words among its pseudonyms.
    plain = (one for one, at in zip(given, found, strict=True) if not at)
    if parts or (any(found) and any(not re.search(r"\d", one) for one in plain)):
        return _sentence(args, " ".join(given), spoken)
    return _pseudonyms(args, given, spoken)


def _sentence(args: argparse.Namespace, text: str, spoken: str) -> int:
    from dijkwacht_agent.owner.who import Who  # noqa: PLC0415  not in the memory of `run`

    who = Who(args.state, args.key)
    sentence, opened = who.sentence(text)
    if not opened:
        raise worded(SettingsError, "who_nothing")
    _note(args.state, "sentence", opened, spoken)
    if args.json:
        for one in opened:
            print(msgspec.json.encode(who.open(one)).decode())
    else:
        print(plain(sentence.rstrip("\n"), "\n\t"))
    return 0


def _pseudonyms(args: argparse.Namespace, given: Sequence[str], spoken: str) -> int:
    from dijkwacht_agent.owner.who import Found, Who  # noqa: PLC0415  as above

    who, found = Who(args.state, args.key), list[Found]()
    for one in given:
        try:
            found.append(who.open(one))
        except SettingsError as error:
            _report(words(error_message(error), spoken))
    if found:
        _note(args.state, "who", [one.pseudonym for one in found], spoken)
    for told in found:
        shown = [msgspec.json.encode(told).decode()] if args.json else _lines(told, spoken)
        print("\n".join(shown))
    return 0 if len(found) == len(given) else 1


def _lines(found: Found, spoken: str) -> Iterator[str]:
    def say(key: str, **values: str) -> str:
        return message_text(Message(key, {**values}), spoken)

    yield say("who_is", pseudonym=found.pseudonym, real=found.real)
    if found.others:
        yield say("who_or", others=", ".join(found.others))
    if found.called:
        yield say("who_called", text=found.called)
    if found.name:
        yield say("who_name", text=found.name)
    if found.mac and found.kind != "mac":
        yield say("who_mac", text=found.mac)
    if found.maker:
        yield say("who_maker", text=found.maker)
    elif found.chance:
        yield say("who_chance")
    if found.addresses and found.kind != "address":
        yield say("who_addresses", text=", ".join(found.addresses))
    if found.seen:
        yield say("who_seen", text=moment(found.seen))
    else:
        yield say("who_never")


def _log(args: argparse.Namespace, spoken: str) -> int:
    from dijkwacht_agent.owner.unmasked_log import read_log  # noqa: PLC0415  as above

    nothing = True
    for one in read_log(args.state):
        nothing = False
        if args.json:
            print(msgspec.json.encode(one).decode())
            continue
        way = message_text(Message(f"way_{one.way}", {"client": one.client}), spoken)
        values: dict[str, str | float] = {"time": moment(one.time), "uid": one.uid, "way": way}
        values["what"] = ", ".join(one.what)
        print(message_text(Message("who_log_line", {**values}), spoken))
    if nothing and not args.json:
        print(message_text(Message("who_log_empty"), spoken))
    return 0


def _page(args: argparse.Namespace) -> int:
    from dijkwacht_agent.owner.page import PageServer, read_place  # noqa: PLC0415  as above

    spoken = language(args.lang)
    place = read_place(args.listen)
    try:
        server = PageServer(args.state, place)
    except OSError as error:
        if error.filename is not None:
            raise
        raise worded(
            SettingsError, "page_taken", text=args.listen, why=error_message(error)
        ) from None
    with server:
        print(message_text(Message("page_runs", {"url": server.place.url}), spoken), flush=True)
        if server.fingerprint:
            said = Message("page_certificate", {"print": server.fingerprint})
            print(message_text(said, spoken), flush=True)
        # Also where a script has begun it in the background, which has it ignore Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        server.serve_forever()
    return 0


def _pin(args: argparse.Namespace) -> int:
    from dijkwacht_agent.owner.pin import set_pin  # noqa: PLC0415  as above

    spoken = language(args.lang)

    def ask(key: str) -> str:
        # Never an argument: the list of processes and the shell's history are read by others.
        if not sys.stdin.isatty():
            return sys.stdin.readline().strip()
        return getpass.getpass(message_text(Message(key), spoken)).strip()

    pin = ask("pin_asked")
    if sys.stdin.isatty() and ask("pin_again") != pin:
        raise worded(SettingsError, "pin_differs")
    set_pin(args.state, pin)
    print(message_text(Message("pin_set"), spoken))
    return 0


def _key(args: argparse.Namespace) -> int:
    from dijkwacht_agent.owner.key_copy import restore_key, save_key  # noqa: PLC0415  as above

    spoken, settings = language(args.lang), read_settings(args.state)
    if args.what == "save":
        drawn = save_key(settings, args.state, args.file)
        print(message_text(Message("key_saved", {"path": str(args.file)}), spoken))
        print(f"\n    {' '.join(drawn)}\n")
        print(message_text(Message("key_saved_why", {"path": str(args.file)}), spoken))
        if args.file.stat().st_dev == args.state.stat().st_dev:
            print(message_text(Message("key_same_disk"), spoken))
        return 0
    typed = args.word
    if not typed:
        args.file.open("rb").close()  # before eight words are asked for
        if sys.stdin.isatty():
            print(message_text(Message("key_words_asked"), spoken), end="", flush=True)
        typed = sys.stdin.readline().split()
    former = restore_key(settings, args.state, args.file, typed)
    print(message_text(Message("key_restored", {"site": settings.site or ""}), spoken))
    if former is not None:
        print(message_text(Message("key_restored_former", {"path": str(former)}), spoken))
    return 0


def _note(state: Path, way: Way, what: list[str], spoken: str) -> None:
    from dijkwacht_agent.owner.unmasked_log import note_opened  # noqa: PLC0415  as above

    try:
        note_opened(state, way, what)
    except OSError as error:  # the owner may know all the same: it is his
        why = error_message(error)
        _report(message_text(Message("who_unlogged", {"why": why}), spoken))


def _report(sentence: str) -> None:
    print(f"dijkwacht-agent: {sentence}", file=sys.stderr, flush=True)
