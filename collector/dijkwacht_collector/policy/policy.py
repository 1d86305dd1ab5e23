"""The policies of all detectors: of those that may interrupt, and of those that never do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Self

from dijkwacht_collector.policy.calibration import FUSION, Calibration, Calibrations
from dijkwacht_collector.policy.detector_policy import DetectorPolicy, RareRow
from dijkwacht_collector.policy.scored import HOUR_US, MarkedRows, Scored
from dijkwacht_detectors.api import AnyDetector

NOT_RARE: Final = 168.0
"""Rarity of what a `ContextPolicy` lets pass: every hour of a week, which is to say that it is no matter of chance."""
SAID_AN_HOUR: Final = 512
"""Rows of one site and detector that a `ContextPolicy` lets pass: no detector may bury what others say."""
_LONGEST_GAP_H: Final = 24
"""Several agree on nothing for days: so much of the time between counts as watched."""
_SILENT: Final = Calibration(FUSION, 0, "knows nothing", [0.0], [NOT_RARE])


class ContextPolicy(DetectorPolicy):
    """Of a detector that never interrupts: what it says is reported as it is, and nothing of it is worth a call.

    It has neither a budget nor a line: what is true every week is still true. How often it says so is the
    detector's own affair, up to `SAID_AN_HOUR` of one site; ``alert_hours`` counts them, of the present hour.
    """

    def __init__(self, detector: str) -> None:
        super().__init__(Calibration(detector, 1, "never interrupts", [0.0], [0.0]), 0.0)

    @property
    def speaks(self) -> bool:
        """It does."""
        return True

    def evidence(self, scored: Scored, marked: MarkedRows | None = None) -> list[RareRow]:  # noqa: ARG002  # as those
        """The rows that have a score, in order; a budget of nothing makes context of all of them."""
        if not len(scored.said):
            return []
        self.make_room(int(scored.site.max(initial=-1)) + 1)
        hour, said = self._sites.hour, self._sites.alert_hours
        found: list[RareRow] = []
        for row in scored.said.tolist():
            site, now = scored.site[row], scored.time[row] // HOUR_US
            if now > hour[site]:
                hour[site], said[site] = now, 0
            said[site] += 1
            if said[site] <= SAID_AN_HOUR:
                found.append(RareRow(scored, row, NOT_RARE, 0.0))
        return found


class Policy:
    """All detectors' policies. ``shares``: what each has of the budget, see `Calibrations`.

    ``habits`` as of `DetectorPolicy`; all have, if None. ``interrupts``: False for one whose scores are
    context (`ContextPolicy`), none if None. ``fusion``: table and share of what several say together;
    without, that is never said.
    """

    def __init__(
        self,
        calibrations: Sequence[Calibration],
        shares: Sequence[float],
        habits: Sequence[bool] | None = None,
        interrupts: Sequence[bool] | None = None,
        fusion: tuple[Calibration, float] | None = None,
    ) -> None:
        habits = [True] * len(shares) if habits is None else habits
        calls = [True] * len(shares) if interrupts is None else interrupts
        self.detectors = [
            DetectorPolicy(calibration, share, habits=has)
            if may_call
            else ContextPolicy(calibration.detector)
            for calibration, share, has, may_call in zip(
                calibrations, shares, habits, calls, strict=True
            )
        ]
        table, share = fusion or (_SILENT, 0.0)
        self.fusion = DetectorPolicy(table, share, longest_gap_h=_LONGEST_GAP_H)
        self.per_week: dict[int, float] = {}
        """By site number, the incidents a week that it has chosen, if it has."""
        self._newly_chosen: set[int] = set()

    @classmethod
    def of(
        cls, detectors: Sequence[AnyDetector], calibrations: Calibrations, *, fuses: bool = True
    ) -> Self:
        """That of ``detectors``, each by its table and share; ``fuses``: of what they say together, too."""
        return cls(
            [calibrations.table(d) for d in detectors],
            [calibrations.share(d) for d in detectors],
            [d.entity != "site" for d in detectors],
            [d.interrupts for d in detectors],
            calibrations.fusion if fuses else None,
        )

    def make_room(self, sites: int) -> None:
        """Grow to ``sites`` sites."""
        for policy in (*self.detectors, self.fusion):
            policy.make_room(sites)

    def evidence(self, scored: Sequence[Scored]) -> list[RareRow]:
        """How rare is this here, and may it alert? Takes opinions in the order in which they came."""
        marked = MarkedRows()
        rare: list[RareRow] = []
        for one in scored:
            rare += self.detectors[one.detector].evidence(one, marked)
        return rare

    def set_budget(self, site: int, per_week: float) -> None:
        """Take the site's choice of incidents a week; each detector has its share of it."""
        self.per_week[site] = per_week
        self._newly_chosen.add(site)
        for policy in (*self.detectors, self.fusion):
            policy.set_budget(site, per_week)

    def take_chosen(self) -> dict[int, float]:
        """By site number, what was chosen since the last time."""
        chosen = {site: self.per_week[site] for site in self._newly_chosen}
        self._newly_chosen.clear()
        return chosen
