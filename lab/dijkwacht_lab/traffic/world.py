"""The world outside a made-up office: names by the thousand, and the addresses they live at.

Addresses are of 198.18.0.0/15, set aside for benchmarks; names end in ``.example``.
"""

from __future__ import annotations

import random
from typing import Final

from dijkwacht_records.addresses import V4_PREFIX

_SIZE = 4096
_SYLLABLES = [
    *("ka", "de", "mo", "ren", "tis", "lo", "ver", "ster", "bak", "haar", "win", "del", "fri"),
    *("so", "na", "pol", "der", "gra", "vel", "to", "mi", "chi", "bo", "ru", "al", "ke", "zon"),
    *("dijk", "wa", "ter", "huis", "brug", "markt", "fiets", "kaas", "tul", "pen", "molen"),
    *("haven", "plein"),
]
_FRONTS = ("www", "www", "www", "", "api", "cdn", "img", "static", "login", "m", "app", "mail")


def spread(number: int, below: int) -> int:
    """A fixed, well-mixed choice in [0, ``below``) for ``number``."""
    return (number * 2654435761 >> 7) % below


def _names(rng: random.Random) -> list[str]:
    names = []
    for _ in range(_SIZE):
        word = "".join(rng.choices(_SYLLABLES, k=rng.choice((2, 2, 3, 3, 4))))
        front = rng.choice(_FRONTS)
        if rng.random() < 0.06:  # as content networks call their machines
            front = f"{rng.getrandbits(rng.choice((16, 32, 48))):x}.{front or 'edge'}"
        names.append(f"{front}.{word}.example" if front else f"{word}.example")
    return names


def _places(rng: random.Random) -> list[bytes]:
    shared = [198 << 24 | 18 << 16 | rng.getrandbits(17) for _ in range(120)]
    return [
        V4_PREFIX
        + (
            rng.choice(shared) if rng.random() < 0.4 else 198 << 24 | 18 << 16 | rng.getrandbits(17)
        ).to_bytes(4, "big")
        for _ in range(_SIZE)
    ]


_RNG = random.Random("the world outside")  # noqa: S311 - repeatable by purpose, not a secret
NAMES: Final = _names(_RNG)
PLACES: Final = _places(_RNG)
"""Address of place i, whose name is ``NAMES[i]``; forty in a hundred share one of 120 hosts."""
