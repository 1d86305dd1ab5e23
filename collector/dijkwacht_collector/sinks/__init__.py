"""Where incidents go: each sink takes the same events, in order, and may see some of them again."""

from dijkwacht_collector.sinks.base import Sink, Sinks
from dijkwacht_collector.sinks.jsonl import JsonLines
from dijkwacht_collector.sinks.live import LiveSink
from dijkwacht_collector.sinks.places import all_places
from dijkwacht_collector.sinks.prometheus import PrometheusSink
from dijkwacht_collector.sinks.store import IncidentStore
from dijkwacht_collector.sinks.store_reader import read_exemptions, read_trial

__all__ = [
    "IncidentStore",
    "JsonLines",
    "LiveSink",
    "PrometheusSink",
    "Sink",
    "Sinks",
    "all_places",
    "read_exemptions",
    "read_trial",
]
