"""Encrypting shares: one machine reads, rewrites and renames or deletes file after file of a server.

Looks at the file operations of one machine at one server over SMB. Whatever encrypts a share must read each
file, write as much again, and then rename it or delete the first one. So the score is log₂ of the least of these
three: the files that may have been dealt with so within the last half minute. They count for less where over a quarter of
the bytes that were written had not been read (an eighth power: of half, a twenty-fifth). What any machine of
the site did so on earlier days, up to twice as many files, weighs less for each of those days: whoever touches up
photographs or builds programs does so at whichever desk.

Innocents: a backup only reads, or writes many times what it reads, though it may rename each file once it is whole; a
copy only writes, tidying up only deletes; what unpacks or synchronises reads next to
nothing here; office programs save one file at a time. Tools that rewrite a hundred files at once, photographs or old
backups, look the same: they are the hours that are expected, and told of on the first day only.

Limits: nothing shows inside encrypted SMB 3, by NFS, or where names stay and nothing is deleted. Below three files
a second it stays below the line, and so does what encrypts no faster than the site's own
tools work through its folders. Reads and writes are counted by messages, of which a large file takes
many; renames and deletions are not. An entity takes 28 bytes.

>>> from dijkwacht_detectors.checks import score_rows
>>> from dijkwacht_records.vocabulary import RpcKind
>>> busy = {"kind": RpcKind.FILES, "share": 15, "status": 1}
>>> locking = [busy | {"time": n * 15 * 10**6, "reads": 300, "writes": 300, "renames": 300} for n in range(4)]
>>> score_rows(Encryptor(), locking).round(1)
array([8.2, 9. , 9.4, 9.6])
>>> saving = [busy | {"time": n * 15 * 10**6, "reads": 2, "writes": 4, "renames": 2} for n in range(4)]
>>> float(score_rows(Encryptor(), saving).max().round(1))
2.6
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_records.vocabulary import RpcKind, RpcStatus

_FILES, _SUCCESS = int(RpcKind.FILES), int(RpcStatus.SUCCESS)
_DAY_US = 86_400_000_000
_MOST = 1 << 24  # messages in a row that are believed
_MOST_BYTES = 1 << 50
_HABIT: Final = 16.0  # files at once, from which on a day has the habit
_A_DAY_LESS: Final = 0.95  # of a habit: two weeks halve it


class Encryptor(RowDetector):
    """Files of a server that are read, rewritten and renamed or deleted in numbers."""

    name = "encryptor"
    table = "rpc"
    reads = (
        "kind", "status", "reads", "writes", "renames", "deletes", "read_bytes", "write_bytes",
    )  # fmt: skip
    entity: ClassVar[Entity] = "pair"
    kind = "host"
    technique = "T1486"
    facts = ("files", "reads", "writes", "renames_deletes", "days")
    entities_per_site = 1024
    forget_after_s = 60 * 24 * 3600
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "read": ("f4", ()),
        "written": ("f4", ()),
        "removed": ("f4", ()),
        "bytes_read": ("f4", ()),
        "bytes_written": ("f4", ()),
        "samples_day": ("i4", ()),
        "samples_days": ("i4", ()),
        "samples_today": ("f4", ()),
        "samples_usual": ("f4", ()),
    }

    share = 4 / 240
    expected = (6.0, 0.15)
    """A tool that rewrites more than sixty files at once, such as the sizes of photographs, every six weeks."""
    half_life_s = 30.0
    """Encrypting a share takes minutes, and each of them counts."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each part that wrote, renamed or deleted."""
        _fold(
            _columns(rows), rows.site, _memory(state), self.half_life_s * 1e6, scores, facts
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how many files, and that it cannot wait."""
        many = _rounded(facts["files"])
        return Explanation(
            f"{{src}} is rewriting the files of {{dst}} one after the other: up to {many} in half a minute.",
            f"{{src}} herschrijft de bestanden van {{dst}} een voor een: tot {many} in een halve minuut.",
            "This is how ransomware makes files unreadable. Look at once whether the files on {dst} still open "
            "and keep their names. If they do not, pull the network cable of {src} or switch off its wireless "
            "network, leave it switched on, and call for help before you restore anything. A program that "
            "works through many files, such as photographs, looks the same.",
            "Zo maakt gijzelsoftware bestanden onleesbaar. Kijk meteen of de bestanden op {dst} nog opengaan en "
            "hun naam nog hebben. Zo niet: trek de netwerkkabel uit {src} of zet er de wifi uit, laat het "
            "aanstaan en roep hulp in voordat u iets terugzet. Een programma dat veel bestanden afwerkt, "
            "bijvoorbeeld foto's, ziet er net zo uit.",
        )


def _rounded(number: float) -> int:
    """Two figures of a number, which is no more exact."""
    return int(float(f"{number:.2g}"))


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    kind: NDArray[np.int64]
    status: NDArray[np.int64]
    reads: NDArray[np.int64]
    writes: NDArray[np.int64]
    renames: NDArray[np.int64]
    deletes: NDArray[np.int64]
    read_bytes: NDArray[np.int64]
    write_bytes: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    read: NDArray[np.float32]
    written: NDArray[np.float32]
    removed: NDArray[np.float32]
    bytes_read: NDArray[np.float32]
    bytes_written: NDArray[np.float32]
    samples_day: NDArray[np.int32]
    samples_days: NDArray[np.int32]
    samples_today: NDArray[np.float32]
    samples_usual: NDArray[np.float32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _believed(number, most):  # type: ignore[no-untyped-def]
    return min(max(number, 0), most)


@njit(cache=True, nogil=True, inline="always")
def _read_before(read, written):  # type: ignore[no-untyped-def]
    """How far what was written can be what was read, with a key behind each file: 1 from three quarters on."""
    return 1.0 if 3.0 * written <= 4.0 * read else (4.0 * read / (3.0 * written)) ** 8


@njit_lean
def _turn_day(state, site, day):  # type: ignore[no-untyped-def]
    """What was done until yesterday becomes the site's habit."""
    passed = day - state.samples_day[site]
    if passed <= 0:
        return
    today = state.samples_today[site]
    state.samples_days[site] += today >= _HABIT
    usual = max(state.samples_usual[site], today)
    state.samples_usual[site] = usual * _A_DAY_LESS**passed
    state.samples_today[site] = 0.0
    state.samples_day[site] = day


@njit_lean
def _fold(columns, sites, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t = rows.slot[i], min(max(rows.time[i], 0), 1 << 60)
        if rows.fresh[i]:
            state.last[e] = t
            state.read[e] = state.written[e] = state.removed[e] = 0.0
            state.bytes_read[e] = state.bytes_written[e] = 0.0
        if rows.kind[i] != _FILES or rows.status[i] != _SUCCESS:
            continue
        if t > state.last[e]:
            kept = remaining(t - state.last[e], half_life)
            state.read[e] *= kept
            state.written[e] *= kept
            state.removed[e] *= kept
            state.bytes_read[e] *= kept
            state.bytes_written[e] *= kept
            state.last[e] = t
        read, written = _believed(rows.reads[i], _MOST), _believed(rows.writes[i], _MOST)
        removed = _believed(rows.renames[i], _MOST) + _believed(rows.deletes[i], _MOST)
        state.read[e] += read
        state.written[e] += written
        state.removed[e] += removed
        state.bytes_read[e] += _believed(rows.read_bytes[i], _MOST_BYTES)
        state.bytes_written[e] += _believed(rows.write_bytes[i], _MOST_BYTES)
        if written == 0 and removed == 0:
            continue
        files = min(state.read[e], state.written[e], state.removed[e])
        files *= _read_before(state.bytes_read[e], state.bytes_written[e])
        site = sites[i]
        _turn_day(state, site, np.int32(t // _DAY_US))
        days = state.samples_days[site]
        usual = min(files, 2.0 * state.samples_usual[site]) if days else 0.0
        state.samples_today[site] = max(state.samples_today[site], files)
        scores[i] = math.log2(1.0 + files - usual + usual / (1.0 + days) ** 4)
        facts[i, 0] = files
        facts[i, 1] = state.read[e]
        facts[i, 2] = state.written[e]
        facts[i, 3] = state.removed[e]
        facts[i, 4] = days
