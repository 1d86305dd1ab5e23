"""Which habit wrote what, so that what a detector says can be traced to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from dijkwacht_lab.traffic.site import ARP, DHCP
from dijkwacht_records.tables import TABLES, Row

ORDINARY: Final = "ordinary"
"""Stands for what every office does."""
_ENDS: Final = {
    number: (table.index("orig_h"), table.index("resp_h"))
    for number, table in enumerate(TABLES)
    if any(column.name == "orig_h" for column in table.columns)
} | {ARP: (TABLES[ARP].index("sender_h"), TABLES[ARP].index("target_h"))}
_CLIENT_MAC: Final = TABLES[DHCP].index("client_mac")
_SENDER_MAC: Final = TABLES[ARP].index("sender_mac")


class Authors:
    """Remembers rows of every pair of ends, by the habit that wrote them. Grows with the pairs."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[bytes, bytes], Counter[str]] = {}
        self._ends: dict[bytes | int, Counter[str]] = {}

    def note(self, habit: str, written: Iterable[tuple[int, int, Row]]) -> None:
        """Rows that ``habit`` (empty: every office) has written, as the ledger has them."""
        name = habit or ORDINARY
        for _, number, row in written:
            ends = _ENDS.get(number)
            if ends is not None:
                orig, resp = row[ends[0]], row[ends[1]]
                assert isinstance(orig, bytes) and isinstance(resp, bytes)  # noqa: PT018
                self._pairs.setdefault((orig, resp), Counter())[name] += 1
                self._ends.setdefault(orig, Counter())[name] += 1
                self._ends.setdefault(resp, Counter())[name] += 1
            if number in {ARP, DHCP}:
                mac = row[_SENDER_MAC if number == ARP else _CLIENT_MAC]
                assert isinstance(mac, int)
                self._ends.setdefault(mac, Counter())[name] += 1

    def of(self, src: bytes, dst: bytes, mac: int = 0) -> tuple[str, ...]:
        """Who wrote of these ends, most rows first, three at most: of both if any did, else of one."""
        for told in (self._pairs.get((src, dst)), self._pairs.get((dst, src))):
            if told:
                return _first(told)
        for end in (src, mac, dst):
            if end and (found := self._ends.get(end)):
                return _first(found)
        return ()


def _first(told: Counter[str]) -> tuple[str, ...]:
    others = [name for name, _ in told.most_common(4) if name != ORDINARY]
    return tuple(others[:3]) or (ORDINARY,)
