"""A copy of the site's key for the day this machine breaks: a file sealed under eight words, as `pair` seals.

One of the two is worth nothing, so the file may lie on a stick or in the cloud, and the words on paper.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dijkwacht_agent.error_words import worded
from dijkwacht_agent.join import KEY_FILE
from dijkwacht_agent.pairing import FORMER_KEY, checked, free_path, seal, unseal
from dijkwacht_agent.pairing_words import draw
from dijkwacht_agent.privacy import read_or_make_key
from dijkwacht_agent.settings import Settings, read_private, write_private
from dijkwacht_records.errors import SettingsError

SAVED_FILE: Final = "key.saved"
_HEAD: Final = b"dijkwacht key 1\n"
_MOST_BYTES: Final = 4096


def save_key(settings: Settings, state: Path, path: Path) -> list[str]:
    """Write the sealed key to ``path``, a new file: the words that open it.

    Raises `SettingsError` without a key or where there is such a file, ``OSError``.
    """
    own = state / KEY_FILE
    if not own.exists() or not settings.site:
        raise worded(SettingsError, "who_no_key", path=str(own))
    key, words = read_or_make_key(own), draw()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise worded(SettingsError, "key_there", path=str(path)) from None
    except FileNotFoundError:
        raise worded(SettingsError, "key_no_folder", path=str(path.parent)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_HEAD + seal(key, words, settings.site))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        error.filename = str(path)
        raise
    write_private(state / SAVED_FILE, _print_of(key))
    return words


def restore_key(settings: Settings, state: Path, path: Path, typed: Sequence[str]) -> Path | None:
    """Put the key of ``path`` back, opened with the words ``typed``: where the one that was there is now.

    Raises `SettingsError` that says what is wrong with file or words, ``OSError``.
    """
    if not settings.site:
        raise worded(SettingsError, "has_not_joined")
    words = checked(typed)
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES)
    if not content.startswith(_HEAD):
        raise worded(SettingsError, "key_unreadable", path=str(path))
    try:
        key = unseal(content.removeprefix(_HEAD), words, settings.site)
    except SettingsError as error:
        raise _of_file(error, path, settings.site) from None
    own, former = state / KEY_FILE, None
    if own.exists():
        before = read_private(own)
        if hmac.compare_digest(before, key):
            raise worded(SettingsError, "key_same")
        former = free_path(state / FORMER_KEY)
        write_private(former, before)
    write_private(own, key)
    write_private(state / SAVED_FILE, _print_of(key))
    return former


def has_copy(state: Path) -> bool:
    """Whether a copy was ever made of the key that is in use; ``True`` where there is no key."""
    try:
        key = (state / KEY_FILE).read_bytes()
    except OSError:
        return True
    try:
        return hmac.compare_digest((state / SAVED_FILE).read_bytes(), _print_of(key))
    except OSError:
        return False


def _of_file(error: SettingsError, path: Path, site: str) -> SettingsError:
    """What `unseal` says of a key that another agent offers, said of a file."""
    asked = error.message.key if error.message is not None else ""
    if asked == "pair_other_site":
        return worded(SettingsError, "key_other_site", path=str(path), site=site)
    if asked == "pair_wrong_words":
        return worded(SettingsError, "key_wrong_words", path=str(path))
    return worded(SettingsError, "key_unreadable", path=str(path))


def _print_of(key: bytes) -> bytes:
    """Tells this key from another, and nothing else."""
    return hashlib.blake2b(b"saved", digest_size=16, key=key).hexdigest().encode() + b"\n"
