"""Does a detector keep the contract? Everything that the contract asks is tried, with a line for each.

It is fed rows that are made up: an empty step, extreme values, two sites at once; it is pickled, moved and
cut elsewhere, which must change nothing. The exit code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from dijkwacht.progress import report
from dijkwacht.strangest import told_error
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.checks import Check, checks_of
from dijkwacht_detectors.discover import load_detectors, shipped_detectors
from dijkwacht_records.errors import SettingsError

FAILED: Final = 1
_CAN_BE_LOADED: Final = "it can be loaded"
_NAME_IS_FREE: Final = "the name is not taken"


class Tried(msgspec.Struct, frozen=True):
    """How one check went; ``why`` is a line if it failed. ``skipped``: it says nothing before another holds."""

    detector: str
    check: str
    result: Literal["ok", "failed", "skipped"]
    why: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add = parser.add_argument
    add("detector", type=Path, metavar="DETECTOR.py", help="a file with a detector")
    add("--json", action="store_true", help="JSON lines, one a check")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if all holds, 1 if anything does not, 2 if there is no such file."""
    if not args.detector.is_file():
        why = "not a Python file" if args.detector.exists() else "no such file"
        raise SettingsError(f"{args.detector}: {why}")
    tried = []
    for one in try_file(args.detector):
        tried.append(one)
        if args.json:
            sys.stdout.buffer.write(msgspec.json.encode(one) + b"\n")
        else:
            sys.stdout.write(_line(one))
        sys.stdout.flush()  # before what is said on stderr
    failed = sum(one.result == "failed" for one in tried)
    held = sum(one.result == "ok" for one in tried)
    report(f"{held} of {len(tried)} checks hold" + (f", {failed} failed" if failed else ""))
    return FAILED if failed else 0


def try_file(path: Path) -> Iterator[Tried]:
    """All checks of all detectors of a file, as they go."""
    try:
        detectors = load_detectors(path)
    except SettingsError as error:
        yield Tried(path.stem, _CAN_BE_LOADED, "failed", str(error))
        return
    yield Tried(path.stem, _CAN_BE_LOADED, "ok")
    shipped = {one.name: inspect.getfile(type(one)) for one in shipped_detectors()}
    for detector in detectors:
        own = Path(shipped.get(detector.name, path)).resolve() == path.resolve()
        why = "" if own else f"a detector named {detector.name} is shipped already"
        yield Tried(detector.name, _NAME_IS_FREE, "ok" if own else "failed", why)
        yield from try_detector(detector)


def try_detector(detector: AnyDetector) -> Iterator[Tried]:
    """All checks of one, as they go. A reason that was given already is not given again."""
    given: dict[str, str] = {}
    for check in checks_of(detector):
        why = _why(detector, check)
        if why and why in given:
            yield Tried(detector.name, check.says, "skipped", f"fails as {given[why]!r} does")
        elif why:
            given[why] = check.says
            yield Tried(detector.name, check.says, "failed", why)
        else:
            yield Tried(detector.name, check.says, "ok")


def _why(detector: AnyDetector, check: Check) -> str:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # what it prints is no line of ours
            check.run()
    except AssertionError as error:
        # without a text it is one of the detector's own
        return str(error).partition("\n")[0] or told_error(detector, error)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # somebody's code may fail in any way
        return told_error(detector, error)
    return ""


def _line(tried: Tried) -> str:
    why = f": {tried.why}" if tried.why else ""
    return f"{tried.result:<8} {tried.detector}: {tried.check}{why}\n"
