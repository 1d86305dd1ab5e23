"""Numbers seen, as intervals: a sorted list ``[begin, end, begin, end, ...]``, ends not included.

A stream's sequence numbers are nearly always one interval, whatever their number.

>>> seen: list[int] = []
>>> for number in (0, 1, 3):
...     _ = put(seen, number)
>>> seen
[0, 2, 3, 4]
"""

from __future__ import annotations

from bisect import bisect_right


def holds(seen: list[int], number: int) -> bool:
    """Whether ``number`` is in one of the intervals."""
    return bool(seen) and number < seen[-1] and bisect_right(seen, number) % 2 == 1


def extends(seen: list[int], number: int) -> bool:
    """Whether ``number``, which is not in them, would lengthen an interval instead of opening another."""
    if not seen or seen[-1] == number:
        return bool(seen)
    at = bisect_right(seen, number)
    return (at > 0 and seen[at - 1] == number) or (at < len(seen) and seen[at] == number + 1)


def put(seen: list[int], number: int) -> bool:
    """Add ``number``; False if it was there."""
    if seen and seen[-1] == number:
        seen[-1] = number + 1
        return True
    at = bisect_right(seen, number)
    if at % 2:
        return False
    follows = at > 0 and seen[at - 1] == number
    precedes = at < len(seen) and seen[at] == number + 1
    if follows and precedes:
        del seen[at - 1 : at + 1]
    elif follows:
        seen[at - 1] = number + 1
    elif precedes:
        seen[at] = number
    else:
        seen[at:at] = number, number + 1
    return True
