"""The answers that errors of the tree mean."""

from __future__ import annotations

import functools
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from dijkwacht_records.errors import CollectorBusy, TransferError
from dijkwacht_records.replies import Refusal, encode_reply

log: Final = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refuse(error: TransferError, reads: tuple[int, ...] = ()) -> web.Response:
    """The answer that an error of the tree means; ``reads``: versions, said where that is the matter."""
    headers = {}
    if isinstance(error, CollectorBusy):
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    return web.Response(
        status=error.status,
        body=encode_reply(Refusal(error.reason, str(error), reads)),
        content_type="application/json",
        headers=headers,
    )


def refusing(handler: Handler) -> Handler:
    """``handler``, whose errors of the tree are answers, as are those of a disk that is full or failing."""

    @functools.wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except TransferError as error:
            return refuse(error)
        except (OSError, sqlite3.Error) as error:
            log.warning("a request failed", extra={"path": request.path, "why": str(error)})
            return refuse(CollectorBusy("the collector cannot keep it now", retry_after_s=60))

    return answer
