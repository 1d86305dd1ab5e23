"""How an agent is judged by its last heartbeat: there or not, and whether it is one machine."""

import re

import pytest

from dijkwacht_collector.metrics import LATE_AFTER_S, OFFLINE_AFTER_S, AgentHealth, Telemetry

NOW = 1_790_000_000_000_000
SECOND = 1_000_000


@pytest.mark.parametrize(
    ("seconds", "presence"),
    [
        (-10, "up"),
        (LATE_AFTER_S, "up"),
        (LATE_AFTER_S + 1, "late"),
        (OFFLINE_AFTER_S, "late"),
        (OFFLINE_AFTER_S + 1, "offline"),
    ],
)
def test_it_is_up_then_late_then_offline(seconds, presence):
    assert AgentHealth("bakery", "till", NOW).presence(NOW + seconds * SECOND) == presence


def test_that_an_identity_is_used_twice_ends_when_nobody_is_heard():
    telemetry = Telemetry(["scan"], ["T1046"])

    def shown():
        text = telemetry.render().decode()
        [found] = re.findall(r"^dijkwacht_agent_copies\{.*\} (\d+)$", text, re.MULTILINE)
        return int(found)

    telemetry.observe_agent("bakery", "till", NOW, {})
    assert shown() == 0
    telemetry.observe_agent("bakery", "till", NOW, {"copies": 1})
    assert shown() == 1
    assert telemetry.copied(NOW + OFFLINE_AFTER_S * SECOND) == {("bakery", "till"): 1}
    assert telemetry.copied(NOW + (OFFLINE_AFTER_S + 1) * SECOND) == {}
    assert shown() == 0
    assert [health.copies for health in telemetry.agents()] == [0]
