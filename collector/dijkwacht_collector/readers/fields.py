"""The allowed columns of one line of a log, and what their values must be to be read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from dijkwacht_collector.readers.rows import text_of
from dijkwacht_records.addresses import UNSPECIFIED, pack_address

Scalar = str | int | float | bool
Value = Scalar | list[Scalar | None]

_MAX: Final = 1 << 53
_ESCAPE: Final = re.compile(r"\\x([0-9a-fA-F]{2})")
_MAC: Final = re.compile(r"(?:[0-9a-f]{1,2}[:-]){5}[0-9a-f]{1,2}", re.ASCII)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Bad(ValueError):
    """A line that cannot be read; the text names what was expected."""


def moment(text: str) -> int:
    """A date and time of day → µs UTC; UTC where it names no zone. Raises ``ValueError``.

    >>> moment("2026-01-02T03:04:05.000006Z"), moment("2018/12/18 14:00:00.5+0100")
    (1767323045000006, 1545138000500000)
    """
    found = datetime.fromisoformat(text.strip().replace("/", "-"))
    return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def mac_of(text: str) -> int:
    """A hardware address with colons or hyphens; 0 for any other text."""
    if not _MAC.fullmatch(text.lower()):
        return 0
    return int("".join(f"{int(octet, 16):02x}" for octet in re.split("[:-]", text)), 16)


@dataclass(frozen=True, slots=True)
class Fields:
    """The allowed columns of one line: texts, or what JSON made of them. Unset ones are missing."""

    log: str
    values: Mapping[str, Value]
    set_separator: str = ","

    def text(self, name: str) -> str:
        """Decoded, at most 1,024 bytes of UTF-8; empty if unset."""
        value = self.values.get(name, "")
        if isinstance(value, list):
            raise Bad(f"one value in {name}")
        plain = _ESCAPE.sub(lambda m: chr(int(m[1], 16)), str(value)) if value != "" else ""
        return text_of(plain)

    def many(self, name: str) -> list[str]:
        """The members of a set or vector."""
        value = self.values.get(name, "")
        if isinstance(value, list):
            return [str(member) for member in value if member is not None]
        return str(value).split(self.set_separator) if value != "" else []

    def number(self, name: str, top: int = _MAX) -> int:
        """A count from 0 to ``top``; 0 if unset."""
        value = self.values.get(name, 0)
        try:
            number = int(value) if not isinstance(value, list) else -1
        except (ValueError, OverflowError):
            number = -1
        if not 0 <= number <= top:
            raise Bad(f"a number up to {top} in {name}")
        return number

    def micros(self, name: str) -> int:
        """Seconds (or, in JSON, an ISO date) → µs; 0 if unset."""
        value = self.values.get(name, 0)
        try:
            if isinstance(value, str) and "T" in value:
                return moment(value)
            seconds = float(value) if not isinstance(value, list) else math.nan
        except (ValueError, OverflowError):
            seconds = math.nan
        if not abs(seconds) < _MAX / 1e6:
            raise Bad(f"seconds in {name}")
        return round(seconds * 1e6)

    def address(self, name: str) -> bytes:
        """16 bytes; unspecified if unset."""
        value = self.values.get(name, "")
        if value == "":
            return UNSPECIFIED
        try:
            return pack_address(str(value))
        except ValueError:
            raise Bad(f"an address in {name}") from None

    def mac(self, name: str) -> int:
        """A hardware address; 0 if unset or not an Ethernet one."""
        return mac_of(str(self.values.get(name, "")))

    def flag(self, name: str) -> bool:
        """``T`` or ``true``."""
        return self.values.get(name) in ("T", "true", True)
