"""Batches of a contract that this release does not read, as a later one leaves them behind."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final

from dijkwacht_collector.journal import Readable
from dijkwacht_records.errors import UnknownContract
from dijkwacht_records.wire import MAGIC, contract_of

log: Final = logging.getLogger(__name__)


def find_unread(
    journal: Readable,
    after: Mapping[int, int],
    folded: Callable[[str], int],
    reads: Collection[int],
) -> UnknownContract | None:
    """The error of the first batch behind ``after`` that is not read, if there is one.

    ``folded``: up to which position a site's entries have been. The intake lets none in; so whoever
    finds none before it starts meets none later.
    """
    partitions = tuple(after)
    while True:
        entries, after = journal.read(partitions, after)
        if not entries:
            return None
        for entry in entries:
            if entry.kind != "batch" or not entry.payload.startswith(MAGIC):
                continue
            version = contract_of(entry.payload)
            if version not in reads and entry.position > folded(entry.site):
                return UnknownContract(version, reads)


def report_unread(error: UnknownContract, engine: int) -> None:
    """One line, without a traceback: nothing is broken."""
    log.error(
        "engine stopped: the journal holds batches of a later version; nothing is lost,"
        " upgrade this collector and it goes on",
        extra={"engine": engine, "version": error.version, "reads": error.reads},
    )
