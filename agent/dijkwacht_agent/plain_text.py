"""Text from the network as a terminal, a log or a page may show it."""

from __future__ import annotations


def plain(text: str, kept: str = "") -> str:
    """``text`` from the network, which must not steer the terminal; of what does, ``kept`` stays."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else "\N{REPLACEMENT CHARACTER}" for c in text)
