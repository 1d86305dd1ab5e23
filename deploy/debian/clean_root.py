"""A clean Debian made by debootstrap, with systemd as its first process, in namespaces of its own.

Its mounts, processes, cgroup and network end with it: all are in namespaces that only its first process
holds open, and that process is a child of ours, ended by its id.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

BROUGHT: Final = (
    "python3,systemd,systemd-sysv,systemd-timesyncd,init-system-helpers,sudo,wget,ca-certificates"
    ",iproute2,unattended-upgrades"
)
"""What a server of Debian's has before anybody installs something, as far as it matters here."""
_STOPS_S: Final = 30.0
_BOOT = r"""
set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "dev/${device%:*}" c 1 "${device#*:}"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
pivot_root . mnt
shift
# The kernel is this machine's, too: no clock, no modules, no settings of it.
exec setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio,-sys_boot,-syslog \
    chroot . /bin/sh -c 'umount -l /mnt; exec "$@"' sh "$@"
"""
_INIT: Final = (
    "/usr/bin/env", "-i", "container=dijkwacht-test", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "/lib/systemd/systemd", "--show-status=false", "--log-level=warning",
)  # fmt: skip
_HELD: Final = ("--mount", "--uts", "--ipc", "--pid", "--cgroup", "--net")


class Failed(RuntimeError):
    """A command in the root ended badly; the text holds what it said."""


class CleanRoot:
    """A context manager; inside, ``run`` runs commands in the root.

    ``folder`` must not exist, and is removed at the end; ``suite`` is Debian's (``bookworm``), kept in
    ``cache`` once it was fetched. ``inside``: the words that bring a command into
    the network that the root shall have.
    """

    def __init__(self, folder: Path, suite: str, cache: Path, inside: Sequence[str]) -> None:
        self.folder, self._suite = folder, suite
        self._cache, self._inside = cache, list(inside)
        self._first: subprocess.Popen[bytes] | None = None
        self._cgroup: Path | None = None

    def __enter__(self) -> Self:
        try:
            self._unpack()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def boot(self) -> None:
        """Start systemd, and wait until it has started everything else."""
        self.start(_INIT)
        self.until("it has booted", lambda: "running" in self._state(), 60)

    def start(self, words: Sequence[str]) -> None:
        """Start the root with ``words`` as its first process."""
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
        where = next(fields[1] for fields in mounts if fields[2] == "cgroup2")
        self._cgroup = Path(where) / f"dijkwacht-test-{os.getpid()}"
        self._cgroup.mkdir(exist_ok=True)
        joined = f'echo $$ > {self._cgroup}/cgroup.procs && exec "$@"'
        held = [word for word in _HELD if word != "--net"]
        with (self.folder.parent / "boot.log").open("ab") as log:
            self._first = subprocess.Popen(
                ["sh", "-c", joined, "sh", *self._inside, "unshare", *held, "--fork", "--kill-child",
                 "sh", "-c", _BOOT, "sh", str(self.folder), *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def run(self, *words: str, fails: bool = False, seconds: float = 120.0) -> str:
        """Run a command to its end; what it said. Raises `Failed` unless it ``fails`` as it should."""
        before = ["nsenter", "--target", str(self._pid()), *_HELD, "--root", "--wd"]
        done = subprocess.run(
            [*before, "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
             "HOME=/root", "DEBIAN_FRONTEND=noninteractive", *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        if (done.returncode != 0) != fails:
            raise Failed(f"{' '.join(words)}: ended with {done.returncode}\n{said}")
        return said

    def until(self, what: str, true: Callable[[], bool], seconds: float) -> None:
        """Wait for ``true()``. Raises `Failed` when ``seconds`` have passed."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise Failed(f"not within {seconds:g} s: {what}")
            time.sleep(0.1)

    def files(self) -> dict[str, str]:
        """Path → what is there, of everything on the root's disk."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if path.is_symlink():
                found[name] = f"→ {path.readlink()}"
            elif path.is_file():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[name] = f"{path.stat().st_mode:o} {digest}"
            else:
                found[name] = f"{path.stat().st_mode:o}"
        return found

    def stop(self) -> None:
        """End everything in the root; what is on its disk stays."""
        first, self._first = self._first, None
        if first is not None:
            with contextlib.suppress(OSError, StopIteration):
                os.kill(self._pid_of(first), 9)  # the first process: the kernel ends the others
            first.kill()
            first.wait(_STOPS_S)
        if self._cgroup is not None and self._cgroup.exists():
            deadline = time.monotonic() + _STOPS_S
            while self._cgroup.exists() and time.monotonic() < deadline:
                below = sorted(self._cgroup.rglob("*"), reverse=True)
                for folder in [*(each for each in below if each.is_dir()), self._cgroup]:
                    with contextlib.suppress(OSError):  # whoever is ending is in it still
                        folder.rmdir()
                time.sleep(0.05)

    def close(self) -> None:
        """End everything and remove the folder; safe to call twice."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _unpack(self) -> None:
        name = hashlib.sha256(f"{self._suite} {BROUGHT} {mirror()}".encode()).hexdigest()[:12]
        kept = self._cache / f"{self._suite}-{name}.tar"
        self.folder.mkdir(parents=True)
        if not kept.exists():
            words = ["debootstrap", "--variant=minbase", f"--include={BROUGHT}", self._suite]
            _quietly([*words, str(self.folder), mirror()])
            kept.parent.mkdir(parents=True, exist_ok=True)
            fresh = kept.with_suffix(".new")
            _quietly(
                ["tar", "--create", "--file", str(fresh), "--directory", str(self.folder), "."]
            )
            fresh.replace(kept)
        else:
            _quietly(["tar", "--extract", "--file", str(kept), "--directory", str(self.folder)])

    def _state(self) -> str:
        try:
            return self.run("sh", "-c", "systemctl is-system-running || true")
        except (Failed, StopIteration, OSError):
            return ""

    def _pid(self) -> int:
        if self._first is None or self._first.poll() is not None:
            raise Failed("the root does not run")
        pid = self._pid_of(self._first)
        # Until it has changed its root, a command would be run in ours.
        if not Path(f"/proc/{pid}/root").samefile(self.folder):
            raise Failed("the root is not there yet")
        return pid

    def _pid_of(self, first: subprocess.Popen[bytes]) -> int:
        """``unshare`` waits outside; its child is the first process inside."""
        children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text("ascii").split()
        return int(next(iter(children)))


def mirror() -> str:
    """Where this machine has its own packages from."""
    words = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return next(line for line in done.stdout.splitlines() if line.rstrip("/").endswith("/debian"))


def _quietly(words: Sequence[str]) -> None:
    done = subprocess.run(list(words), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{words[0]}: {(done.stderr or done.stdout)[-2000:]}")
