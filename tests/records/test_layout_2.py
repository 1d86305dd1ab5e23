"""What is particular to contract 2: modes, one index, tables that are not known."""

import itertools
import struct

import msgspec
import pytest
import zstandard

from dijkwacht_collector import unpacking
from dijkwacht_records import layout_2, wire
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.errors import MalformedBatch, UnknownContract
from dijkwacht_records.planes import (
    BEFORE,
    BITS,
    COUNT,
    DELTA,
    ENTRY,
    MAX_NAMED_BYTES,
    OFFSET,
    parts,
)
from dijkwacht_records.tables import MAX_TEXT_BYTES

BOOT = bytes(range(16))
NOON = 1_767_268_800_000_000
SYSTEM, AGENT = 5, 6
ROWS = [
    (SYSTEM, (NOON, "cpu_ratio", 0.5)),
    (0, (NOON, NOON - 5, 1, 0, 0, BOOT, bytes(16), *[3] * 14)),
    (SYSTEM, (NOON + 300, "é", 0.25)),
]
decompress = zstandard.ZstdDecompressor().decompress


def _layout(rows=ROWS) -> layout_2.Layout:
    plain = decompress(wire.encode("s", "a", BOOT, 0, 1, rows, 2)[4:])
    return msgspec.msgpack.decode(plain, type=layout_2.Layout)


def _decode(layout: layout_2.Layout) -> wire.Batch:
    frame = zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(layout))
    return wire.decode(wire.MAGIC + b"\2" + frame, CONTRACTS)


def _entries(layout: layout_2.Layout) -> list[list[int]]:
    """[table, column, mode, width, rows, base] of each column."""
    return [list(entry) for entry in ENTRY.iter_unpack(layout.index)]


def _changed(at: int, **fields: int) -> layout_2.Layout:
    """The batch with some fields of entry ``at`` of the index changed."""
    layout = _layout()
    entries = _entries(layout)
    for name, value in fields.items():
        entries[at][["table", "column", "mode", "width", "rows", "base"].index(name)] = value
    layout.index = b"".join(ENTRY.pack(*entry) for entry in entries)
    return layout


TIME, METRIC, VALUE = 21, 22, 23  # of the system table, behind the 21 of flows


def test_the_batch_that_is_changed_below_is_good():
    assert list(wire.unpack_rows(_decode(_layout()))) == ROWS
    assert _entries(_layout())[TIME] == [SYSTEM, 0, OFFSET, 2, 2, NOON]
    assert _entries(_layout())[METRIC] == [SYSTEM, 1, OFFSET, 1, 2, 0]
    assert _entries(_layout())[VALUE] == [SYSTEM, 2, BITS, 8, 2, 0]


@pytest.mark.parametrize(
    ("at", "fields"),
    [
        (TIME, {"mode": BEFORE}),
        (TIME, {"mode": BITS}),
        (TIME, {"mode": 5}),
        (TIME, {"width": 3}),
        (TIME, {"width": 9}),
        (TIME, {"rows": 0}),
        (TIME, {"rows": 3}),
        (TIME, {"rows": 1 << 31}),
        (TIME, {"base": 1 << 62}),
        (TIME, {"base": -(1 << 62)}),
        (TIME, {"column": 1}),
        (TIME, {"table": 0}),
        (METRIC, {"mode": DELTA}),
        (METRIC, {"mode": BEFORE}),
        (METRIC, {"mode": COUNT}),
        (METRIC, {"base": 1}),
        (METRIC, {"base": -1}),
        (METRIC, {"table": 7}),
        (VALUE, {"mode": OFFSET}),
        (VALUE, {"base": 1}),
        (VALUE, {"width": 6}),
        (VALUE, {"column": 3}),
        (VALUE, {"table": AGENT}),
        (5, {"base": 2}),
        (5, {"mode": DELTA}),
    ],
)
def test_an_index_that_contradicts_itself_is_malformed(at, fields):
    with pytest.raises(MalformedBatch):
        _decode(_changed(at, **fields))


@pytest.mark.parametrize(
    "parts",
    [
        {"index": b""},
        {"planes": b""},
        {"addresses": bytes(16)},
        {"addresses": bytes(33)},
        {"lengths": b"\x09"},
        {"lengths": b"\x09\0\x03\0"},
        {"lengths": b"\x0a\0\x01\0"},
        {"texts": b"cpu_ratio\xff\xff"},
        {"order": b""},
        {"order": b"\5\0"},
        {"order": b"\5\0\0"},
        {"order": b"\5\0\7"},
        {"order": b"\5\0\x63"},
        {"made": -1},
        {"made": 1 << 62},
    ],
)
def test_parts_that_contradict_each_other_are_malformed(parts):
    layout = _layout()
    for name, value in parts.items():
        setattr(layout, name, value)
    with pytest.raises(MalformedBatch):
        _decode(layout)


@pytest.mark.parametrize(
    ("mode", "number", "value"),
    [
        (OFFSET, (1 << 62) - 1, (1 << 62) - 1),
        (OFFSET, 1 << 62, None),
        (OFFSET, (1 << 64) - 1, None),
        (DELTA, (1 << 63) - 1, -(1 << 62)),
        (DELTA, 1 << 63, None),
        (DELTA, (1 << 64) - 1, None),
        (BEFORE, (1 << 62) - 1, 6 - (1 << 62)),
        (BEFORE, 1 << 62, None),
        (BEFORE, (1 << 64) - 1, None),
    ],
)
def test_no_value_is_read_beyond_what_the_contract_allows(mode, number, value):
    """Also where it would wrap around to a value that is allowed."""
    layout = _layout([(0, (5, *ROWS[1][1][1:]))])
    entries = _entries(layout)
    entries[1][2:4] = mode, 8
    entries[1][5] = 0
    layout.index = b"".join(ENTRY.pack(*entry) for entry in entries)
    layout.planes = struct.pack("<Q", number)
    if value is None:
        with pytest.raises(MalformedBatch, match="range"):
            _decode(layout)
    else:
        ((_, row),) = wire.unpack_rows(_decode(layout))
        assert row[1] == value


def test_each_column_has_the_mode_that_compresses_best():
    steady = [(0, (NOON + 7 * n, NOON + 7 * n - 40, 1 << 40, *ROWS[1][1][3:])) for n in range(500)]
    modes = {part.column: part.mode for part in parts(_decode(_layout(steady)).planes)}
    assert modes[0] == DELTA  # steps of 7
    assert modes[1] in {DELTA, BEFORE}
    assert modes[2] == OFFSET
    assert list(wire.unpack_rows(_decode(_layout(steady)))) == steady


def test_long_planes_are_blocks_of_their_own():
    """Still one frame, which says how large it is and which anybody's zstd reads."""
    flows = [
        (0, (NOON + n * n, NOON, n, *[n % 7] * 2, BOOT, BOOT, *[n * 7919 % 50_000] * 14))
        for n in range(1_000)
    ]
    layout = _layout(flows)
    cuts = list(layout_2._cuts(layout.index, 100))
    assert len(cuts) > 13
    assert all(after > before for before, after in itertools.pairwise(cuts))
    frame = wire.encode("s", "a", BOOT, 0, 1, flows, 2)[4:]
    assert zstandard.frame_content_size(frame) == len(msgspec.msgpack.encode(layout))
    assert list(wire.unpack_rows(_decode(layout))) == flows


def _with_unknown(layout: layout_2.Layout, rows: int = 2, table: int = 99) -> layout_2.Layout:
    """The batch with a table that no release knows yet, of two columns (the second skips a number)."""
    layout.index += ENTRY.pack(table, 0, 77, 1, rows, 3) + ENTRY.pack(table, 2, OFFSET, 2, rows, 0)
    layout.planes += bytes(3 * rows)
    layout.order += bytes([table]) * rows
    return layout


def test_a_table_that_is_not_known_is_skipped_and_counted():
    batch = _decode(_with_unknown(_layout()))
    assert list(wire.unpack_rows(batch)) == ROWS
    assert (batch.rows, batch.planes.unknown) == (5, 2)
    assert (_decode(_layout()).rows, _decode(_layout()).planes.unknown) == (3, 0)


def test_a_batch_of_nothing_else_is_good():
    batch = _decode(_with_unknown(_layout([])))
    assert list(wire.unpack_rows(batch)) == []
    assert batch.planes.unknown == batch.rows == 2
    alone = _with_unknown(_layout([]))
    alone.order = b""
    assert _decode(alone).planes.unknown == 2


def test_its_lengths_are_checked_all_the_same():
    for spoil in ({"rows": 65_536}, {"table": 255}):
        layout = _with_unknown(_layout(), **spoil)
        layout.planes = layout.planes[:-1]
        with pytest.raises(MalformedBatch):
            _decode(layout)


def test_contract_1_has_no_other_tables():
    rows = [(SYSTEM, (NOON, "m", 0.5))]
    plain = decompress(wire.encode("s", "a", BOOT, 0, 1, rows, 1)[4:])
    body = plain.replace(b"\x93\x05\x01", b"\x93\x09\x01")
    assert body != plain
    with pytest.raises(MalformedBatch):
        wire.decode(wire.MAGIC + b"\1" + zstandard.ZstdCompressor().compress(body))


def test_one_text_in_every_row_is_no_way_to_grow():
    most = MAX_NAMED_BYTES // MAX_TEXT_BYTES
    rows = [(SYSTEM, (n, "m" * MAX_TEXT_BYTES, 0.5)) for n in range(most)]
    layout = _layout(rows)
    assert _decode(layout).rows == most
    with pytest.raises(ValueError, match="bytes of texts"):
        _layout([*rows, rows[0]])
    more = _layout([(SYSTEM, (n, "m", 0.5)) for n in range(most + 1)])
    more.lengths, more.texts = layout.lengths, layout.texts
    with pytest.raises(MalformedBatch, match="too long together"):
        _decode(more)
    with pytest.raises(MalformedBatch):
        unpacking.unpack([layout_2.read(more, 2)], {})
    unpacking.unpack([layout_2.read(layout, 2)], {})


def test_it_is_read_by_those_alone_who_read_it():
    body = wire.encode("s", "a", BOOT, 0, 1, ROWS, 2)
    with pytest.raises(UnknownContract):
        wire.decode(body, reads=(1,))
    assert wire.decode(body, reads=(2,)).rows == len(ROWS)
