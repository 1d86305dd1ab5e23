"""What a program gets for an error: the JSON of the intake's refusals, its reason from a closed set.

And what is none of the asker's fault as such an error, for programs and people.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import web

from dijkwacht_records.errors import CollectorBusy, JournalError
from dijkwacht_records.replies import Refusal, encode_reply

REASONS: Final = {
    400: ("malformed", "what was sent cannot be read"),
    401: ("not_authorised", "the token is missing, unknown or revoked"),
    403: ("forbidden", "this may not be asked from there"),
    404: ("not_found", "there is no such thing"),
    405: ("method_not_allowed", "this path has other methods; the header Allow names them"),
    413: ("too_large", "more bytes than are taken"),
    415: ("wrong_type", "the body is not of a type that is taken"),
    421: ("wrong_host", "the collector does not answer to this name"),
    503: ("busy", "the same may work later; the header Retry-After says when"),
}
"""HTTP status → reason, and the sentence for an error that has none of its own."""
OTHER_REASONS: Final = {
    4: ("rejected", "it breaks a rule of the collector"),
    5: ("failed", "the collector could not answer"),
}
"""First digit of any other status → the same."""


@contextmanager
def busy() -> Iterator[None]:
    """What the journal or a database cannot take now, as a response that says when to try again."""
    try:
        yield
    except (CollectorBusy, JournalError, sqlite3.OperationalError) as error:
        seconds = error.retry_after_s if isinstance(error, CollectorBusy) else 1.0
        raise web.HTTPServiceUnavailable(
            text=f"{error}\n", headers={"Retry-After": str(max(1, round(seconds)))}
        ) from None


def wants_refusal(request: web.Request) -> bool:
    """Whether errors of ``request`` are JSON: below ``/v1/`` all, else if it asks for JSON, not HTML."""
    accept = request.headers.get("Accept", "").lower()
    asked = "application/json" in accept and "text/html" not in accept
    return asked or request.path.startswith("/v1/")


def refusal(error: web.HTTPError) -> web.Response:
    """``error`` as JSON, with its status and headers."""
    status = error.status
    reason, sentence = REASONS.get(status) or OTHER_REASONS[status // 100]
    own = (error.text or "").strip()
    message = sentence if not own or own.startswith(f"{status}: ") else own
    headers = error.headers.copy()
    headers.popall("Content-Type", None)
    return web.Response(
        status=status,
        body=encode_reply(Refusal(reason, message)),
        content_type="application/json",
        headers=headers,
    )
