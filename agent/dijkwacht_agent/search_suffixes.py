"""The suffixes under which a site names its own devices, learnt while it works.

What stands before such a suffix names a device of the site, though the suffix may be a domain that is
registered in public (``pc-jan.bakery.nl``). They come from three places: the search list of the agent's
own machine, DHCP answers (options 15 and 119), and Active Directory, whose members look for their
domain under ``_msdcs``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from dijkwacht_agent.public_domains import is_public, is_shared

MAX_SUFFIXES: Final = 32
"""Suffixes that are remembered; a new one takes the place of the oldest."""
_MSDCS: Final = "_msdcs."


class SearchSuffixes:
    """The site's suffixes: in lower case, no dot at either end, at least two labels.

    ``known`` is replaced and never changed, so that whoever keeps answers can tell by it whether
    they still hold. A suffix that the public DNS cannot hold is not kept: names under it are hidden
    anyway, and one that everybody shares (``nl``, ``co.uk``) would hide the world.

    >>> suffixes = SearchSuffixes(["Bakery.NL.", "lan", "co.uk"])
    >>> sorted(suffixes.known), suffixes.labels_of("pc.bakery.nl")
    (['bakery.nl'], 2)
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.known: frozenset[str] = frozenset()
        self._order: deque[str] = deque(maxlen=MAX_SUFFIXES)
        self.learn(names)

    def learn(self, names: Iterable[str]) -> None:
        """Remember each of ``names`` that can be a suffix of the site."""
        for text in names:
            name = text.strip(".").lower()
            if name in self.known or not is_public(name) or is_shared(name):
                continue
            self._order.append(name)
            self.known = frozenset(self._order)

    def learn_from_query(self, query: str) -> None:
        """Remember the domain that a member of it looks for, as in ``_ldap._tcp.dc._msdcs.bakery.nl``."""
        if _MSDCS in query:
            self.learn([query.rpartition(_MSDCS)[2]])

    def labels_of(self, name: str) -> int:
        """How many labels the longest suffix at the end of ``name`` has; 0 for none."""
        labels = name.split(".")
        for at in range(len(labels)):
            if ".".join(labels[at:]) in self.known:
                return len(labels) - at
        return 0


def own_suffixes(path: Path = Path("/etc/resolv.conf")) -> list[str]:
    """What this machine itself puts behind a name that it looks up; empty if that is not known."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return []
    lines = (line.split() for line in text.splitlines())
    return [name for words in lines if words[:1] in (["search"], ["domain"]) for name in words[1:]]
