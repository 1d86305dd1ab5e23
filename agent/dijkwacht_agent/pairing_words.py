"""256 words that Dutch and English spell alike, for a secret that one person reads to another.

No two begin with the same four letters, so that a word is known by its beginning. One word is eight
bits. The list is never changed: both agents must have the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Final

COUNT: Final = 8
"""Words of one secret: 64 bits."""
_LIST: Final = """
alarm album amber aquarium arena armada aroma aster atlas atrium auto avocado baby bagel ballet
banjo bikini bingo bison boiler bongo bridge brunch buffet bulldozer bungalow burger byte cabaret
cactus cake camera campus canvas caravan casino catamaran cello chaos cheetah chef chip cinema
circus clip clown club cobra cockpit code cola cookie couscous cowboy coyote croissant curry
dahlia delta design disco document domino drama eland express fanfare ferry festival film filter
fjord flamingo flat flora fort fragment fresco front fruit garage giraffe golf gong half hamster
hand hardware harmonica hoop hotel humor hyena indigo iris jaguar jazz jeans jeep joystick judo
jungle karaoke kebab kennel kilo kimono kiwi knot koala lamp land laptop laser lava lens limousine
link lobby locker logo lotus lunch macaroni mail mango marathon marker match matrix menu meter
metro mode module moment monitor motel motor mousse museum neon november nylon onyx opera origami
ornament oven oxide panda panorama pardon park passage pasta patio piano piccolo pigment pink
pizza plan plasma podium poker polder pony pool popcorn port pudding quiche quinoa quiz racket
radar radio reggae ring risotto robot rock rodeo room rotor route rubber rugby rumba salami samba
sandwich sauna scenario school scooter script shampoo soap soda sofa solo sonar sonnet souvenir
spaghetti sport stereo sticker storm studio sudoku suite sushi swing taco tango tank tarantula
taxi tennis tent toast tofu tornado tractor tram truck tuba tunnel villa vinyl volt walrus water
watt website week western whirlpool wigwam wild wind winter wolf workshop worm wrap yoga yoghurt
zebra zigzag zinnia zone zoom
"""
WORDS: Final = tuple(_LIST.split())
_BY_BEGINNING: Final = {word[:4]: word for word in WORDS}


def draw() -> list[str]:
    """Words at random."""
    return [secrets.choice(WORDS) for _ in range(COUNT)]


def read_words(typed: Iterable[str]) -> tuple[list[str], list[str]]:
    """The words that somebody typed, and those of them that are none of the list.

    >>> read_words(["Water,", "hand", "wter"])
    (['water', 'hand'], ['wter'])
    """
    known, unknown = list[str](), list[str]()
    for part in " ".join(typed).replace(",", " ").replace("-", " ").lower().split():
        word = _BY_BEGINNING.get(part[:4])
        # A beginning of four letters is enough; another ending is another word.
        if word is not None and word.startswith(part):
            known.append(word)
        else:
            unknown.append(part)
    return known, unknown


def near(word: str) -> str | None:
    """The word of the list that looks most like ``word``, if one does."""
    import difflib  # noqa: PLC0415  not in the memory of one that runs

    return next(iter(difflib.get_close_matches(word, WORDS, 1)), None)
