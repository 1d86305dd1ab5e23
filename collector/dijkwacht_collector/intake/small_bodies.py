"""Bodies of a few bytes, read within a few seconds, whatever the client does."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from dijkwacht_records.errors import CollectorBusy, MalformedBatch, TooLarge
from dijkwacht_records.replies import decode_json

_BODY_S: Final = 10.0
_Struct = TypeVar("_Struct", bound=msgspec.Struct)


async def read_small(request: web.Request, most: int) -> bytes:
    """The body. Raises `TooLarge` past ``most`` bytes, `CollectorBusy` if it comes too slowly."""
    if (request.content_length or 0) > most:
        raise TooLarge(f"{request.content_length} bytes, at most {most}")
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most:
                    raise TooLarge(f"more than {most} bytes")
    except TimeoutError:
        raise CollectorBusy("the request came too slowly") from None
    return bytes(body)


async def read_struct(request: web.Request, kind: type[_Struct], most: int) -> _Struct:
    """The body as JSON of ``kind``. Raises as `read_small`, and `MalformedBatch`."""
    try:
        return decode_json(await read_small(request, most), kind)
    except msgspec.MsgspecError as error:
        raise MalformedBatch(f"not what is sent here: {error}") from None
