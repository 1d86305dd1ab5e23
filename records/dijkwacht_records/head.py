"""Who sends a batch, and which one it is: what every version of the contract begins with."""

from __future__ import annotations

import msgspec


class Head(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """The first five of what is compressed.

    ``boot`` is 16 random bytes an agent draws at start; ``seq`` rises by one a batch within a boot;
    ``sent`` is the agent's clock in µs UTC. Resending the same (site, agent, boot, seq) is harmless.
    """

    site: str
    agent: str
    boot: bytes
    seq: int
    sent: int
