r"""The texts of ``/proc``, read into numbers. What is missing or makes no sense is not in the result.

>>> read_stat(b"cpu  7 0 1 90 2\ncpu0 7 0 1 90 2\nintr 50 1 2\nctxt 99\n")["ctxt"]
99
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

CPU: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""Columns of ``cpu`` in ``/proc/stat``, in ticks; the guests' time after them is part of ``user``."""
_SINGLE: Final = {
    b"intr": "intr",
    b"ctxt": "ctxt",
    b"processes": "processes",
    b"procs_running": "procs_running",
    b"procs_blocked": "procs_blocked",
}
_DIGITS: Final = 20
_SECTOR_BYTES: Final = 512
_MADE_OF_DISKS: Final = (b"loop", b"ram", b"zram", b"dm-", b"md")
_CARD: Final = {
    "net_in_bytes": 0,
    "net_in_packets": 1,
    "net_in_error_packets": 2,
    "net_in_dropped_packets": 3,
    "net_out_bytes": 8,
    "net_out_packets": 9,
    "net_out_error_packets": 10,
    "net_out_dropped_packets": 11,
}
_READ, _WRITTEN = 5, 9


def read_stat(text: bytes) -> dict[str, int]:
    """``/proc/stat``: `CPU` in ticks of all processors, and what was counted since the start."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        head, _, rest = line.partition(b" ")
        if head == b"cpu":
            found |= _named(CPU, rest.split())
        elif head in _SINGLE:
            found |= _named((_SINGLE[head],), rest.split(None, 1))
    return found


def read_pairs(text: bytes, names: Collection[bytes]) -> dict[str, int]:
    """``meminfo`` and ``vmstat``: a name and a number a line; kB as they are."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        words = line.split(None, 2)
        if len(words) > 1 and (name := words[0].rstrip(b":")) in names:
            found |= _named((name.decode("ascii", "replace"),), words[1:2])
    return found


def read_table(text: bytes, protocol: bytes) -> dict[str, int]:
    """``/proc/net/snmp`` and ``netstat``: a line of names and one of numbers for each protocol."""
    begin = protocol + b":"
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith(begin)]
    if len(lines) != 2:
        return {}
    return _named([name.decode("ascii", "replace") for name in lines[0]], lines[1])


def read_sockstat(text: bytes) -> dict[str, int]:
    """``/proc/net/sockstat``: what its line on TCP says."""
    for line in text.splitlines():
        if line.startswith(b"TCP: "):
            words = line.split()[1:]
            return _named([name.decode("ascii", "replace") for name in words[::2]], words[1::2])
    return {}


def read_cards(text: bytes) -> dict[str, int]:
    """``/proc/net/dev``: sums over all cards but loopback, by metric; nothing unless each line is whole."""
    sums = dict.fromkeys(_CARD, 0)
    cards = 0
    for line in text.splitlines()[2:]:
        name, colon, rest = line.rpartition(b":")
        words = rest.split()
        if not colon or name.strip() == b"lo":
            continue
        for metric, place in _CARD.items():
            number = _number(words[place]) if place < len(words) else None
            if number is None:
                return {}
            sums[metric] += number
        cards += 1
    return sums if cards else {}


def read_disks(text: bytes, disks: Collection[bytes]) -> dict[str, int]:
    """``/proc/diskstats``: bytes moved by the whole ``disks``, not by what is made of them."""
    sums = {"disk_read_bytes": 0, "disk_write_bytes": 0}
    found = False
    for line in text.splitlines():
        words = line.split()
        if len(words) <= _WRITTEN or words[2] not in disks or words[2].startswith(_MADE_OF_DISKS):
            continue
        read, written = _number(words[_READ]), _number(words[_WRITTEN])
        if read is not None and written is not None:
            sums["disk_read_bytes"] += read * _SECTOR_BYTES
            sums["disk_write_bytes"] += written * _SECTOR_BYTES
            found = True
    return sums if found else {}


def read_process(text: bytes) -> int | None:
    """``/proc/PID/stat``: ticks that the process has run. Its name, which may hold anything, is skipped."""
    words = text[text.rfind(b")") + 1 :].split(None, 14)
    if b")" not in text or len(words) < 13:
        return None
    user, system = _number(words[11]), _number(words[12])
    return None if user is None or system is None else user + system


def read_number(text: bytes) -> int | None:
    """The first word of ``text``, if it is a whole number."""
    words = text.split(None, 1)
    return _number(words[0]) if words else None


def _named(names: Iterable[str], words: Iterable[bytes]) -> dict[str, int]:
    return dict(_numbers(names, words))


def _numbers(names: Iterable[str], words: Iterable[bytes]) -> Iterator[tuple[str, int]]:
    for name, word in zip(names, words, strict=False):
        if (number := _number(word)) is not None:
            yield name, number


def _number(word: bytes) -> int | None:
    return int(word) if word.isdigit() and len(word) <= _DIGITS else None
