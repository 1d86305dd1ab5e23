"""How surprising a name's letters are, by pairs: words of people repeat few of them, what a program draws has all alike.

The table was counted over the words of this project's own texts, in English and Dutch, each word by the square root of how often it
stands there (8 at most), with words joined as names join them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.state.naming import njit_lean

# A line a letter, a to z: how many bits it tells that this other letter follows, 9 for nine and more.
_PAIRS: Final = (
    "45449759595343959343677859", "38782799469388399357499959", "39683993594479278563589989", "47652757399666469436577969",
    "47535668697453868234766688", "38763389299489389454498989", "47751864499665469446588998", "37782999399767389553599978",
    "66454649956452459543959798", "48853467592785389748366994", "47781778396584569634694979", "38842689396378379845568959",
    "25872978398757339646598979", "47433638596675479733678969", "66556659686443449354464898", "38563876498386349344588969",
    "58778888888588878575088888", "36642768496765369534567959", "57473774496567449642576969", "47572784399678479435596958",
    "55554759497443849333697998", "39691989399897479588999889", "27862994398674399547997999", "48363488499658829863878759",
    "65653677498544439633865998", "48781887299688379868577975",
)  # fmt: skip
_BY_CHANCE: Final = 3.3
"""Bits of a digit that follows a digit: any of ten."""
_MIXED: Final = 7.0
"""Of a digit that follows a letter, or a letter a digit."""
_JOINED: Final = 4.0
"""Of whatever stands beside a hyphen."""


def letter_pairs() -> NDArray[np.uint8]:
    """The table: bits, uint8[26, 26], of a letter and the one that follows."""
    return np.array([[int(bits) for bits in line] for line in _PAIRS], np.uint8)


@njit_lean
def surprise(pairs, blob, begin, end):  # type: ignore[no-untyped-def]
    """Mean bits a pair of the label ``blob[begin:end]``: words some 4, letters by chance some 6; 0 below two letters."""
    told = 0.0
    for k in range(begin + 1, end):
        a, b = blob[k - 1], blob[k]
        if 97 <= a <= 122 and 97 <= b <= 122:
            told += pairs[a - 97, b - 97]
        elif 48 <= a <= 57 and 48 <= b <= 57:
            told += _BY_CHANCE
        elif 45 in (a, b):
            told += _JOINED
        else:
            told += _MIXED
    return told / (end - 1 - begin) if end - begin > 1 else 0.0
