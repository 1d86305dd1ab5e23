"""One site, one key: a second agent gets it sealed under eight words that the first one prints.

The collector carries the sealed bytes and never sees a word: 64 random bits, stretched by scrypt
(64 MiB, a good part of a second each), are out of reach for whoever has the bytes for an hour and
tries, or keeps them and tries for years. The words go by telephone, or on paper.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from dijkwacht_agent.changeover import alone
from dijkwacht_agent.collector_line import CollectorLine
from dijkwacht_agent.error_words import error_message, worded
from dijkwacht_agent.join import KEY_FILE, read_who
from dijkwacht_agent.pairing_words import COUNT, draw, near, read_words
from dijkwacht_agent.privacy import KEY_BYTES, read_or_make_key
from dijkwacht_agent.renewal import REPLACED
from dijkwacht_agent.settings import Settings, read_settings, write_private
from dijkwacht_records.errors import RejectedBatch, SettingsError, TransferError
from dijkwacht_records.pairing import Pairing
from dijkwacht_records.replies import decode_json

PATH: Final = "/v1/pairing"
_BYTES: Final = "application/octet-stream"
FORMER_KEY: Final = "privacy.key.former"
_COST: Final = 1 << 16
_BLOCK: Final = 8
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_MEMORY: Final = 128 * _COST * _BLOCK + (1 << 20)


class Sealed(msgspec.Struct, frozen=True, array_like=True):
    """The bytes that wait at the collector: of ``version`` 1, for ``site``."""

    version: int
    site: str
    salt: bytes
    nonce: bytes
    box: bytes


def seal(key: bytes, words: Sequence[str], site: str) -> bytes:
    """``key`` under ``words``, for ``site`` and no other."""
    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    box = ChaCha20Poly1305(_stretch(words, salt)).encrypt(nonce, key, _about(site))
    return msgspec.msgpack.encode(Sealed(1, site, salt, nonce, box))


def unseal(sealed: bytes, words: Sequence[str], site: str, tries_left: int = 0) -> bytes:
    """The key. Raises `SettingsError` that says what is wrong with the words, site or bytes."""
    try:
        held = msgspec.msgpack.decode(sealed, type=Sealed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise worded(SettingsError, "pair_unreadable") from None
    if held.version != 1 or len(held.nonce) != _NONCE_BYTES:
        raise worded(SettingsError, "pair_unreadable")
    if held.site != site:
        raise worded(SettingsError, "pair_other_site", site=site)
    try:
        key = ChaCha20Poly1305(_stretch(words, held.salt)).decrypt(
            held.nonce, held.box, _about(site)
        )
    except InvalidTag:
        raise worded(SettingsError, "pair_wrong_words", left=tries_left) from None
    if len(key) != KEY_BYTES:
        raise worded(SettingsError, "pair_unreadable")
    return key


def offer(settings: Settings, state: Path) -> list[str]:
    """Leave this agent's key at the collector: the words that open it.

    Raises `SettingsError` where it has not joined, `TransferError`, ``OSError`` or ``HTTPException``.
    """
    site, line = _line(settings, state)
    words = draw()
    sealed = seal(read_or_make_key(state / KEY_FILE), words, site)
    with _refusals_worded():
        line.ask("PUT", PATH, sealed, _BYTES)
    return words


def accept(settings: Settings, state: Path, typed: Sequence[str]) -> Path:
    """Fetch the site's key, open it with the words ``typed`` and use it: where the former one is now.

    Raises `SettingsError` that says what is wrong, `TransferError`, ``OSError`` or ``HTTPException``.
    """
    joined = _joined(state)
    site, line = _line(settings, state)
    words = checked(typed)
    try:
        with _refusals_worded():
            found = decode_json(line.ask("GET", PATH), Pairing)
    except msgspec.MsgspecError:
        raise worded(TransferError, "no_collector", url=settings.url or "") from None
    if found.state != "waiting":
        raise worded(SettingsError, f"pair_{found.state}", site=site)
    key, own = unseal(found.sealed, words, site, found.tries_left), state / KEY_FILE
    with alone(state):
        if _joined(state) != joined:  # another site's pseudonyms are not to be this one's
            raise worded(SettingsError, REPLACED)
        before = read_or_make_key(own)
        if hmac.compare_digest(key, before):
            raise worded(SettingsError, "pair_same_key", site=site)
        former = free_path(state / FORMER_KEY)
        write_private(former, before)
        write_private(own, key)
    # The key is here, whether the collector hears of it or not: it forgets within the hour.
    with contextlib.suppress(TransferError, OSError, http.client.HTTPException):
        line.ask("DELETE", PATH)
    return former


def checked(typed: Sequence[str]) -> list[str]:
    """The eight words, as they stand in the list. Raises `SettingsError` before a try is spent."""
    words, unknown = read_words(typed)
    if unknown:
        guess = near(unknown[0])
        raise worded(
            SettingsError,
            "pair_word_near" if guess else "pair_word",
            word=unknown[0],
            near=guess or "",
        )
    if len(words) != COUNT:
        raise worded(SettingsError, "pair_count", wanted=COUNT, found=len(words))
    return words


def _joined(state: Path) -> tuple[str | None, str | None]:
    """The site of the folder, by its name and the key of its collector."""
    known = read_settings(state, {})
    return known.site, known.orders_key


def _line(settings: Settings, state: Path) -> tuple[str, CollectorLine]:
    if not (settings.site and settings.url):
        raise worded(SettingsError, "has_not_joined")
    return settings.site, CollectorLine(settings.url, read_who(state), settings.ca_file)


@contextlib.contextmanager
def _refusals_worded() -> Iterator[None]:
    try:
        yield
    except RejectedBatch as error:  # as collectors of before `pair` do
        raise worded(TransferError, "pair_refused", why=error_message(error)) from None


def _stretch(words: Sequence[str], salt: bytes) -> bytes:
    secret = " ".join(words).encode()
    return hashlib.scrypt(secret, salt=salt, n=_COST, r=_BLOCK, p=1, maxmem=_MEMORY, dklen=32)


def _about(site: str) -> bytes:
    return b"dijkwacht pairing 1\n" + site.encode()


def free_path(path: Path) -> Path:
    """``path``, or the first of ``path.2``, ``path.3`` ... that is not there: no former key is lost."""
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}.{number}")
    return found
