import pytest

from dijkwacht_collector.intake import attempts
from dijkwacht_collector.intake.attempts import Attempts


class Bench:
    def __init__(self, per_minute=3):
        self.now = 1000.0
        self.attempts = Attempts(per_minute, lambda: self.now)

    def fail(self, address="a", times=1):
        for _ in range(times):
            self.attempts.begin(address)


def test_failures_are_bounded_and_forgotten_with_time():
    bench = Bench()
    bench.fail(times=2)
    assert bench.attempts.wait("a") == 0
    bench.fail()
    assert bench.attempts.wait("a") == pytest.approx(20)
    bench.now += 19
    assert bench.attempts.wait("a") == pytest.approx(1)
    bench.now += 1
    assert bench.attempts.wait("a") == 0
    bench.now += 3600
    bench.fail(times=3)
    assert bench.attempts.wait("a") == pytest.approx(20), "an hour saves up for no more than three"


def test_who_goes_on_though_he_is_told_to_wait_waits_longer_within_reason():
    bench = Bench()
    bench.fail(times=1000)
    assert bench.attempts.wait("a") <= 120


def test_what_succeeds_does_not_count():
    bench = Bench()
    for _ in range(10):
        bench.fail()
        bench.attempts.succeed("a")
    assert bench.attempts.wait("a") == 0


def test_one_address_is_no_other():
    bench = Bench()
    bench.fail("a", 3)
    assert bench.attempts.wait("a")
    assert bench.attempts.wait("b") == 0


def test_addresses_are_bounded(monkeypatch):
    monkeypatch.setattr(attempts, "MOST_ADDRESSES", 10)
    bench = Bench()
    for number in range(50):
        bench.fail(str(number))
    assert len(bench.attempts._left) == 10
    bench.fail("49", 3)
    assert bench.attempts.wait("49")
