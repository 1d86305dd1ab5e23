"""The detector contract: all that whoever writes a detector must read.

A detector says what it looks at and how strange that is; never whether that is an alert. The
site's policy decides how rare a score must be before anyone is told.

Three ways to write one, from simple to fast:

- `SiteDetector`: plain numpy over the rows of one agent's last minute; one object a site.
- `WindowDetector`: the same windows, but with state in arrays, keyed by entity.
- `RowDetector`: a compiled kernel that scores each row against all rows before it, then learns it.

One class a file of this package, named as the detector. ``dijkwacht try FILE`` needs no more than the file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

Entity = Literal["orig", "resp", "pair", "site"] | tuple[str, ...]
"""What is told apart: a word of `ENTITY_COLUMNS`, or the columns that name it, texts among them."""
Reads = tuple[str, ...] | Mapping[str, tuple[str, ...]]
Scores = NDArray[np.float64]
"""One number a row: higher is stranger, NaN is no opinion."""

_CALL = {"orig": ("orig_h",), "resp": ("resp_h",), "pair": ("orig_h", "resp_h")}
_FLOW = _CALL | {"pair": ("orig_h", "resp_h", "resp_p", "proto")}
ENTITY_COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "flows": _FLOW,
    "dns": _CALL,
    "tls": _CALL | {"pair": ("orig_h", "resp_h", "resp_p")},
    "dhcp": {"orig": ("client_mac",), "resp": ("server_h",), "pair": ("client_mac", "server_h")},
    "arp": {"orig": ("sender_mac",), "resp": ("sender_h",), "pair": ("sender_mac", "sender_h")},
    "system": {"orig": ("agent",), "resp": ("agent",), "pair": ("agent", "metric")},
    "agent": {"orig": ("agent",), "resp": ("agent",), "pair": ("agent",)},
    "rpc": _CALL,
    "auth": _CALL | {"pair": ("orig_h", "resp_h", "service")},
    "talks": _FLOW,
    "floods": _FLOW,
    "ndp": _CALL,
}
"""Which columns name an entity; ``site`` needs none. In ``arp``, ``resp`` is the address claimed."""

ROW_TABLE = "table"
"""The column that tells rows of several tables apart; see `Rows.table`."""


@dataclass(frozen=True, slots=True)
class Text:
    """A column of texts: row i is ``blob[offsets[i]:offsets[i + 1]]``, UTF-8."""

    offsets: NDArray[np.int64]
    blob: NDArray[np.uint8]

    def __getitem__(self, row: Any) -> str:
        return bytes(self.blob[self.offsets[row] : self.offsets[row + 1]]).decode(
            "utf-8", "replace"
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in order, as read-only columns of equal length: only those a detector ``reads``.

    ``columns``: ``int`` as int64[n], ``float`` as float64[n], ``addr`` as uint64[n, 2] (high and
    low half), ``text`` as `Text`. ``time`` is event time, int64 µs UTC, never falling within an
    agent. ``site`` is a small number a site, int32[n]. ``slot`` is the row's place in state arrays,
    int32[n]; where ``fresh`` is true the entity is new there and what the slot holds is stale.
    A column that a row's table does not have is 0, or the empty text, in that row.
    """

    columns: Mapping[str, Any]
    time: NDArray[np.int64]
    site: NDArray[np.int32]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, column: str) -> Any:
        return self.columns[column]

    @property
    def table(self) -> NDArray[np.int8]:
        """Which table each row is of, int8[n]: its place in ``reads``, 0 if that names one only."""
        several = self.columns.get(ROW_TABLE)
        return np.zeros(len(self.time), np.int8) if several is None else several


State = dict[str, NDArray[Any]]
"""A detector's memory: arrays of its declared fields, indexed by slot."""


@dataclass(frozen=True, slots=True)
class Who:
    """Which columns of a row name the attacker, the victim, and the service; empty where none.

    ``src`` and ``dst`` are ``addr`` columns, ``mac`` and ``port`` ``int``, ``name`` ``text``.
    """

    src: str = "orig_h"
    dst: str = "resp_h"
    port: str = "resp_p"
    mac: str = ""
    name: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are named."""
        return tuple(c for c in (self.src, self.dst, self.port, self.mac, self.name) if c)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a person is told, in English and Dutch.

    The title is one plain sentence; the description says what it means and what to do now.
    ``{src}``, ``{dst}``, ``{port}``, ``{mac}`` and ``{name}`` stand for the evidence's own.
    """

    title_en: str
    title_nl: str
    desc_en: str
    desc_nl: str
    technique: str = ""
    """ATT&CK technique of what was done, where the detector's own does not say it."""


class Detector(ABC):
    """What every detector declares. Settings are class attributes beside their use."""

    name: ClassVar[str]
    """Metric label, calibration table, analytic of an incident; also the file's name."""
    table: ClassVar[str]
    reads: ClassVar[Reads]
    """The only columns it is handed; ``time``, ``site``, ``slot``, ``fresh`` come free. Of several tables:
    table → columns, and no ``table``. Their rows come as one, in their order."""
    context: ClassVar[tuple[str, ...]] = ()
    """Columns that a `Context` computes, handed along with those it ``reads``."""
    entity: ClassVar[Entity]
    """Of several tables, by the columns that all of them name it by."""
    kind: ClassVar[str]
    """The incident class: scan, bruteforce, c2, dns, dos, exfil, iot, arp, dhcp, lateral, host, ..."""
    technique: ClassVar[str]
    """ATT&CK technique, such as ``T1046``."""
    facts: ClassVar[tuple[str, ...]] = ()
    """Names of the numbers that explain a score; a detector fills them beside each score."""
    who: ClassVar[Who] = Who()
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "src"
    """Whose incident it is: one stays open per site, kind and subject."""
    entered: ClassVar[bool] = False
    """It tells that somebody got in: of a caller from outside that is more than one more who tried."""
    entities_per_site: ClassVar[int] = 4096
    """Most entities remembered a site; beyond it one of the least recently seen is evicted."""
    forget_after_s: ClassVar[int] = 24 * 3600
    """An entity not seen for so long has expired: it is new when it comes back."""
    share: ClassVar[float] = 0.0
    """Its part of a site's alert budget; of those shipped, all together, 1. With 0, or without a calibration table, it runs in shadow: it never interrupts."""
    interrupts: ClassVar[bool] = True
    """False for what is true whatever it means: all it scores is context; it has no share and no table."""
    expected: ClassVar[tuple[float, float]] = (4.0, 1.0)
    """(score, hours a site-week that reach it) on benign networks that calibration's samples lack."""

    @abstractmethod
    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Put one score into words."""

    def train(self, samples: NDArray[np.float64]) -> bytes | None:  # noqa: ARG002
        """Make a model bundle from rows that it will never score; runs in a process of its own.

        ``samples`` is float64[n, k]: rows of the state field ``samples`` of all sites, as many of each.
        None: this detector has no model.
        """
        return None

    def activate(self, bundle: bytes) -> None:  # noqa: B027
        """Take a bundle that `train` made; called between two batches."""

    def take_table(self, name: str, data: bytes) -> None:  # noqa: B027
        """Take a table of what the ecosystem knows, journalled; called between two batches.

        It may be any table that there is, and the same one again; a `SiteDetector` takes it once a site. Raise for
        one that makes no sense, and go on with the one before it.
        """


class RowDetector(Detector):
    """Scores row i against the state left by all earlier rows, then learns it."""

    grain: ClassVar[Literal["row", "window"]] = "row"
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {}
    """Field → (numpy type, shape of one entity's value): ``{"seen": ("u8", (4,))}``.

    A field whose name begins with ``samples`` has one value of that shape a site, indexed by
    ``rows.site``, and may depend on that site's rows alone. ``samples`` itself, of shape (n, k), holds
    rows to train on, and ``samples_seen``, an integer, of how many they were chosen, or are the first.

    One that begins with ``pooled_`` has a value for each entity that needs it, by the place that a kernel gives it: see `state.pool`."""
    passes_over: ClassVar[bool] = False
    """Its ``fold`` passes over rows whose ``table`` is -1: they are others', and come along so that rows are merged once for all."""

    @abstractmethod
    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score and learn ``rows`` in order.

        ``scores`` is float64[n], NaN at first; ``facts`` float64[n, len(self.facts)], zero at first, to
        be filled where a score is. What is written where none is may be there at the next call. Rows of
        many sites are mixed; each belongs to its slot and site alone.
        """


class WindowDetector(Detector):
    """Scores the rows of one agent's window, then learns them. Windows are cut by event time."""

    grain: ClassVar[Literal["row", "window"]] = "window"
    window_s: ClassVar[int] = 60
    """Length of a window; a multiple of 10 s."""
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {}

    @abstractmethod
    def score(self, window: Rows, state: State) -> tuple[Scores, Scores]:
        """Return scores float64[n] and facts float64[n, k]; leaves no trace in ``state``."""

    def learn(self, window: Rows, state: State) -> None:
        """Take the window into ``state``, after it was scored."""


class SiteDetector(Detector):
    """The same contract seen from one site: an object a site, plain attributes as memory.

    Whatever it remembers must survive ``pickle``; every window is scored before it is learned.
    """

    grain: ClassVar[Literal["row", "window"]] = "window"
    window_s: ClassVar[int] = 60
    entity: ClassVar[Entity] = "site"
    kind: ClassVar[str] = "other"
    technique: ClassVar[str] = ""

    @abstractmethod
    def score_many(self, window: Rows) -> Scores:
        """Return one score a row."""

    def learn_many(self, window: Rows) -> None:
        """Remember the window, after it was scored."""

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """A sentence for whoever has not written one yet."""
        text = f"{self.name} finds {{src}} strange (score {facts['score']:.3g})"
        tekst = f"{self.name} vindt {{src}} vreemd (score {facts['score']:.3g})"
        return Explanation(text, tekst, text, tekst)


AnyDetector = RowDetector | WindowDetector | SiteDetector
