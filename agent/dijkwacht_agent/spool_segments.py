"""The files of the spool: what is in one, and what is found in all of them when an agent starts."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dijkwacht_agent.ledger import LEDGER_FILE, Ledger
from dijkwacht_agent.spool_records import Found, find_record

PATIENCE: Final = 2400
"""How often a place that gives EIO is read again, ten minutes of the uplink, before it is passed."""
_PAGE: Final = 4096


class Segment:
    """One file: ``rows`` in good records lie from ``start`` to ``end``; the last is number ``upto``.

    ``unread``: not all of it could be read as yet, and there may be more.
    """

    def __init__(self, number: int, path: Path) -> None:
        self.number, self.path = number, path
        self.start = self.end = 0
        self.rows = self.upto = 0
        self.unread = False
        self._tries = 0

    def find(self, settled: int) -> Found | None:
        """The first record behind row ``settled``; what is damaged before it is passed for good.

        Raises ``OSError`` where it cannot be read now, which may pass.
        """
        try:
            with _reading(self.path) as file:
                records = _records(file, self.start, self.end)
                found = next((each for each in records if not 0 < each.upto <= settled), None)
                if found is not None and (found.begin != self.start or self.unread):
                    self.rows = found.rows + sum(each.rows for each in records)
                    self.start, self.unread = found.begin, False
        except FileNotFoundError:
            return None
        except OSError as error:
            self._tries += 1
            if error.errno == errno.EIO and self._tries > PATIENCE:
                page = self.start + _PAGE - self.start % _PAGE
                self.start, self.unread = min(page, self.end), True
            raise
        self._tries = 0
        return found

    def recover(self, ledger: Ledger, at: int) -> int:
        """Find what is not settled, where ``at`` rows came before it: how many came up to its end."""
        place = 0
        with _reading(self.path) as file:
            self.end = os.fstat(file).st_size
            for found in _records(file, 0, self.end):
                gap, place = found.begin > place, found.end
                if found.upto:
                    settled = found.upto <= ledger.settled
                else:
                    number, offset = ledger.old
                    settled = number == self.number and found.begin < offset
                if settled:
                    self.start = found.end
                    continue
                if found.upto:
                    at = _begun(ledger, at, found)
                else:
                    at += found.rows + _guess(ledger, gap=gap)
                self.rows += found.rows
                self.upto = at
        return at + _guess(ledger, gap=place < self.end)


def recover(folder: Path, ledger: Ledger) -> list[Segment]:
    """The segments in ``folder`` that are not settled, oldest first; ``ledger`` learns what came in."""
    at = ledger.settled
    segments = []
    for path in sorted(folder.glob("*.spool")):
        if not path.stem.isdecimal():
            continue
        segment = Segment(int(path.stem), path)
        try:
            at = segment.recover(ledger, at)
        except OSError:
            segment.unread = True
            with contextlib.suppress(OSError):
                segment.end = path.stat().st_size
        if segment.rows or segment.unread:
            segments.append(segment)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
    ledger.spooled = max(ledger.spooled, at)
    return segments


def versions_in(folder: Path) -> set[int]:
    """Versions of the contract that wait in ``folder``, which the agent that runs may be filling."""
    settled = Ledger(folder / LEDGER_FILE).settled
    versions = set[int]()
    for path in folder.glob("*.spool"):
        with contextlib.suppress(OSError), _reading(path) as file:
            for found in _records(file, 0, os.fstat(file).st_size):
                if not 0 < found.upto <= settled:
                    versions.update(found.wire[3:4])
    return versions


def _records(file: int, at: int, end: int) -> Iterator[Found]:
    while (found := find_record(file, at, end)) is not None:
        yield found
        at = found.end


def _begun(ledger: Ledger, at: int, found: Found) -> int:
    """How many rows came in up to ``found``; a ledger that is lost begins before what waits."""
    if not (ledger.found or ledger.anew):
        ledger.begin(max(0, found.upto - found.rows - at))
        ledger.anew = True
    return max(at, found.upto)


def _guess(ledger: Ledger, *, gap: bool) -> int:
    """Rows in a gap, one at least, where no ledger and no position tells how many."""
    return 1 if gap and not ledger.found else 0


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)
