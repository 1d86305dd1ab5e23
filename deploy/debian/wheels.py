"""The wheels that the package brings: which, from where, and what of them is kept.

``wheels.txt`` pins each with its hashes, for every Python and machine that the package serves; pip
refuses anything else. ``python deploy/debian/wheels.py`` writes it anew from pyproject.toml.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections import defaultdict
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LOCK = HERE / "wheels.txt"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""Debian 12 has the first, Ubuntu 24.04 the second, Debian 13 the third, Ubuntu 26.04 the fourth."""
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Debian's name of a machine → the wheels' name of it."""
_GLIBC = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
_ONLY_TO_BUILD = {"pycparser"}
"""What a wheel asks for but needs only to compile; nothing of ours does."""
_ONLY = {"cffi": ("_cffi_backend",)}
"""Of these only what begins so: cryptography's compiled half uses nothing else."""
_NEVER_LOADED = ("zstandard/_cffi.", "zstandard/backend_cffi.py")
"""zstandard's other half, for Pythons that are not CPython."""
_SUPERFLUOUS = (".pyi", ".pyx", ".pxd", ".c", ".h", ".typed")


class Wheel(NamedTuple):
    """A wheel file; ``folder`` is where in the package it belongs: a Python's own, or for all."""

    path: Path
    name: str
    version: str
    folder: str
    metadata: Message
    licences: tuple[str, ...]
    """Texts of the licence files in it."""

    @property
    def sha256(self) -> str:
        """Of the whole file, as the lock has it."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def licence(self) -> str:
        """What its metadata says, as an SPDX expression where they have one."""
        said = self.metadata.get("License-Expression") or self.metadata.get("License") or ""
        return said.strip().splitlines()[0] if said.strip() else "see the text"

    def unpack(self, into: Path) -> None:
        """Write what runs, and what tells its version, to ``into``."""
        wanted = _ONLY.get(self.name, ("",))
        with zipfile.ZipFile(self.path) as archive:
            for member in archive.infolist():
                top, _, rest = member.filename.partition("/")
                kept = member.filename.startswith(wanted)
                kept &= not member.filename.startswith(_NEVER_LOADED)
                kept &= not member.filename.endswith(_SUPERFLUOUS)
                if top.endswith(".dist-info"):
                    kept = rest == "METADATA"
                if kept and not member.is_dir() and "tests" not in member.filename.split("/"):
                    place = into / member.filename
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(archive.read(member))


def fetch(machine: str, cache: Path) -> list[Wheel]:
    """The locked wheels for ``machine`` and every Python, from ``cache`` or by pip."""
    folder = cache / f"{machine}-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as fresh:
            for python in PYTHONS:
                wanted = ["--require-hashes", "--requirement", str(LOCK)]
                _download(machine, python, Path(fresh), wanted)
            with contextlib.suppress(OSError):  # another build was sooner
                Path(fresh).rename(folder)
            Path(fresh).mkdir(exist_ok=True)
    return sorted(map(_read, folder.glob("*.whl")))


def lock() -> str:
    """The text of ``wheels.txt``: what pip chooses today within pyproject.toml's bounds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["flowexport"], "cffi<3"]
    found: dict[str, set[str]] = defaultdict(set)
    for machine in MACHINES:
        for python in PYTHONS:
            with tempfile.TemporaryDirectory() as folder:
                _download(machine, python, Path(folder), wanted)
                for wheel in map(_read, Path(folder).glob("*.whl")):
                    if wheel.name not in _ONLY_TO_BUILD:
                        found[f"{wheel.name}=={wheel.version}"].add(wheel.sha256)
    lines = ["# Written by `python deploy/debian/wheels.py`."]
    for name, hashes in sorted(found.items()):
        lines += [" \\\n    ".join([name, *(f"--hash=sha256:{each}" for each in sorted(hashes))])]
    return "\n".join(lines) + "\n"


def _download(machine: str, python: str, into: Path, wanted: list[str]) -> None:
    into.mkdir(parents=True, exist_ok=True)
    digits = python.replace(".", "")
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    words += [
        "--no-deps",
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={python}",
    ]
    words += [f"--platform={glibc}_{MACHINES[machine]}" for glibc in _GLIBC]
    words += [f"--abi={abi}" for abi in (f"cp{digits}", "abi3", "none")]
    subprocess.run([*words, f"--dest={into}", *wanted], check=True)


def _read(path: Path) -> Wheel:
    name, version, pythons, abi = path.stem.split("-")[:4]
    own = abi not in {"abi3", "none"}
    minor = pythons.removeprefix("cp3")
    folder = f"lib/python3.{minor}/site-packages" if own else "common"
    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
        [card] = [each for each in names if each.endswith(".dist-info/METADATA")]
        metadata = HeaderParser().parsestr(archive.read(card).decode())
        texts = [
            archive.read(each).decode("utf-8", "replace")
            for each in names
            if ".dist-info/licenses/" in each or each.endswith((".dist-info/LICENSE", "/LICENSE"))
        ]
    return Wheel(path, name.replace("_", "-").lower(), version, folder, metadata, tuple(texts))


if __name__ == "__main__":
    LOCK.write_text(lock(), "utf-8")
