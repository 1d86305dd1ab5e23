"""Which release decides a partition, and what one that comes after another must make good.

While another release decides, entries are learned from and nothing is said. When this one takes
over, the store of incidents says where the other has left them. The store only knows the present:
where this release took over in an earlier run, and has said something since, it stays quiet until
the present run begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dijkwacht_collector.incidents import Event
from dijkwacht_collector.journal import Entry, partition_of

History = Callable[[int], Mapping[str, Sequence[Event]]]
"""What the store of incidents holds of a partition: by site, the last step of each of its incidents and stories."""


def no_history(_partition: int) -> Mapping[str, Sequence[Event]]:
    """That of a store that holds nothing."""
    return {}


@dataclass
class Quiet:
    """A partition in which another decides ``since`` a position, and answers yet to be obeyed.

    ``learned``: whether anything was folded since. ``stored``: what the store holds in the end.
    """

    since: int
    learned: bool = False
    verdicts: list[Entry] = field(default_factory=list)
    stored: Mapping[str, Sequence[Event]] = field(default_factory=dict)


class Succession:
    """The release in force in each partition; ``own`` is the one that decides here.

    ``begins``: by partition, where the present run has appended its `Release`, if it has.
    """

    def __init__(self, own: Callable[[], str], history: History) -> None:
        self.begins: dict[int, int] = {}
        self._own, self._history = own, history
        self._in_force: dict[int, str] = {}
        self._quiet: dict[int, Quiet] = {}
        self._alone: set[int] = set()

    def in_force(self, partition: int) -> str:
        """The name of the release in force; "" as long as none was named."""
        return self._in_force.get(partition, "")

    def distrust(self, partition: int, *, begun: bool) -> None:
        """Nobody knows who has decided in a partition so far: learn only, until `own` begins.

        ``begun``: the first entry that will be folded is not the first that there was.
        """
        self._in_force[partition] = ""
        self._quiet[partition] = Quiet(0, begun)

    def decide_all(self, partition: int) -> None:
        """What others have said in a partition is lost: whatever they decided is decided here."""
        self._alone.add(partition)

    def obey(self, partition: int, release: str, position: int) -> Quiet | None:
        """From ``position`` on ``release`` decides; what there is to make good if it succeeds another."""
        own = self._own()
        release = own if partition in self._alone else release
        quiet = self._quiet.get(partition)
        if release != own:
            self._in_force[partition] = release
            self._quiet.setdefault(partition, Quiet(position))
            return None
        if quiet is not None and quiet.learned:
            quiet.stored = self._history(partition)
            if self._is_past(position, partition, quiet.stored):
                return None
        self._in_force[partition] = own
        self._quiet.pop(partition, None)
        return quiet if quiet is not None and quiet.learned else None

    def _is_past(
        self, position: int, partition: int, stored: Mapping[str, Sequence[Event]]
    ) -> bool:
        """Whether ``stored`` says more than was known at ``position``."""
        later = (event.position > position for events in stored.values() for event in events)
        return self.begins.get(partition, 0) > position and any(later)

    def note(self, entry: Entry) -> None:
        """What is about to be folded is learned from, where another decides."""
        quiet = self._quiet.get(entry.partition)
        if quiet is not None and entry.kind != "release":
            quiet.learned = True

    def decides_all(self, partitions: Sequence[int]) -> bool:
        """Whether what is folded of these partitions now is decided here."""
        return not self._quiet or self._quiet.keys().isdisjoint(partitions)

    def decides(self, partition: int) -> bool:
        """Whether what is folded of a partition now is decided here."""
        return partition not in self._quiet

    def speaks_of(self, sites: set[str]) -> set[str]:
        """Those of ``sites`` of which something may be said."""
        if not self._quiet:
            return sites
        return {site for site in sites if self.decides(partition_of(site))}

    def defer(self, verdict: Entry) -> bool:
        """Keep an answer until its partition is decided here; False if it is."""
        quiet = self._quiet.get(verdict.partition)
        if quiet is None:
            return False
        quiet.verdicts.append(verdict)
        return True
