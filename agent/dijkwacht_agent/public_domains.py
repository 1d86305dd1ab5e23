"""Which names the public DNS can hold: those under a top-level domain of its root zone."""

from __future__ import annotations

from pathlib import Path
from typing import Final


def _read_domains() -> frozenset[str]:
    # Not importlib.resources: it brings zipfile and half a mebibyte to every agent.
    text = Path(__file__).with_name("top_level_domains.txt").read_text("ascii")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    # Reserved to stand for a public one (RFC 6761), as in our own range: no site's own name ends so.
    return frozenset({"example"}.union(*(line.split() for line in lines)))


TOP_LEVEL_DOMAINS: Final = _read_domains()
"""In lower case, internationalised ones as ``xn--…``; the file says where they come from and when."""

_SECOND_LEVEL: Final = frozenset(
    [
        "ac",
        "co",
        "com",
        "edu",
        "gob",
        "gov",
        "govt",
        "gv",
        "info",
        "ltd",
        "mil",
        "ne",
        "net",
        "nom",
        "or",
        "org",
        "plc",
        "sch",
        "school",
        "web",
    ]
)
"""Under a country's two letters these are shared by everybody, as ``co.uk`` is."""


def is_public(name: str) -> bool:
    """Whether ``name`` (lower case, no final dot) ends in a top-level domain of the public DNS.

    >>> is_public("www.example.nl"), is_public("nas.fritz.box"), is_public("jans-iphone.ziggo")
    (True, True, False)
    """
    return name.rpartition(".")[2] in TOP_LEVEL_DOMAINS


def is_shared(name: str) -> bool:
    """Whether everybody has names right under ``name``: a top-level domain, or one such as ``co.uk``.

    >>> is_shared("nl"), is_shared("co.uk"), is_shared("example.nl")
    (True, True, False)
    """
    head, dot, last = name.rpartition(".")
    if not dot:
        return last in TOP_LEVEL_DOMAINS
    return len(last) == 2 and head in _SECOND_LEVEL
