"""The answers that errors of the tree mean."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from aiohttp import web

from dijkwacht_records.errors import CollectorBusy, TransferError
from dijkwacht_records.replies import Refusal, encode_reply

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
    """``handler``, whose errors of the tree are answers."""

    @functools.wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except TransferError as error:
            return refuse(error)

    return answer
