"""How the agent does, for the collector's operator: no address, no name, only keys and numbers.

Sent when an order asks for it and the owner consents to ``diagnostics``. The very bytes that left stay
in ``sent/`` of the state folder. docs/privacy.md lists the fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from dijkwacht_agent.collector_line import CollectorLine
from dijkwacht_agent.contracts import CONTRACTS_FILE, read_contracts
from dijkwacht_agent.health import Status
from dijkwacht_agent.interfaces import interface_kind
from dijkwacht_agent.join import SPOOL_FOLDER
from dijkwacht_agent.pacing import wall_clock
from dijkwacht_agent.settings import Settings, give_folder_to_owner, write_private
from dijkwacht_agent.spool_segments import versions_in
from dijkwacht_records.contracts import WRITES
from dijkwacht_records.errors import Message
from dijkwacht_records.orders import Order

if TYPE_CHECKING:
    from dijkwacht_agent.check import Finding

SENT_FOLDER: Final = "sent"
MOST_KEPT: Final = 16
"""Copies that stay, the latest."""


class Found(msgspec.Struct, frozen=True):
    """A finding of ``check``: which, whether it is well, and its numbers."""

    check: str
    ok: bool
    numbers: dict[str, float] = {}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent. Times are µs UTC; ``trouble`` are keys of messages; sizes in bytes."""

    time: int
    version: str
    contracts_written: list[int]
    contracts_read: list[int]
    started: int
    interface_kind: str
    counters: dict[str, int]
    trouble: list[str]
    spool_contracts: list[int]
    spool_max_bytes: int
    found: list[Found]


class Diagnostics:
    """Makes the report of the agent whose state is in the folder ``state``, and sends it over ``line``."""

    def __init__(self, settings: Settings, state: Path, line: CollectorLine) -> None:
        self._settings, self._state, self._line = settings, state, line

    def send(self, order: Order) -> str:
        """Send what ``order`` asks for; the same bytes again if it comes again. The copy's path.

        Raises ``OSError``, ``HTTPException`` or a `TransferError` when it could not be kept, or sent.
        """
        folder = self._state / SENT_FOLDER
        copy = folder / f"diagnostics-{order.id}.json"
        if not copy.exists():
            folder.mkdir(0o700, exist_ok=True)
            give_folder_to_owner(folder)
            _make_room(folder)
            write_private(copy, msgspec.json.format(msgspec.json.encode(self.report())))
        self._line.ask("PUT", f"/v1/orders/{order.id}/upload", copy.read_bytes())
        return f"{SENT_FOLDER}/{copy.name}"

    def report(self) -> Report:
        """As things are now."""
        from dijkwacht_agent.check import check_beside  # noqa: PLC0415  not in the memory of one that runs

        status, settings = self._status(), self._settings
        return Report(
            time=wall_clock(),
            version=_version(),
            contracts_written=sorted(WRITES),
            contracts_read=list(read_contracts(self._state / CONTRACTS_FILE)),
            started=status.started,
            interface_kind=interface_kind(status.interface),
            counters=status.counters,
            trouble=list(_keys(status.trouble)) if status.trouble else [],
            spool_contracts=sorted(versions_in(self._state / SPOOL_FOLDER)),
            spool_max_bytes=settings.spool_max_bytes,
            found=[_bare(finding) for finding in check_beside(settings, self._state)],
        )

    def _status(self) -> Status:
        try:
            return msgspec.json.decode((self._state / "status.json").read_bytes(), type=Status)
        except (OSError, msgspec.MsgspecError):  # before its first heartbeat
            return Status(0, 0, "", None, 0, {})


def _bare(finding: Finding) -> Found:
    # Texts may hold a path, the collector's address or a name.
    return Found(
        finding.key, finding.ok, {k: v for k, v in finding.values.items() if _is_number(v)}
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _keys(message: Message) -> Iterator[str]:
    yield message.key
    for value in message.values.values():
        if isinstance(value, Message):
            yield from _keys(value)


def _make_room(folder: Path) -> None:
    """For one copy more: before it is there, or a clock that was set back would make it the oldest."""
    copies = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    for path in copies[: max(0, len(copies) + 1 - MOST_KEPT)]:
        path.unlink(missing_ok=True)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  not in the memory of one that runs

    try:
        return version("dijkwacht")
    except PackageNotFoundError:
        return ""
