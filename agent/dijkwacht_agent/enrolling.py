"""Joining with a short code: the key is made here, and the code pins who may sign for it.

Nothing of the code is sent but a proof, which covers the certificate that was seen at the other end;
nothing of the answer is believed before its proof. So whoever stands in between learns nothing,
spends nothing, and can stand in for nobody. What waits for an answer stays in ``joining.json``: if the
answer is lost, the same key asks again with the same code.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import secrets
import ssl
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from dijkwacht_agent.error_words import carrying, refusal_message, worded
from dijkwacht_agent.identity import make_key
from dijkwacht_agent.secure_line import connection_path
from dijkwacht_agent.settings import write_private
from dijkwacht_agent.uplink import read_refusal
from dijkwacht_records.enrolment import (
    PATH,
    CodeKeys,
    Enrolled,
    Enrolment,
    Grant,
    agent_proof,
    collector_proof,
    is_proof,
    stretch,
)
from dijkwacht_records.errors import (
    CollectorBusy,
    ForeignCollector,
    NotAuthorised,
    TransferError,
)
from dijkwacht_records.replies import decode_json

JOINING_FILE: Final = "joining.json"
TIMEOUT_S: Final = 20.0
_MOST_BYTES: Final = 1 << 17
_NONCE_BYTES: Final = 32


class _Asking(msgspec.Struct, frozen=True):
    """What was asked and may not have been answered: of which code, as whom, with which key."""

    code: bytes
    agent: str
    key: str
    request: bytes


class Answered(NamedTuple):
    """What joining gave, and the key (PEM) that it gave it for; no key without TLS."""

    grant: Grant
    key: str


def enrol(url: str, secret: bytes, agent: str | None, fallback: str, state: Path) -> Answered:
    """Join by the code that holds ``secret``, as ``agent``, or as it was asked before, or as ``fallback``.

    Raises `NotAuthorised` for a code that is used, expired or unknown, `ForeignCollector` where who
    answers does not know the code, `CollectorBusy`, `TransferError`, ``OSError``.
    """
    keys = stretch(secret)
    encrypted = urlsplit(url).scheme == "https"
    again, asking = _asking(state, keys, agent, fallback, encrypted=encrypted)
    connection = _connect(url)
    try:
        connection.connect()
        seen = _fingerprint(connection)
        asked = Enrolment(
            asking.code, asking.agent, asking.request, secrets.token_bytes(_NONCE_BYTES), seen, b""
        )
        asked = msgspec.structs.replace(asked, proof=agent_proof(keys, asked))
        if encrypted:  # from here on the code may be spent for this key
            write_private(state / JOINING_FILE, msgspec.json.encode(asking))
        headers = {"Content-Type": "application/json"}
        connection.request("POST", connection_path(url) + PATH, msgspec.json.encode(asked), headers)
        response = connection.getresponse()
        body = response.read(_MOST_BYTES)
    except http.client.HTTPException:
        raise worded(TransferError, "no_collector", url=url) from None
    finally:
        connection.close()
    try:
        grant = _read(url, response.status, body, keys, asked)
    except NotAuthorised:
        # The word of somebody who proves nothing: if an answer was lost before, its key is kept.
        if not again:
            forget_asking(state)
        raise
    return Answered(grant, asking.key)


def forget_asking(state: Path) -> None:
    """What was asked has been answered for good."""
    (state / JOINING_FILE).unlink(missing_ok=True)


def _asking(
    state: Path, keys: CodeKeys, agent: str | None, fallback: str, *, encrypted: bool
) -> tuple[bool, _Asking]:
    """As it was asked before with the same code (True), or anew."""
    with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
        before = msgspec.json.decode((state / JOINING_FILE).read_bytes(), type=_Asking)
        if before.code == keys.id:
            return True, msgspec.structs.replace(before, agent=agent or before.agent)
    key, request = make_key() if encrypted else ("", b"")
    return False, _Asking(keys.id, agent or fallback, key, request)


def _connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme != "https":
        return http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    # Nobody is trusted yet: who it is is known by the proof, which is of this certificate.
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT_S, context=context)


def _fingerprint(connection: http.client.HTTPConnection) -> bytes:
    if not isinstance(connection.sock, ssl.SSLSocket):
        return b""
    return hashlib.sha256(connection.sock.getpeercert(binary_form=True) or b"").digest()


def _read(url: str, status: int, body: bytes, keys: CodeKeys, asked: Enrolment) -> Grant:
    if status != 200:
        raise refused(url, body, status)
    try:
        enrolled = decode_json(body, Enrolled)
    except msgspec.MsgspecError:
        raise worded(TransferError, "no_collector", url=url) from None
    if not is_proof(enrolled.proof, collector_proof(keys, asked, enrolled.grant)):
        raise worded(ForeignCollector, "foreign_at_join", url=url)
    try:
        grant = decode_json(enrolled.grant, Grant)
    except msgspec.MsgspecError:
        raise worded(TransferError, "join_unusable", url=url) from None
    if grant.agent != asked.agent or not (grant.certificate if asked.request else grant.token):
        raise worded(TransferError, "join_unusable", url=url)
    return grant


def refused(url: str, body: bytes, status: int) -> TransferError:
    """Why whoever answers at ``url`` does not let an agent join: what its answer with ``status`` stands for."""
    refusal = read_refusal(body)
    if refusal is None:
        return worded(TransferError, "no_collector", url=url)
    if refusal.reason == NotAuthorised.reason:
        return worded(NotAuthorised, "code_refused")
    if refusal.reason == CollectorBusy.reason:
        return worded(CollectorBusy, "join_busy")
    if refusal.reason == ForeignCollector.reason:
        return worded(ForeignCollector, "foreign_at_join", url=url)
    return carrying(TransferError, refusal_message(refusal, status))
