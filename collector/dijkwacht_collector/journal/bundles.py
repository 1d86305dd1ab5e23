"""Bundles: what many entries name and none should hold, kept once, under the hash of its bytes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from dijkwacht_collector.journal.sealed import replace_file
from dijkwacht_records.errors import JournalError

_NAME: Final = re.compile(r"[0-9a-f]{32}")


def bundle_name(data: bytes) -> str:
    """What entries call it.

    >>> bundle_name(b"")
    'cae66941d9efbd404e4d88758ea67670'
    """
    return hashlib.blake2b(data, digest_size=16).hexdigest()


class Bundles:
    """Files in a folder. The constructor is inert."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, data: bytes) -> str:
        """The name of ``data``, which is durable by then. Raises ``OSError``."""
        name = bundle_name(data)
        path = self._folder / name
        if not path.exists() or path.read_bytes() != data:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(path, data)
        return name

    def get(self, name: str) -> bytes:
        """The bytes of that name. Raises `JournalError` if there are none, or others, ``OSError``."""
        if not _NAME.fullmatch(name):
            raise JournalError(f"{name!r} names no bundle")
        path = self._folder / name
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise JournalError(f"{path}: missing") from None
        if bundle_name(data) != name:
            raise JournalError(f"{path}: its bytes have changed since they were written")
        return data


class BundlesInHand:
    """The same in memory, for whoever keeps nothing on disk."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def keep(self, data: bytes) -> str:
        """As `Bundles.keep`."""
        name = bundle_name(data)
        self._kept[name] = data
        return name

    def get(self, name: str) -> bytes:
        """As `Bundles.get`."""
        try:
            return self._kept[name]
        except KeyError:
            raise JournalError(f"bundle {name}: missing") from None
