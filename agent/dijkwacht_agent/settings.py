"""Settings of an agent: defaults, then its file, then the environment, then flags.

The file is ``agent.toml`` in the state folder, written by ``dijkwacht-agent join``; a variable is
``DIJKWACHT_AGENT_`` and the setting's name in capitals. A name that no setting has is an error.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import msgspec
from msgspec import Meta

from dijkwacht_agent.error_words import carrying, error_message_of_state, worded
from dijkwacht_agent.local_networks import parse_endpoint, parse_network
from dijkwacht_records.errors import Message, SettingsError
from dijkwacht_records.notices import MAIL_ADDRESSES, MAIL_SERVER, WEB_ADDRESS, NoticeLanguage
from dijkwacht_records.orders import OrderKind

VARIABLE: Final = "DIJKWACHT_AGENT_"
SETTINGS_FILE: Final = "agent.toml"

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Seconds = Annotated[float, Meta(gt=0, le=3600)]
Address = Annotated[str, Meta(pattern=WEB_ADDRESS)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting of the agent; sizes in bytes, durations in seconds."""

    site: Name | None = None
    """The site it belongs to; learnt on joining, as are the next three."""
    agent: Name | None = None
    """Its own name within the site."""
    url: Annotated[str, Meta(pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$")] | None = None
    """Where its collector listens: http(s)://host:port."""
    orders_key: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Ed25519 public key (hex) that signs the collector's orders."""
    ca_file: str | None = None
    """PEM file of the authority that signed the collector's certificate; none: the system's."""
    interface: str | None = None
    """What to listen on; none: the interface of the default route."""
    flow_export: str | None = None
    """Where a router's NetFlow or IPFIX arrives, as ADDRESS:PORT; then no interface is listened on."""
    flow_exporters: list[str] | None = None
    """Who may send it, as CIDRs; none: private ranges and what is inside."""
    flow_export_hold_s: Seconds = 60.0
    """How long a record waits for its other direction and its turn: longer than the router's idle time-out."""
    local: list[str] | None = None
    """What is inside, as CIDRs; none: private ranges and the interface's own prefix."""
    consents: list[OrderKind] = []
    """Orders of the collector that the owner allows."""
    spool_max_bytes: Annotated[int, Meta(ge=1 << 20)] = 256 * 1024 * 1024
    """Most bytes that wait on disk for the collector; past it the oldest rows are lost, and counted."""
    heartbeat_s: Seconds = 10.0
    """Time between two rows about the agent itself."""
    system_s: Seconds = 1.0
    """Time between two samples of the machine's metrics; they leave with the heartbeat."""
    silent_after_s: Annotated[float, Meta(ge=60, le=604_800)] = 1800.0
    """How long nothing may reach the collector, or no packet come, before somebody is told."""
    notify_url: Address | None = None
    """Webhook that gets notices: a POST of JSON whose `text` is for people (docs/dead-man.md)."""
    notify_mail: Annotated[str, Meta(pattern=MAIL_ADDRESSES)] | None = None
    """Who gets them by mail: an address, or several with commas between."""
    notify_mail_server: Annotated[str, Meta(pattern=MAIL_SERVER)] | None = None
    """Mail server, HOST or HOST:PORT; port 587 with STARTTLS unless said, 465 is TLS, on this machine 25 without."""
    notify_mail_from: Annotated[str, Meta(pattern=MAIL_ADDRESSES)] | None = None
    """The sender's address; none: the first of those who get it."""
    notify_mail_user: str | None = None
    """Name to log in with at the mail server; none: the sender's address."""
    notify_mail_password_file: str | None = None
    """File that holds the password for that; none: no log-in."""
    notify_ca_file: str | None = None
    """PEM file of the authority of webhook, mail server and watchdog; none: the system's."""
    notify_language: NoticeLanguage = "both"
    """Language of notices: en, nl or both."""
    notify_per_hour: Annotated[int, Meta(ge=1, le=60)] = 6
    """Most messages an hour to each receiver; what comes faster is told together, later."""
    watchdog_url: Address | None = None
    """Asked for (GET) regularly while packets or time move and the collector answers: for a dead man's switch."""
    watchdog_s: Seconds = 60.0
    """Time between two of these."""


ALLOWED: Final = {
    "site": Message("allowed_name"),
    "agent": Message("allowed_name"),
    "url": Message("allowed_url"),
    "orders_key": Message("allowed_key"),
    "ca_file": Message("allowed_text"),
    "interface": Message("allowed_text"),
    "flow_export": Message("allowed_endpoint"),
    "flow_exporters": Message("allowed_networks"),
    "flow_export_hold_s": Message("allowed_seconds"),
    "local": Message("allowed_networks"),
    "consents": Message("allowed_consents"),
    "spool_max_bytes": Message("allowed_bytes"),
    "heartbeat_s": Message("allowed_seconds"),
    "system_s": Message("allowed_seconds"),
    "silent_after_s": Message("allowed_patience"),
    "notify_url": Message("allowed_address"),
    "notify_mail": Message("allowed_mail"),
    "notify_mail_server": Message("allowed_server"),
    "notify_mail_from": Message("allowed_mail"),
    "notify_mail_user": Message("allowed_text"),
    "notify_mail_password_file": Message("allowed_text"),
    "notify_ca_file": Message("allowed_text"),
    "notify_language": Message("allowed_language"),
    "notify_per_hour": Message("allowed_per_hour"),
    "watchdog_url": Message("allowed_address"),
    "watchdog_s": Message("allowed_seconds"),
}
"""What each setting may hold, in words."""


def read_settings(
    state: Path, environment: Mapping[str, str] = os.environ, flags: Mapping[str, Any] = {}
) -> Settings:
    """The settings that hold. ``flags`` that are ``None`` were not given.

    Raises `SettingsError` with a sentence that names where, which setting, and what is allowed.
    """
    path = state / SETTINGS_FILE
    merged = _checked(str(path), _read_file(path))
    for variable, text in environment.items():
        if variable.startswith(VARIABLE):
            name = variable.removeprefix(VARIABLE).lower()
            merged |= _checked(
                Message("in_environment", {"variable": variable}), {name: _from_text(name, text)}
            )
    given = {name: value for name, value in flags.items() if value is not None}
    merged |= _checked(Message("on_command_line"), given)
    return msgspec.convert(merged, Settings, strict=False)


def write_settings(state: Path, settings: Settings) -> None:
    """Write what differs from the defaults to the state folder's file (mode 0600), at once whole."""
    write_private(state / SETTINGS_FILE, settings_text(settings))


def settings_text(settings: Settings) -> bytes:
    """The content of the state folder's file: what differs from the defaults."""
    default = Settings()
    lines = [
        f"{name} = {msgspec.json.encode(value).decode()}\n"  # JSON's texts and lists are TOML's
        for name in Settings.__struct_fields__
        if (value := getattr(settings, name)) != getattr(default, name)
    ]
    return "".join(lines).encode()


def write_private(path: Path, content: bytes, *, synced: bool = True) -> None:
    """Replace ``path`` by ``content``, readable by the owner alone, never half.

    Unless ``synced`` a power failure may take it.

    Raises ``OSError`` naming ``path``; what was there is still there then.
    """
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            give_to_owner(file.fileno(), path.parent)
            file.write(content)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)
        if synced:
            sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        error.filename = str(path)  # a full disk names none, the others name the new file
        raise


def sync_folder(folder: Path) -> None:
    """Make a file's new name survive a power cut: a certificate that was used must not be the former one again."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_private(path: Path) -> BinaryIO:
    """``path``, to be written at its end, and readable by the owner alone from now on.

    Raises ``OSError`` where a link or no file is in its place: root would give away what it leads to.
    """
    file = os.fdopen(_open_itself(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab")
    os.fchmod(file.fileno(), 0o600)
    give_to_owner(file.fileno(), path.parent)
    return file


def read_private(path: Path) -> bytes:
    """What ``path`` holds, which root is about to write for the folder's owner: it is followed nowhere.

    Raises ``OSError``, `FileNotFoundError` among them.
    """
    with os.fdopen(_open_itself(path, os.O_RDONLY), "rb") as file:
        return file.read()


def _open_itself(path: Path, flags: int) -> int:
    # Without waiting: whoever owns the folder may have put a pipe there.
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.ENOTSUP, "no file", str(path))
    return handle


@contextlib.contextmanager
def held(folder: Path) -> Iterator[Path]:
    """``folder`` itself for root, whatever the owner of the one that it is in puts in its place meanwhile.

    Raises ``OSError`` where a link is there already.
    """
    if os.geteuid() != 0:
        yield folder
        return
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(folder, flags)
    try:
        yield Path(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


def give_to_owner(file: int, folder: Path) -> None:
    """Let what root writes (``sudo dijkwacht-agent join``) belong to the folder's owner, the service."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(file, owner.st_uid, owner.st_gid)


def give_folder_to_owner(folder: Path) -> None:
    """The same for a folder that root has made in another's."""
    if os.geteuid() == 0:
        owner = folder.parent.stat()
        os.chown(folder, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise carrying(SettingsError, error_message_of_state(error, path.parent)) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise worded(SettingsError, "settings_file", path=str(path), why=str(error)) from None


def _from_text(name: str, text: str) -> Any:
    if name in {"local", "flow_exporters", "consents"}:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _checked(where: str | Message, values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if name not in Settings.__struct_fields__:
            import difflib  # noqa: PLC0415  not in the memory of one that runs

            near = difflib.get_close_matches(name, Settings.__struct_fields__, 1)
            if near:
                raise worded(SettingsError, "setting_near", where=where, name=name, near=near[0])
            raise worded(SettingsError, "setting_unknown", where=where, name=name)
        _check_value(where, name, value)
    return values


def _check_value(where: str | Message, name: str, value: Any) -> None:
    try:
        settings = msgspec.convert({name: value}, Settings, strict=False)
        for text in (*(settings.local or ()), *(settings.flow_exporters or ())):
            parse_network(text)
        if settings.flow_export is not None:
            parse_endpoint(settings.flow_export)
    except (msgspec.ValidationError, ValueError):
        shown = msgspec.json.encode(value, enc_hook=str).decode()
        raise worded(
            SettingsError,
            "setting_value",
            where=where,
            name=name,
            value=shown,
            allowed=ALLOWED[name],
        ) from None
