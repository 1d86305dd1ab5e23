"""What goes on is one call until it has been silent for a day, and for a week at most."""

from __future__ import annotations

from dijkwacht_collector.incidents.alarms import MOST_ALARMS, SILENT_US, Alarms

HOUR = 3_600_000_000
KEY = ("bakery", "c2", "10.0.0.5")


def calls(alarms: Alarms, time: int, severity_id: int = 3, key: tuple[str, str, str] = KEY) -> bool:
    """Whether somebody is called for what is found at ``time``."""
    if alarms.is_known(key, time, severity_id):
        return False
    alarms.note(key, time, severity_id)
    return True


def test_what_goes_on_by_the_hour_calls_once_a_week():
    alarms = Alarms()
    called = [n for n in range(400) if calls(alarms, n * HOUR)]
    assert called == [0, 168, 336]


def test_after_a_day_of_silence_it_calls_again():
    alarms = Alarms()
    assert [calls(alarms, t) for t in (0, SILENT_US - 1, 2 * SILENT_US - 2, 3 * SILENT_US)] == [
        True, False, False, True,
    ]  # fmt: skip


def test_what_is_graver_than_what_called_calls_and_is_then_known():
    alarms = Alarms()
    assert [calls(alarms, n, severity) for n, severity in enumerate((3, 3, 4, 4, 3))] == [
        True, False, True, False, False,
    ]  # fmt: skip


def test_an_answer_ends_it_and_others_are_not_meant():
    alarms = Alarms()
    other = ("bakery", "c2", "10.0.0.6")
    assert calls(alarms, 0)
    assert calls(alarms, 1, key=other)
    alarms.settle(KEY)
    assert calls(alarms, 2)
    assert not calls(alarms, 2, key=other)


def test_a_site_takes_its_alarms_along_and_no_more_than_are_kept():
    alarms, elsewhere = Alarms(), Alarms()
    for n in range(MOST_ALARMS + 5):
        assert calls(alarms, n, key=("bakery", "c2", f"10.0.{n // 256}.{n % 256}"))
    elsewhere.put("bakery", alarms.of("bakery"))
    assert len(elsewhere.of("bakery")) == MOST_ALARMS
    assert not calls(elsewhere, 300, key=("bakery", "c2", "10.0.0.5"))
    assert calls(elsewhere, 300, key=("bakery", "c2", "10.0.0.4")), (
        "those of the longest ago are gone"
    )
    elsewhere.put("bakery", [])
    assert calls(elsewhere, 301, key=("bakery", "c2", "10.0.0.5"))
