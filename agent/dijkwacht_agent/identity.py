"""Who this agent is: its key with the certificate that joining gave it, and the authorities it trusts.

Key and certificate are one file, replaced at once whole. The agent reads no certificate itself: the times
that it needs stand in front of it, as the collector said them.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from dijkwacht_agent import certificate_request
from dijkwacht_agent.error_words import worded
from dijkwacht_agent.pacing import wall_clock
from dijkwacht_agent.settings import held, write_private
from dijkwacht_records.enrolment import Grant
from dijkwacht_records.errors import Message, SettingsError, TransferError

IDENTITY_FILE: Final = "identity.pem"
AUTHORITY_FILE: Final = "authority.pem"
CLOCK_FILE: Final = "collector.clock"
NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python has no name for."""
_CHILD_S: Final = 60.0
_HOUR_US: Final = 3600 * 1_000_000
_HEAD: Final = re.compile(r"issued (\d{1,18}) expires (\d{1,18})\n")


class MadeKey(NamedTuple):
    """A key (PEM) and its request for a certificate (PKCS #10, DER)."""

    key: str
    request: bytes


class _Made(msgspec.Struct):
    key: str
    request: str


class Identity:
    """That of the state folder. ``clock``: µs UTC, as this machine has it; ``steady``: s, which nobody sets.

    ``issued`` and ``expires`` are µs UTC by the collector's clock. ``version`` grows with each other
    certificate. ``trouble``: what was wrong with the clock when we last connected, and kept nobody from going on.

    Raises `SettingsError` where there is none that can be used.
    """

    def __init__(
        self,
        state: Path,
        clock: Callable[[], int] = wall_clock,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path: Final = state / IDENTITY_FILE
        self.clock = clock
        self.trouble: Message | None = None
        self.version = 0
        self._digest = b""
        self.issued = self.expires = self._heard = self._noted = 0
        self._state, self._steady = state, steady
        self._heard_at: float | None = None  # by `steady`
        with contextlib.suppress(OSError, ValueError):
            self._heard = self._noted = int((state / CLOCK_FILE).read_text("ascii"))
        self.read()

    def read(self) -> None:
        """Read the file again, which was replaced."""
        head = None
        with contextlib.suppress(OSError, UnicodeDecodeError):
            whole = self.path.read_text("ascii")
            head, self._digest = _HEAD.match(whole), _digest(whole)
        if head is None:
            raise worded(SettingsError, "identity_unusable", path=str(self.path))
        self.issued, self.expires = int(head[1]), int(head[2])
        self.context()
        self.version += 1

    @property
    def replaced(self) -> bool:
        """Another process has put another one in its place meanwhile, or taken it away."""
        try:
            return _digest(self.path.read_text("ascii")) != self._digest
        except (OSError, UnicodeDecodeError):
            return True

    @property
    def known_time(self) -> int:
        """A time, µs UTC, that the collector has said before: it is later now, whatever our clock says."""
        return max(self.issued, self._heard)

    def now(self) -> int:
        """What time it is, µs UTC: by the collector if it has said so since this was made.

        Else by the later of our clock and what it said before: a clock that was set back is no reason
        to wait, and one that is ahead must not have a certificate renewed for ever.
        """
        if self._heard_at is None:
            return max(self.clock(), self.known_time)
        return self.known_time + round((self._steady() - self._heard_at) * 1e6)

    def late(self, now: int) -> bool:
        """Whether it should have been renewed long since: three quarters of its life are over."""
        return self.expires - now < (self.expires - self.issued) // 4

    def hear(self, clock: int) -> None:
        """The collector said what time it is."""
        if clock >= self._heard:
            self._heard, self._heard_at = clock, self._steady()

    def renewed(self, clock: int) -> None:
        """The collector said what time it is, as it gave a certificate: what it said before was wrong if later.

        A clock of its that was ahead for a moment would have this agent renew for ever.
        """
        self._heard, self._heard_at = clock, self._steady()

    def note(self) -> None:
        """Keep what was heard for the next start, once an hour; a disk that is full keeps nobody."""
        if abs(self._heard - self._noted) >= _HOUR_US and not self.replaced:
            self._noted = self._heard
            with contextlib.suppress(OSError):
                write_private(self._state / CLOCK_FILE, b"%d\n" % self._heard, synced=False)

    def context(self, *, check_time: bool = True, shown: bool = True) -> ssl.SSLContext:
        """For a connection that only the collector that was joined can take.

        ``check_time``: whether its certificate's time counts; ``shown``: whether ours is shown.
        """
        try:
            return _context(self._state, check_time=check_time, shown=shown)
        except (OSError, ValueError):  # a key that is not the certificate's, or no PEM
            raise worded(SettingsError, "identity_unusable", path=str(self.path)) from None


def has_identity(state: Path) -> bool:
    """Whether the agent of the folder joined by a certificate."""
    return (state / IDENTITY_FILE).exists()


def make_key() -> MadeKey:
    """A fresh one. Blocks for a second or so. Raises ``OSError`` if the child process cannot do it."""
    command = [sys.executable, "-I", certificate_request.__file__]
    told = msgspec.json.encode({"path": sys.path})
    try:
        done = subprocess.run(  # noqa: S603  # our own
            command, input=told, capture_output=True, timeout=_CHILD_S, check=True
        )
        made = msgspec.json.decode(done.stdout, type=_Made)
        return MadeKey(made.key, base64.b64decode(made.request, validate=True))
    except (subprocess.SubprocessError, msgspec.MsgspecError, binascii.Error) as error:
        raise OSError(f"no key could be made: {type(error).__name__}") from None


def identity_files(key: str, grant: Grant) -> dict[str, bytes]:
    """What joining or renewing gave, as the state folder keeps it."""
    head = f"issued {grant.clock} expires {grant.expires}\n"
    # First the authorities, the former ones among them, then at once key and certificate: in between,
    # and after a crash there, the former certificate goes on serving.
    return {
        AUTHORITY_FILE: grant.authorities.encode("ascii", "replace"),
        IDENTITY_FILE: (head + key + grant.certificate).encode("ascii", "replace"),
    }


@contextlib.contextmanager
def tried(state: Path, files: Mapping[str, bytes]) -> Iterator[Path]:
    """A folder in ``state`` with these ``files``, for as long as they are tried there.

    Raises `TransferError` if they cannot be used, ``OSError``.
    """
    for left in state.glob(".trying-*"):  # by one that was cut short; a key lies in it
        shutil.rmtree(left, ignore_errors=True)
    import tempfile  # noqa: PLC0415  not in the memory of one that runs

    with (
        tempfile.TemporaryDirectory(dir=state, prefix=".trying-") as name,
        held(Path(name)) as folder,
    ):
        try:
            for file, content in files.items():
                write_private(folder / file, content)
        except OSError as error:
            error.filename = name  # not the handle's
            raise
        try:
            _context(folder)
        except (OSError, ValueError):
            raise worded(TransferError, "certificate_unusable") from None
        yield folder


def write_identity(state: Path, key: str, grant: Grant) -> None:
    """Keep what renewing gave. Raises `TransferError` if it cannot be used, ``OSError``."""
    files = identity_files(key, grant)
    with tried(state, files):
        pass
    for name, content in files.items():
        write_private(state / name, content)


def _digest(whole: str) -> bytes:
    return hashlib.sha256(whole.encode()).digest()


def _context(folder: Path, *, check_time: bool = True, shown: bool = True) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(os.fspath(folder / AUTHORITY_FILE))
    if shown:
        context.load_cert_chain(os.fspath(folder / IDENTITY_FILE))
    if not check_time:
        context.verify_flags |= NO_CHECK_TIME
    return context
