"""What an agent says of its own trouble beside each batch, where no heartbeat of its would fit.

It is one header of a ``POST`` of batches, words of a closed set with commas between; other words are ignored.

>>> sorted(read_troubles("disk-full, on-fire"))
['disk-full']
"""

from __future__ import annotations

from typing import Final

TROUBLE_HEADER: Final = "Dijkwacht-Trouble"
DISK_FULL: Final = "disk-full"
"""The agent's disk takes nothing more: what is not sent at once is lost."""
TROUBLES: Final = frozenset({DISK_FULL})


def read_troubles(value: str) -> frozenset[str]:
    """The troubles that a header of this ``value`` names."""
    return TROUBLES & {word.strip() for word in value.split(",")}
