"""Joining a site: a one-time code is exchanged for a token, and what the agent needs is written."""

from __future__ import annotations

import http.client
import re
import secrets
import shutil
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_agent.error_words import carrying, refusal_message, worded
from dijkwacht_agent.privacy import read_or_make_key
from dijkwacht_agent.settings import Settings, read_settings, write_private, write_settings
from dijkwacht_agent.uplink import connect, read_refusal
from dijkwacht_records.errors import CollectorBusy, NotAuthorised, SettingsError, TransferError
from dijkwacht_records.joincode import read_code
from dijkwacht_records.replies import JoinReply, JoinRequest, Refusal, decode_json
from dijkwacht_records.wire import NAME

TIMEOUT_S: Final = 20.0
TOKEN_FILE: Final = "token"  # noqa: S105  # the file's name
KEY_FILE: Final = "privacy.key"
SPOOL_FOLDER: Final = "spool"


def join(code: str, state: Path, agent: str | None = None, *, again: bool = False) -> Settings:
    """Join the site that ``code`` is for; returns the settings written to ``state``.

    Raises `SettingsError` for a wrong code or an agent that has joined before (unless ``again``),
    `NotAuthorised` for a code that is used, expired or unknown, and `TransferError` or ``OSError``
    when the collector cannot be reached.
    """
    url, _ = read_code(code)
    known = read_settings(state, {})
    if (state / TOKEN_FILE).exists() and not again:
        raise worded(SettingsError, "has_joined", site=known.site or "")
    # Not the machine's name: what a site calls its devices stays with the site.
    name = agent or known.agent or f"agent-{secrets.token_hex(2)}"
    if not NAME.fullmatch(name):
        raise worded(SettingsError, "agent_name", name=name)
    request = JoinRequest(code, name)
    joined = _exchange(url, request, Path(known.ca_file) if known.ca_file else None)
    found = {
        "site": joined.site,
        "agent": name,
        "url": url,
        "orders_key": joined.order_key.hex() or None,
    }
    try:
        settings = msgspec.convert(msgspec.structs.asdict(known) | found, Settings)
    except msgspec.ValidationError:
        raise worded(TransferError, "join_unusable", url=url) from None
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if known.site not in {None, joined.site}:
        # Another site must neither get what waits for this one nor share its pseudonyms.
        shutil.rmtree(state / SPOOL_FOLDER, ignore_errors=True)
        (state / KEY_FILE).unlink(missing_ok=True)
    read_or_make_key(state / KEY_FILE)
    write_private(state / TOKEN_FILE, joined.token.encode())
    write_settings(state, settings)
    return settings


def read_token(state: Path) -> str:
    """The token that joining brought. Raises `SettingsError` without one."""
    try:
        return (state / TOKEN_FILE).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise worded(SettingsError, "has_not_joined") from None


def _exchange(url: str, request: JoinRequest, ca_file: Path | None) -> JoinReply:
    connection = connect(url, ca_file, TIMEOUT_S)
    try:
        path = connection_path(url) + "/v1/join"
        headers = {"Content-Type": "application/json"}
        connection.request("POST", path, msgspec.json.encode(request), headers)
        response = connection.getresponse()
        body = response.read(1 << 16)
    except http.client.HTTPException:
        raise worded(TransferError, "no_collector", url=url) from None
    finally:
        connection.close()
    if response.status != 200:
        raise _refused(url, read_refusal(body), response.status)
    try:
        joined = decode_json(body, JoinReply)
    except msgspec.MsgspecError:
        raise worded(TransferError, "no_collector", url=url) from None
    if not re.fullmatch(r"[\x21-\x7e]{1,512}", joined.token):
        raise worded(TransferError, "join_unusable", url=url)
    return joined


def connection_path(url: str) -> str:
    """The path under which the collector at ``url`` lives, without a final slash."""
    return re.sub(r"^https?://[^/]*", "", url).rstrip("/")


def _refused(url: str, refusal: Refusal | None, status: int) -> TransferError:
    if refusal is None:
        return worded(TransferError, "no_collector", url=url)
    if refusal.reason == NotAuthorised.reason:
        return worded(NotAuthorised, "code_refused")
    if refusal.reason == CollectorBusy.reason:
        return worded(CollectorBusy, "join_busy")
    return carrying(TransferError, refusal_message(refusal, status))
