"""Which source this is, for figures that are written down."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent


def source_revision() -> str:
    """The commit of the checkout that this runs from, ``+`` behind it if files differ; else the version."""
    try:
        revision = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return version("dijkwacht")
    return f"{revision}+" if changed else revision


def _git(*words: str) -> str:
    command = ("git", "-C", str(_HERE), *words)
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # fixed words
    return done.stdout.strip()
