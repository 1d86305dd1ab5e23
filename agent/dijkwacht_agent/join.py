"""Joining a site: a one-time code is exchanged for a token, and what the agent needs is written."""

from __future__ import annotations

import http.client
import re
import secrets
import shutil
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_agent.privacy import read_or_make_key
from dijkwacht_agent.settings import Settings, read_settings, write_private, write_settings
from dijkwacht_agent.uplink import connect
from dijkwacht_records.errors import NotAuthorised, SettingsError, TransferError
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
    try:
        url, _ = read_code(code)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    known = read_settings(state, {})
    if (state / TOKEN_FILE).exists() and not again:
        raise SettingsError(f"this agent has joined {known.site!r} before; --again joins anew")
    # Not the machine's name: what a site calls its devices stays with the site.
    name = agent or known.agent or f"agent-{secrets.token_hex(2)}"
    if not NAME.fullmatch(name):
        raise SettingsError(f"{name!r}: a name has small letters, digits and dashes, 63 at most")
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
    except msgspec.ValidationError as error:
        raise TransferError(f"{url} gave what cannot be used: {error}") from None
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
        raise SettingsError("this agent has not joined a site: dijkwacht-agent join CODE") from None


def _exchange(url: str, request: JoinRequest, ca_file: Path | None) -> JoinReply:
    connection = connect(url, ca_file, TIMEOUT_S)
    try:
        path = connection_path(url) + "/v1/join"
        headers = {"Content-Type": "application/json"}
        connection.request("POST", path, msgspec.json.encode(request), headers)
        response = connection.getresponse()
        body = response.read(1 << 16)
    except http.client.HTTPException as error:
        raise TransferError(f"{url} does not answer like a collector: {error!r}") from None
    finally:
        connection.close()
    if response.status in {400, 401, 403, 404, 409, 410}:
        raise NotAuthorised(_why(body) or "the code is used, expired or unknown; ask for a new one")
    if response.status != 200:
        raise TransferError(f"{url} answered {response.status}: {_why(body) or 'not a collector'}")
    try:
        joined = decode_json(body, JoinReply)
    except msgspec.MsgspecError:
        raise TransferError(f"{url} does not answer like a collector") from None
    if not re.fullmatch(r"[\x21-\x7e]{1,512}", joined.token):
        raise TransferError(f"{url} gave no token that can be used")
    return joined


def connection_path(url: str) -> str:
    """The path under which the collector at ``url`` lives, without a final slash."""
    return re.sub(r"^https?://[^/]*", "", url).rstrip("/")


def _why(body: bytes) -> str:
    try:
        return decode_json(body, Refusal).message
    except msgspec.MsgspecError:
        return ""
