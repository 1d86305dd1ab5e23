"""Network namespaces that a run makes for itself, with what runs in them, gone when it ends."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Final, Self

_IP_SECONDS: Final = 10.0
_GRACE_SECONDS: Final = 5.0


class CommandFailed(RuntimeError):
    """A command inside a namespace ended badly; the text holds what it said."""


class Namespaces:
    """Namespaces with names nobody else uses; a context manager that leaves nothing behind.

    On leaving, every process started here is ended by its id and every namespace deleted, whatever
    happened inside.
    """

    def __init__(self) -> None:
        self._run = f"dw-{os.getpid():x}-{secrets.token_hex(3)}"
        self._names: list[str] = []
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def name(self, place: str) -> str:
        """The namespace's name on this machine."""
        return f"{self._run}-{place}"

    def add(self, place: str) -> None:
        """Make the namespace ``place``, its loopback up."""
        _ip("netns", "add", self.name(place))
        self._names.append(place)
        self.ip(place, "link", "set", "lo", "up")

    def link(self, place: str, interface: str, other: str, peer: str, mac: str = "") -> None:
        """A cable from ``interface`` in ``place`` to ``peer`` in ``other``, both ends up.

        What a wire would carry is what is seen: no packet larger than the MTU, checksums filled in.
        """
        address = ("address", mac) if mac else ()
        self.ip(place, "link", "add", interface, *address, "type", "veth",
                "peer", "name", peer, "netns", self.name(other))  # fmt: skip
        for where, what in ((place, interface), (other, peer)):
            self.python(where, "dijkwacht_lab.office.offload", what)
            self.ip(where, "link", "set", what, "up")

    def ip(self, place: str, *words: str) -> None:
        """``ip`` inside the namespace. Raises `CommandFailed`."""
        _ip("-n", self.name(place), *words)

    def run(self, place: str, words: Sequence[str], seconds: float = 30.0) -> str:
        """Run a command in the namespace to its end; its output. Raises `CommandFailed`."""
        return _run(self._inside(place, words), seconds)

    def python(self, place: str, module: str, *words: str) -> str:
        """Run one of our own modules in the namespace to its end; its output."""
        return self.run(place, [sys.executable, "-m", module, *words])

    def start(
        self,
        place: str,
        words: Sequence[str],
        output: int | IO[bytes] = subprocess.DEVNULL,
        errors: int | IO[bytes] = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a command in the namespace; it ends with the run at the latest."""
        process = subprocess.Popen(  # noqa: S603 - our own words, no shell
            self._inside(place, words),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> int:
        """Ask the process to end, wait, insist; its return code."""
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_GRACE_SECONDS)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        return process.returncode

    def close(self) -> None:
        """End every process, then delete every namespace; safe to call twice."""
        for process in self._started:
            if process.poll() is None:
                process.terminate()
        for process in self._started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.end(process)
        self._started.clear()
        for place in reversed(self._names):
            with contextlib.suppress(CommandFailed):
                _ip("netns", "delete", self.name(place))
        self._names.clear()

    def _inside(self, place: str, words: Sequence[str]) -> list[str]:
        if place not in self._names:
            raise CommandFailed(f"no namespace {place!r} in this run")
        return ["ip", "netns", "exec", self.name(place), *words]


def missing(tools: dict[str, str]) -> list[str]:
    """Debian packages to install, of ``tools`` (program → package); also root, if we are not."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    lacking = [package for tool, package in tools.items() if shutil.which(tool, path=path) is None]
    return lacking + (["root"] if os.geteuid() else [])


def _ip(*words: str) -> None:
    _run(["ip", *words], _IP_SECONDS)


def _run(words: Sequence[str], seconds: float) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own words, no shell
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"{' '.join(words)}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise CommandFailed(f"{' '.join(words)}: {said or done.returncode}")
    return done.stdout.decode(errors="replace")
