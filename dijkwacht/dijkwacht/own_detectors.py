"""``--detectors``: detectors of one's own beside those shipped, in every command that runs detectors."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_detectors(parser: argparse.ArgumentParser) -> None:
    """Declare ``--detectors``; what it names is loaded by `DetectorSet.with_own`."""
    parser.add_argument(
        "--detectors",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="detectors of your own too, from a folder or a file (may be repeated); "
        "one without NAME.json beside it never interrupts",
    )
