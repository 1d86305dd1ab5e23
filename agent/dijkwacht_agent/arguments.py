"""Command lines that answer a wrong word in one line, and read networks, speeds and durations."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from typing import Any, Final, NoReturn

from dijkwacht_agent.local_networks import parse_network
from dijkwacht_agent.messages import language, message_text
from dijkwacht_records.errors import Message

MOST: Final = 1e9
"""Speeds and durations stay below this."""

_NUMBERS: Final = {"int": "a whole number", "float": "a number"}
_NO_NUMBER: Final = re.compile(rf"invalid ({'|'.join(_NUMBERS)}) value: (.*)", re.DOTALL)
"""How argparse, in words of Python, says that something is no number."""

_NO_COMMAND: Final = re.compile(r"COMMAND: invalid choice: '(.*)' \(choose from (.*)\)", re.DOTALL)
_NO_CHOICE: Final = re.compile(r"(.*): invalid choice: '(.*)' \(choose from (.*)\)", re.DOTALL)
_NO_WORD: Final = re.compile(r"the following arguments are required: (.*)", re.DOTALL)


def _nearest(found: re.Match[str]) -> str:
    there = re.findall(r"[\w-]+", found[2])
    import difflib  # noqa: PLC0415  not in the memory of one that runs

    near = difflib.get_close_matches(found[1], there, 1)
    values = {"typed": found[1], "near": near[0] if near else "", "there": ", ".join(there)}
    key = "command_near" if near else "command_unknown"
    return message_text(Message(key, {**values}), language())


def _in_words(found: re.Match[str]) -> str:
    return f"{found[2]} is not {_NUMBERS[found[1]]}"


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line without the usage, and whose texts show no markup."""

    def __init__(self, *args: Any, **options: Any) -> None:
        for text in ("description", "epilog", "help"):
            if isinstance(options.get(text), str):
                options[text] = options[text].replace("`", "")
        super().__init__(*args, **options)

    def error(self, message: str) -> NoReturn:
        """Print ``message`` and where to read on; exit code 2."""
        said = _NO_NUMBER.sub(_in_words, message.removeprefix("argument "))
        if found := _NO_WORD.fullmatch(said):
            lacking = Message("words_missing", {"what": found[1], "command": self.prog})
            lacking = Message("command_none") if found[1] == "COMMAND" else lacking
            self.exit(2, f"{self.prog}: {message_text(lacking, language())}\n")
        if found := _NO_COMMAND.fullmatch(said):
            self.exit(2, f"{self.prog}: {_nearest(found)}\n")
        if found := _NO_CHOICE.fullmatch(said):
            there = ", ".join(re.findall(r"[\w-]+", found[3]))
            values = {"where": found[1], "typed": found[2], "there": there, "command": self.prog}
            wrong = message_text(Message("choice_none", {**values}), language())
            self.exit(2, f"{self.prog}: {wrong}\n")
        self.exit(2, f"{self.prog}: {said} (see {self.prog} --help)\n")


def network(text: str) -> str:
    """An argument that names a network, as it was given."""
    return _argument(lambda: str(parse_network(text)) and text)


def speed(text: str) -> float | None:
    """An argument: how many times as fast as it happened; ``max`` is ``None``, without waiting."""
    if text == "max":
        return None
    return _number(text, f"'{text}' is no speed; expected a number above 0, or max")


def seconds(text: str) -> float:
    """An argument: a duration above 0."""
    return _number(text, f"'{text}' is no duration; expected a number of seconds above 0")


def _number(text: str, wrong: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < MOST:
        raise argparse.ArgumentTypeError(wrong)
    return number


def _argument(read: Callable[[], str]) -> str:
    try:
        return read()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
