"""Recordings of our own that ship with the package: ``NAME/traffic.pcap`` beside ``NAME/truth.json``.

>>> truth(recording("demo")).network
'192.168.20.0/24'
"""

from __future__ import annotations

from pathlib import Path

from dijkwacht_lab.office.truth import Truth, read

NAMES = ("clinic", "demo")


def recording(name: str) -> Path:
    """The folder of a shipped recording. Raises ``KeyError`` for a name that is not in `NAMES`."""
    if name not in NAMES:
        raise KeyError(f"no recording {name!r}; there are {', '.join(NAMES)}")
    return Path(__file__).parent / name


def truth(folder: Path) -> Truth:
    """What really happened while the recording in ``folder`` was made."""
    return read(folder / "truth.json")
