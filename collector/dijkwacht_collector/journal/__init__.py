"""The journal: what happened, in order, on disk before it is acknowledged."""

from dijkwacht_collector.journal.entry import PARTITIONS, Draft, Entry, Kind
from dijkwacht_collector.journal.journal import Journal, Log, replace_file
from dijkwacht_collector.journal.payloads import (
    ANSWERS,
    Answer,
    Budget,
    Exemption,
    Model,
    Verdict,
    batch_draft,
    batch_key,
)
from dijkwacht_collector.journal.sealed import open_own, seal, unseal
from dijkwacht_collector.journal.segment import sync_folder

__all__ = [
    "ANSWERS",
    "PARTITIONS",
    "Answer",
    "Budget",
    "Draft",
    "Entry",
    "Exemption",
    "Journal",
    "Kind",
    "Log",
    "Model",
    "Verdict",
    "batch_draft",
    "batch_key",
    "open_own",
    "replace_file",
    "seal",
    "sync_folder",
    "unseal",
]
