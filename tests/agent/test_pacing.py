from dijkwacht_agent.frames import block_of
from dijkwacht_agent.pacing import LONGEST_GAP_US, Live, Paced

SECOND = 1_000_000


class Frames:
    dropped = 0

    def __init__(self, *blocks):
        self.given = blocks

    def blocks(self):
        for times in self.given:
            yield block_of([(time, 1, b"", 0, 0) for time in times])

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


def test_live_time_is_the_clocks():
    live = Live(Frames([1]), clock=lambda: 42)
    assert (len(list(live.blocks())), live.now(), live.patient) == (1, 42, False)
