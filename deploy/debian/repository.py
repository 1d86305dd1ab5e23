"""Makes a signed apt repository of packages: a folder to put on a web server as it is.

``python deploy/debian/repository.py --key KEY --url URL --to FOLDER PACKAGE.deb ...`` adds to what is in
FOLDER; earlier versions stay, so that a machine can go back. KEY is whatever gpg knows it by: make one
for this alone, and keep it off the web server (docs/packages.md).
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from wheels import MACHINES

SUITE = "stable"
ORIGIN = "Dijkwacht"


def repository(packages: Sequence[Path], key: str, url: str, into: Path) -> Path:
    """Add ``packages`` to ``into`` and sign it anew; the path of the file that owners' machines get."""
    pool, suite = into / "pool", into / "dists" / SUITE
    pool.mkdir(parents=True, exist_ok=True)
    for package in packages:
        shutil.copyfile(package, pool / package.name)
    for machine in MACHINES:
        index = suite / "main" / f"binary-{machine}"
        index.mkdir(parents=True, exist_ok=True)
        listed = _run(["apt-ftparchive", "--arch", machine, "packages", "pool"], into)
        (index / "Packages").write_text(listed, "utf-8")
        (index / "Packages.gz").write_bytes(gzip.compress(listed.encode(), 9, mtime=0))
    said = {
        "Origin": ORIGIN,
        "Label": ORIGIN,
        "Suite": SUITE,
        "Codename": SUITE,
        "Architectures": " ".join(MACHINES),
        "Components": "main",
    }
    options = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in said.items()]
    for former in ("Release", "InRelease", "Release.gpg"):
        (suite / former).unlink(missing_ok=True)
    (suite / "Release").write_text(
        _run(["apt-ftparchive", *options, "release", "."], suite), "utf-8"
    )
    sign = ["gpg", "--batch", "--yes", "--local-user", key, "--digest-algo", "SHA512", "--armor"]
    _run([*sign, "--clearsign", "--output", "InRelease", "Release"], suite)
    _run([*sign, "--detach-sign", "--output", "Release.gpg", "Release"], suite)
    public = _run(
        ["gpg", "--batch", "--armor", "--export-options=export-minimal", "--export", key], into
    )
    sources = into / "dijkwacht.sources"
    sources.write_text(_sources(url, public), "utf-8")
    return sources


def _sources(url: str, public: str) -> str:
    """One file that brings address and key: an owner's machine needs nothing else."""
    lines = [f" {line}" if line else " ." for line in public.strip().splitlines()]
    return (
        f"Types: deb\nURIs: {url}\nSuites: {SUITE}\nComponents: main\nSigned-By:\n"
        + "\n".join(lines)
        + "\n"
    )


def _run(words: list[str], folder: Path) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{words[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def main() -> None:
    """Make what the command line asks for; print what owners' machines get."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="+", type=Path, metavar="PACKAGE.deb")
    parser.add_argument("--key", required=True, help="the signing key, as gpg knows it")
    parser.add_argument("--url", required=True, help="where the folder will be found")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    args = parser.parse_args()
    os.umask(0o022)
    print(repository(args.packages, args.key, args.url, args.to))


if __name__ == "__main__":
    main()
