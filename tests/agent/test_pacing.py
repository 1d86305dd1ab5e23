import struct
from bisect import bisect_right
from itertools import accumulate, cycle

from hypothesis import example, given
from hypothesis import strategies as st

from dijkwacht_agent.frames import Block, block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.pacing import LONGEST_GAP_US, Live, Paced
from dijkwacht_agent.sources.capture import HELD_US

SECOND = 1_000_000
NO_FRAMES = Block(b"", 1, (), (), (), (), ())


class Frames:
    dropped = 0

    def __init__(self, *blocks):
        self.given = blocks

    def blocks(self):
        for times in self.given:
            yield block_of([(time, 1, b"", 0, 0) for time in times]) if times else NO_FRAMES

    def close(self):
        pass


class Clock:
    def __init__(self):
        self.now, self.naps = 50.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.now += seconds


def play(source, speed):
    clock = Clock()
    paced = Paced(source, speed, clock, clock.sleep)
    out = []
    for block in paced.blocks():
        assert all(time <= paced.now() for time in block.times)
        out += [(time, round(clock.now - 50, 6)) for time in block.times]
    return out, clock


def test_no_frame_comes_before_its_time():
    base = 1_700_000_000 * SECOND
    source = Frames([base, base + SECOND, base + 2 * SECOND], [base + 4 * SECOND])
    out, _ = play(source, speed=2.0)
    assert [time for time, _ in out] == [base, base + SECOND, base + 2 * SECOND, base + 4 * SECOND]
    assert [at for _, at in out] == [0, 0.5, 1.0, 2.0]


def test_while_it_waits_time_passes_in_small_steps():
    out, clock = play(Frames([0, 2 * SECOND]), speed=1.0)
    assert len(out) == 2
    assert max(clock.naps) <= 0.1


def test_a_long_silence_is_passed_over():
    out, clock = play(Frames([0, 10 * LONGEST_GAP_US, 10 * LONGEST_GAP_US + SECOND]), speed=1.0)
    assert len(out) == 3
    assert sum(clock.naps) < 2


def test_older_frames_come_at_once():
    out, clock = play(Frames([5 * SECOND, 3 * SECOND, 5 * SECOND]), speed=1.0)
    assert [time for time, _ in out] == [5 * SECOND, 3 * SECOND, 5 * SECOND]
    assert clock.naps == []


def test_at_full_speed_nobody_sleeps_and_now_is_the_newest_frame():
    clock = Clock()
    paced = Paced(Frames([1, 9, 5], [7], [1 << 50]), None, clock, clock.sleep)
    seen = [(len(block), paced.now()) for block in paced.blocks()]
    assert seen == [(3, 9), (1, 9), (1, 1 << 50)]
    assert clock.naps == []


def test_live_time_is_the_clocks_less_what_the_kernel_holds():
    live = Live(Frames([7, 9], []), clock=lambda: 9 * SECOND)
    assert (live.now(), live.patient) == (9 * SECOND - HELD_US, False)
    assert [live.now() for _ in live.blocks()] == [9, 9 * SECOND - HELD_US]


class Ring:
    """Frames at ``times`` through a kernel's ring, read by somebody who is late at times.

    A block is handed over some time after its first frame, ``holds`` in turn; ``delays`` says in turn
    how long the reader does something else first. A quarter second without any is an empty block.
    """

    dropped = 0

    def __init__(self, times, holds, delays):
        self.times, self.holds, self.delays = times, cycle(holds), cycle(delays)
        self.clock = times[0] - SECOND

    def blocks(self):
        at, quiet_since = 0, self.clock
        while at < len(self.times):
            ready = self.times[at] + next(self.holds)
            end = bisect_right(self.times, ready)
            while ready > quiet_since + SECOND // 4:
                self.clock = quiet_since = quiet_since + SECOND // 4
                yield NO_FRAMES
            self.clock = quiet_since = max(self.clock, ready) + next(self.delays)
            yield packets(self.times[at:end])
            at = end
        while self.clock < self.times[-1] + 200 * SECOND:
            self.clock += SECOND // 4
            yield NO_FRAMES

    def close(self):
        pass


def packets(times):
    """UDP packets of one flow."""
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 29, 0, 0, 64, 17, 0) + bytes([10, 0, 0, 1, 8, 8, 8, 8])
    data = bytes(12) + b"\x08\x00" + ip + struct.pack(">HHHH", 5000, 9999, 9, 0) + b"x"
    return block_of([(time, 1, data, len(data), 0) for time in times])


@given(
    gaps=st.lists(
        st.integers(0, 70 * SECOND) | st.integers(59 * SECOND, 61 * SECOND), min_size=1, max_size=12
    ),
    holds=st.lists(st.integers(0, 200_000), min_size=1, max_size=4),
    delays=st.lists(st.integers(0, 1000) | st.integers(0, 5 * SECOND), min_size=1, max_size=4),
)
@example(gaps=[60 * SECOND - 10_000], holds=[100_000], delays=[0])
@example(gaps=[60 * SECOND - 10_000], holds=[200_000], delays=[0, 3 * SECOND])
def test_live_frames_make_the_parts_that_their_recording_makes(gaps, holds, delays):
    times = list(accumulate(gaps, initial=1_767_268_800 * SECOND))
    ring = Ring(times, holds, delays)
    live, meter = Live(ring, lambda: ring.clock), Meter(LocalNetworks())
    for block in live.blocks():
        meter.feed(block)
        meter.advance(live.now())
    replayed = Meter(LocalNetworks())
    replayed.feed(packets(times))
    replayed.advance(times[-1] + 200 * SECOND)
    rows = [list(metered.take().rows()) for metered in (meter, replayed)]
    assert rows[0] == rows[1]
