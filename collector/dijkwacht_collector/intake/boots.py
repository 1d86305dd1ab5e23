"""Whether two machines use the identity of one agent, by the heartbeats of its boots.

Whoever copies a disk copies what the agent is known by; each copy that runs is a boot of its own. A
machine that starts again never goes back to an earlier boot: its spool is sent oldest first, and what
was sent once is no news. So a boot that goes on after another has spoken, in its own time, is odd once
(a state folder that was put back) and a second machine when both do it, again and again.
"""

from __future__ import annotations

from typing import Final

import msgspec

MOST_BOOTS: Final = 8
"""Of an agent, those that were heard last: more machines than that under one name are seen as none."""
WHILE_US: Final = 1_800_000_000
"""Between two turns of a boot that count together, and after the last one until it is over."""
_TURNS: Final = 2


class Boot(msgspec.Struct, array_like=True):
    """One boot. ``time``: of its last heartbeat, by the agent, µs UTC.

    ``returned``: when it went on last after another one, by the collector, µs UTC; ``turns``: how often it
    did so without a long pause.
    """

    id: bytes
    time: int
    returned: int = 0
    turns: int = 0


def hear_boot(boots: list[Boot], id_: bytes, time: int, arrival: int) -> None:
    """A heartbeat came of the boot ``id_``. ``boots``: those that were heard before, the last one at the end."""
    if boots and boots[-1].id == id_:
        boots[-1].time = time
        return
    at = next((at for at, boot in enumerate(boots) if boot.id == id_), None)
    if at is None:
        boots.append(Boot(id_, time))
        del boots[:-MOST_BOOTS]
        return
    boot = boots.pop(at)
    if time > boot.time:  # or it is what a spool had kept, or a clock that was set back
        boot.turns = boot.turns + 1 if _lately(boot, arrival) else 1
        boot.returned = arrival
    boot.time = time
    boots.append(boot)


def copies(boots: list[Boot], now: int) -> int:
    """How many machines besides one take turns at ``now``; 0 is well."""
    turning = [boot.turns for boot in boots if _lately(boot, now)]
    return len(turning) - 1 if len(turning) > 1 and max(turning) >= _TURNS else 0


def _lately(boot: Boot, now: int) -> bool:
    return boot.turns > 0 and 0 <= now - boot.returned < WHILE_US
