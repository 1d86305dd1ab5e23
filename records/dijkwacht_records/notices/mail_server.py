"""A mail server whose answers end, and in time: SMTP, bare or over TLS."""

from __future__ import annotations

import errno
import os
import smtplib
from typing import Any, BinaryIO, Final

from dijkwacht_records.notices.deadline import Deadline

_MOST_READ: Final = 65_536


class _Answers:
    """What ``file`` brings. One answer may have any number of lines, and all of them are kept: not these."""

    left = 0
    """Bytes that an answer may still have."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readline(self, most: int) -> bytes:
        line = self._file.readline(most)
        self.left -= len(line)
        if self.left < 0:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        return line

    def close(self) -> None:
        self._file.close()


class MailServer(smtplib.SMTP):
    """One whose answers end by ``deadline``, the first among them, which is waited for while it is made."""

    def __init__(self, deadline: Deadline, *given: Any, **options: Any) -> None:
        self._deadline = deadline
        super().__init__(*given, **options)

    def getreply(self) -> tuple[int, bytes]:
        """Raises as ``smtplib``, and ``OSError`` past the deadline or for an answer over 64 KiB."""
        if self.sock is not None:
            self._deadline.watch(self.sock)
            if self.file is None:
                self.file = _Answers(self.sock.makefile("rb"))
            self.file.left = _MOST_READ
        return super().getreply()


class TlsMailServer(MailServer, smtplib.SMTP_SSL):
    """The same over TLS from the first byte."""
