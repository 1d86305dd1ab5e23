"""Questions to the collector beside the batches: one at a time, each over a connection of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dijkwacht_agent.error_words import carrying, refusal_message
from dijkwacht_agent.secure_line import HUNG_UP, connection_path
from dijkwacht_agent.uplink import (
    Who,
    authorisation,
    connect,
    read_refusal,
    refused_in_tls,
    unauthorised,
)
from dijkwacht_records.errors import CollectorBusy, RejectedBatch

TIMEOUT_S: Final = 20.0
_MAX_ANSWER_BYTES: Final = 1 << 16


class CollectorLine:
    """Asks the collector at ``url`` as the agent ``who``: by its token or its certificate."""

    def __init__(self, url: str, who: Who, ca_file: str | None = None) -> None:
        self._url, self._who = url.rstrip("/"), who
        self._ca_file = Path(ca_file) if ca_file else None

    def ask(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/json"
    ) -> bytes:
        """What it answers to ``method path`` with 200.

        Raises a `TransferError`, ``OSError`` or ``HTTPException``.
        """
        connection = connect(self._url, self._ca_file, TIMEOUT_S, self._who)
        try:
            headers = authorisation(self._who) | {"Content-Type": kind}
            # With the body's length even when there is none: a proxy may ask for it.
            connection.request(method, connection_path(self._url) + path, body or None, headers)
            response = connection.getresponse()
            answer = response.read(_MAX_ANSWER_BYTES)
        except HUNG_UP as error:
            raise refused_in_tls(error, self._url, self._who, TIMEOUT_S) from None
        finally:
            connection.close()
        if response.status == 200:
            return answer
        refusal = read_refusal(answer)
        if response.status in {401, 403}:
            raise unauthorised(refusal, response.status)
        said = refusal_message(refusal, response.status)
        if response.status == 429 or response.status >= 500:
            raise carrying(CollectorBusy, said)
        raise carrying(RejectedBatch, said)
