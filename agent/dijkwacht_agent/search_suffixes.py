"""The suffixes under which a site names its own devices, learnt while it works.

What stands before such a suffix names a device of the site, though the suffix may be a domain that is
registered in public (``pc-jan.bakery.nl``). They come from three places: the search list of the agent's
own machine, DHCP answers (options 15 and 119), and Active Directory, whose members look for their
domain under ``_msdcs`` and ``_sites``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from dijkwacht_agent.public_domains import is_public, is_shared

MAX_SUFFIXES: Final = 32
"""Suffixes that are remembered; a new one takes the place of the one not met for longest."""
MAX_OWN: Final = 8
"""Of these, as many of the own machine's keep their place whatever the others say."""
_OF_A_DIRECTORY: Final = ("._msdcs.", "._sites.")
"""Labels before an Active Directory domain; where there are both, the first of these stands behind."""


class SearchSuffixes:
    """The site's suffixes: in lower case, no dot at either end, at least two labels.

    ``known`` is replaced and never changed, so that whoever keeps answers can tell by it whether
    they still hold. A suffix that the public DNS cannot hold is not kept: names under it are hidden
    anyway, and one that everybody shares (``nl``, ``co.uk``) would hide the world. ``own``: those of
    the agent's own machine.

    >>> suffixes = SearchSuffixes(["Bakery.NL.", "lan", "co.uk"])
    >>> sorted(suffixes.known), suffixes.labels_of("pc.bakery.nl")
    (['bakery.nl'], 2)
    """

    def __init__(self, own: Iterable[str] = ()) -> None:
        self._own = tuple(dict.fromkeys(filter(None, map(_suffix, own))))[:MAX_OWN]
        self._learnt: dict[str, None] = {}
        self.known: frozenset[str] = frozenset(self._own)

    def learn(self, names: Iterable[str]) -> None:
        """Remember each of ``names`` that can be a suffix of the site."""
        for name in map(_suffix, names):
            if not name or name in self._own:
                continue
            met = name in self._learnt
            self._learnt.pop(name, None)
            self._learnt[name] = None  # at the end: those that are met again and again stay
            if met:
                continue
            if len(self._learnt) > MAX_SUFFIXES - len(self._own):
                del self._learnt[next(iter(self._learnt))]
            self.known = frozenset((*self._own, *self._learnt))

    def learn_from_query(self, query: str) -> None:
        """Remember the domain that a member of it looks for.

        As in ``_ldap._tcp.dc._msdcs.bakery.nl`` or ``_ldap._tcp.zaandam._sites.bakery.nl``.
        """
        query = f".{query}"
        for mark in _OF_A_DIRECTORY:
            if mark in query:
                self.learn([query.rpartition(mark)[2]])
                return

    def labels_of(self, name: str) -> int:
        """How many labels the longest suffix at the end of ``name`` has; 0 for none."""
        labels = name.split(".")
        for at in range(len(labels)):
            if ".".join(labels[at:]) in self.known:
                return len(labels) - at
        return 0


def _suffix(text: str) -> str:
    """``text`` as a suffix that a site can have; empty for one that it cannot."""
    name = text.strip(".").lower()
    return name if is_public(name) and not is_shared(name) else ""


def own_suffixes(path: Path = Path("/etc/resolv.conf")) -> list[str]:
    """What this machine itself puts behind a name that it looks up; empty if that is not known."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return []
    lines = (line.split() for line in text.splitlines())
    return [name for words in lines if words[:1] in (["search"], ["domain"]) for name in words[1:]]
