"""The Debian package, built once for all tests of it; units, as systemd reads them here."""

import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def build(root):
    """Run deploy/debian/build.py with ``words``, pressing little; the path of what it made."""

    def run(*words, **environment):
        done = subprocess.run(
            [sys.executable, str(root / "deploy/debian/build.py"), *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "DPKG_DEB_COMPRESSOR_LEVEL": "0", **environment},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    return run


@pytest.fixture(scope="session")
def package(build, tmp_path_factory):
    """The package for amd64."""
    return build("--to", str(tmp_path_factory.mktemp("package")))


@pytest.fixture(scope="session")
def unpacked(package, tmp_path_factory):
    """Its files, and in DEBIAN its scripts."""
    folder = tmp_path_factory.mktemp("unpacked") / "tree"
    subprocess.run(["dpkg-deb", "-R", package, str(folder)], check=True)
    return folder


@pytest.fixture
def unit_of(root, tmp_path):
    """``unit_of(name, command)``: the unit with a command that exists here, for systemd-analyze looks for it."""

    def make(name, command):
        text = (root / "deploy/systemd" / name).read_text("utf-8")
        assert command in text
        (tmp_path / name).write_text(text.replace(command, "/bin/true"), "utf-8")
        return tmp_path / name

    return make


@pytest.fixture
def analyze():
    """Run systemd-analyze."""

    def run(*words):
        command = ["systemd-analyze", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run
