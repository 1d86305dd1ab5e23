"""The collector's settings. Every default works on one machine without a server beside it."""

from __future__ import annotations

import difflib
import ipaddress
import os
import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from dijkwacht_records.errors import JoinCodeError, SettingsError
from dijkwacht_records.joincode import SECRET_BYTES, make_code
from dijkwacht_records.notices import MAIL_ADDRESSES, MAIL_SERVER, WEB_ADDRESS, NoticeLanguage
from dijkwacht_records.state_folder import COLLECTOR, state_folder
from dijkwacht_records.wire import MAX_WIRE_BYTES

DAY_US = 86_400_000_000
_Address = Annotated[str, Meta(pattern=WEB_ADDRESS)]
_Mail = Annotated[str, Meta(pattern=MAIL_ADDRESSES)]


class CollectorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of one collector; a TOML file may hold any of them under the same names."""

    state: Path = Path("/var/lib/dijkwacht")
    """Where journal, sites, incidents and checkpoints lie; that is root's default, see above for others."""
    host: str = "127.0.0.1"
    """Address to listen on; beyond this machine it needs an operators' token."""
    port: int = 8470
    """Port to listen on; 0 lets the system choose."""
    workers: int = 1
    """Engine threads; each owns its share of the 128 partitions."""
    url: str | None = None
    """Where agents elsewhere reach it, such as https://lab.example.nl:8470: join codes lead there."""
    tls: Literal["auto", "on", "off"] = "auto"
    """TLS with a certificate authority of its own: "auto" is "on" beyond this machine; "off" there is for a proxy that ends TLS."""
    tokens_over_tls: bool = False
    """Whether agents may show a token over TLS, as those that joined before there were certificates do."""
    operator_token_file: Path | None = None
    """File with the token that operators show; none: only this machine may ask, or with `url` set, `operator.token` in the state folder is made and used."""
    segment_bytes: int = 64 * 1024 * 1024
    """Size at which the journal begins a new file."""
    queue_bytes: int = 64 * 1024 * 1024
    """Most bytes that may wait for the journal; past it agents must retry later."""
    coalesce_s: float = 0.001
    """Batching delay: how long a commit of the journal waits for more to write, under load."""
    checkpoint_interval_s: float = 30.0
    """Time between two checkpoints of an engine."""
    retention_days: float = 30.0
    """Age at which files of the journal are deleted, once every engine is past them."""
    incidents_days: float = 400.0
    """Age at which incidents that are over leave the store; what was called normal stays so."""
    lines_bytes: int = 64 * 1024 * 1024
    """Size at which `incidents.jsonl` becomes `incidents.jsonl.1`, and another is begun."""
    lines_files: int = 8
    """How many of those older files are kept."""
    max_body_bytes: int = MAX_WIRE_BYTES
    """Longest request that is read."""
    joins_per_minute: int = 20
    """Attempts to join that may fail in a minute, of one client address (of IPv6: one /64)."""
    connections: int = 4096
    """Most connections at once; fewer if fewer than some 8,300 files may be open."""
    connections_per_address: int = 256
    """Most of them from one address, or one /64 of IPv6; this machine's own, such as a proxy's, have no such limit."""
    training: bool = True
    """Whether models are trained on what sites send, in a process of their own."""
    names: frozenset[str] = frozenset({"localhost"})
    """Host names under which browsers may ask for the console, besides addresses."""
    notify_url: _Address | None = None
    """Webhook that gets notices: a POST of JSON whose `text` is for people (docs/dead-man.md)."""
    notify_mail: _Mail | None = None
    """Who gets them by mail: an address, or several with commas between."""
    notify_mail_server: Annotated[str, Meta(pattern=MAIL_SERVER)] | None = None
    """Mail server, HOST or HOST:PORT; port 587 with STARTTLS unless said, 465 is TLS, on this machine 25 without."""
    notify_mail_from: _Mail | None = None
    """The sender's address; none: the first of those who get it."""
    notify_mail_user: str | None = None
    """Name to log in with at the mail server; none: the sender's address."""
    notify_mail_password_file: Path | None = None
    """File that holds the password for that; none: no log-in."""
    notify_ca_file: Path | None = None
    """PEM file of the authority of webhook, mail server and watchdog; none: the system's."""
    notify_language: NoticeLanguage = "both"
    """Language of notices: en, nl or both."""
    notify_per_hour: int = 6
    """Most messages an hour to each receiver; what comes faster is told together, later."""
    watchdog_url: _Address | None = None
    """Asked for (GET) regularly while batches come in and are judged, and nothing fails: for a dead man's switch."""
    watchdog_s: float = 60.0
    """Time between two of these."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the collector."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def encrypted(self) -> bool:
        """Whether it speaks TLS."""
        return not self.loopback if self.tls == "auto" else self.tls == "on"

    @property
    def known_names(self) -> frozenset[str]:
        """Names and addresses by which it is asked: `names`, that of `url`, and where it listens."""
        there = urlsplit(self.url).hostname if self.url else None
        own = {there} if there else set()
        if self.host not in {"0.0.0.0", "::", ""}:  # noqa: S104  # nowhere, as a name
            own.add(self.host)
        return self.names | own

    def operator_token(self) -> str | None:
        """What the operators' token file holds; ``None`` without one. Raises `SettingsError`."""
        if self.operator_token_file is None:
            return None
        try:
            token = self.operator_token_file.read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise SettingsError(f"operator_token_file: {error}") from None
        if len(token) < 16:
            raise SettingsError("operator_token_file holds fewer than 16 characters")
        return token


_LOWEST = {
    "port": 0,
    "workers": 1,
    "segment_bytes": 4096,
    "queue_bytes": MAX_WIRE_BYTES,
    "coalesce_s": 0,
    "checkpoint_interval_s": 0,
    "retention_days": 0,
    "incidents_days": 31,
    "lines_bytes": 4096,
    "lines_files": 1,
    "max_body_bytes": 1024,
    "joins_per_minute": 1,
    "connections": 1,
    "connections_per_address": 1,
    "notify_per_hour": 1,
    "watchdog_s": 0.1,
}
_KINDS: Final[dict[object, str]] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    frozenset[str]: "a list of names",
}
"""What a setting holds, in words; the others hold text."""
_HIGHEST = {
    "port": 65_535,
    "workers": 128,
    "coalesce_s": 1,
    "notify_per_hour": 60,
    "watchdog_s": 3600,
}
_MEANT: Final = {
    "notify_url": "a whole address that begins with https:// or http://",
    "notify_mail": "a mail address, or several with commas between",
    "notify_mail_server": "HOST or HOST:PORT",
    "notify_mail_from": "a mail address",
    "notify_language": "en, nl or both",
    "watchdog_url": "a whole address that begins with https:// or http://",
}
"""The same, of text that must have a form."""


def load_settings(file: Path | None = None, **given: object) -> CollectorSettings:
    """Settings from a TOML file, overridden by ``given`` (``None`` means not given).

    Raises `SettingsError` naming the key, what it holds and what is allowed.
    """
    values: dict[str, object] = {"state": str(state_folder(COLLECTOR).path)}
    if file is not None:
        try:
            values |= tomllib.loads(file.read_text("utf-8"))
        except OSError as error:
            raise SettingsError(f"{file}: {error.strerror}") from None
        except ValueError as error:
            raise SettingsError(f"{file}: {error}") from None
    values |= {key: value for key, value in given.items() if value is not None}
    for key in values.keys() - set(CollectorSettings.__struct_fields__):
        near = difflib.get_close_matches(key, CollectorSettings.__struct_fields__, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise SettingsError(f"{key!r} is no setting of the collector{hint}")
    try:
        settings = msgspec.convert(values, CollectorSettings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise SettingsError(_wrong_kind(values) or str(error)) from None
    for key, lowest in _LOWEST.items():
        value = getattr(settings, key)
        if value < lowest or value > _HIGHEST.get(key, value):
            allowed = f"at least {lowest}" + (
                f", at most {_HIGHEST[key]}" if key in _HIGHEST else ""
            )
            raise SettingsError(f"{key} is {value}; allowed: {allowed}")
    if settings.notify_mail and not settings.notify_mail_server:
        raise SettingsError("notify_mail is set; then notify_mail_server must name who sends it")
    return _reachable(settings)


def make_operator_token(settings: CollectorSettings) -> bool:
    """Make the operators' token of ``url`` if it is not there: was it made? Raises ``OSError``."""
    path = settings.operator_token_file
    if path is None or path != settings.state / "operator.token" or path.exists():
        return False
    settings.state.mkdir(0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(24) + "\n")
    return True


def _reachable(settings: CollectorSettings) -> CollectorSettings:
    """Them, with an operators' token wherever others can reach the collector. Raises `SettingsError`."""
    if settings.url is not None:
        _check_url(settings.url)
    if not settings.loopback and settings.operator_token_file is None:
        if settings.url is None:
            raise SettingsError(
                f"host is {settings.host!r}, which others can reach; then operator_token_file must"
                " name a file that holds the operators' token, or url (--url https://NAME:8470) say where it is reached: then"
                " a token is made"
            )
        own = settings.state / "operator.token"
        settings = msgspec.structs.replace(settings, operator_token_file=own)
    return settings


def _check_url(url: str) -> None:
    try:
        make_code(url, bytes(SECRET_BYTES))
    except JoinCodeError as error:
        raise SettingsError(f"url: {error}") from None


def parse_listen(text: str) -> tuple[str, int]:
    """``HOST:PORT`` → both. Raises `SettingsError`."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise SettingsError(f"listen is {text!r}; allowed: HOST:PORT, such as 127.0.0.1:8470")
    return host.strip("[]"), int(port)


def _wrong_kind(values: Mapping[str, object]) -> str:
    """The first setting that is no value of its kind, in words; "" if none is."""
    kinds = get_type_hints(CollectorSettings)
    for key, value in values.items():
        try:
            msgspec.convert({key: value}, CollectorSettings, strict=False, dec_hook=_decode)
        except msgspec.ValidationError:
            kind = kinds[key]
            known = ", ".join(get_args(kind)) if get_origin(kind) is Literal else ""
            allowed = _MEANT.get(key) or known or _KINDS.get(kind, "text")
            return f"{key} is {value!r}; allowed: {allowed}"
    return ""


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    return value
