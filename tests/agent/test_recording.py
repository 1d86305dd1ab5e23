"""Recordings: every dialect of pcap and pcapng, whole, broken and hostile."""

import os
import struct
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dijkwacht_agent.sources.recording import MAX_PROBLEMS, Recording, is_recording
from dijkwacht_records.errors import UnreadableInput

START = 1_700_000_000
FRAMES = [(START * 1_000_000 + place * 250_000, b"frame %d" % place * 3) for place in range(5)]


def pcap(frames=FRAMES, order="<", magic=0xA1B2C3D4, scale=1, extra=b"", link_type=1) -> bytes:
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)]
    for time, data in frames:
        stamp = time // 1_000_000, time % 1_000_000 * scale
        parts.append(struct.pack(order + "IIII", *stamp, len(data), len(data) + 7) + extra + data)
    return b"".join(parts)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order="<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(order="<", link_type=1, snap=0, options=()) -> bytes:
    body = struct.pack(order + "HHI", link_type, 0, snap)
    for code, value in options:
        body += struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)
    return block(1, body + bytes(4), order)


def enhanced(ticks: int, data: bytes, order="<", number=0, wire_len=None) -> bytes:
    head = struct.pack(
        order + "IIIII",
        number,
        ticks >> 32,
        ticks & 0xFFFFFFFF,
        len(data),
        wire_len or len(data),
    )
    return block(6, head + data, order)


def pcapng(frames=FRAMES, order="<") -> bytes:
    blocks = [enhanced(time, data, order) for time, data in frames]
    return section(order) + interface(order) + b"".join(blocks)


@pytest.fixture
def write(tmp_path):
    def to_file(content: bytes, name: str = "a.pcap") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return to_file


def frames_of(*paths: Path) -> list:
    return [frame for block in Recording(paths).blocks() for frame in block.frames()]


@pytest.mark.parametrize(
    "content",
    [
        pcap(),
        pcap(order=">"),
        pcap(magic=0xA1B23C4D, scale=1000),
        pcap(magic=0xA1B23C4D, scale=1000, order=">"),
        pcap(magic=0xA1B2CD34, extra=bytes(8)),
        pcap(magic=0xA1B2CD34, extra=bytes(8), order=">"),
        pcapng(),
        pcapng(order=">"),
    ],
)
def test_every_dialect_holds_the_same_frames(write, content):
    path = write(content, "no-ending")
    assert is_recording(path)
    read = frames_of(path)
    assert [(time, data) for time, _, data, _, _ in read] == FRAMES
    assert {(link_type, vlan) for _, link_type, _, _, vlan in read} == {(1, 0)}


def test_lengths_on_the_wire_and_link_types_are_kept(write):
    ((_, link_type, data, wire_len, _), *_) = frames_of(write(pcap(link_type=0x3000_0071)))
    assert (link_type, wire_len) == (113, len(data) + 7)


def test_time_resolutions_and_offsets(write):
    nanos = interface(options=[(9, b"\x09")])
    binary = interface(options=[(9, b"\x8a")])
    offset = interface(options=[(14, struct.pack("<q", START))])
    blocks = [
        enhanced(START * 10**9 + 1500, b"a", number=0),
        enhanced((START << 10) + 512, b"b", number=1),
        enhanced(250_000, b"c", number=2),
    ]
    read = frames_of(write(section() + nanos + binary + offset + b"".join(blocks)))
    assert [time - START * 1_000_000 for time, *_ in read] == [1, 500_000, 250_000]


def test_each_section_describes_its_own_interfaces(write):
    first = section() + interface(link_type=101) + enhanced(1, b"a")
    second = section(">") + interface(">", link_type=113) + enhanced(2, b"b", ">")
    assert [(f[0], f[1], f[2]) for f in frames_of(write(first + second))] == [
        (1, 101, b"a"),
        (2, 113, b"b"),
    ]


def test_simple_and_old_packets(write):
    simple = block(3, struct.pack("<I", 10) + b"0123")
    old = block(2, struct.pack("<HHIIII", 0, 0, 0, 77, 4, 9) + b"abcd")
    read = frames_of(write(section() + interface(snap=4) + old + simple))
    assert read == [(77, 1, b"abcd", 9, 0), (77, 1, b"0123", 10, 0)]


def test_blocks_of_other_kinds_are_stepped_over(write):
    other = block(5, bytes(20)) + block(0xBAD, bytes(400_000))
    read = frames_of(write(section() + interface() + other + enhanced(1, b"a") + other))
    assert [data for _, _, data, *_ in read] == [b"a"]


@pytest.mark.parametrize(
    ("ticks", "options"),
    [
        (1 << 63, [(9, b"\x00")]),
        (1, [(14, struct.pack("<q", 1 << 40))]),
        (0, [(14, struct.pack("<q", (1 << 63) - 1))]),
        (0, [(14, struct.pack("<q", 253_402_300_800))]),
    ],
)
def test_a_time_in_no_calendar_costs_its_packet_and_is_counted(write, ticks, options):
    path = write(
        section()
        + interface(options=options)
        + interface()
        + enhanced(ticks, b"a") * 2
        + enhanced(7, b"b", number=1)
    )
    recording = Recording([path])
    assert [times for block in recording.blocks() for times in block.times] == [7]
    assert recording.problem_count == 2
    assert recording.problems[0].endswith("expected a packet's time before the year 10000")


def test_the_last_time_of_all_and_one_before_the_first(write):
    last = interface(options=[(14, struct.pack("<q", 253_402_300_799))])
    past = interface(options=[(14, struct.pack("<q", -START))])
    blocks = enhanced(999_999, b"a") + enhanced(0, b"b", number=1)
    read = frames_of(write(section() + last + past + blocks))
    assert [datetime.fromtimestamp(time // 1_000_000, UTC).year for time, *_ in read] == [
        9999,
        1970,
    ]


def test_several_paths_are_one_recording(write):
    even, odd = write(pcap(FRAMES[::2]), "b"), write(pcapng(FRAMES[1::2]), "a")
    assert [(frame[0], frame[2]) for frame in frames_of(even, odd)] == FRAMES


def test_a_block_is_of_one_link_type_and_the_order_is_that_of_the_file(write):
    kinds = [1, 101, 101, 1, 113, 113]
    interfaces = b"".join(interface(link_type=kind) for kind in (1, 101, 113))
    packets = b"".join(
        enhanced(place, b"frame %d" % place, number=(1, 101, 113).index(kind))
        for place, kind in enumerate(kinds)
    )
    blocks = list(Recording([write(section() + interfaces + packets)]).blocks())
    assert [(block.link_type, len(block)) for block in blocks] == [
        (1, 1),
        (101, 2),
        (1, 1),
        (113, 2),
    ]
    read = [frame for block in blocks for frame in block.frames()]
    assert [frame[:3] for frame in read] == [
        (place, kind, b"frame %d" % place) for place, kind in enumerate(kinds)
    ]


def test_paths_of_several_link_types_are_one_recording(write):
    even, odd = write(pcap(FRAMES[::2], link_type=101), "b"), write(pcap(FRAMES[1::2]), "a")
    read = frames_of(even, odd)
    assert [(frame[0], frame[2]) for frame in read] == FRAMES
    assert [frame[1] for frame in read] == [101, 1, 101, 1, 101]


def test_disorder_inside_a_path_is_kept_and_harms_no_other(write):
    jumbled = [FRAMES[3], FRAMES[0], FRAMES[4]]
    read = frames_of(write(pcap(jumbled), "a"), write(pcap(FRAMES[1:3]), "b"))
    assert sorted((frame[0], frame[2]) for frame in read) == FRAMES


def test_a_recording_larger_than_the_window(write):
    frames = [(START * 1_000_000 + place, bytes([place & 255]) * 1500) for place in range(1000)]
    for content in (pcap(frames), pcapng(frames)):
        assert [(frame[0], frame[2]) for frame in frames_of(write(content))] == frames
    assert [
        frame[0] for frame in frames_of(write(pcap(frames), "a"), write(pcapng(frames), "b"))
    ] == [time for time, _ in frames for _ in "ab"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (pcap() + pcap()[24:60], "byte 209: expected a record of 37 bytes, the file has 36 more"),
        (pcap() + b"\x01\x02", "byte 209: expected a record of 16 bytes, the file has 2 more"),
        (
            pcapng() + enhanced(1, b"abcd")[:-3],
            "expected a block of 36 bytes, the file has 33 more",
        ),
        (pcapng() + b"\x01\x02", "expected a block, not 2 bytes"),
        (pcapng() + struct.pack("<III", 6, 7, 7), "expected a block, not one of 7 bytes"),
        (pcapng() + struct.pack("<III", 6, 0, 0), "expected a block, not one of 0 bytes"),
        (pcapng() + enhanced(1, b"", number=3), "packet of a described interface, not of number 3"),
        (pcapng() + block(6, bytes(4)), "expected a packet block with its header"),
        (pcapng() + block(6, struct.pack("<IIIII", 0, 0, 1, 99, 99)), "at most 0 bytes, not 99"),
        (pcapng() + block(1, b""), "an interface with a link type"),
        (pcapng() + section()[:8] + bytes(20), "the byte-order mark of a section"),
    ],
)
def test_what_can_be_read_is_read_and_the_rest_is_named(write, content, problem):
    path = write(content)
    recording = Recording([path])
    assert [frame[2] for block in recording.blocks() for frame in block.frames()] == [
        data for _, data in FRAMES
    ]
    assert recording.problem_count == 1
    assert recording.problems[0].startswith(f"{path}: byte ")
    assert problem in recording.problems[0]


@pytest.mark.parametrize(
    "content", [b"", b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a", b"ts,uid\n" * 9]
)
def test_what_is_no_recording_is_refused_by_name_and_place(write, content):
    path = write(content)
    with pytest.raises(UnreadableInput, match=r"a\.pcap: byte 0: expected a pcap or pcapng file"):
        Recording([path])


def test_a_recording_without_one_readable_frame_is_refused(write):
    hostile = pcap([]) + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 0xFFFFFFFF) + bytes(100)
    with pytest.raises(
        UnreadableInput, match="byte 24: expected a record of at most 16777216 bytes, not"
    ):
        frames_of(write(hostile))


def test_an_empty_recording_is_none_the_worse(write):
    assert frames_of(write(pcap([]))) == frames_of(write(section() + interface())) == []


def test_a_path_that_cannot_be_read_does_not_hide_the_others(write, tmp_path):
    recording = Recording([tmp_path / "gone", write(pcap(), "a"), write(b"text", "b")])
    assert sum(map(len, recording.blocks())) == len(FRAMES)
    assert recording.problem_count == 2
    with pytest.raises(UnreadableInput, match="No such file"):
        Recording([tmp_path / "gone"])
    with pytest.raises(UnreadableInput, match="a readable file"):
        Recording([tmp_path])


def test_problems_are_counted_beyond_those_that_are_kept(write):
    broken = section() + interface() + enhanced(1, b"", number=9) * (MAX_PROBLEMS + 50)
    recording = Recording([write(broken + enhanced(1, b"a"))])
    assert sum(map(len, recording.blocks())) == 1
    assert (recording.problem_count, len(recording.problems)) == (MAX_PROBLEMS + 50, MAX_PROBLEMS)


def test_a_recording_may_be_closed_early_and_twice(write):
    recording = Recording([write(pcap(), "a"), write(pcap(), "b")])
    blocks = recording.blocks()
    next(blocks)
    recording.close()
    recording.close()
    assert list(blocks) == recording.problems == []


def test_a_pipe_is_as_good_as_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(pcap(),))
    writer.start()
    assert len(frames_of(pipe)) == len(FRAMES)
    writer.join()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    content=st.sampled_from([pcap(), pcapng(), pcapng(order=">"), pcap(order=">")]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    size=st.integers(0, 400) | st.just(10_000),
)
def test_no_bytes_surprise_the_reader(write, content, changes, size):
    hostile = bytearray(content)
    for place, value in changes:
        hostile[place % len(hostile)] = value
    path = write(bytes(hostile[:size]))
    try:
        frames = frames_of(path)
    except UnreadableInput:
        return
    for time, _, data, wire_len, _ in frames:
        assert 0 <= time < 253_402_300_800 * 1_000_000
        assert len(data) <= wire_len
