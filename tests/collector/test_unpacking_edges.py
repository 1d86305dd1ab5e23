"""Planes made to lie at the edges of what may be: every reader says the same of them."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.unpacking import batches, check, unpack
from dijkwacht_records import planes as plain
from dijkwacht_records.byte_planes import LIMIT, WIDTHS, pack_lengths
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.errors import MalformedBatch
from dijkwacht_records.planes import BEFORE, BITS, COUNT, DELTA, ENTRY, OFFSET, Planes
from dijkwacht_records.tables import TABLES

EVERYTHING = {n: frozenset(c.name for c in t.columns) for n, t in enumerate(TABLES)}
NUMBERS = [
    0,
    1,
    2,
    LIMIT // 2,
    LIMIT - 1,
    LIMIT,
    LIMIT + 1,
    2 * LIMIT - 1,
    2 * LIMIT,
    4 * LIMIT - 1,
]
BASES = [0, 0, 0, 1, -1, LIMIT - 1, 1 - LIMIT, LIMIT // 2, -LIMIT // 2]
READERS = (
    plain.check,
    check,
    lambda planes: unpack([planes], EVERYTHING),
    lambda planes: unpack([planes], {}),
)


def verdicts(planes):
    found = []
    for read in READERS:
        try:
            read(planes)
        except MalformedBatch:
            found.append(False)
        else:
            found.append(True)
    return found


def split(numbers, width):
    return b"".join(bytes(n >> 8 * k & 0xFF for n in numbers) for k in range(width))


def random_column(draw, contract, kind, place, rows):
    """Mode, width, base and planes of a column that is more or less as it may be."""
    if kind == "float":
        return BITS, 8, 0, draw.randbytes(8 * rows)
    if kind == "int":
        mode = draw.choice((OFFSET, DELTA, BEFORE) if place else (OFFSET, DELTA))
        width, base = draw.choice(WIDTHS), draw.choice(BASES)
        rare = draw.random() < 0.1
        numbers = [draw.choice(NUMBERS) if rare else draw.randrange(99) for _ in range(rows)]
        return mode, width, base, split(numbers, width)
    if kind == "text" and contract == 1:
        return COUNT, 0, draw.choice((0, 0, 0, 1)), b""
    width, base = draw.choice(WIDTHS), draw.choice((0, 0, 0, 0, 0, 0, 1, 2, -1))
    return OFFSET, width, base, split([draw.randrange(2) for _ in range(rows)], width)


def random_planes(draw):
    contract, rows = draw.choice(tuple(CONTRACTS)), draw.randrange(1, 4)
    number = draw.randrange(len(CONTRACTS[contract].columns))
    index, planes = [], []
    for place in range(CONTRACTS[contract].columns[number]):
        kind = TABLES[number].columns[place].kind
        mode, width, base, held = random_column(draw, contract, kind, place, rows)
        index.append(ENTRY.pack(number, place, mode, width, rows, base))
        planes.append(held)
    texts = ("", "é", "naam", "x" * 1024)
    lengths = pack_lengths([len(text.encode()) for text in texts])
    joined = b"".join(planes), bytes(48), lengths, "".join(texts).encode(), b""
    return Planes(contract, b"".join(index), *joined)


def test_all_readers_take_or_refuse_the_same_planes():
    draw = random.Random(7)
    taken = 0
    for _ in range(6000):
        planes = random_planes(draw)
        found = verdicts(planes)
        assert len(set(found)) == 1, (found, planes)
        taken += found[0]
    assert 1500 < taken < 4500


@pytest.mark.parametrize(
    ("time", "base", "offset", "fits"),
    [
        (LIMIT - 1, 0, 0, True),
        (LIMIT - 1, -1, 0, False),
        (LIMIT - 1, -1, 1, True),
        (-LIMIT + 1, 1, 0, True),
        (-LIMIT + 1, 1, 1, False),
        (-LIMIT + 1, LIMIT - 1, LIMIT - 1, False),
    ],
)
def test_what_lies_before_its_time_is_in_range_too(time, base, offset, fits):
    """Also where nobody wants the column, and the room for one is that of all."""
    index = [ENTRY.pack(0, place, OFFSET, 0, 1, 0) for place in range(len(TABLES[0].columns))]
    index[0] = ENTRY.pack(0, 0, OFFSET, 0, 1, time)
    index[1] = ENTRY.pack(0, 1, BEFORE, 8, 1, base)
    planes = Planes(2, b"".join(index), split([offset], 8), bytes(16), b"", b"", b"")
    assert verdicts(planes) == [fits] * len(READERS)


def of_texts(texts, lengths):
    return Planes(2, b"", b"", b"", pack_lengths(lengths), texts, b"")


@given(st.lists(st.text("aé€😀", max_size=3), max_size=4), st.data())
def test_every_text_is_utf_8_by_itself(texts, data):
    joined = bytearray("".join(texts).encode())
    if joined and data.draw(st.booleans()):
        joined[data.draw(st.integers(0, len(joined) - 1))] = data.draw(
            st.sampled_from(b"\x80\xffA")
        )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(joined)), max_size=4)))
    lengths = [end - begin for begin, end in pairwise([0, *cuts, len(joined)])]
    assert len(set(verdicts(of_texts(bytes(joined), lengths)))) == 1


def test_a_character_does_not_reach_from_one_batch_into_the_next():
    first, second = of_texts(b"\xc3", [1]), of_texts(b"\xa9", [1])
    with pytest.raises(MalformedBatch):
        unpack([first, second], {})
    unpack([of_texts(b"\xc3\xa9", [2]), of_texts(b"", [0]), of_texts("€".encode(), [3])], {})


def test_what_is_refused_is_read_again_only_where_that_is_little(monkeypatch):
    """In plain Python, to say what is wrong, while every other site waits."""
    asked = []
    monkeypatch.setattr(batches, "plain_check", asked.append)
    index = [ENTRY.pack(0, place, DELTA, 0, 65_535, 0) for place in range(len(TABLES[0].columns))]
    much = Planes(2, b"".join(index), b"", b"", b"", b"", b"")
    for refused in (much, of_texts(b"\xff", [0] * 300_000 + [1]), of_texts(b"\xff", [1])):
        with pytest.raises(MalformedBatch):
            check(refused)
    assert asked == [of_texts(b"\xff", [1])]
