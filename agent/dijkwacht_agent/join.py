"""Joining a site: a one-time code is exchanged for a certificate or a token, and what is needed is written."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from dijkwacht_agent.changeover import alone, finish_together, replace_together
from dijkwacht_agent.clock import wrong_clock
from dijkwacht_agent.contracts import CONTRACTS_FILE, contracts_text
from dijkwacht_agent.enrolling import JOINING_FILE, enrol, refused
from dijkwacht_agent.error_words import carrying, error_message, refusal_message, worded
from dijkwacht_agent.identity import (
    AUTHORITY_FILE,
    CLOCK_FILE,
    IDENTITY_FILE,
    Identity,
    has_identity,
    identity_files,
    tried,
)
from dijkwacht_agent.pacing import wall_clock
from dijkwacht_agent.privacy import KEY_BYTES, read_or_make_key
from dijkwacht_agent.secure_line import SecureConnection, connection_path
from dijkwacht_agent.settings import (
    SETTINGS_FILE,
    Settings,
    held,
    read_private,
    read_settings,
    settings_text,
    write_private,
)
from dijkwacht_agent.spool import in_use
from dijkwacht_agent.uplink import Who, connect, read_refusal
from dijkwacht_records.enrolment import SELF_PATH, Self
from dijkwacht_records.errors import Message, SettingsError, TransferError, WrongClock
from dijkwacht_records.joincode import SECRET_BYTES, read_code
from dijkwacht_records.replies import JoinReply, JoinRequest, decode_json
from dijkwacht_records.wire import NAME

TIMEOUT_S: Final = 20.0
TOKEN_FILE: Final = "token"  # noqa: S105  # the file's name
KEY_FILE: Final = "privacy.key"
SPOOL_FOLDER: Final = "spool"
DEVICES_FILE: Final = "devices.memory"
NAMES_FILE: Final = "device-names.json"
LEAVING_FILE: Final = "leaving.json"
_OWN_FILES: Final = (
    TOKEN_FILE, IDENTITY_FILE, AUTHORITY_FILE, SETTINGS_FILE, KEY_FILE, CONTRACTS_FILE, LEAVING_FILE,
)  # fmt: skip
_PROBE_BYTES: Final = 4096
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,512}")


class Joined(NamedTuple):
    """What joining gave: the settings that were written, and how many agents the site has besides.

    ``remark``: what the owner should know, such as that his clock is wrong.
    """

    settings: Settings
    others: int
    remark: Message | None = None


class _Leaving(msgspec.Struct, frozen=True):
    """What was made as another agent is to go, once the settings name this one; ``devices``: of another site."""

    site: str
    agent: str
    devices: bool


class _Answer(NamedTuple):
    """What a collector gave, by either way: a token, or a key and what to do with it."""

    site: str
    agent: str
    order_key: bytes
    contracts: tuple[int, ...]
    others: int
    files: dict[str, bytes]
    """What the state folder keeps of it."""
    show: Callable[[], Message | None] = lambda: None
    """Shows it to the collector, before it is kept: a remark."""


def join(code: str, state: Path, agent: str | None = None, *, again: bool = False) -> Settings:
    """As `join_site`: the settings."""
    return join_site(code, state, agent, again=again).settings


def join_site(code: str, state: Path, agent: str | None = None, *, again: bool = False) -> Joined:
    """Join the site that ``code`` is for; writes its settings to ``state``.

    That ``state`` can be written is tried before the code is spent. A join that fails, or is killed,
    leaves the folder as it was, save for the key of one that may have been answered. Over TLS the
    collector has taken the new certificate, on a connection that only the one that made the code could
    take, before this returns.

    Raises `SettingsError` for a wrong code or an agent that has joined before (unless ``again``),
    `NotAuthorised` for a code that is used, expired or unknown, `TransferError` or ``OSError`` when the
    collector cannot be reached, and an ``OSError`` that names a file when ``state`` cannot be written.
    """
    url, secret = read_code(code)
    read_settings(state, {})  # what is wrong there is found before anything is made
    with _made(state), alone(state):
        finish_together(state)
        finish_leaving(state)
        return _join(url, secret, code, state, agent, again=again)


def _join(
    url: str, secret: bytes, code: str, state: Path, agent: str | None, *, again: bool
) -> Joined:
    known = read_settings(state, {})
    if ((state / TOKEN_FILE).exists() or has_identity(state)) and not again:
        raise worded(
            SettingsError,
            "has_joined" if known.site else "has_joined_some",
            site=known.site or "",
        )
    # Not the machine's name: what a site calls its devices stays with the site.
    name = agent or known.agent or f"agent-{secrets.token_hex(2)}"
    if not NAME.fullmatch(name):
        raise worded(SettingsError, "agent_name", name=name)
    _try_writing(state)
    if len(secret) == SECRET_BYTES:
        joined = _enrol(url, secret, agent or known.agent, name, state)
    else:
        joined = _exchange(url, JoinRequest(code, name), known.ca_file)
    name = joined.agent
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
    remark = joined.show()
    elsewhere = known.site is not None and _another_site(known, settings)
    comes = {
        **joined.files,
        SETTINGS_FILE: settings_text(settings),
        CONTRACTS_FILE: contracts_text(joined.contracts),
    }
    if elsewhere or not (state / KEY_FILE).exists():
        comes[KEY_FILE] = secrets.token_bytes(KEY_BYTES)
    if elsewhere or known.agent not in {None, name}:
        before = _left(state)  # of an agent that still runs
        leaving = _Leaving(joined.site, name, elsewhere or (before is not None and before.devices))
        comes[LEAVING_FILE] = msgspec.json.encode(leaving)
    # What time another collector had is nothing to this one.
    credentials = {TOKEN_FILE, IDENTITY_FILE, AUTHORITY_FILE, CLOCK_FILE}
    replace_together(state, comes, (credentials - comes.keys()) | {JOINING_FILE})
    finish_leaving(state)
    return Joined(settings, joined.others, remark)


def finish_joining(state: Path) -> None:
    """Finish what a join that was cut short had begun to change, or clear it away. Raises ``OSError``."""
    with contextlib.suppress(FileNotFoundError), alone(state):
        finish_together(state)
        finish_leaving(state)


def finish_leaving(state: Path) -> None:
    """Drop what was made as another agent, also where joining was cut short. Raises ``OSError``.

    Another site must neither get what waits for this one nor share its pseudonyms; and nobody may send
    what an agent of another name made: it would wait for ever, with all that is behind it. While one
    runs on that, it waits for the next start: its lock would go with the rest.
    """
    if in_use(state / SPOOL_FOLDER):
        return
    left = _left(state)
    if left is None:
        return
    now = read_settings(state, {})
    if (now.site, now.agent) == (left.site, left.agent):
        shutil.rmtree(state / SPOOL_FOLDER, ignore_errors=True)
        if left.devices:  # whose devices those were is the former site's
            for gone in (DEVICES_FILE, NAMES_FILE):
                (state / gone).unlink(missing_ok=True)
    (state / LEAVING_FILE).unlink(missing_ok=True)


def _left(state: Path) -> _Leaving | None:
    try:
        return msgspec.json.decode((state / LEAVING_FILE).read_bytes(), type=_Leaving)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _another_site(known: Settings, joined: Settings) -> bool:
    """Many a site is called "home": one of the same name is another if another key signs its orders."""
    keys = known.orders_key, joined.orders_key
    return known.site != joined.site or (None not in keys and keys[0] != keys[1])


@contextlib.contextmanager
def _made(state: Path) -> Iterator[None]:
    """Make the folder ``state``; what of it was not there goes again when the block fails."""
    made = [folder for folder in (state, *state.absolute().parents) if not folder.exists()]
    try:
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            error.filename = str(state)  # which was asked for, not the part of it that failed
            raise
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            if not (state / JOINING_FILE).exists():  # a key that may be asked for again
                for folder in made:
                    folder.rmdir()
        raise


def _try_writing(state: Path) -> None:
    """Create, replace and delete a file in ``state`` as joining will, and use the key that is there.

    Raises ``OSError`` naming folder or file, or `SettingsError` for a key that cannot be used.
    """
    if (state / KEY_FILE).exists():
        read_or_make_key(state / KEY_FILE)
    _probe(state, state)
    spool = state / SPOOL_FOLDER
    # Where a link leads, which its owner may have put there, root has nothing to try.
    if spool.exists() and not (spool.is_symlink() and os.geteuid() == 0):
        with held(spool) as itself:
            _probe(itself, spool)
    for name in _OWN_FILES:
        with contextlib.suppress(FileNotFoundError):
            write_private(state / name, read_private(state / name))


def _probe(folder: Path, known: Path) -> None:
    probe = folder / "join.probe"
    try:
        write_private(probe, bytes(_PROBE_BYTES))
        probe.unlink()
    except OSError as error:
        error.filename = str(known)  # which the owner knows; the probe he never sees
        raise


def read_token(state: Path) -> str:
    """The token that joining brought. Raises `SettingsError` without one."""
    try:
        return (state / TOKEN_FILE).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise worded(SettingsError, "has_not_joined") from None


def read_who(state: Path) -> Who:
    """What shows who this agent is: its certificate, or its token. Raises `SettingsError` without either."""
    return Identity(state) if has_identity(state) else read_token(state)


def _enrol(url: str, secret: bytes, agent: str | None, fallback: str, state: Path) -> _Answer:
    """By a short code: a certificate, or a token over plain HTTP."""
    grant, key = enrol(url, secret, agent, fallback, state)
    told = grant.site, grant.agent, grant.order_key, grant.contracts, grant.others
    off = wrong_clock((wall_clock() - grant.clock) / 1e6)
    if not key:
        if not _TOKEN.fullmatch(grant.token):
            raise worded(TransferError, "join_unusable", url=url)
        return _Answer(*told, {TOKEN_FILE: grant.token.encode()}, lambda: off)
    files = identity_files(key, grant)

    def show() -> Message | None:
        with tried(state, files) as folder:
            return _show(url, Identity(folder), (grant.site, grant.agent)) or off

    return _Answer(*told, files, show)


def _show(url: str, identity: Identity, expected: tuple[str, str]) -> Message | None:
    """Does the collector know the new certificate? What is wrong with the clock, if anything is."""
    remark = None
    try:
        said = _self(SecureConnection(url, TIMEOUT_S, identity), url)
        remark = identity.trouble
    except WrongClock as error:
        # The proof was of this authority, so the time is the collector's word against ours alone.
        said = _self(SecureConnection(url, TIMEOUT_S, identity, check_time=False), url)
        remark = error_message(error)
    if (said.site, said.agent) != expected:
        raise worded(TransferError, "join_unusable", url=url)
    return remark


def _self(connection: SecureConnection, url: str) -> Self:
    with contextlib.closing(connection):
        try:
            connection.request("GET", connection_path(url) + SELF_PATH)
            response = connection.getresponse()
            body = response.read(1 << 16)
        except http.client.HTTPException:
            raise worded(TransferError, "no_collector", url=url) from None
    if response.status != 200:
        raise carrying(TransferError, refusal_message(read_refusal(body), response.status))
    try:
        return decode_json(body, Self)
    except msgspec.MsgspecError:
        raise worded(TransferError, "no_collector", url=url) from None


def _exchange(url: str, request: JoinRequest, ca_file: str | None) -> _Answer:
    """By a code of the first form: a token."""
    connection = connect(url, Path(ca_file) if ca_file else None, TIMEOUT_S)
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
        raise refused(url, body, response.status)
    try:
        joined = decode_json(body, JoinReply)
    except msgspec.MsgspecError:
        raise worded(TransferError, "no_collector", url=url) from None
    if not _TOKEN.fullmatch(joined.token):
        raise worded(TransferError, "join_unusable", url=url)

    told = joined.order_key, joined.contracts, joined.others
    return _Answer(joined.site, request.agent, *told, {TOKEN_FILE: joined.token.encode()})
