"""Who decides: detectors with their roles and calibrations, and the code, as one description.

Its hash is the release's name, which is journalled: what another release has decided is not decided
again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, Literal

import msgspec

from dijkwacht_collector.engine.signatures import source_of
from dijkwacht_collector.policy import FUSION, DetectorPolicy
from dijkwacht_detectors.api import AnyDetector

Role = Literal["live", "shadow"]
"""``live`` may be reported; in ``shadow`` a detector scores, learns and is shown, and never does."""

_DECIDING: Final = (
    "dijkwacht_detectors",
    "dijkwacht_detectors.context",
    "dijkwacht_detectors.state",
    "dijkwacht_detectors.knowledge",
    "dijkwacht_records",
    "dijkwacht_collector.unpacking",
    "dijkwacht_collector.engine",
    "dijkwacht_collector.policy",
    "dijkwacht_collector.incidents",
)


class Member(msgspec.Struct, frozen=True):
    """One detector in a release: what it remembers and what its table says, by their signatures.

    ``source``: a hash of its file, if it is not shipped.
    """

    detector: str
    role: Role
    share: float
    memory: str
    calibration: str
    source: str


class Description(msgspec.Struct, frozen=True):
    """All that decides. ``code``: a hash of the sources of whatever is on the way to a decision."""

    code: str
    detectors: list[Member]


def describe(
    detectors: Sequence[AnyDetector],
    policies: Sequence[DetectorPolicy],
    signatures: Sequence[str],
    fusion: DetectorPolicy,
) -> bytes:
    """The description of a release, as it is kept: one of each for every detector, and of fusion."""
    members = [
        Member(
            detector.name,
            "live" if policy.speaks else "shadow",
            policy.share,
            signature,
            policy.signature,
            source_of(detector),
        )
        for detector, policy, signature in zip(detectors, policies, signatures, strict=True)
    ]
    role: Role = "live" if fusion.speaks else "shadow"
    members.append(Member(FUSION, role, fusion.share, "", fusion.signature, ""))
    return msgspec.json.encode(Description(_code(), members))


@cache
def _code() -> str:
    digest = hashlib.blake2b(digest_size=8)
    for package in _DECIDING:
        for source in sorted(_sources(package), key=lambda file: file.name):
            digest.update(source.name.encode() + b"\n" + source.read_bytes())
    return digest.hexdigest()


def _sources(package: str) -> list[Traversable]:
    return [file for file in files(package).iterdir() if file.name.endswith(".py")]
