"""Sites take turns: whoever asks much waits behind itself, and makes no other wait.

`Seats` bounds what is in hand of each site, `Turns` gives the one thread that decodes large batches to
one site after the other, and `Pace` answers refusals only so often: an early answer to everything
would be as dear as the work that it refuses. All are of the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from dijkwacht_records.errors import CollectorBusy

_Waiting = deque[asyncio.Future[None]]


class _Taken:
    """Of one site: seats that are taken, and who waits for one."""

    __slots__ = ("seats", "waiting")

    def __init__(self) -> None:
        self.seats = 0
        self.waiting: _Waiting = deque()


class Seats:
    """Each site has ``most`` requests in hand; ``most_waiting`` more wait, for ``patience_s`` seconds.

    So bytes in hand are bounded a site by seats × the longest body.
    """

    def __init__(self, most: int = 32, most_waiting: int = 256, patience_s: float = 10.0) -> None:
        self._most, self._most_waiting, self._patience_s = most, most_waiting, patience_s
        self._sites: dict[str, _Taken] = {}

    async def take(self, site: str) -> None:
        """Return with a seat, to be given back. Raises `CollectorBusy`."""
        own = self._sites.get(site)
        if own is None:
            own = self._sites[site] = _Taken()
        if own.seats < self._most:
            own.seats += 1
            return
        if len(own.waiting) >= self._most_waiting:
            raise CollectorBusy("too many requests of this site at once")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        own.waiting.append(turn)
        try:
            async with asyncio.timeout(self._patience_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.give(site)  # it came just as nobody wanted it any more
            if isinstance(error, TimeoutError):
                raise CollectorBusy("too many requests of this site before this one") from None
            raise

    def give(self, site: str) -> None:
        """Give a seat back, to whoever of the site has waited longest."""
        own = self._sites[site]
        if not _wake(own.waiting):
            own.seats -= 1
            if not own.seats:
                del self._sites[site]


class Turns:
    """One piece of work at a time: of the sites that have some, each in turn."""

    def __init__(self) -> None:
        self._busy = False
        self._sites: dict[str, _Waiting] = {}

    async def take(self, site: str) -> None:
        """Return when it is the turn of ``site``, to be given back."""
        if not self._busy:
            self._busy = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sites.setdefault(site, deque()).append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.give()
            raise

    def give(self) -> None:
        """The next site's turn."""
        while self._sites:
            site = next(iter(self._sites))
            waiting = self._sites.pop(site)
            woken = _wake(waiting)
            if waiting:
                self._sites[site] = waiting  # behind the others
            if woken:
                return
        self._busy = False


class Pace:
    """Refusals go out at ``rate`` a second to each site, after the first ``burst``, the others later."""

    def __init__(self, rate: float = 20.0, burst: int = 20, longest_s: float = 5.0) -> None:
        self._step_s: Final = 1 / rate
        self._burst_s: Final = burst / rate
        self._longest_s: Final = longest_s
        self._due: dict[str, float] = {}

    def delay(self, site: str, now: float) -> float:
        """Seconds to wait before one more refusal, at most ``longest_s``; ``now`` in seconds."""
        due = max(self._due.get(site, 0.0), now - self._burst_s) + self._step_s
        self._due[site] = due = min(due, now + self._longest_s)
        return max(due - now, 0.0)


def _wake(waiting: _Waiting) -> bool:
    """Wake whoever has waited longest; False if nobody waits any more."""
    while waiting:
        turn = waiting.popleft()
        if not turn.done():
            turn.set_result(None)
            return True
    return False
