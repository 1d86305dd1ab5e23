"""A mail server whose answers end in time: SMTP, bare or over TLS."""

from __future__ import annotations

import smtplib
from typing import Any

from dijkwacht_records.notices.deadline import Deadline


class MailServer(smtplib.SMTP):
    """One whose answers end by ``deadline``, the first among them, which is waited for while it is made."""

    def __init__(self, deadline: Deadline, *given: Any, **options: Any) -> None:
        self._deadline = deadline
        super().__init__(*given, **options)

    def getreply(self) -> tuple[int, bytes]:
        """Raises as ``smtplib``, and ``OSError`` past the deadline."""
        if self.sock is not None:
            self._deadline.watch(self.sock)
        return super().getreply()


class TlsMailServer(MailServer, smtplib.SMTP_SSL):
    """The same over TLS from the first byte."""
