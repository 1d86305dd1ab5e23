"""Rows that wait for their window to end: one pool a detector, a chain of rows an agent.

How many rows of a site wait is bounded, whatever names its agents go by. Which rows are kept is decided
by the site's own rows and ticks in the order of the journal, never by how they were cut into steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import TICK_US, TableRows, Ticks
from dijkwacht_detectors.api import Text

MOST_ROWS: Final = 32_768
"""Rows of one agent's window that are kept when it is alone: one whose clock stands still ends none."""
OWN_ROWS: Final = 256
"""Rows of a window that every agent may keep, whatever the others of its site hold.

The busiest minute of a generated office of eight hosts is 126 flows, of 50 hosts 811, of 250 in
a hurry 7,854; of the labelled captures without an attack 318, with one 10,987 but for a spoofed
SYN flood of 67,516. So small offices never need what is shared, and 250 hosts a quarter of it.
"""
SHARED_ROWS: Final = 2 * (MOST_ROWS - OWN_ROWS)
"""Rows of a site beyond its agents' own; an agent may hold as many of them as it leaves free.

So one alone comes to `MOST_ROWS`, two to a third each, and no burst leaves nothing to the next. With
256 agents a site has at most 131,000 rows waiting, some 16 MB; every agent alone would make 1 GB.
"""
_LEAST_ROOM: Final = 16_384
"""Rows for which there is always room: arrays shrink no further."""
_TOO_MUCH_ROOM: Final = 8
"""Arrays so many times longer than what lives in them shrink."""

# The columns of `_agents`: places of its first and last row, the first row's window, the window
# that fills and how many rows it holds, its site.
_HEAD, _TAIL, _FIRST, _FILLING, _COUNT, _SITE = range(6)
# The columns of `_sites`: rows of the shared part in use, rows dropped since last asked.
_SHARED, _DROPPED = range(2)


Window = tuple[int, int, NDArray[np.int64]]
"""The row that ended it, its agent, the places of its rows in the pool."""


class Ended(NamedTuple):
    """Windows that ended, in the order of their ticks.

    ``windows`` int64[n, 4]: the row that ended it, agent, site, rows. ``places`` int64[rows of all]: where
    they stand in the pool, until the next `append`.
    """

    windows: NDArray[np.int64]
    places: NDArray[np.int64]

    def without(self, sites: NDArray[np.int32]) -> Ended:
        """Those of other sites."""
        kept = ~np.isin(self.windows[:, 2], sites)
        return Ended(self.windows[kept], self.places[np.repeat(kept, self.windows[:, 3])])


class WindowPool:
    """Keeps the columns that a window detector reads, until event time has passed their window."""

    def __init__(self, window_s: int) -> None:
        if window_s <= 0 or window_s * 1_000_000 % TICK_US:
            raise ValueError(f"a window of {window_s} s is no multiple of {TICK_US // 1_000_000} s")
        self.window_us = window_s * 1_000_000
        self._live = 0
        self._used = 0
        self._columns: dict[str, NDArray[Any]] = {}
        self._texts: dict[str, list[str]] = {}
        self._next = np.zeros(0, np.int64)
        self._agents = np.zeros((0, 6), np.int64)
        self._sites = np.zeros((0, 2), np.int64)

    @property
    def room(self) -> int:
        """Rows that the arrays could hold."""
        return len(self._next)

    def append(self, rows: TableRows, reads: tuple[str, ...], agents: int, ticks: Ticks) -> None:
        """Take the rows of one step and its ``ticks``; ``agents`` is how many agents there are by now."""
        self._know(int(rows.site.max(initial=-1)) + 1, agents)
        keep = _admit(rows, ticks, self.window_us, self._agents, self._sites)
        n = len(keep)
        self._make_room(n)
        everything = n == len(rows.time)
        for name, values in (("time", rows.time), ("site", rows.site)):
            self._put(name, values if everything else values[keep])
        for name in reads:
            column = rows.columns[name]
            if isinstance(column, Text):
                self._texts.setdefault(name, []).extend(column[i] for i in keep)
            else:
                self._put(name, column if everything else column[keep])
        _chain(
            rows.agent[keep], self._columns["time"], self._used, self.window_us,
            self._next, self._agents,
        )  # fmt: skip
        self._used += n
        self._live += n

    def end(self, ticks: Ticks) -> Ended:
        """Give up every window that ``ticks`` have ended."""
        if not self._live:
            return Ended(np.zeros((0, 4), np.int64), np.zeros(0, np.int64))
        ended = Ended(
            *_end(
                ticks, self._columns["time"], self.window_us, self._live,
                self._next, self._agents, self._sites,
            )
        )  # fmt: skip
        self._live -= len(ended.places)
        return ended

    def read(self, places: NDArray[np.int64]) -> Mapping[str, Any]:
        """The columns at ``places``: those appended, with ``time`` and ``site``."""
        columns: dict[str, Any] = {name: c[places] for name, c in self._columns.items()}
        for name, texts in self._texts.items():
            columns[name] = _text([texts[i] for i in places])
        return columns

    def take(self, agent: int) -> Mapping[str, Any]:
        """The columns of all rows of ``agent`` that wait, in order; they stay."""
        if agent >= len(self._agents) or self._agents[agent, _HEAD] < 0:
            return {}
        return self.read(_places(agent, self._next, self._agents))

    def put(self, site: int, agent: int, columns: Mapping[str, Any]) -> None:
        """Let the rows that `take` returned wait for the end of their window again.

        They were admitted once; which of them would be now depends on what others hold.
        """
        time = columns["time"]
        n = len(time)
        self._know(site + 1, agent + 1)
        self._make_room(n)
        for name, values in columns.items():
            if isinstance(values, Text):
                self._texts.setdefault(name, []).extend(values[i] for i in range(n))
            else:
                self._put(name, np.full(n, site, np.int32) if name == "site" else values)
        _chain(
            np.full(n, agent, np.int32), self._columns["time"], self._used, self.window_us,
            self._next, self._agents,
        )  # fmt: skip
        self._used += n
        self._live += n
        window = int(time[-1]) // self.window_us
        of_window = int((time // self.window_us == window).sum())
        self._agents[agent, (_FILLING, _COUNT, _SITE)] = window, of_window, site
        self._sites[site, _SHARED] += max(0, of_window - OWN_ROWS)

    def take_dropped(self) -> dict[int, int]:
        """Rows that were not kept since the last time, by site."""
        dropped = self._sites[:, _DROPPED]
        taken = {int(site): int(dropped[site]) for site in np.flatnonzero(dropped)}
        dropped[:] = 0
        return taken

    def shrink(self, coming: int = 0) -> None:
        """Forget what has ended, and keep no array far longer than what waits and is ``coming``."""
        keep = _live_places(self._next, self._agents, self._live)
        room, needed = self.room, len(keep) + coming
        if room > _LEAST_ROOM and needed * _TOO_MUCH_ROOM < room:
            room = max(_LEAST_ROOM, 2 * needed)
        _renumber(keep, self._next, self._agents)
        self._used = len(keep)
        for name, column in self._columns.items():
            self._columns[name] = _resized(column[keep], room)
        self._next = _resized(self._next[: len(keep)], room)
        self._texts = {n: [texts[i] for i in keep] for n, texts in self._texts.items()}

    def _know(self, sites: int, agents: int) -> None:
        if agents > len(self._agents):
            fresh = np.zeros((2 * agents - len(self._agents), 6), np.int64)
            fresh[:, (_HEAD, _FILLING)] = -1
            self._agents = np.vstack((self._agents, fresh))
        if sites > len(self._sites):
            more = 2 * sites - len(self._sites)
            self._sites = np.vstack((self._sites, np.zeros((more, 2), np.int64)))

    def _make_room(self, n: int) -> None:
        """For ``n`` more rows, in place of rows that have ended if those are the most."""
        too_much = self.room > _LEAST_ROOM and (self._live + n) * _TOO_MUCH_ROOM < self.room
        if too_much or (self._used + n > self.room and self._live * 2 < self._used):
            self.shrink(n)
        if self._used + n > self.room:
            room = 2 * (self._used + n)
            self._columns = {name: _resized(c, room) for name, c in self._columns.items()}
            self._next = _resized(self._next, room)

    def _put(self, name: str, values: NDArray[Any]) -> None:
        kept = self._columns.get(name)
        if kept is None:
            kept = self._columns[name] = np.zeros((self.room, *values.shape[1:]), values.dtype)
        kept[self._used : self._used + len(values)] = values


def rounds_of(ended: Ended) -> list[list[Window]]:
    """The windows that ended, in rounds in which no site has two.

    So each window is scored by what the one before it has taught.
    """
    rounds: list[list[Window]] = []
    depth: dict[int, int] = {}
    at = 0
    for order, agent, site, rows in ended.windows.tolist():
        level = depth.get(site, 0)
        depth[site] = level + 1
        if level == len(rounds):
            rounds.append([])
        rounds[level].append((order, agent, ended.places[at : at + rows]))
        at += rows
    return rounds


def _admit(
    rows: TableRows,
    ticks: Ticks,
    window_us: int,
    agents: NDArray[np.int64],
    sites: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Which of ``rows`` are kept."""
    kept: NDArray[np.int64] = _choose(
        rows.agent, rows.site, rows.time, rows.order, ticks, window_us, agents, sites
    )
    return kept


def _resized(values: NDArray[Any], room: int) -> NDArray[Any]:
    resized = np.zeros((room, *values.shape[1:]), values.dtype)
    resized[: len(values)] = values
    return resized


def _text(texts: list[str]) -> Text:
    raw = [text.encode("utf-8", "replace") for text in texts]
    offsets = np.zeros(len(raw) + 1, np.int64)
    np.cumsum([len(r) for r in raw], out=offsets[1:])
    return Text(offsets, np.frombuffer(b"".join(raw), np.uint8))


@njit(cache=True, nogil=True)
def _release(agent, agents, sites):  # type: ignore[no-untyped-def]
    """The window that fills has ended: its rows wait no longer."""
    shared = agents[agent, _COUNT] - OWN_ROWS
    if shared > 0:
        sites[agents[agent, _SITE], _SHARED] -= shared
    agents[agent, _COUNT] = 0


@njit(cache=True, nogil=True)
def _choose(agent, site, time, order, ticks, window_us, agents, sites):  # type: ignore[no-untyped-def]
    out = np.empty(len(agent), np.int64)
    kept = tick = 0
    for i in range(len(agent)):
        while tick < len(ticks) and ticks[tick, 0] <= order[i]:
            ticking = ticks[tick, 1]
            if agents[ticking, _FILLING] < ticks[tick, 2] // window_us:
                _release(ticking, agents, sites)
            tick += 1
        a, s = agent[i], site[i]
        if agents[a, _FILLING] != time[i] // window_us:
            _release(a, agents, sites)
            agents[a, _FILLING] = time[i] // window_us
            agents[a, _SITE] = s
        shared = agents[a, _COUNT] - OWN_ROWS
        if shared >= 0:
            if shared >= SHARED_ROWS - sites[s, _SHARED]:
                sites[s, _DROPPED] += 1
                continue
            sites[s, _SHARED] += 1
        agents[a, _COUNT] += 1
        out[kept] = i
        kept += 1
    return out[:kept]


@njit(cache=True, nogil=True)
def _chain(agent, time, first, window_us, following, agents):  # type: ignore[no-untyped-def]
    for i in range(len(agent)):
        a, place = agent[i], first + i
        following[place] = -1
        if agents[a, _HEAD] < 0:
            agents[a, _HEAD] = place
            agents[a, _FIRST] = time[place] // window_us
        else:
            following[agents[a, _TAIL]] = place
        agents[a, _TAIL] = place


@njit(cache=True, nogil=True)
def _end(ticks, time, window_us, live, following, agents, sites):  # type: ignore[no-untyped-def]
    windows = np.empty((live, 4), np.int64)
    places = np.empty(live, np.int64)
    n = at = 0
    for t in range(len(ticks)):
        order, a, now = ticks[t, 0], ticks[t, 1], ticks[t, 2] // window_us
        if a >= len(agents):
            continue
        if agents[a, _FILLING] < now:
            _release(a, agents, sites)
        while agents[a, _HEAD] >= 0 and agents[a, _FIRST] < now:
            place, begin = agents[a, _HEAD], at
            while place >= 0 and time[place] // window_us == agents[a, _FIRST]:
                places[at] = place
                at += 1
                place = following[place]
            agents[a, _HEAD] = place
            if place >= 0:
                agents[a, _FIRST] = time[place] // window_us
            windows[n, 0], windows[n, 1] = order, a
            windows[n, 2], windows[n, 3] = agents[a, _SITE], at - begin
            n += 1
    return windows[:n].copy(), places[:at].copy()


@njit(cache=True, nogil=True)
def _places(agent, following, agents):  # type: ignore[no-untyped-def]
    n, place = 0, agents[agent, _HEAD]
    while place >= 0:
        n += 1
        place = following[place]
    out = np.empty(n, np.int64)
    place = agents[agent, _HEAD]
    for i in range(n):
        out[i] = place
        place = following[place]
    return out


@njit(cache=True, nogil=True)
def _live_places(following, agents, live):  # type: ignore[no-untyped-def]
    out = np.empty(live, np.int64)
    n = 0
    for a in range(len(agents)):
        place = agents[a, _HEAD]
        while place >= 0:
            out[n] = place
            n += 1
            place = following[place]
    out.sort()
    return out


@njit(cache=True, nogil=True)
def _renumber(keep, following, agents):  # type: ignore[no-untyped-def]
    for a in range(len(agents)):
        if agents[a, _HEAD] >= 0:
            agents[a, _HEAD] = np.searchsorted(keep, agents[a, _HEAD])
            agents[a, _TAIL] = np.searchsorted(keep, agents[a, _TAIL])
    for i in range(len(keep)):
        after = following[keep[i]]
        following[i] = np.searchsorted(keep, after) if after >= 0 else -1
