"""Who asks: the name that a browser gave with the operators' token."""

from __future__ import annotations

import base64
import binascii

from aiohttp import web

from dijkwacht_collector.journal import NOBODY, person


def signer(request: web.Request) -> str:
    """The user name of HTTP basic authentication, fit to be shown; `NOBODY` without one."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return NOBODY
    try:
        given = base64.b64decode(rest.strip(), validate=True).partition(b":")[0].decode()
    except (binascii.Error, ValueError):
        return NOBODY
    return person(given)
