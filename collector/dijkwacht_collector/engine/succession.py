"""Which release decides a partition, and what one that comes after another must make good.

While another release decides, entries are learned from and nothing is said. When this one takes
over, the store of incidents says where the other has left them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dijkwacht_collector.incidents import IncidentEvent
from dijkwacht_collector.journal import Entry, Verdict, partition_of

History = Callable[[int], Mapping[str, Sequence[IncidentEvent]]]
"""What the store of incidents holds of a partition: by site, the last step of each of its incidents."""


def no_history(_partition: int) -> Mapping[str, Sequence[IncidentEvent]]:
    """That of a store that holds nothing."""
    return {}


@dataclass
class Quiet:
    """A partition in which another decides ``since`` a position, and answers yet to be obeyed.

    ``learned``: whether anything was folded since.
    """

    since: int
    learned: bool = False
    verdicts: list[Verdict] = field(default_factory=list)


class Succession:
    """The release in force in each partition; ``own`` is the one that decides here."""

    def __init__(self, own: Callable[[], str]) -> None:
        self._own = own
        self._in_force: dict[int, str] = {}
        self._quiet: dict[int, Quiet] = {}

    def in_force(self, partition: int) -> str:
        """The name of the release in force; "" as long as none was named."""
        return self._in_force.get(partition, "")

    def obey(self, partition: int, release: str, position: int) -> Quiet | None:
        """From ``position`` on ``release`` decides; what there is to make good if it succeeds another."""
        self._in_force[partition] = release
        if release == self._own():
            quiet = self._quiet.pop(partition, None)
            return quiet if quiet is not None and quiet.learned else None
        self._quiet.setdefault(partition, Quiet(position))
        return None

    def note(self, entry: Entry) -> None:
        """What is about to be folded is learned from, where another decides."""
        quiet = self._quiet.get(entry.partition)
        if quiet is not None and entry.kind != "release":
            quiet.learned = True

    def decides(self, partition: int) -> bool:
        """Whether what is folded of a partition now is decided here."""
        return partition not in self._quiet

    def speaks_of(self, sites: set[str]) -> set[str]:
        """Those of ``sites`` of which something may be said."""
        if not self._quiet:
            return sites
        return {site for site in sites if self.decides(partition_of(site))}

    def defer(self, partition: int, verdict: Verdict) -> bool:
        """Keep an answer until its partition is decided here; False if it is."""
        quiet = self._quiet.get(partition)
        if quiet is None:
            return False
        quiet.verdicts.append(verdict)
        return True
