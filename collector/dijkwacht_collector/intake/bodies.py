"""A request's body, which has to come at some pace: slow enough for a poor line, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final, TypeVar

import msgspec
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import PayloadEncodingError

from dijkwacht_records.errors import CollectorBusy, MalformedBatch, TooLarge
from dijkwacht_records.replies import decode_json

GRACE_S: Final = 5.0
SLOWEST: Final = 4096
"""Bytes a second that a body must keep to, after `GRACE_S`: a quarter of a line of 128 kbit/s."""

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


async def read_body(request: web.Request, most: int) -> bytes:
    """The body, of ``most`` bytes at most. Raises as `read_pieces`."""
    if request.content.is_eof():  # it came with its head, as nearly all do
        body = await _next(request.content, 0.0)
        _check(len(body), most)
        return body
    return b"".join([piece async for piece in read_pieces(request, most)])


async def read_struct(request: web.Request, kind: type[_Struct], most: int) -> _Struct:
    """The body as JSON of ``kind``. Raises as `read_pieces`, and `MalformedBatch`."""
    try:
        return decode_json(await read_body(request, most), kind)
    except msgspec.MsgspecError as error:
        raise MalformedBatch(f"not what is sent here: {error}") from None


async def read_pieces(request: web.Request, most: int) -> AsyncIterator[bytes]:
    """The body as it comes, of ``most`` bytes at most.

    Raises `TooLarge`, `MalformedBatch` for chunks or packing that are none, `CollectorBusy` if it comes
    too slowly.
    """
    _check(request.content_length or 0, most)
    content, size = request.content, 0
    began = asyncio.get_running_loop().time() + GRACE_S
    while piece := await _next(content, began + size / SLOWEST):
        size += len(piece)
        _check(size, most)
        yield piece


def _check(size: int, most: int) -> None:
    if size > most:
        raise TooLarge(f"{size} bytes or more, at most {most}")


async def _next(content: StreamReader, deadline: float) -> bytes:
    try:
        if content.is_eof():
            return content.read_nowait()
        async with asyncio.timeout_at(deadline):
            return await content.readany()
    except TimeoutError:
        raise CollectorBusy("the body came too slowly") from None
    except ConnectionError:
        raise CollectorBusy("the sender hung up") from None
    except (PayloadEncodingError, web.RequestPayloadError) as error:
        raise MalformedBatch(f"no body: {error}") from None
