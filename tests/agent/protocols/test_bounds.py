"""One message holds as much as its sender likes: what is read of it is bounded."""

import struct

import pytest

from dijkwacht_agent.protocols.client_hello import read_client_hello
from dijkwacht_agent.protocols.dns import read_names
from dijkwacht_agent.protocols.quic_initial import read_frames
from dijkwacht_records.vocabulary import HelloFlag


def hello(ciphers: int, extensions: int) -> bytes:
    kinds = b"".join(struct.pack(">HH", 1000 + n, 0) for n in range(extensions))
    return (
        b"\x03\x03" + bytes(32) + b"\0" + struct.pack(">H", 2 * ciphers) + b"\x13\x01" * ciphers
        + b"\x01\0" + struct.pack(">H", len(kinds)) + kinds
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ciphers", "extensions", "whole"),
    [(512, 128, True), (513, 1, False), (1, 129, False), (3000, 400, False)],
)
def test_a_hello_of_thousands_of_parts_counts_as_cut(ciphers, extensions, whole):
    found = read_client_hello(hello(ciphers, extensions), "t")
    assert found is not None
    assert (found.ja4 != "", not found.flags & HelloFlag.CUT) == (whole, whole)


def test_of_an_initial_some_frames_are_read():
    assert len(read_frames(b"\x06\0\0" * 1000).crypto) == 256
    assert read_frames(b"\0" * 5000 + b"\x06\0\x01a").crypto == []
    assert read_frames(b"\x01\0" * 100 + b"\x06\0\x01a").crypto == [(0, b"a")]


def test_of_a_search_list_some_names_are_read():
    long = b"\1a" * 100 + b"\0"
    assert read_names(long + b"\xc0\0" * 500) == [".".join("a" * 100)] * 32
