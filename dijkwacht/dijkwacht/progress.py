"""What the commands print on stderr while they work. Results go to stdout, by other ways."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from dijkwacht.terminal import plain

if TYPE_CHECKING:
    from dijkwacht.recording import Recorded

_EVERY_S: Final = 0.2
_MOST_NAMED: Final = 20

T = TypeVar("T")


def report(sentence: str) -> None:
    """One line on stderr; names within it that come from data or files cannot steer a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    sys.stderr.write(plain(sentence) + "\n")
    sys.stderr.flush()


class _OneLine(logging.Handler):
    """A log record for people: who, what, and the error in one line without its traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        who = getattr(record, "detector", record.name.rpartition(".")[2])
        error = record.exc_info[1] if record.exc_info else None
        first = str(error).strip().partition("\n")[0]
        report(
            f"{who}: {record.getMessage()}"
            + (f": {type(error).__name__}: {first}" if error else "")
        )


def log_for_people() -> None:
    """Send warnings of all parts to stderr as plain lines."""
    logging.basicConfig(level=logging.WARNING, handlers=[_OneLine()])


def clock_text(time_us: int) -> str:
    """µs UTC to the second as this machine's clock shows it, with its zone; a dash if no calendar has it."""
    try:
        local = datetime.fromtimestamp(time_us // 1_000_000).astimezone()
    except (OverflowError, ValueError, OSError):
        return "–"
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"


def report_problems(recorded: Recorded) -> None:
    """Name what was skipped: files and lines, then packets by reason."""
    problems = [str(problem) for problem in recorded.problems]
    for named in (problems, recorded.damage):
        for problem in named[:_MOST_NAMED]:
            report(problem)
    if (more := len(problems) - _MOST_NAMED) > 0:
        report(f"… and {more:,} more files with problems")
    if (more := recorded.damaged - _MOST_NAMED) > 0:
        report(f"… and {more:,} more damaged places")
    if recorded.dropped:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in recorded.dropped.items())
        report(f"packets not metered: {counts}")


def counted(items: Iterable[T], line: str | Callable[[], str], total: int = 0) -> Iterator[T]:
    """Pass ``items`` on and, on a terminal, keep one line with their number up to date."""
    begin = line if callable(line) else lambda: line
    if not sys.stderr.isatty():
        yield from items
        return
    printed = 0.0
    for number, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - printed > _EVERY_S:
            printed = now
            share = f" of {total:,}" if total else ""
            sys.stderr.write(f"\r\x1b[K{begin()}: {number:,}{share}")
            sys.stderr.flush()
    sys.stderr.write("\r\x1b[K")
    sys.stderr.flush()
