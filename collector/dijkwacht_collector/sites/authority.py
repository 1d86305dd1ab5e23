"""The collector's own certificate authority: its roots, the collector's certificate, those of agents.

The folder holds ``root-1.pem``, while it is being replaced ``root-2.pem`` too, and so on: key and
certificate each. All of them are trusted; the newest signs what agents get, the oldest the collector's
own certificate, which so is known to agents that have not heard of a newer one. ``server.pem`` is
that one, with its key.

Whether a certificate's time has come or is over is not judged by TLS but by who asks for whom it
speaks: what is over must be refused by a word that its agent understands, and may still be renewed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from dijkwacht_collector.journal import replace_file
from dijkwacht_collector.settings import DAY_US
from dijkwacht_collector.sites.certificate_making import (
    SERVER_DAYS,
    Signer,
    general_name,
    make_leaf,
    make_root,
    make_server,
    microseconds,
    read_signer,
)
from dijkwacht_collector.sites.certificates import Leaf
from dijkwacht_collector.sites.speaker import Speaker
from dijkwacht_records.enrolment import COLLECTOR_NAME
from dijkwacht_records.errors import DijkwachtError

log: Final = logging.getLogger(__name__)

SETTLED_S: Final = 3600.0
"""A machine that woke with a wrong clock has so long to set it right before anything ends by it."""
ROTATE_DAYS: Final = 730
"""A root that ends within so many days is replaced by itself: two years for every agent to notice."""
NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python has no name for."""
_ALWAYS: Final = (COLLECTOR_NAME, "localhost", "127.0.0.1", "::1")


class ServerContext(ssl.SSLContext):
    """What the collector shows and asks: TLS 1.3 alone, an agent's certificate if it has one.

    ``fingerprint``: SHA-256 of the certificate that is shown.
    """

    fingerprint: bytes = b""


class RootRow(NamedTuple):
    """A root, for people: ``number`` in its file's name, SHA-256, µs UTC of its end, what it is used for."""

    number: int
    name: str
    fingerprint: str
    expires: int
    issues: bool
    serves: bool


class Authority:
    """That of the folder ``path``, for a collector of these ``names`` and addresses. ``clock``: µs UTC.

    The constructor is inert. Methods block, save for `context`.
    """

    def __init__(self, path: Path, names: Iterable[str], clock: Callable[[], int]) -> None:
        self.path: Final = path
        self._names = list(dict.fromkeys((*_ALWAYS, *names)))
        self._clock = clock
        self._roots: dict[int, Signer] = {}
        self._context: ServerContext | None = None
        self._seen: object = None
        self._opened = 0.0
        self._serves_from = self._renew_at = 0

    def open(self) -> None:
        """Read the roots, or make the first one. Raises ``OSError``, `DijkwachtError` for what is none."""
        self.path.mkdir(0o700, parents=True, exist_ok=True)
        for draft in self.path.glob("*.pem.new"):  # of one that was cut short
            draft.unlink(missing_ok=True)
        self._shut()
        if not self._files():
            self._write("root-1.pem", make_root(self._clock()))
        self.read()
        self._serve()
        self._opened = time.monotonic()

    def read(self) -> None:
        """Read the roots, for who only wants to see or change them. Raises as `open`."""
        seen = self._files()
        roots = {n: read_signer(self.path / f"root-{n}.pem") for n in sorted(seen)}
        if not roots:
            raise DijkwachtError(f"{self.path}: the authority's roots are gone; put them back")
        self._roots, self._seen = roots, seen

    @property
    def context(self) -> ServerContext:
        """For a connection that is made now."""
        assert self._context is not None, "not open"
        return self._context

    @property
    def bundle(self) -> str:
        """Every root that may be trusted, PEM."""
        return b"".join(root.pem for root in self._roots.values()).decode()

    @property
    def rotating(self) -> bool:
        """A newer root issues, and the oldest is trusted until nobody needs it."""
        return len(self._roots) > 1

    @property
    def untimely(self) -> str | None:
        """In words: the root that agents are shown is not valid at this time, so that none can take it."""
        certificate, now = self._roots[min(self._roots)].certificate, self._clock()
        if _holds(certificate, now):
            return None
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return (
            f"no agent can take this collector's certificate: its authority is valid from {begins:%F}"
            f" to {ends:%F}, as the clock was when it was made. If this machine's clock is wrong now,"
            " set it; if it is right: dijkwacht authority rotate --finish, after which agents join"
            " again with a new code"
        )

    @property
    def may_drop(self) -> bool:
        """A rotation is under way, and the root that would be shown next is valid at this time."""
        later = sorted(self._roots)[1:]
        return bool(later) and _holds(self._roots[later[0]].certificate, self._clock())

    @property
    def settled(self) -> bool:
        """It has been open for so long that the clock can be relied on."""
        return time.monotonic() - self._opened >= SETTLED_S

    @property
    def oldest(self) -> str:
        """The name of the root that the collector's own certificate is of."""
        return self._roots[min(self._roots)].name

    def refresh(self) -> bool:
        """Take over what another process did to the folder, and renew what is due: did anything change?

        Opens what is not open yet.
        """
        if not self._roots:
            self.open()
        changed = self._files() != self._seen
        if changed:
            try:
                self.read()
            except DijkwachtError as error:  # half written, or gone: what was read goes on serving
                log.warning("the authority's files cannot be used", extra={"why": str(error)})
                return False
        left = self._ends(max(self._roots)) - self._clock()
        try:
            if left < ROTATE_DAYS * DAY_US and self.settled and not self.rotating:
                self.rotate()
                changed = True
            if changed or not self._serves_from <= self._clock() < self._renew_at:
                self._serve()  # also where it was made by a clock that was ahead
        except OSError as error:  # a full disk: what is there goes on serving
            log.warning("the authority cannot be renewed", extra={"why": error.strerror})
        return changed

    def rotate(self) -> None:
        """Make the next root: from now on it issues. Raises `DijkwachtError` while a rotation is under way."""
        if self.rotating:
            raise DijkwachtError("the authority is being rotated already")
        self._write(f"root-{max(self._roots) + 1}.pem", make_root(self._clock()))
        self.read()

    def drop_oldest(self) -> None:
        """End a rotation: the oldest root is trusted no more, and its key is gone."""
        if self.rotating:
            (self.path / f"root-{min(self._roots)}.pem").unlink()
            self.read()
            if self._context is not None:
                self._serve()

    def replace(self) -> None:
        """Trust nothing but a root that is made now; agents that know none but the former join again."""
        if not self.rotating:
            self.rotate()
        while self.rotating:
            self.drop_oldest()

    def roots(self) -> list[RootRow]:
        """For people, the oldest first."""
        return [
            RootRow(
                number,
                root.name,
                root.certificate.fingerprint(hashes.SHA256()).hex(),
                self._ends(number),
                number == max(self._roots),
                number == min(self._roots),
            )
            for number, root in sorted(self._roots.items())
        ]

    def issue(self, request: bytes, to: Speaker, now: int) -> Leaf:
        """A certificate for the key of ``request``. Raises as `certificate_making.make_leaf`."""
        return make_leaf(self._roots[max(self._roots)], request, to, now)

    def _shut(self) -> None:
        """Keys that came back from a copy readable by others are so no more, and it is said."""
        for path in (self.path, *self.path.glob("*.pem*")):
            mode = path.stat().st_mode
            if mode & 0o077:
                path.chmod(mode & 0o700)
                log.warning("others could read the authority's keys", extra={"path": str(path)})

    def _ends(self, number: int) -> int:
        return microseconds(self._roots[number].certificate.not_valid_after_utc)

    def _files(self) -> dict[int, tuple[int, int]]:
        """Number of each root → what shows that its file is another one."""
        found = {}
        for path in self.path.glob("root-*.pem"):
            number = path.stem.removeprefix("root-")
            if number.isdecimal():
                stat = path.stat()
                found[int(number)] = (stat.st_ino, stat.st_mtime_ns)
        return found

    def _serve(self) -> None:
        """Make the collector's certificate if there is none that will do, and the context that shows it."""
        root, path, now = self._roots[min(self._roots)], self.path / "server.pem", self._clock()
        try:
            own = read_signer(path)
            good = self._will_do(own.certificate, root, now)
        except (OSError, DijkwachtError):
            good = False
        if not good:
            own = make_server(root, self._names, now)
            self._write(path.name, own)
        if why := self.untimely:
            log.error(why)
        context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(path)
        context.load_verify_locations(cadata=self.bundle)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= NO_CHECK_TIME
        context.num_tickets = 0  # who comes back shows its certificate again
        context.fingerprint = own.certificate.fingerprint(hashes.SHA256())
        ends = microseconds(own.certificate.not_valid_after_utc)
        self._context, self._renew_at = context, ends - SERVER_DAYS * DAY_US // 2
        self._serves_from = microseconds(own.certificate.not_valid_before_utc)

    def _will_do(self, certificate: x509.Certificate, root: Signer, now: int) -> bool:
        ends = microseconds(certificate.not_valid_after_utc)
        begins = microseconds(certificate.not_valid_before_utc)
        if not begins <= now < ends - SERVER_DAYS * DAY_US // 2:
            return False
        try:
            certificate.verify_directly_issued_by(root.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return set(held) == set(map(general_name, self._names))

    def _write(self, name: str, signer: Signer) -> None:
        with self._own_folder() as (folder, owner):
            path, draft = folder / name, folder / (name + ".new")
            draft.unlink(missing_ok=True)  # of another's, perhaps
            try:
                replace_file(path, signer.whole, owner)
            except OSError:
                draft.unlink(missing_ok=True)
                raise

    @contextlib.contextmanager
    def _own_folder(self) -> Iterator[tuple[Path, tuple[int, int] | None]]:
        """Where to write, and for whom: `dijkwacht authority` may be run by root, the collector as another.

        Whom root would give what a link leads to, that he has put there.
        """
        if os.geteuid() != 0:
            yield self.path, None
            return
        parent = self.path.parent.stat()
        owner, follow = (parent.st_uid, parent.st_gid), 0 if parent.st_uid == 0 else os.O_NOFOLLOW
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | follow)
        try:
            os.fchown(handle, *owner)
            yield Path(f"/proc/self/fd/{handle}") if follow else self.path, owner
        finally:
            os.close(handle)


def _holds(certificate: x509.Certificate, now: int) -> bool:
    begins = microseconds(certificate.not_valid_before_utc)
    return begins <= now < microseconds(certificate.not_valid_after_utc)
