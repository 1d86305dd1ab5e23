"""Files beside the segments that only save reading them: a changed bit is seen before one is used.

A sealed file begins with the four bytes that name its kind and version, and 16 bytes of BLAKE2b over
them and the rest.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import IO, Final

from dijkwacht_records.errors import JournalError

_MAGIC_BYTES: Final = 4
_DIGEST_BYTES: Final = 16
SEAL_BYTES: Final = _MAGIC_BYTES + _DIGEST_BYTES
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def seal(magic: bytes, body: bytes) -> bytes:
    """The bytes to write before ``body``."""
    digest = hashlib.blake2b(magic, digest_size=_DIGEST_BYTES)
    digest.update(body)
    return magic + digest.digest()


def unseal(magic: bytes, data: bytes) -> memoryview:
    """The body of ``data`` as it was sealed. Raises `JournalError`, naming no file."""
    if data[:_MAGIC_BYTES] != magic:
        raise JournalError("not written by this version")
    body = memoryview(data)[SEAL_BYTES:]
    digest = hashlib.blake2b(magic, digest_size=_DIGEST_BYTES)
    digest.update(body)
    if digest.digest() != data[_MAGIC_BYTES:SEAL_BYTES]:
        raise JournalError("its bytes have changed since they were written")
    return body


def open_own(path: Path) -> IO[bytes]:
    """Open a file that nobody but this user could have written, to read; links are not followed.

    Raises `JournalError` for one of another owner or that others may write, ``OSError``.
    """
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
    status = os.fstat(file.fileno())
    if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_WRITE:
        file.close()
        mode = stat.S_IMODE(status.st_mode)
        raise JournalError(f"{path}: of user {status.st_uid}, mode {mode:o}: not ours alone")
    return file


def replace_file(path: Path, content: bytes, owner: tuple[int, int] | None = None) -> None:
    """Replace ``path`` by ``content`` so that a crash leaves the old or the new, whole.

    ``owner``: user and group that it is to belong to; then there must be no draft of it.
    """
    draft = path.with_name(path.name + ".new")
    anew = os.O_TRUNC if owner is None else os.O_EXCL  # not somebody else's, to be given away
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | anew, 0o600)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(content)
        if owner is not None:
            os.fchown(fd, *owner)
        os.fsync(fd)
    finally:
        os.close(fd)
    draft.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a file's new name survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
