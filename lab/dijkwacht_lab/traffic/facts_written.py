"""What flows carried, being written behind the parts in which it happened: turns, calls, log-ins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dijkwacht_lab.traffic.facts import Counted, Shown, Talk
from dijkwacht_lab.traffic.site import AUTH, MINUTE, RPC, TALKS, TCP, Call, Site
from dijkwacht_lab.traffic.turns import TurnsWritten

QUIET_US = MINUTE
"""A flow without an end of its own is over after this much silence."""


class Cuts(NamedTuple):
    """When the parts of one flow were cut: ``at`` its beginning, ``beats`` the parts' offsets, all in µs.

    ``moved``: payload bytes of either side; ``even``: it moved all the time, not at its beats alone.
    """

    at: int
    beats: Sequence[int]
    moved: tuple[int, int]
    even: bool


class FactsWritten(Site):
    """A site whose flows' facts are written. The flow meant is the one that was written last."""

    def _tell_carried(self, call: Call, cuts: Cuts, shown: Shown, *, resp_first: bool) -> None:
        """All rows of what a flow carried."""
        if shown.talk is not None:
            self._tell_turns(call, cuts, shown.talk, resp_first=resp_first)
        before, last = -1, cuts.beats[-1]
        for offset in cuts.beats if shown.counted else ():
            until = 1 << 62 if offset == last else offset
            here = [counted for counted in shown.counted if before < counted.after <= until]
            self._tell_counted(cuts.at, offset, call, here)
            before = until

    def _tell_turns(self, call: Call, cuts: Cuts, talk: Talk, *, resp_first: bool) -> None:
        at, beats, moved, even = cuts
        turns = TurnsWritten(talk, *moved, self.rng, resp_first=resp_first)
        closes, last = call.proto == TCP, beats[-1]
        ends = (self.flows, call.orig, call.resp, call.resp_p, call.proto)
        for part, offset in enumerate(beats, 1):
            over = offset / (last or 1) if even else part / len(beats)
            facts = turns.row(over, offset, ended=closes and part == len(beats))
            if facts is not None:
                self.written.append((at + offset, TALKS, (at + offset, *ends, *facts)))
        if not closes:
            facts = turns.row(1.0, last, ended=True)
            if facts is not None:
                self.written.append((at + last + QUIET_US, TALKS, (at + last, *ends, *facts)))

    def _tell_counted(self, at: int, offset: int, call: Call, here: list[Counted]) -> None:
        """Rows of ``rpc``, then of ``auth``, of the part that was cut at ``offset``: alike ones are one."""
        alike: dict[tuple[int, tuple[int, ...]], list[Counted]] = {}
        for counted in sorted(here, key=_table):
            alike.setdefault((counted.table, counted.what), []).append(counted)
        cut = at + offset
        ends = (self.flows, call.orig, call.resp, call.resp_p)
        for (table, what), several in alike.items():
            sums = [sum(each) for each in zip(*(c.counts for c in several), strict=True)]
            if table == RPC:
                latest = at + min(max(c.after for c in several), offset)
                self.written.append((cut, RPC, (latest, *ends, *what, *sums)))
                continue
            tried = [self.accounts.count(cut, call.orig, what[0], c.account) for c in several][-1]
            self.written.append((cut, AUTH, (cut, *ends, *what, *sums, tried)))


def _table(counted: Counted) -> int:
    return counted.table
