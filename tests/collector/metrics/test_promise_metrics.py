"""What a site was promised, and how long it was watched, as metrics."""

from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.metrics.promise import UNCHOSEN
from dijkwacht_collector.policy import DEFAULT_BUDGET


def shown(telemetry, name):
    lines = telemetry.render().decode().splitlines()
    (found,) = [line for line in lines if line.startswith(f"dijkwacht_{name}{{")]
    return found.removeprefix(f"dijkwacht_{name}")


def test_a_site_is_promised_one_a_week_until_it_chooses():
    assert UNCHOSEN == DEFAULT_BUDGET, "what is shown of who has not chosen is what holds for him"
    telemetry = Telemetry(["scan"])
    telemetry.know_agent("bakery", "till")
    assert shown(telemetry, "budget_interruptions_per_week") == '{site="bakery"} 1.0'
    telemetry.promise.show_budget("bakery", 0.0)
    telemetry.know_site("bakery")
    assert shown(telemetry, "budget_interruptions_per_week") == '{site="bakery"} 0.0'


def test_watched_time_adds_up():
    telemetry = Telemetry(["scan"])
    telemetry.know_site("bakery")
    assert shown(telemetry, "watched_seconds_total") == '{site="bakery"} 0'
    telemetry.promise.add_watched("bakery", 10.5)
    telemetry.promise.add_watched("bakery", 3.0)
    assert shown(telemetry, "watched_seconds_total") == '{site="bakery"} 13.5'
