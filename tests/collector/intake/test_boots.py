"""Two machines under one name are seen; what one machine can do by itself never looks like it."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.intake import HighWater
from dijkwacht_collector.intake.boots import MOST_BOOTS, WHILE_US, copies, hear_boot
from dijkwacht_collector.journal import batch_key

NOW = 1_790_000_000_000_000
SECOND = 1_000_000
BEAT = 10 * SECOND


def boot(number):
    return bytes([number]) * 16


def heard(beats, boots=None):
    """After each (boot, event time, arrival): how many copies there are."""
    boots = [] if boots is None else boots
    found = []
    for number, time, arrival in beats:
        hear_boot(boots, boot(number), time, arrival)
        found.append(copies(boots, arrival))
    return found


def in_turn(machines, rounds, ahead=0):
    """Each machine's heartbeats in turn; the clock of each is ``ahead`` of that before it."""
    return [
        (number, NOW + at * BEAT + number * ahead, NOW + at * BEAT + number)
        for at in range(rounds)
        for number in range(machines)
    ]


def test_two_machines_are_seen_when_both_have_gone_on_after_the_other():
    assert heard(in_turn(2, 4)) == [0, 0, 0, 0, 1, 1, 1, 1]


def test_each_machine_more_is_one_copy_more():
    assert heard(in_turn(3, 4))[-1] == 2
    assert heard(in_turn(MOST_BOOTS, 4))[-1] == MOST_BOOTS - 1


def test_their_clocks_need_not_agree():
    for ahead in (-86_400 * SECOND, -300 * SECOND, 300 * SECOND):
        assert heard(in_turn(2, 4, ahead))[-1] == 1


def test_it_is_over_when_one_of_them_has_been_silent_for_a_while():
    boots = []
    beats = in_turn(2, 4)
    assert heard(beats, boots)[-1] == 1
    last = beats[-1][2]
    alone = [(0, NOW + n * BEAT, last + n * BEAT) for n in range(1, 200)]
    found = heard(alone, boots)
    ends = found.index(0)
    assert abs(alone[ends][2] - last - WHILE_US) <= 2 * BEAT
    assert not any(found[ends:])


def test_what_is_far_apart_does_not_count_together():
    assert not any(
        heard([(n % 2, NOW + n * 2 * WHILE_US, NOW + n * 2 * WHILE_US) for n in range(9)])
    )


def test_a_folder_that_was_put_back_is_odd_and_no_second_machine():
    """What its spool had kept of three boots comes behind a later one; then it goes on as another."""
    beats = [(n, NOW + n * BEAT, NOW + n * BEAT) for n in range(4)]
    beats += [(n, NOW + n * BEAT + SECOND, NOW + (n + 4) * BEAT) for n in range(3)]
    beats += [(5, NOW + (n + 8) * BEAT, NOW + (n + 8) * BEAT) for n in range(9)]
    assert not any(heard(beats))


def test_a_clock_of_the_collector_that_was_set_back_ends_it_until_it_is_seen_again():
    boots = []
    assert heard(in_turn(2, 4), boots)[-1] == 1
    assert copies(boots, NOW - 86_400 * SECOND) == 0


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 1 << 61), st.integers(0, 1 << 61))))
def test_an_agent_takes_bounded_room_whatever_it_says(beats):
    boots = []
    assert all(0 <= count < MOST_BOOTS for count in heard(beats, boots))
    assert len(boots) <= MOST_BOOTS


class Intake:
    """What the intake does with heartbeats, over marks that are saved and loaded on the way."""

    def __init__(self):
        self.marks, self.position, self.found = HighWater(), 0, []

    def take(self, number, seq, time, arrival):
        """As `Intake._keep` and `_observe` do with one batch."""
        key = batch_key("desk", boot(number), seq)
        if self.marks.seen("bakery", key):
            return
        self.position += 1
        self.marks.note("bakery", key, self.position, 1, arrival)
        beat = {"rows_made": 1, "rows_shed": 0, "time": time}
        batch = SimpleNamespace(site="bakery", agent="desk", boot=boot(number))
        known = self.marks.hear(batch, beat, arrival)
        self.found.append(known["copies"])

    def restart(self, folder):
        HighWater.save(folder / "marks", self.marks.dump())
        self.marks = HighWater.load(folder / "marks")


_STEPS = st.lists(
    st.one_of(
        st.just(("beat",)),
        st.tuples(st.just("send"), st.integers(1, 5)),
        st.just(("send, and the reply is lost",)),
        st.just(("restart",)),
        st.tuples(st.just("the clock jumps"), st.integers(-(10**12), 10**12)),
        st.tuples(st.just("the oldest is shed"), st.integers(1, 3)),
        st.tuples(st.just("time passes"), st.integers(1, 4 * WHILE_US)),
        st.tuples(st.just("the collector's clock jumps"), st.integers(-(10**12), 10**12)),
    ),
    max_size=120,
)


@given(_STEPS)
def test_whatever_one_machine_goes_through_it_is_one(steps):  # noqa: C901  # a case a kind of step
    """Restarts with a spool that drains late, lost replies, clocks that jump, both ways."""
    intake = Intake()
    clock, wall, number, seq, spool = NOW, NOW, 0, 0, []
    for what, *amount in steps:
        clock, wall = clock + BEAT, wall + BEAT
        match what:
            case "beat":
                spool.append((number, seq, clock))
                seq += 1
            case "send":
                for record in spool[: amount[0]]:
                    intake.take(*record, wall)
                del spool[: amount[0]]
            case "send, and the reply is lost":
                if spool:
                    intake.take(*spool[0], wall)
            case "restart":
                number, seq = (number + 1) % 256, 0
            case "the clock jumps":
                clock = max(clock + amount[0], 1)
            case "the oldest is shed":
                del spool[: amount[0]]
            case "time passes":
                clock, wall = clock + amount[0], wall + amount[0]
            case _:
                wall = max(wall + amount[0], 1)
    assert not any(intake.found)


@given(st.integers(2, 6), st.data())
def test_two_machines_that_send_are_two_whatever_else_happens(rounds, data):
    """Each has a spool of its own that drains now and then: seen by the third time it changes hands."""
    intake = Intake()
    seqs, now = [0, 0], NOW
    for at in range(2 * rounds + 3):
        which = at % 2
        for _ in range(data.draw(st.integers(1, 4))):
            now += data.draw(st.integers(1, 5)) * SECOND
            intake.take(which, seqs[which], now, now)
            seqs[which] += 1
    assert intake.found[-1] == 1


def test_it_is_known_after_a_restart_of_the_collector(tmp_path):
    intake = Intake()
    for at, (number, time, arrival) in enumerate(in_turn(2, 4)):
        intake.take(number, at, time, arrival)
    intake.restart(tmp_path)
    intake.take(0, 99, NOW + 9 * BEAT, NOW + 9 * BEAT)
    assert intake.found[-1] == 1
