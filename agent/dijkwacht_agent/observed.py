"""What an agent observes, by its settings: an interface, recordings, or a router's flow export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from dijkwacht_agent.frames import Block
from dijkwacht_agent.interfaces import FLOW_EXPORT, default_interface
from dijkwacht_agent.local_networks import PRIVATE, LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.pacing import Live, Paced, wall_clock
from dijkwacht_agent.search_suffixes import own_suffixes
from dijkwacht_agent.settings import Settings
from dijkwacht_agent.sources.capture import LiveCapture, own_prefixes
from dijkwacht_agent.sources.recording import Recording
from dijkwacht_agent.system import SystemSampler
from dijkwacht_agent.uplink import endpoint
from dijkwacht_records.columns import Columns


class RowMeter(Protocol):
    """What makes rows of the blocks of a source: `Meter` of frames, `ExportMeter` of export datagrams."""

    dropped_ring: int
    """What the source lost, set by whoever reads it."""
    counts_floods: bool
    """Flows that a full table gives up before their first row are counted in ``floods``."""

    @property
    def counters(self) -> Mapping[str, int]:
        """Counts since the start, named as in the ``agent`` table, and perhaps others."""
        ...

    def feed(self, block: Block) -> None:
        """Count what is in ``block``."""
        ...

    def advance(self, now: int) -> None:
        """Make every row that is due at ``now`` (µs)."""
        ...

    def finish(self) -> None:
        """Nothing more will come."""
        ...

    def take(self) -> Columns:
        """Rows made since the last call."""
        ...


class Observed(NamedTuple):
    """``name`` for people; ``system``: the metrics of this machine, which a recording does not have."""

    name: str
    inside: LocalNetworks
    source: Live | Paced
    meter: RowMeter
    system: SystemSampler | None


def observe(
    settings: Settings, recordings: Sequence[Path] = (), speed: float | None = 1.0
) -> Observed:
    """Open what is to be observed. Raises `CaptureError`, `UnreadableInput` or `SettingsError`."""
    if recordings:
        inside = LocalNetworks(settings.local)
        source = Paced(Recording(recordings), speed)
        return Observed("recording", inside, source, Meter(inside), None)
    if settings.flow_export is not None:
        return _flow_export(settings, settings.flow_export)
    name = settings.interface or default_interface()
    inside = LocalNetworks(settings.local, own_prefixes(name), own_suffixes())
    refuse = endpoint(settings.url) if settings.url else None
    live = Live(LiveCapture(name, refuse=refuse))
    return Observed(name, inside, live, Meter(inside), SystemSampler())


def _flow_export(settings: Settings, listen: str) -> Observed:
    # Only here: an agent that captures has none of it in its memory.
    from dijkwacht_agent.flow_export.export_meter import ExportMeter  # noqa: PLC0415
    from dijkwacht_agent.flow_export.exporter import library  # noqa: PLC0415
    from dijkwacht_agent.sources.export_socket import ExportSocket  # noqa: PLC0415

    library()
    hold = round(settings.flow_export_hold_s * 1e6)
    inside = LocalNetworks(settings.local, (), own_suffixes())
    declared = settings.flow_exporters
    heard = LocalNetworks([*PRIVATE, *(settings.local or ())] if declared is None else declared)

    def clock() -> int:
        return wall_clock() - hold

    source = Live(ExportSocket(listen, clock), clock)
    meter = ExportMeter(inside, heard, hold=hold)
    return Observed(f"{FLOW_EXPORT} at {listen}", inside, source, meter, SystemSampler())


def exports(counters: Mapping[str, int]) -> dict[str, int]:
    """Those of ``counters`` that only flow export has."""
    prefix = "export_"
    return {n.removeprefix(prefix): v for n, v in counters.items() if n.startswith(prefix)}
