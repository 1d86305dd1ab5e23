"""Notices: what the collector tells a person by itself, by mail or webhook, and its own dead man's switch."""

from dijkwacht_collector.notices.notices import Notices
from dijkwacht_collector.notices.pulse import Pulse
from dijkwacht_collector.notices.watch import SOURCE, Watch, outboxes_of
from dijkwacht_collector.notices.words import TRY

__all__ = ["SOURCE", "TRY", "Notices", "Pulse", "Watch", "outboxes_of"]
