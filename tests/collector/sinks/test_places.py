"""The places where incidents go, as the settings wire them."""

import asyncio

import pytest

from dijkwacht_collector.incidents import Incident, IncidentEvent
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sinks import all_places
from dijkwacht_collector.sinks.jsonl import JsonLines

DAY = 86_400_000_000
ENDED = IncidentEvent(
    "close",
    Incident(
        "a", "bakery", "scan", "scan", "T1046", "10.0.0.7", 0, 3, 90, 0.1, 1_000_000, 2_000_000,
        1, "title", "titel", "desc", "besch", (), status="closed",
    ),
    1,
)  # fmt: skip


class Wired:
    """The places of a collector with such settings; ``heard``: what the console has of them."""

    def __init__(self, folder, **chosen):
        self.now, self.heard, self.telemetry = 2_000_000, [], Telemetry(["scan"])
        settings = CollectorSettings(state=folder, **chosen)
        self.places = all_places(settings, self.telemetry, self.heard.append, lambda: self.now)


@pytest.fixture
def wire(tmp_path):
    made = []

    def make(**chosen):
        made.append(Wired(tmp_path, **chosen))
        made[-1].places.sinks.open()
        return made[-1]

    yield make
    for one in made:
        one.places.sinks.close()


async def test_everything_goes_everywhere(wire, tmp_path):
    wired = await asyncio.to_thread(wire)
    wired.places.live.attach(asyncio.get_running_loop())
    await asyncio.to_thread(wired.places.sinks.handle, [ENDED])
    assert await asyncio.to_thread(lambda: wired.places.store.incident("a")) is not None
    assert (tmp_path / "incidents.jsonl").stat().st_size
    assert b'dijkwacht_incidents_total{site="bakery"' in wired.telemetry.render()
    assert wired.heard == [ENDED]


async def test_nothing_is_shown_that_another_place_refused(wire, monkeypatch):
    wired = await asyncio.to_thread(wire)
    wired.places.live.attach(asyncio.get_running_loop())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(JsonLines, "handle", full)
    with pytest.raises(OSError, match="No space"):
        await asyncio.to_thread(wired.places.sinks.handle, [ENDED])
    await asyncio.sleep(0)
    assert wired.heard == []


def test_what_ended_is_kept_for_as_long_as_the_settings_say(wire):
    wired = wire(incidents_days=31)
    wired.places.sinks.handle([ENDED])
    for days, kept in ((31, True), (0.01, False)):
        wired.now += int(days * DAY)
        wired.places.trim()
        assert (wired.places.store.incident("a") is not None) == kept
