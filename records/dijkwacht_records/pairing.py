"""What agents and collector say about a site's sealed key on its way to another agent of the site.

The collector carries the bytes and cannot open them: the words that open them never reach it.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

PairingState = Literal["waiting", "none", "taken", "expired", "tried_out"]
MAX_SEALED_BYTES: Final = 1024
LIFE_US: Final = 3600 * 1_000_000
"""How long a sealed key waits at the collector."""
MOST_TRIES: Final = 5
"""How often it is handed out, at most."""


class Pairing(msgspec.Struct, frozen=True):
    """The answer to ``GET /v1/pairing``: ``sealed`` is there while ``state`` is ``waiting``."""

    state: PairingState
    sealed: bytes = b""
    tries_left: int = 0
