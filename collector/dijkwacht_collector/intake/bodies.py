"""A request's body, which has to come at some pace: slow enough for a poor line, and not for ever."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import PayloadEncodingError

from dijkwacht_records.errors import CollectorBusy, MalformedBatch, TooLarge

GRACE_S: Final = 5.0
SLOWEST: Final = 4096
"""Bytes a second that a body must keep to, after `GRACE_S`: a quarter of a line of 128 kbit/s."""


async def read_body(request: web.Request, most: int) -> bytes:
    """The body, of ``most`` bytes at most.

    Raises `TooLarge`, `MalformedBatch` for chunks that are none, `CollectorBusy` if it comes too slowly.
    """
    size = request.content_length
    if size is not None and size > most:
        raise TooLarge(f"{size} bytes, at most {most}")
    content = request.content
    body = bytearray()
    try:
        if content.is_eof():  # it came with its head, as nearly all do
            body += content.read_nowait()
        else:
            await _read(content, body, most)
    except TimeoutError:
        raise CollectorBusy("the batch came too slowly") from None
    except ConnectionError:
        raise CollectorBusy("the sender hung up") from None
    except (PayloadEncodingError, web.RequestPayloadError) as error:
        raise MalformedBatch(f"no body: {error}") from None
    if len(body) > most:
        raise TooLarge(f"more than {most} bytes")
    return bytes(body)


async def _read(content: StreamReader, body: bytearray, most: int) -> None:
    """Add to ``body`` what comes, until it ends or is longer than ``most``. Raises ``TimeoutError``."""
    began = asyncio.get_running_loop().time() + GRACE_S
    async with asyncio.timeout_at(began) as deadline:
        while piece := await content.readany():
            body += piece
            if len(body) > most:
                return
            deadline.reschedule(began + len(body) / SLOWEST)
