"""The journal: what happened, in order, on disk before it is acknowledged."""

from dijkwacht_collector.journal.bundles import Bundles, BundlesInHand, bundle_name
from dijkwacht_collector.journal.entry import PARTITIONS, Draft, Entry, Kind, partition_of
from dijkwacht_collector.journal.epochs import FencedOff
from dijkwacht_collector.journal.journal import Journal, Trouble
from dijkwacht_collector.journal.log import Log, Readable, Reading
from dijkwacht_collector.journal.payloads import (
    MOST_BY,
    NOBODY,
    Answer,
    Budget,
    Exemption,
    Model,
    Release,
    Strike,
    Table,
    Verdict,
    batch_draft,
    batch_key,
    person,
)
from dijkwacht_collector.journal.reader import JournalReader
from dijkwacht_collector.journal.sealed import (
    open_own,
    replace_file,
    seal,
    sync_folder,
    unseal,
)

__all__ = [
    "MOST_BY",
    "NOBODY",
    "PARTITIONS",
    "Answer",
    "Budget",
    "Bundles",
    "BundlesInHand",
    "Draft",
    "Entry",
    "Exemption",
    "FencedOff",
    "Journal",
    "JournalReader",
    "Kind",
    "Log",
    "Model",
    "Readable",
    "Reading",
    "Release",
    "Strike",
    "Table",
    "Trouble",
    "Verdict",
    "batch_draft",
    "batch_key",
    "bundle_name",
    "open_own",
    "partition_of",
    "person",
    "replace_file",
    "seal",
    "sync_folder",
    "unseal",
]
