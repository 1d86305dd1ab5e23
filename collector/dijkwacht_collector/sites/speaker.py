"""Who posts."""

from __future__ import annotations

from typing import NamedTuple


class Speaker(NamedTuple):
    """One agent of one site."""

    site: str
    agent: str
