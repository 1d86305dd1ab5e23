"""Files that may be gzip, and streams that are meant to do harm."""

import gzip
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records import gzipped
from dijkwacht_records.gzipped import BROKEN, GROWS, open_plain


def read(path, size=4096):
    """What ``path`` holds, and what was said of its end."""
    parts = []
    with open_plain(path) as file:
        try:
            while part := file.read(size):
                parts.append(part)
        except OSError as error:
            return b"".join(parts), error.strerror
    return b"".join(parts), ""


@given(content=st.binary(max_size=2000), size=st.integers(1, 3000))
def test_packed_and_plain_are_read_alike(tmp_path_factory, content, size):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(gzip.compress(content) + gzip.compress(content))
    assert read(path, size) == (content * 2, "")
    path.write_bytes(b"x" + content)
    assert read(path, size) == (b"x" + content, "")


def test_a_stream_that_breaks_off_gives_what_came_before(tmp_path):
    whole = os.urandom(100_000)
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(whole)[:60_000])
    found, said = read(path)
    assert said == BROKEN
    assert 50_000 < len(found) < 60_000
    assert whole.startswith(found)


@given(st.binary(min_size=1, max_size=100))
def test_no_bytes_raise_anything_else(tmp_path_factory, tail):
    path = tmp_path_factory.getbasetemp() / "odd.gz"
    path.write_bytes(b"\x1f\x8b" + tail)
    assert read(path)[1] in (BROKEN, GROWS, "")


def test_a_bomb_ends_early(tmp_path, monkeypatch):
    monkeypatch.setattr(gzipped, "FREE_BYTES", 1 << 20)
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
    found, said = read(path, 1 << 16)
    assert said == GROWS
    assert len(found) < 40 << 20


def test_a_pipe_is_passed_on_as_it_is():
    reading, writing = os.pipe()
    os.write(writing, b"\x1f\x8bno gzip at all")
    os.close(writing)
    try:
        with open_plain(Path(f"/dev/fd/{reading}")) as file:
            assert file.read(100) == b"\x1f\x8bno gzip at all"
    finally:
        os.close(reading)
