"""What one flow says: read as its payloads pass, told as facts when a part of the flow is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dijkwacht_agent.made_rows import MadeRows

if TYPE_CHECKING:
    from dijkwacht_agent.flows import Flow


class Conversation:
    """Reads one flow in one protocol. Keeps counts and what a message needs to be understood, bounded.

    ``over``: nothing more is to be read. `read` must accept any bytes, in any order, with gaps and
    repetitions, and raises nothing.
    """

    __slots__ = ("over",)

    def __init__(self) -> None:
        self.over = False

    def read(self, time: int, payload: bytes, size: int, sequence: int, *, from_orig: bool) -> None:
        """One packet's payload at ``time`` (µs).

        ``size``: its length on the wire, of which ``payload`` may hold the beginning; ``sequence``:
        TCP's number of its first byte, 0 over UDP.
        """
        raise NotImplementedError

    def passes(self, size: int, sequence: int, *, from_orig: bool) -> bool:  # noqa: ARG002
        """Whether a payload holds nothing to be read. It counts as read then, and costs no budget."""
        return False

    def give_up(self, time: int, made: MadeRows) -> None:
        """What was waited for (`FlowTable.wait`) did not come within its time."""

    def facts(self, flow: Flow, made: MadeRows) -> None:
        """A part of ``flow`` was cut, or its last: add the rows of what was read since the one before."""
