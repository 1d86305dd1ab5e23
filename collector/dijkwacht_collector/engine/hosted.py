"""HOT  One detector in its fence: rows in, opinions out, and a failure costs one entry's rows of one site.

Detectors that are shipped score the rows of many sites at once. What is not ours is called for each
entry alone, and what it touched is put back if it fails: so no failure depends on who else sent rows,
or on how they were cut into steps. One that is shipped and fails all the same is treated like that
from then on; the rows of the call that failed are lost to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import TableRows
from dijkwacht_collector.engine.instances import Instances
from dijkwacht_collector.engine.opinions import BlankScores, Opinions
from dijkwacht_collector.engine.windows import Ended
from dijkwacht_collector.policy import Scored
from dijkwacht_detectors.api import AnyDetector, Rows, Scores
from dijkwacht_detectors.state.memory import Memory, cut_rows, pick_rows, read_only

STRIKES: Final = 3
"""A detector that failed so often on a site is left out there, until another release decides."""
_SHIPPED: Final = "dijkwacht_detectors."
_LONGEST_WHY: Final = 200
_MOST_TOLD: Final = 20
"""Failures of a detector that are told with all they say; later ones are counted."""

OnFailure = Callable[[AnyDetector, BaseException], None]
"""Called with a detector and what it raised."""


class Failure(NamedTuple):
    """A detector failed on rows of ``site`` (a small number); ``order`` is that of the row, in its step."""

    site: int
    order: int
    why: str


class Hosted:
    """A detector, its memory and instances. ``failures``: those since they were last taken; ``blank`` as in `Opinions`."""

    def __init__(
        self,
        number: int,
        detector: AnyDetector,
        memory: Memory,
        on_failure: OnFailure,
        blank: BlankScores | None = None,
    ) -> None:
        self.number, self.detector, self.memory = number, detector, memory
        self.instances = Instances(detector)
        self.failures: list[Failure] = []
        self._named = detector.who.columns
        self._opinions = Opinions(len(detector.facts), blank)
        self._failed = self._taken = 0
        self._on_failure = on_failure
        self._strikes: dict[int, int] = {}
        self._out = np.zeros(0, np.int32)
        self._apart = not type(detector).__module__.startswith(_SHIPPED)

    @property
    def apart(self) -> bool:
        """Whether it is called for each entry alone."""
        return self._apart

    def strike(self, site: int, count: int = 1) -> None:
        """It has failed on a site so many times more; after `STRIKES` it is left out there."""
        self._strikes[site] = self._strikes.get(site, 0) + count
        out = [site for site, strikes in self._strikes.items() if strikes >= STRIKES]
        self._out = np.array(sorted(out), np.int32)

    def forgive(self, site: int) -> None:
        """Another release decides there: what failed may be mended."""
        self.strike(site, -self._strikes.get(site, 0))

    def strikes(self, site: int) -> int:
        """How often it has failed on a site."""
        return self._strikes.get(site, 0)

    def take_failed(self) -> int:
        """How often it has failed since the last time."""
        failed, self._taken = self._failed - self._taken, self._failed
        return failed

    def left_out(self) -> list[int]:
        """The sites where it is left out."""
        sites: list[int] = self._out.tolist()
        return sites

    def admit(self, ended: Ended) -> Ended:
        """The windows that ended, without those of sites where it is left out."""
        return ended.without(self._out) if len(self._out) else ended

    def admitted(self, table: TableRows) -> NDArray[np.int64] | None:
        """Which rows are of sites where it is not left out; None for all."""
        if not len(self._out):
            return None
        return np.flatnonzero(~np.isin(table.site, self._out))

    def fail(self, error: BaseException, failure: Failure | None = None) -> None:
        """Count a failure, and keep it for whoever strikes."""
        self._failed += 1
        if failure is not None:
            self.failures.append(failure)
        if self._failed <= _MOST_TOLD:
            self._on_failure(self.detector, error)

    def score(
        self,
        rows: Rows,
        table: TableRows,
        partitions: NDArray[np.int32],
        starts: NDArray[np.int64],
        sizes: Sequence[int] | None = None,
    ) -> Scored:
        """What it makes of ``rows``, which are those of ``table``.

        ``partitions``: of each site. ``starts``: the order of the first row of each entry. ``sizes``: of
        the windows that the rows are, no two of a site; without, it is good until it is asked again.
        """
        each = self.instances.each
        places = self.instances.places[partitions[rows.site]] if len(each) > 1 else None
        if places is None or (places == places[:1]).all():
            instance = (
                each[int(places[0])] if places is not None and len(rows) else self.instances.any
            )
            scores, facts = self._score(rows, table.order, instance, starts, sizes)
        else:
            scores, facts = self._no_opinion(len(rows))
            for place in np.unique(places).tolist():
                mine = np.flatnonzero(places == place)
                of_mine = None if sizes is None else _sizes_of(sizes, places == place)
                scores[mine], facts[mine] = self._score(
                    pick_rows(rows, mine), table.order[mine], each[place], starts, of_mine
                )
        named = {c: table.columns[c] for c in self._named if c in table.columns}
        if len(named) < len(self._named):  # whoever loads a detector refuses that
            self.fail(KeyError(f"{self.detector.who}: there is no such column"))
            scores, facts = self._no_opinion(len(rows))
        scores, said = self._opinions.heard(scores)
        return Scored(
            self.number, sizes is not None, table.order, table.agent, rows.time, rows.site,
            rows.slot, rows.fresh, scores, facts, named, said,
        )  # fmt: skip

    def _score(
        self,
        rows: Rows,
        order: NDArray[np.int64],
        instance: AnyDetector,
        starts: NDArray[np.int64],
        sizes: Sequence[int] | None,
    ) -> tuple[Scores, Scores]:
        """By one instance: in one call, or entry by entry and window by window."""
        if not self._apart:
            return self._call(rows, order, instance, sizes)
        scores, facts = self._no_opinion(len(rows))
        bounds = np.searchsorted(order, starts) if sizes is None else np.cumsum([0, *sizes])
        for begin, end in pairwise([*bounds.tolist(), len(rows)]):
            if begin < end:
                part = read_only(self.memory.renewed(cut_rows(rows, begin, end)))
                window = None if sizes is None else (end - begin,)
                scores[begin:end], facts[begin:end] = self._call(
                    part, order[begin:end], instance, window
                )
        return scores, facts

    def _call(
        self,
        rows: Rows,
        order: NDArray[np.int64],
        instance: AnyDetector,
        sizes: Sequence[int] | None,
    ) -> tuple[Scores, Scores]:
        before = self.memory.snapshot(rows) if self._apart else None
        try:
            if before is None:  # the conformance suite has seen that these are numbers
                blank = self._opinions.blank(len(rows)) if sizes is None else None
                return self.memory.score(rows, sizes, instance, blank)
            scores, facts = self.memory.score(rows, sizes, instance)
            return _numbers(scores), _numbers(facts)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # the fence: it may fail in any way, the engine not
            failure = None
            if before is not None:
                self.memory.restore(rows, before)
                failure = Failure(int(rows.site[0]), int(order[0]), _words(error))
            self.memory.forget(rows.slot[rows.fresh])  # it has not seen them
            self._apart = True
            self.fail(error, failure)
            return self._no_opinion(len(rows))

    def _no_opinion(self, rows: int) -> tuple[Scores, Scores]:
        return np.full(rows, np.nan), np.zeros((rows, len(self.detector.facts)))


def _numbers(values: Scores) -> Scores:
    """``values`` as float64, none of them infinite. Raises ``ValueError``, ``TypeError``."""
    numbers = np.asarray(values, np.float64)
    if np.isinf(numbers).any():
        raise ValueError("a score or a fact is infinite")
    return numbers


def _words(error: BaseException) -> str:
    """What an error says, whatever it is made of, as text for the journal."""
    try:
        said = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  # even its words may fail
        said = type(error).__name__
    return said.encode("utf-8", "replace").decode()[:_LONGEST_WHY]


def _sizes_of(sizes: Sequence[int], mine: NDArray[np.bool_]) -> list[int]:
    """Of the windows that lie end to end, those whose rows are ``mine``."""
    begins = np.cumsum([0, *sizes[:-1]])
    return [size for size, chosen in zip(sizes, mine[begins].tolist(), strict=True) if chosen]
