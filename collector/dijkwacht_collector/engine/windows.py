"""Rows that wait for their window to end: one pool a detector, a chain of rows an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import TICK_US, TableRows
from dijkwacht_detectors.api import Text

MOST_ROWS: Final = 32_768
"""Rows of one agent's window that are kept: one whose clock stands still ends no window."""


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
        self._heads = np.zeros(0, np.int64)
        self._tails = np.zeros(0, np.int64)
        self._window = np.zeros(0, np.int64)  # of the head row, by agent
        self._filling = np.zeros((0, 2), np.int64)  # the tail row's window, and its rows so far

    def append(self, rows: TableRows, reads: tuple[str, ...], agents: int) -> None:
        """Take the rows of one step; ``agents`` is how many agents there are by now."""
        if agents > len(self._heads):
            more = 2 * agents - len(self._heads)
            self._heads = np.append(self._heads, np.full(more, -1, np.int64))
            self._tails = np.append(self._tails, np.full(more, -1, np.int64))
            self._window = np.append(self._window, np.zeros(more, np.int64))
            self._filling = np.vstack((self._filling, np.zeros((more, 2), np.int64)))
        n = len(rows.time)
        if self._used + n > len(self._next) and self._live * 2 < self._used:
            self._compact()
        first = self._used
        self._put("time", rows.time, first)
        self._put("site", rows.site, first)
        for name in reads:
            column = rows.columns[name]
            if isinstance(column, Text):
                self._texts.setdefault(name, []).extend(_list_texts(column, n))
            else:
                self._put(name, column, first)
        if first + n > len(self._next):
            self._next = np.append(self._next, np.full(first + n, -1, np.int64))
        self._used += n
        self._live += _chain(
            rows.agent, rows.time, first, self.window_us,
            self._next, self._heads, self._tails, self._window, self._filling,
        )  # fmt: skip

    def ends(self, agent: int, event_time: int) -> bool:
        """Whether ``agent`` has rows of a window that ended by ``event_time``."""
        return (
            agent < len(self._heads)
            and self._heads[agent] >= 0
            and int(self._window[agent]) < event_time // self.window_us
        )

    def pop(self, agent: int) -> NDArray[np.int64]:
        """Give up the places of ``agent``'s oldest window; read them before the next `append`."""
        taken: NDArray[np.int64] = _pop(
            agent, self._columns["time"], self.window_us,
            self._next, self._heads, self._tails, self._window,
        )  # fmt: skip
        self._live -= len(taken)
        return taken

    def take(self, agent: int) -> Mapping[str, Any]:
        """The columns of all rows of ``agent`` that wait, in order; they stay."""
        if agent >= len(self._heads) or self._heads[agent] < 0:
            return {}
        return self.read(_places(agent, self._next, self._heads))

    def site(self, place: int) -> int:
        """The site of the row at ``place``."""
        return int(self._columns["site"][place])

    def read(self, places: NDArray[np.int64]) -> Mapping[str, Any]:
        """The columns at ``places``: those appended, with ``time`` and ``site``."""
        columns: dict[str, Any] = {name: c[places] for name, c in self._columns.items()}
        for name, texts in self._texts.items():
            columns[name] = _text([texts[i] for i in places])
        return columns

    def _put(self, name: str, values: NDArray[Any], at: int) -> None:
        kept = self._columns.get(name)
        if kept is None or at + len(values) > len(kept):
            grown = np.zeros((2 * (at + len(values)), *values.shape[1:]), values.dtype)
            if kept is not None:
                grown[:at] = kept[:at]
            self._columns[name] = kept = grown
        kept[at : at + len(values)] = values

    def _compact(self) -> None:
        keep = _live_places(self._next, self._heads, self._live)
        for name, column in self._columns.items():
            column[: len(keep)] = column[keep]
            self._columns[name] = column
        self._texts = {n: [texts[i] for i in keep] for n, texts in self._texts.items()}
        _renumber(keep, self._next, self._heads, self._tails)
        self._used = len(keep)


def _list_texts(column: Text, rows: int) -> list[str]:
    return [column[i] for i in range(rows)]


def _text(texts: list[str]) -> Text:
    raw = [text.encode("utf-8", "replace") for text in texts]
    offsets = np.zeros(len(raw) + 1, np.int64)
    np.cumsum([len(r) for r in raw], out=offsets[1:])
    return Text(offsets, np.frombuffer(b"".join(raw), np.uint8))


@njit(cache=True, nogil=True)
def _chain(agent, time, first, window_us, following, heads, tails, window, filling):  # type: ignore[no-untyped-def]
    kept = 0
    for i in range(len(agent)):
        a = agent[i]
        place = first + i
        following[place] = -1
        if filling[a, 0] != time[i] // window_us:
            filling[a, 0] = time[i] // window_us
            filling[a, 1] = 0
        if filling[a, 1] >= MOST_ROWS:
            continue
        filling[a, 1] += 1
        kept += 1
        if heads[a] < 0:
            heads[a] = place
            window[a] = time[i] // window_us
        else:
            following[tails[a]] = place
        tails[a] = place
    return kept


@njit(cache=True, nogil=True)
def _pop(agent, time, window_us, following, heads, tails, window):  # type: ignore[no-untyped-def]
    place, n = heads[agent], 0
    while place >= 0 and time[place] // window_us == window[agent]:
        n += 1
        place = following[place]
    out = np.empty(n, np.int64)
    place = heads[agent]
    for i in range(n):
        out[i] = place
        place = following[place]
    heads[agent] = place
    if place < 0:
        tails[agent] = -1
    else:
        window[agent] = time[place] // window_us
    return out


@njit(cache=True, nogil=True)
def _places(agent, following, heads):  # type: ignore[no-untyped-def]
    n, place = 0, heads[agent]
    while place >= 0:
        n += 1
        place = following[place]
    out = np.empty(n, np.int64)
    place = heads[agent]
    for i in range(n):
        out[i] = place
        place = following[place]
    return out


@njit(cache=True, nogil=True)
def _live_places(following, heads, live):  # type: ignore[no-untyped-def]
    out = np.empty(live, np.int64)
    n = 0
    for head in heads:
        place = head
        while place >= 0:
            out[n] = place
            n += 1
            place = following[place]
    out.sort()
    return out


@njit(cache=True, nogil=True)
def _renumber(keep, following, heads, tails):  # type: ignore[no-untyped-def]
    for a in range(len(heads)):
        if heads[a] >= 0:
            heads[a] = np.searchsorted(keep, heads[a])
            tails[a] = np.searchsorted(keep, tails[a])
    for i in range(len(keep)):
        after = following[keep[i]]
        following[i] = np.searchsorted(keep, after) if after >= 0 else -1
