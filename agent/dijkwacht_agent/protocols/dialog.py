"""Log-ins in protocols of lines, where one side commands and the other replies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dijkwacht_agent.protocols.log_ins import LogIns
from dijkwacht_agent.protocols.ordered import Lines, Side

if TYPE_CHECKING:
    from dijkwacht_agent.protocols.opening import Opening
    from dijkwacht_records.vocabulary import AuthService


class Dialog(LogIns):
    """Hands over each line of each side. Holds an unfinished line of 512 bytes of either.

    It is over at the first success: nobody logs in twice over one connection, and what follows may
    be long.
    """

    __slots__ = ("_lines", "_sides")

    def __init__(self, opening: Opening, service: AuthService, *, client_is_orig: bool) -> None:
        super().__init__(opening, service, client_is_orig=client_is_orig)
        self._sides = (Side(), Side())
        self._lines = (Lines(len), Lines(self.sayable))

    def read(self, time: int, payload: bytes, size: int, sequence: int, *, from_orig: bool) -> None:  # noqa: D102  # inherited
        missing, new = self._sides[from_orig].take(sequence, payload, size)
        by_client = from_orig == self._client_is_orig
        cut = size - len(payload)
        self.messages = 0
        if missing:
            self._miss(missing, by_client=by_client)
        lines = self._lines[by_client].feed(new, cut=bool(cut))
        for number, line in enumerate(lines, 1):
            self.messages = (number + 1) // 2  # a line costs half as much
            if by_client:
                self.hear_command(time, line)
            else:
                self.hear_reply(line)
            if self.over:
                return
        if cut:
            self._miss(cut, by_client=by_client)

    def sayable(self, line: bytes) -> int:
        """How much of a ``line`` of the client, perhaps unfinished, may be looked at."""
        raise NotImplementedError

    def hear_command(self, time: int, line: bytes) -> None:
        """The client's ``line``, as far as it is sayable."""
        raise NotImplementedError

    def hear_reply(self, line: bytes) -> None:
        """The server's ``line``."""
        raise NotImplementedError

    def hear_gap(self, *, by_client: bool, in_skipped: bool) -> None:
        """Bytes are missing here, ``in_skipped`` if no others than were to be passed over."""

    def _miss(self, missing: int, *, by_client: bool) -> None:
        lines = self._lines[by_client]
        in_skipped = missing <= lines.skip
        lines.miss(missing)
        self.hear_gap(by_client=by_client, in_skipped=in_skipped)

    def skip(self, size: int, *, by_client: bool) -> None:
        """Pass over ``size`` bytes behind the line that is read."""
        self._lines[by_client].skip = size

    def stop(self) -> None:
        """Nothing more will be read: somebody logged in, or nobody will, or all is encrypted now."""
        self.leave()
        self.over = True
