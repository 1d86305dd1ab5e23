"""What journal entries hold, one type a kind: it alone writes and reads the payload.

A batch is the agent's own bytes, all others are JSON. A field may be added with a default;
``tests/contract/golden/journal/`` keeps what was written before.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, Self

import msgspec

from dijkwacht_collector.journal.entry import Draft, Entry, Kind
from dijkwacht_records.wire import Batch

Answer = Literal["normal", "attack", "undone"]
"""A person's verdict on an incident; ``undone`` takes back what was answered."""
MOST_BY: Final = 100
"""Characters in which a person is named."""
NOBODY: Final = "operator"
"""How whoever gives no name is called."""


def person(given: str) -> str:
    r"""How whoever calls themselves ``given`` is named: nothing in it steers a terminal or turns a line.

    >>> person(" Jan\x1b[2J\u202e "), person("\n"), len(person("a" * 500))
    ('Jan[2J', 'operator', 100)
    """
    return "".join(c for c in given if c.isprintable()).strip()[:MOST_BY] or NOBODY


def batch_key(agent: str, boot: bytes, seq: int) -> str:
    """How a batch is named in its entry, so that one that comes again is known.

    >>> batch_key("desk", bytes(16), 7)
    'desk/00000000000000000000000000000000/7'
    """
    return f"{agent}/{boot.hex()}/{seq}"


def batch_draft(
    site: str, key: str, arrival: int, wire: bytes, batch: Batch | None = None
) -> Draft:
    """The entry of a batch: ``wire`` as its agent sent it, ``key`` as `batch_key` makes it.

    ``batch``: what ``wire`` was found to hold, if it was read.
    """
    return Draft("batch", site, arrival, wire, key, batch)


class _Json(msgspec.Struct, frozen=True):
    """A payload in JSON; fields that it does not know are those of a later version."""

    kind_of_entry: ClassVar[Kind]

    def draft(self, site: str, arrival: int) -> Draft:
        """The entry to append. ``arrival``: µs UTC by the collector's clock."""
        return Draft(self.kind_of_entry, site, arrival, msgspec.json.encode(self))

    @classmethod
    def read(cls, entry: Entry) -> Self:
        """The payload of an entry of this kind. Raises ``ValueError`` if it is none."""
        return msgspec.json.decode(entry.payload, type=cls)


class Verdict(_Json, frozen=True):
    """A person's answer to the incident ``uid``.

    ``about``: the incident in MessagePack, as the person saw it; whoever obeys may have none of it any
    more. Earlier versions wrote none.
    """

    kind_of_entry: ClassVar[Kind] = "verdict"

    uid: str
    verdict: Answer
    by: str = NOBODY
    about: bytes = b""


class Budget(_Json, frozen=True):
    """How often a week the site is willing to be interrupted without cause."""

    kind_of_entry: ClassVar[Kind] = "budget"

    per_week: Annotated[float, msgspec.Meta(ge=0)]


class Exemption(_Json, frozen=True):
    """Nothing of this class and subject, or machine and peer, is reported until ``until``, µs UTC of event time.

    0 takes back what was said of them, in an answer too. Where there is a ``machine``, ``subject`` is "";
    ``peer`` is "" if whoever is at the other end does not matter.
    """

    kind_of_entry: ClassVar[Kind] = "exemption"

    kind: str
    subject: str
    until: int
    by: str = ""
    machine: str = ""
    peer: str = ""


class Model(_Json, frozen=True, omit_defaults=True):
    """A detector's new model; it holds for the sites of the entry's partition, from this entry on.

    ``bundle`` names the bytes among the `Bundles`. Earlier versions wrote one entry for all sites,
    with the bytes in it: ``data``.
    """

    kind_of_entry: ClassVar[Kind] = "model"

    detector: str
    bundle: str
    data: bytes | None = None

    @classmethod
    def read(cls, entry: Entry) -> Model:
        """The payload of an entry of this kind, of any version. Raises ``ValueError`` if it is none."""
        if entry.payload.startswith(b"{"):  # no detector's name does
            return msgspec.json.decode(entry.payload, type=cls)
        name, _, data = entry.payload.partition(b"\n")
        return cls(name.decode(), "", data)


class Table(_Json, frozen=True):
    """What the ecosystem knows: the table ``name``, for the sites of the entry's partition from here on.

    ``bundle`` names the bytes among the `Bundles`.
    """

    kind_of_entry: ClassVar[Kind] = "table"

    name: str
    bundle: str


class Release(_Json, frozen=True):
    """Who decides from this entry on: detectors with their roles and calibrations, by their hash.

    ``bundle`` names its description among the `Bundles`. What stands before was decided by another,
    and is not decided again. An empty name: nobody does, and the next that comes decides it.
    """

    kind_of_entry: ClassVar[Kind] = "release"

    bundle: str


class Strike(_Json, frozen=True, omit_defaults=True):
    """A detector failed on the rows of this site's entry at ``position``; so often, and it is left out.

    It counts from this entry on.
    """

    kind_of_entry: ClassVar[Kind] = "strike"

    detector: str
    position: int
    why: str = ""
