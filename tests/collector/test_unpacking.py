"""The kernel and the plain reader accept the same bytes, and then hold the same rows."""

import random

import msgspec
import numpy as np
import pytest
import zstandard

from dijkwacht_collector import unpacking
from dijkwacht_collector.unpacking import unpack
from dijkwacht_detectors.api import Text
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records import layout_1, layout_2, wire
from dijkwacht_records.columns import Columns
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.errors import MalformedBatch, UnknownContract
from dijkwacht_records.planes import Planes, columns
from dijkwacht_records.tables import TABLES

EVERYTHING = {n: frozenset(c.name for c in t.columns) for n, t in enumerate(TABLES)}
LITTLE = {0: frozenset(("start", "orig_h")), 1: frozenset(("query",))}
LAYOUTS = {1: layout_1.Layout, 2: layout_2.Layout}
ODD_BYTES = (0, 1, 2, 3, 0x3F, 0x40, 0x7F, 0x80, 0xC4, 0xC6, 0xCF, 0xD3, 0xDC, 0xDD, 0xFE, 0xFF)
OFFICE = list(office_rows(3, 6, WORKING_MORNING, 600_000_000))
compress = zstandard.ZstdCompressor(level=1).compress
decompress = zstandard.ZstdDecompressor().decompress


def _random_row(draw: random.Random, number: int):
    values = []
    for column in TABLES[number].columns:
        if column.kind == "addr":
            values.append(bytes(12) + draw.randbytes(4))
        elif column.kind == "text":
            values.append("é-naam." * draw.randrange(4))
        elif column.kind == "float":
            values.append(draw.random())
        else:
            values.append(draw.randrange(1 << draw.choice((1, 8, 16, 32, 61))))
    return number, tuple(values)


def _samples(contract: int) -> list[bytes]:
    draw = random.Random(contract)
    chosen = [
        [_random_row(draw, draw.randrange(len(TABLES))) for _ in range(n)] for n in (0, 1, 5, 60)
    ]
    flows = [pair for pair in OFFICE if pair[0] == 0]
    chosen += [OFFICE[:20], OFFICE[100:160], flows[:18], flows[200:230]]
    return [wire.encode("site", "agent", bytes(16), 1, 1, rows, contract) for rows in chosen]


def _mutate(draw: random.Random, good: bytes, cuts: bool = True) -> bytes:
    body = bytearray(good)
    for _ in range(draw.choice((1, 1, 2, 8)) if body else 0):
        at = draw.randrange(len(body) or 1)
        kind = draw.randrange(6 if cuts else 3)
        if kind == 0:
            body[at : at + 1] = bytes([body[at] ^ 1 << draw.randrange(8)]) if body else b""
        elif kind == 1:
            body[at : at + 1] = bytes([draw.choice(ODD_BYTES)])
        elif kind == 2:
            end = min(len(body), at + 8)
            body[at:end] = draw.randbytes(end - at)
        elif kind == 3:
            del body[at:]
        elif kind == 4:
            body[at:at] = body[draw.randrange(len(body) or 1) :][: draw.randrange(64)]
        else:
            del body[at : at + draw.randrange(1, 32)]
    return bytes(body)


def _mutate_field(draw: random.Random, plain: bytes, contract: int) -> bytes:
    """Change one run of bytes and nothing of how it is framed, so that later checks are reached."""
    layout = msgspec.msgpack.decode(plain, type=LAYOUTS[contract])
    if contract == 1 and layout.tables and draw.random() < 0.9:
        columns = draw.choice(layout.tables).columns
        place = draw.randrange(len(columns))
        base, width, planes, blob = columns[place]
        if draw.random() < 0.2:
            base += draw.choice((-1, 1, 1 << 20, -(1 << 40)))
        if draw.random() < 0.3:
            blob = _mutate(draw, blob, cuts=draw.random() < 0.2)
        else:
            planes = _mutate(draw, planes, cuts=draw.random() < 0.2)
        columns[place] = (base, width, planes, blob)
        return msgspec.msgpack.encode(layout)
    names = ["addresses", "order"]
    if contract == 2:
        names = ["index", "index", "index", "planes", "addresses", "lengths", "texts", "order"]
    name = draw.choice(names)
    setattr(layout, name, _mutate(draw, getattr(layout, name), cuts=draw.random() < 0.2))
    return msgspec.msgpack.encode(layout)


def _plainly(body: bytes) -> Planes | None:
    try:
        return wire.decode(body, CONTRACTS).planes
    except (MalformedBatch, UnknownContract):
        return None


def _fast(body: bytes, wanted):
    try:
        return unpack([wire.read(body, CONTRACTS).planes], wanted)
    except (MalformedBatch, UnknownContract):
        return None


def _looked_at(body: bytes) -> bool:
    """What the intake asks."""
    try:
        unpacking.decode(body, CONTRACTS)
    except (MalformedBatch, UnknownContract):
        return False
    return True


def _assert_same(held: Columns, unpacked) -> None:
    assert unpacked.order.tobytes() == held.order
    assert sorted(unpacked.columns) == sorted(held.tables)
    for number, own in held.tables.items():
        for column, plain in zip(TABLES[number].columns, own, strict=True):
            found = unpacked.columns[number][column.name]
            if isinstance(found, Text):
                texts = [found[i] for i in range(len(plain))]
                assert texts == [held.texts[place] for place in plain]
            elif found.ndim == 2:
                joined = b"".join(held.addresses[place] for place in plain)
                assert found.astype(">u8").tobytes() == joined
            else:
                assert found.tobytes() == np.array(list(plain), found.dtype).tobytes()


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.parametrize("seed", range(4))
def test_mutated_batches_are_read_or_refused_by_both_alike(contract, seed):
    draw = random.Random(seed)
    samples = _samples(contract)
    plains = [decompress(sample[4:]) for sample in samples]
    head = samples[0][:4]
    accepted = dict.fromkeys(range(4), 0)
    for turn in range(12_500):
        at = draw.randrange(len(samples))
        if turn % 4 == 0:
            body = _mutate(draw, samples[at])
        elif turn % 4 == 1:
            body = head + compress(_mutate(draw, plains[at]))
        else:
            body = head + compress(_mutate_field(draw, plains[at], contract))
        planes, fast = _plainly(body), _fast(body, EVERYTHING)
        little = _fast(body, LITTLE)
        assert (planes is None) == (fast is None) == (little is None), body.hex()
        assert _looked_at(body) == (planes is not None), body.hex()
        if planes is not None:
            accepted[turn % 4] += 1
            _assert_same(columns(planes), fast)
    # Were all refused, or none, the mutations would test nothing.
    assert all(0 < count < 12_500 / 4 for count in accepted.values()), accepted
    assert accepted[2] > 300


def test_batches_of_all_contracts_are_read_together():
    bodies = [body for contract in CONTRACTS for body in _samples(contract)]
    batches = [wire.read(body, CONTRACTS).planes for body in (*bodies, *reversed(bodies))]
    everything, little = unpack(batches, EVERYTHING), unpack(batches, LITTLE)
    _assert_same(Columns.join([columns(planes) for planes in batches]), everything)
    for number, own in little.columns.items():
        assert own.keys() >= LITTLE.get(number, set()) & everything.columns[number].keys()
        for name, found in own.items():
            wanted = everything.columns[number][name]
            if isinstance(found, Text):
                assert np.array_equal(found.offsets, wanted.offsets)
                assert found.blob.tobytes() == wanted.blob.tobytes()
            else:
                assert found.tobytes() == wanted.tobytes()
