"""Blocks: the frames that went in, in order, however they were gathered and cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_agent.frames import Block, block_of, in_blocks

LARGE = 100 * 1024


def frames_of(link_types):
    def frame(time, link_type, data, cut_off, vlan):
        return time, link_type, data, len(data) + cut_off, vlan

    return st.lists(
        st.builds(
            frame,
            st.integers(0, 1 << 61),
            link_types,
            st.binary(max_size=20),
            st.integers(0, 9),
            st.integers(0, 4095),
        ),
        min_size=1,
        max_size=30,
    )


@given(frames_of(st.sampled_from([1, 101, 113])))
def test_gathered_frames_come_out_as_they_went_in_each_block_of_one_link_type(frames):
    blocks = list(in_blocks(frames))
    assert [frame for block in blocks for frame in block.frames()] == frames
    kinds = [block.link_type for block in blocks]
    assert all(kind != following for kind, following in pairwise(kinds))


@given(frames_of(st.just(1)), st.data())
def test_a_part_of_a_block_is_those_frames(frames, data):
    begin = data.draw(st.integers(0, len(frames)))
    end = data.draw(st.integers(begin, len(frames)))
    part = block_of(frames).cut(begin, end)
    assert len(part) == end - begin
    assert list(part.frames()) == frames[begin:end]


def test_blocks_are_bounded_in_number_and_in_bytes():
    many = [(place, 1, b"", 0, 0) for place in range(3000)]
    assert [len(block) for block in in_blocks(many)] == [1024, 1024, 952]
    large = [(place, 1, bytes(LARGE), LARGE, 0) for place in range(7)]
    assert [len(block) for block in in_blocks(large)] == [3, 3, 1]


def test_a_block_is_of_frames_of_one_link_type():
    assert list(in_blocks([])) == []
    for frames in ([], [(0, 1, b"a", 1, 0), (0, 113, b"b", 1, 0)]):
        with pytest.raises(ValueError, match="some, all of one link type"):
            block_of(frames)


def test_a_block_may_be_empty_and_hold_bytes_that_are_no_frames():
    assert list(Block(b"", 1, [], [], [], [], []).frames()) == []
    gaps = Block(b"head one pad two tail", 1, [7, 8], [5, 13], [8, 16], [3, 3], [0, 5])
    assert list(gaps.frames()) == [(7, 1, b"one", 3, 0), (8, 1, b"two", 3, 5)]


@given(st.lists(st.tuples(st.integers(-3, 13), st.integers(-3, 13)), min_size=1, max_size=5))
def test_a_frame_lies_wholly_inside_its_block_or_is_refused(places):
    begins, ends = [begin for begin, _ in places], [end for _, end in places]
    given = [0] * len(places), begins, ends, [0] * len(places), [0] * len(places)
    if all(0 <= begin <= end <= 10 for begin, end in places):
        block = Block(bytes(10), 1, *given)
        assert [len(frame[2]) for frame in block.frames()] == [end - begin for begin, end in places]
    else:
        with pytest.raises(ValueError, match="not inside the 10 bytes"):
            Block(bytes(10), 1, *given)


@pytest.mark.parametrize("short", range(5))
def test_sequences_of_different_lengths_are_refused(short):
    given = [[0, 0] for _ in range(5)]
    given[short].pop()
    with pytest.raises(ValueError, match="not all of"):
        Block(b"", 1, *given)
