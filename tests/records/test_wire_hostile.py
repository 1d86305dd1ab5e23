"""What anybody may send: mutated batches, frames that lie about their size, plain noise."""

import random
import resource
import subprocess
import sys
import textwrap
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records import wire
from dijkwacht_records.errors import MalformedBatch, UnknownContract
from dijkwacht_records.tables import MAX_TEXT_BYTES, TABLES

MUTATIONS = 24_000
HEAD = wire.MAGIC + b"\1"
ODD_BYTES = (0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xC4, 0xC6, 0xCF, 0xD3, 0xDC, 0xDD, 0xFE, 0xFF)


def _random_row(draw: random.Random, number: int):
    values = []
    for column in TABLES[number].columns:
        if column.kind == "addr":
            values.append(bytes(12) + draw.randbytes(draw.choice((0, 4)) or 4))
        elif column.kind == "text":
            values.append("é-naam." * draw.randrange(4))
        elif column.kind == "float":
            values.append(draw.random())
        else:
            values.append(draw.randrange(1 << draw.choice((1, 8, 16, 32, 61))))
    return number, tuple(values)


def _sample(seed: int, rows: int) -> bytes:
    draw = random.Random(seed)
    made = [_random_row(draw, draw.randrange(len(TABLES))) for _ in range(rows)]
    return wire.encode("site", "agent", bytes(16), seed, 1, made)


SAMPLES = [
    _sample(0, 0),
    _sample(1, 1),
    _sample(2, 5),
    _sample(3, 40),
    _sample(4, 200),
    _sample(5, 1000),
]
PLAINS = [zstandard.ZstdDecompressor().decompress(sample[4:]) for sample in SAMPLES]


def _mutate(draw: random.Random, good: bytes) -> bytes:
    body = bytearray(good)
    for _ in range(draw.choice((1, 1, 2, 8))):
        at = draw.randrange(len(body)) if body else 0
        kind = draw.randrange(6)
        if kind == 0 and body:
            body[at] ^= 1 << draw.randrange(8)
        elif kind == 1 and body:
            body[at] = draw.choice(ODD_BYTES)
        elif kind == 2:
            del body[at:]
        elif kind == 3:
            body[at:at] = body[draw.randrange(len(body) or 1) :][: draw.randrange(64)]
        elif kind == 4:
            del body[at : at + draw.randrange(1, 32)]
        else:
            body[at : at + 8] = draw.randbytes(8)
    return bytes(body)


def _check(body: bytes) -> bool:
    """Whether ``body`` is a batch; all that it then holds must be in range."""
    try:
        batch = wire.decode(body)
    except (MalformedBatch, UnknownContract):
        return False
    rows = list(wire.unpack_rows(batch))
    assert len(rows) == batch.rows <= wire.MAX_ROWS
    for number, row in rows:
        for column, value in zip(TABLES[number].columns, row, strict=True):
            if column.kind == "int":
                assert isinstance(value, int)
                assert -(1 << 63) <= value < 1 << 63
            elif column.kind == "addr":
                assert isinstance(value, bytes)
                assert len(value) == 16
            elif column.kind == "text":
                assert isinstance(value, str)
                assert len(value.encode()) <= MAX_TEXT_BYTES
            else:
                assert isinstance(value, float)
    return True


@pytest.mark.parametrize("seed", range(4))
def test_mutated_batches_are_read_or_refused_and_nothing_else(seed):
    """Two thirds are changed under the compression, where the decoder's own checks must hold."""
    draw = random.Random(seed)
    compressor = zstandard.ZstdCompressor(level=1)
    accepted = 0
    for turn in range(MUTATIONS // 4):
        if turn % 3:
            body = HEAD + compressor.compress(_mutate(draw, draw.choice(PLAINS)))
        else:
            body = _mutate(draw, draw.choice(SAMPLES))
        accepted += _check(body)
    # Were all refused, the mutations would test the first check only.
    assert 0.02 < accepted / (MUTATIONS // 4) < 0.9


@given(st.binary(max_size=300))
def test_noise_is_malformed(noise):
    for body in (noise, wire.MAGIC + noise, HEAD + noise):
        assert not _check(body)


@given(st.binary(max_size=300))
def test_compressed_noise_is_malformed(noise):
    assert not _check(HEAD + zstandard.ZstdCompressor().compress(noise))


def test_every_truncation_is_malformed():
    for end in range(len(SAMPLES[2])):
        assert not _check(SAMPLES[2][:end])


def _bomb(declare: bool, size: int) -> bytes:
    """``size`` zero bytes as one frame, which says so or does not."""
    compressor = zstandard.ZstdCompressor(level=1, write_content_size=declare)
    stream = compressor.compressobj(size=size) if declare else compressor.compressobj()
    block = bytes(1 << 20)
    parts = [stream.compress(block) for _ in range(size >> 20)]
    return HEAD + b"".join(parts) + stream.flush()


@pytest.mark.parametrize("declare", [True, False])
def test_a_bomb_is_refused_before_it_grows(declare):
    body = _bomb(declare, 1 << 30)
    assert len(body) < wire.MAX_WIRE_BYTES, "the bomb must get past the first check"
    code = textwrap.dedent("""
        import resource, sys
        from dijkwacht_records import wire
        from dijkwacht_records.errors import MalformedBatch
        body = sys.stdin.buffer.read()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            wire.decode(body)
        except MalformedBatch:
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            sys.exit(0 if grown < 32 * 1024 else f"{grown} KiB")
        sys.exit("accepted")
    """)
    result = subprocess.run(
        [sys.executable, "-c", code], input=body, capture_output=True, check=False
    )
    assert result.returncode == 0, result.stderr.decode()


@pytest.mark.parametrize(
    "tables",
    [[[0, 1, []]] * 100_000, [[0, 1, [[0, 0, b""]] * 100_000]]],
    ids=["tables", "columns"],
)
def test_more_tables_or_columns_than_there_are_become_no_objects(tables):
    head = ["site", "agent", bytes(16), 1, 1, b"", b""]
    plain = msgspec.msgpack.encode([*head, tables])
    body = HEAD + zstandard.ZstdCompressor().compress(plain)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedBatch):
            wire.decode(body)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(plain)
    finally:
        tracemalloc.stop()


def test_a_frame_that_declares_less_than_it_holds_is_malformed():
    frame = bytearray(zstandard.ZstdCompressor().compress(bytes(100_000)))
    size = zstandard.get_frame_parameters(bytes(frame)).content_size
    place = bytes(frame).index((size).to_bytes(4, "little"))
    frame[place : place + 4] = (10).to_bytes(4, "little")
    assert not _check(HEAD + bytes(frame))


def test_a_frame_with_more_behind_it_is_malformed():
    assert _check(SAMPLES[2])
    assert not _check(SAMPLES[2] + SAMPLES[2][4:])
    assert not _check(SAMPLES[2] + b"x")


def test_a_frame_that_asks_for_a_dictionary_is_malformed():
    trained = zstandard.train_dictionary(
        1024, [PLAINS[4][at : at + 64] for at in range(0, 6400, 8)]
    )
    frame = zstandard.ZstdCompressor(dict_data=trained).compress(PLAINS[2])
    assert not _check(HEAD + frame)


def test_deep_nesting_is_malformed():
    assert not _check(HEAD + zstandard.ZstdCompressor().compress(b"\x91" * 100_000))


def test_the_largest_wire_is_the_limit():
    assert not _check(HEAD + bytes(wire.MAX_WIRE_BYTES))


def test_hostile_batches_leave_no_memory_behind():
    draw = random.Random(9)
    for turn in range(3):
        for _ in range(500):
            _check(_mutate(draw, SAMPLES[4]))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if turn == 0:
            first = grown
    assert grown - first < 8 * 1024


def test_a_corrupt_frame_leaves_nothing_behind_for_the_next():
    good = wire.decode(SAMPLES[3])
    for end in range(5, len(SAMPLES[3]), 7):
        with pytest.raises(MalformedBatch):
            wire.decode(SAMPLES[3][:end])
        assert wire.decode(SAMPLES[3]) == good


def test_threads_decode_at_once():
    expected = [wire.decode(sample) for sample in SAMPLES]

    def many(_):
        return all(list(map(wire.decode, SAMPLES)) == expected for _ in range(100))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(many, range(16)))
