import math
import random

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records import layout_1, wire
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.errors import MalformedBatch, UnknownContract
from dijkwacht_records.tables import DEFAULTS, MAX_TEXT_BYTES, TABLES

BOOT = bytes(range(16))
VALUES = {
    "int": st.integers(0, 70_000) | st.integers(-(2**61) + 1, 2**61),
    "float": st.floats(allow_nan=False) | st.just(math.inf),
    "addr": st.ip_addresses().map(lambda a: pack_address(str(a))),
    "text": st.text(max_size=40),
}


def _row(number: int):
    return st.tuples(st.just(number), st.tuples(*(VALUES[c.kind] for c in TABLES[number].columns)))


ROWS = st.lists(st.integers(0, len(TABLES) - 1).flatmap(_row), max_size=6)


def _surrogates_replaced(rows):
    return [
        (n, tuple(v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in row))
        for n, row in rows
    ]


EVERY = pytest.mark.parametrize("contract", CONTRACTS)


def _in_contract(number, rows):
    """What ``rows`` are when contract ``number`` has carried them."""
    counts = CONTRACTS[number].columns
    return [(n, row[: counts[n]] + DEFAULTS[n][counts[n] :]) for n, row in rows if n < len(counts)]


def _decode(body: bytes) -> wire.Batch:
    return wire.decode(body, CONTRACTS)


@EVERY
@given(ROWS)
def test_rows_come_back_as_they_were_and_in_their_order(contract, rows):
    sent = 1_700_000_000_000_000
    batch = _decode(wire.encode("site", "agent", BOOT, 7, sent, rows, contract, made=9))
    assert (batch.site, batch.agent, batch.boot, batch.seq) == ("site", "agent", BOOT, 7)
    assert batch.sent == sent
    assert batch.made == (0 if contract == 1 else 9)
    expected = _in_contract(contract, _surrogates_replaced(rows))
    assert batch.rows == len(expected)
    assert list(wire.unpack_rows(batch)) == expected


def test_what_a_batch_unpacks_to_is_known_before_it_is_unpacked():
    small, large = _encode([(5, (1, "m", 0.5))]), _encode([(5, (1, "m" * 200, 0.5))] * 5000)
    plain = zstandard.ZstdDecompressor().decompress(large[4:])
    assert wire.plain_size(large) == len(plain) > 50 * len(large)
    assert wire.plain_size(small) < 200
    unsaid = zstandard.ZstdCompressor(write_content_size=False).compress(plain)
    liar = zstandard.ZstdCompressor().compress(bytes(2 * wire.MAX_PLAIN_BYTES))
    for frame in (unsaid, liar):
        assert wire.plain_size(large[:4] + frame) == wire.MAX_PLAIN_BYTES
    assert wire.plain_size(b"") == wire.plain_size(b"DWB\1 no frame at all") == 0


@EVERY
@given(ROWS, st.integers(1, 5))
def test_cutting_a_stream_into_other_batches_changes_nothing(contract, rows, size):
    cut = [rows[at : at + size] for at in range(0, len(rows), size)]
    again = []
    for seq, part in enumerate(cut):
        again += wire.unpack_rows(_decode(wire.encode("s", "a", BOOT, seq, 1, part, contract)))
    assert again == _in_contract(contract, _surrogates_replaced(rows))


@EVERY
@pytest.mark.parametrize(
    "span", [0, 1, 255, 256, 65_535, 65_536, 2**24, 2**32 - 1, 2**32, 2**48, 2**61]
)
def test_every_width_of_an_integer(contract, span):
    rows = [(5, (base, "load1_ratio", 0.5)) for base in (-5, span - 5, -5)]
    assert list(wire.unpack_rows(_decode(_encode(rows, contract=contract)))) == rows


@EVERY
def test_doubles_keep_their_bits(contract):
    values = [0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308]
    rows = [(5, (1, "m", value)) for value in values]
    back = [row[2] for _, row in wire.unpack_rows(_decode(_encode(rows, contract=contract)))]
    assert [math.copysign(1, v) for v in back] == [math.copysign(1, v) for v in values]
    assert [v.hex() for v in back] == [v.hex() for v in values]


def _encode(rows, **head):
    head = {"site": "s", "agent": "a", "boot": BOOT, "seq": 0, "sent": 1} | head
    return wire.encode(rows=rows, **head)


@EVERY
def test_what_cannot_be_written_is_refused_by_the_writer(contract):
    for row in [(2**62, "m", 0.0), (-(2**62), "m", 0.0)]:
        with pytest.raises(ValueError, match="integer"):
            _encode([(5, row)], contract=contract)
    with pytest.raises(ValueError, match="apart"):
        _encode([(5, (2**61, "m", 0.0)), (5, (-(2**61), "m", 0.0))], contract=contract)
    with pytest.raises(ValueError, match="text"):
        _encode([(5, (1, "é" * MAX_TEXT_BYTES, 0.0))], contract=contract)
    with pytest.raises(ValueError, match="rows"):
        _encode([(5, (1, "m", 0.0))] * (wire.MAX_ROWS + 1), contract=contract)


@pytest.mark.parametrize(
    "head",
    [
        {"site": "Bakery"},
        {"site": ""},
        {"site": "a" * 64},
        {"site": "a\n"},
        {"site": "../x"},
        {"agent": "-x"},
        {"agent": "x-"},
        {"boot": b""},
        {"boot": bytes(17)},
        {"seq": -1},
        {"seq": 2**62},
        {"sent": -1},
        {"sent": 2**63},
    ],
)
@EVERY
def test_a_wrong_head_is_malformed(contract, head):
    with pytest.raises(MalformedBatch):
        _decode(_encode([], contract=contract, **head))


@pytest.mark.parametrize("name", ["a", "0", "a" * 63, "bakery-2", "a--b"])
def test_names_that_are_good(name):
    assert wire.decode(_encode([], site=name, agent=name)).site == name


@pytest.mark.parametrize("version", [0, 3, 255])
def test_another_contract_version_is_named(version):
    body = bytearray(_encode([]))
    body[3] = version
    with pytest.raises(UnknownContract, match=str(version)):
        wire.decode(bytes(body))


def _repack(change) -> bytes:
    """The wire bytes of a small batch of contract 1, after ``change`` had its way with the parts."""
    rows = [(5, (1, "m", 0.5)), (0, (0, 0, 0, 0, 0, BOOT, bytes(16), *[3] * 13)), (5, (2, "é", 0))]
    good = zstandard.ZstdDecompressor().decompress(_encode(rows, contract=1)[4:])
    layout = msgspec.msgpack.decode(good, type=layout_1.Layout)
    change(layout)
    plain = msgspec.msgpack.encode(layout)
    return wire.MAGIC + b"\1" + zstandard.ZstdCompressor().compress(plain)


def _set(path: str, value):
    def change(batch):
        *way, last = path.split(".")
        at = batch
        for step in way:
            at, before = at[int(step)] if step.isdigit() else getattr(at, step), at
        if isinstance(at, tuple):  # a column
            named = dict(zip(("base", "width", "planes", "blob"), at, strict=True))
            before[int(way[-1])] = tuple((named | {last: value}).values())
        else:
            setattr(at, last, value)

    return change


FLOWS, SYSTEM = "tables.0", "tables.1"


@pytest.mark.parametrize(
    "change",
    [
        _set("addresses", bytes(15)),
        _set("addresses", b""),
        _set("order", b""),
        _set("order", b"\5\0"),
        _set("order", b"\5\0\0"),
        _set("order", b"\5\0\6"),
        _set(f"{FLOWS}.number", 5),
        _set(f"{FLOWS}.number", -1),
        _set(f"{SYSTEM}.number", 7),
        _set(f"{SYSTEM}.rows", 1),
        _set(f"{SYSTEM}.rows", 0),
        _set(f"{SYSTEM}.rows", 2**40),
        _set(f"{FLOWS}.columns", []),
        _set(f"{SYSTEM}.columns.0.width", 3),
        _set(f"{SYSTEM}.columns.0.width", -1),
        _set(f"{SYSTEM}.columns.0.planes", b"\1"),
        _set(f"{SYSTEM}.columns.0.base", 2**62),
        _set(f"{SYSTEM}.columns.0.blob", b"x"),
        _set(f"{SYSTEM}.columns.1.blob", b"m\xff\xff"),
        _set(f"{SYSTEM}.columns.1.blob", "mé!".encode()),
        _set(f"{SYSTEM}.columns.1.base", -1),
        _set(f"{SYSTEM}.columns.1.base", 2**40),
        _set(f"{SYSTEM}.columns.2.width", 4),
        _set(f"{SYSTEM}.columns.2.base", 1),
        _set(f"{FLOWS}.columns.5.base", 2),
        _set(f"{FLOWS}.columns.5.base", -1),
    ],
)
def test_parts_that_contradict_each_other_are_malformed(change):
    wire.decode(_repack(lambda _: None))
    with pytest.raises(MalformedBatch):
        wire.decode(_repack(change))


def test_tables_together_keep_the_row_limit():
    def widen(batch):
        del batch.tables[0]
        batch.order = b""
        table = batch.tables[0]
        table.rows = wire.MAX_ROWS
        table.columns = [
            (0, 0, b"", b""),
            (0, 0, b"", b""),
            (0, 8, bytes(8 * wire.MAX_ROWS), b""),
        ]
        second = layout_1.PackedTable(6, 1, [(0, 0, b"", b"")] * 14)
        batch.tables.append(second)
        batch.order = b"\5" * wire.MAX_ROWS + b"\6"

    with pytest.raises(MalformedBatch, match="rows"):
        wire.decode(_repack(widen))


def test_what_lies_before_its_time_by_more_than_a_number_holds_is_written_otherwise():
    draw = random.Random(1)
    starts = [1 - (1 << 62) + draw.randrange(1 << 40) for _ in range(40)]
    rest = (0, 0, 0, bytes(16), bytes(16), *[0] * 14)
    rows = [(0, (start + (1 << 62), start, *rest)) for start in starts]
    batch = wire.decode(wire.encode("site", "agent", bytes(16), 1, 1, rows, 2), CONTRACTS)
    assert list(wire.unpack_rows(batch)) == rows
