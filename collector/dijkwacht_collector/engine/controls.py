"""What entries that are no batch do to an engine: models, tables, strikes, releases, and people's words."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Final

import numpy as np

from dijkwacht_collector.engine.detector_host import DetectorHost
from dijkwacht_collector.engine.findings import Positions
from dijkwacht_collector.engine.fusion import Fusion
from dijkwacht_collector.engine.instances import MODEL, Given
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.engine.release import describe
from dijkwacht_collector.engine.site_record import Owner, PartitionState
from dijkwacht_collector.engine.struck import Struck
from dijkwacht_collector.engine.succession import History, Succession
from dijkwacht_collector.incidents import Event, IncidentEvent, OpenIncidents, recall
from dijkwacht_collector.journal import (
    PARTITIONS,
    Budget,
    Bundles,
    BundlesInHand,
    Entry,
    Exemption,
    Model,
    Release,
    Strike,
    Table,
    Verdict,
    bundle_name,
)
from dijkwacht_collector.policy import Policy
from dijkwacht_records.errors import JournalError

log: Final = logging.getLogger(__name__)


class Controls:
    """Obeys entries for one engine, and remembers by partition what is in force.

    ``succession``: which release decides where.

    ``bundles`` keeps what entries only name; ``history`` is asked when another release has decided
    before this one.
    """

    def __init__(
        self,
        host: DetectorHost,
        policy: Policy,
        fusion: Fusion,
        incidents: OpenIncidents,
        numbering: Numbering,
        bundles: Bundles | BundlesInHand,
        history: History,
    ) -> None:
        self.succession = Succession(lambda: self.release, history)
        self._host, self._policy, self._incidents = host, policy, incidents
        self._fusion = fusion
        self._numbering, self._bundles = numbering, bundles
        self._struck = Struck()

    @cached_property
    def release(self) -> str:
        """The name of the release that decides here."""
        return bundle_name(self.description())

    def description(self) -> bytes:
        """Who decides here; see `release`. A `Release` entry names its hash."""
        fusion = self._policy.fusion
        return describe(self._host.detectors, self._policy.detectors, self._host.signatures, fusion)

    def state_of(self, partition: int, position: int, owner: Owner) -> PartitionState:
        """What a checkpoint holds of a partition besides its sites; see `PartitionState`."""
        in_force, given = self.succession.in_force(partition), self._host.given(partition)
        epoch, store_id, mark = owner
        return PartitionState(partition, position, epoch, store_id, in_force, given, mark)

    def resume(self, states: Iterable[PartitionState]) -> None:
        """Go on from what `state_of` said; a bundle that is lost costs itself."""
        for state in states:
            if state.release:
                self.succession.obey(state.partition, state.release, state.position)
            for detector, named in state.given.items():
                for name, bundle in named.items():
                    try:
                        self._host.give(state.partition, detector, name, self._fetched(bundle))
                    except (JournalError, OSError) as error:
                        log.error("bundle lost", extra={"why": str(error)})  # noqa: TRY400  # enough

    def obey(self, entry: Entry) -> list[Event]:
        """Obey an entry that is no batch; one that makes no sense is logged and changes nothing."""
        try:
            match entry.kind:
                case "model":
                    self._give_model(entry.partition, Model.read(entry))
                case "table":
                    table = Table.read(entry)
                    for detector in self._host.table_takers:
                        given = self._fetched(table.bundle)
                        self._host.give(entry.partition, detector, table.name, given)
                case "strike":
                    self._strike(entry.site, Strike.read(entry))
                case "release":
                    release = Release.read(entry).bundle
                    return self._obey_release(entry.partition, release, entry.position)
                case "verdict":
                    verdict = Verdict.read(entry)
                    if not self.succession.defer(entry):
                        return self._answer(entry, verdict)
                case "budget":
                    budget = Budget.read(entry)
                    self._policy.set_budget(self._site(entry.site), budget.per_week)
                case "exemption":
                    site = self._site(entry.site)  # so that a checkpoint knows it
                    exemption = Exemption.read(entry)
                    self._incidents.exempt(entry, exemption)
                    if exemption.until <= 0:
                        self._forget_habits(site, {exemption.kind})
        except (ValueError, JournalError, OSError) as error:
            # msgspec's errors and those of texts are values' errors, the others a bundle's.
            log.error(  # noqa: TRY400  # the text is enough
                "journal entry ignored",
                extra={"position": entry.position, "kind": entry.kind, "why": str(error)},
            )
        return []

    def note_failures(self, positions: Positions) -> None:
        """Take what has failed in a step; ``positions``: of its rows."""
        self._struck.note(self._host.hosted, self._numbering, positions)

    def take_strikes(self) -> list[tuple[str, Strike]]:
        """Sites and the strikes that are due there: the journal must hold them before they count."""
        return self._struck.take()

    def left_out(self) -> list[tuple[str, str]]:
        """Sites, and the detectors that are left out there."""
        return sorted(
            (self._numbering.sites[site], hosted.detector.name)
            for hosted in self._host.hosted
            for site in hosted.left_out()
        )

    def _site(self, name: str) -> int:
        site = self._numbering.site(name)
        self._host.know(self._numbering)
        self._policy.make_room(len(self._numbering.sites))
        return site

    def _give_model(self, partition: int, model: Model) -> None:
        if model.data is None:
            self._host.give(partition, model.detector, MODEL, self._fetched(model.bundle))
            return
        # Those of earlier versions stood once in the journal, for all sites.
        name = self._bundles.keep(model.data)
        for each in range(PARTITIONS):
            self._host.give(each, model.detector, MODEL, self._fetched(name))

    def _fetched(self, bundle: str) -> Given:
        """It, to be read only by who has not got it; then raises `JournalError` if it is not there."""
        return Given(bundle, lambda: self._bundles.get(bundle))

    def _strike(self, site: str, strike: Strike) -> None:
        self._struck.settle(site, strike.detector)
        number = self._host.number(strike.detector)
        if number is not None:
            self._host.hosted[number].strike(self._site(site))

    def _obey_release(self, partition: int, release: str, position: int) -> list[Event]:
        """Go on by what the store holds, if another release has decided before this one."""
        release = release or self.release  # nobody has decided from here on: so this one does
        if release != self.succession.in_force(partition):
            for number in np.flatnonzero(self._numbering.partitions == partition).tolist():
                for hosted in self._host.hosted:
                    hosted.forgive(number)
        quiet = self.succession.obey(partition, release, position)
        if quiet is None:
            return []
        heeded: dict[str, Event] = {}
        for site, stored in quiet.stored.items():
            self._site(site)
            self._incidents.put(site, recall(site, self._incidents.take(site), stored))
            heeded |= {event.uid: event for event in stored}
        events: list[Event] = []
        for entry in quiet.verdicts:
            verdict = Verdict.read(entry)
            last = heeded.get(verdict.uid)
            if last is None or last.position < entry.position:
                events += self._answer(entry, verdict)
                continue
            # What stands behind it was said by one who had obeyed it, with habits of his own.
            again = verdict.verdict != "normal"
            machines = _machines_of(last, quiet.stored[entry.site])
            self._fusion.settle(entry.site, machines, forget_habits=again, until=entry.arrival)
            if again:
                self._forget_habits(self._site(entry.site), set(last.kinds))
        return events

    def _answer(self, entry: Entry, verdict: Verdict) -> list[Event]:
        site = self._site(entry.site)  # so that a checkpoint knows it
        events = self._incidents.answer(entry, verdict, self._host.explain)
        again = verdict.verdict != "normal"
        machines = {e.incident.machine for e in events if isinstance(e, IncidentEvent)}
        self._fusion.settle(entry.site, machines, forget_habits=again)
        if again:
            self._forget_habits(site, {kind for event in events for kind in event.kinds})
        return events

    def _forget_habits(self, site: int, kinds: Collection[str]) -> None:
        """Whoever says "attack", or takes "normal" back, is told again of what had become a habit."""
        for hosted, policy in zip(self._host.hosted, self._policy.detectors, strict=True):
            if hosted.detector.kind in kinds:
                policy.forget_habits(hosted.memory.entities.take(site)[0])


def _machines_of(answered: Event, stored: Iterable[Event]) -> set[str]:
    """Whose findings an answer was about, as a store has them."""
    incidents = [event.incident for event in stored if isinstance(event, IncidentEvent)]
    return {one.machine for one in incidents if answered.uid in {one.uid, one.story}}
