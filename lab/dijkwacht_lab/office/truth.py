"""What really happened while a recording was made, by the driver's clock."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Attacked(msgspec.Struct, frozen=True, rename={"kind": "class"}):
    """One attack as it was run; ``start`` and ``stop`` are µs UTC, ``command`` is what was typed."""

    start: int
    stop: int
    tool: str
    technique: str
    kind: str
    attacker: str
    attacker_mac: str
    victims: list[str]
    command: str


class Truth(msgspec.Struct, frozen=True):
    """One recording: when, where, who is there, and what was done to them."""

    recording: str
    story: str
    start: int
    stop: int
    network: str
    frames: int
    hosts: dict[str, str]
    attacks: list[Attacked]

    def write(self, path: Path) -> None:
        """Write as indented JSON."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")


def read(path: Path) -> Truth:
    """Read what `Truth.write` wrote. Raises ``msgspec.DecodeError``."""
    return msgspec.json.decode(path.read_bytes(), type=Truth)
