"""The collector's settings. Every default works on one machine without a server beside it."""

from __future__ import annotations

import difflib
import ipaddress
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, get_type_hints

import msgspec

from dijkwacht_records.errors import SettingsError
from dijkwacht_records.state_folder import COLLECTOR, state_folder
from dijkwacht_records.wire import MAX_WIRE_BYTES

DAY_US = 86_400_000_000


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
    operator_token_file: Path | None = None
    """File with the token that operators show; none: only this machine may ask."""
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

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the collector."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

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
}
_KINDS: Final[dict[object, str]] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    frozenset[str]: "a list of names",
}
"""What a setting holds, in words; the others hold text."""
_HIGHEST = {"port": 65_535, "workers": 128, "coalesce_s": 1}


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
    if not settings.loopback and settings.operator_token_file is None:
        raise SettingsError(
            f"host is {settings.host!r}, which others can reach; then operator_token_file must name"
            " a file that holds the operators' token"
        )
    return settings


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
            return f"{key} is {value!r}; allowed: {_KINDS.get(kinds[key], 'text')}"
    return ""


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    return value
