"""What engine threads work with, and what they ask of sinks and store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from dijkwacht_collector.engine.detector_set import DetectorSet
from dijkwacht_collector.engine.engine import Engine
from dijkwacht_collector.engine.observed import Observed
from dijkwacht_collector.incidents import Event, Exempted, IncidentEvent, StoryEvent
from dijkwacht_collector.journal import Bundles, Log, partition_of
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_records.contracts import READS

log: Final = logging.getLogger(__name__)


class Outlet(Protocol):
    """Where the events of all engines go; a sink that cannot take them raises ``OSError``."""

    def handle(self, events: Sequence[Event], epoch: int) -> None:
        """Take ``events`` in their order; those taken before are skipped.

        Raises `FencedOff` if their sites' partitions have a later owner than that of ``epoch``.
        """

    def flush(self) -> None:
        """Return when everything handled so far would survive a power cut."""


class Store(Protocol):
    """What engines ask of the store of incidents."""

    @property
    def identity(self) -> str:
        """Drawn when it was made; see `PartitionState`."""

    @property
    def mark(self) -> int:
        """What was noted last; 0 if nothing was."""

    def note(self, mark: int) -> None:
        """Note ``mark``: an older copy of the store does not have it. Raises ``OSError``."""

    @property
    def is_new(self) -> bool:
        """Whether it was made in this run, and so has nothing that was said before."""

    @property
    def epoch(self) -> int:
        """The highest under which anybody has said anything; 0 if nobody has."""

    def show_exemptions(self, exempted: Mapping[str, Sequence[Exempted]], epoch: int) -> None:
        """What each of these sites calls normal now. Raises `FencedOff` as `Outlet.handle`, ``OSError``."""

    def sites(self) -> list[str]:
        """Those of which there are incidents or stories."""

    def events(self, site: str | None = None, *, limit: int = ...) -> list[IncidentEvent]:
        """The last step of each incident; a ``limit`` of -1 is none."""

    def story_events(self, site: str | None = None, *, limit: int = ...) -> list[StoryEvent]:
        """The last step of each story; a ``limit`` of -1 is none."""


@dataclass(frozen=True)
class EngineParts:
    """What every engine thread works with.

    ``clock`` gives µs UTC; ``checkpoint_interval_s``: seconds between two saves. ``reads``: versions of the
    contract that the intake takes; a journal is read in those of this release as well.
    """

    journal: Log
    bundles: Bundles
    detectors: DetectorSet
    outlet: Outlet
    store: Store
    telemetry: Telemetry
    clock: Callable[[], int]
    checkpoint_interval_s: float
    reads: Collection[int] = READS

    def make_engine(self) -> Engine:
        """A new engine, that knows nothing yet."""
        engine = self.detectors.engine(bundles=self.bundles, history=self._history)
        engine.reads = sorted({*engine.reads, *self.reads})
        return engine

    def count(self, seen: Observed, seconds: float) -> None:
        """Let telemetry know what an engine counted on its way, and how long that took."""
        telemetry = self.telemetry
        telemetry.times.observe_step(seconds)
        for site, rows in seen.rows.items():
            telemetry.count_engine_rows(site, rows)
        for site, rows in seen.late.items():
            telemetry.count_late(site, rows)
        for site, rows in seen.future.items():
            telemetry.count_future(site, rows)
        for site, rows in seen.dropped.items():
            telemetry.count_window_full(site, rows)
        for site, findings in seen.shed.items():
            telemetry.count_shed(site, findings)
        for site, findings in seen.exempted.items():
            telemetry.count_exempted(site, findings)
        for site, per_week in seen.budgets.items():
            telemetry.know_site(site)
            telemetry.promise.show_budget(site, per_week)
        for site, watched_s in seen.watched.items():
            telemetry.promise.add_watched(site, watched_s)
        for detector, rows in seen.scored.items():
            telemetry.count_scored(detector, rows)
        for detector, failures in seen.failures.items():
            telemetry.count_failures(detector, failures)

    def show_exemptions(self, engine: Engine, epoch: int, *, counted: bool = False) -> None:
        """Bring what sites call normal to the store, where that has changed, or (``counted``) hid something.

        It is only shown from there: what the store does not take now is brought again.
        """
        exempted = engine.take_exemptions(counted=counted)
        if not exempted:
            return
        try:
            self.store.show_exemptions(exempted, epoch)
        except OSError as error:
            engine.show_again(exempted)
            log.warning("exemptions wait", extra={"why": str(error)})

    def _history(self, partition: int) -> dict[str, list[Event]]:
        sites = [site for site in self.store.sites() if partition_of(site) == partition]
        return {
            site: [*self.store.events(site, limit=-1), *self.store.story_events(site, limit=-1)]
            for site in sites
        }
