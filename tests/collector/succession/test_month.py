"""A month of upgrades, crashes and trimmings: what people chose on its first day is in force on its last."""

from types import SimpleNamespace

import pytest

from dijkwacht_collector.intake import HighWater
from dijkwacht_collector.journal import PARTITIONS, Budget, Exemption, partition_of
from dijkwacht_collector.maintenance import Maintenance
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_lab.traffic import WORKING_MORNING

DAY = 86_400_000_000
DAYS = 30
LAST_UPGRADE = 21
"""From then on nothing reaches the partitions that are idle, and still they keep nothing back."""
RETENTION_DAYS = 3
RELEASES = ("first", "added", "removed", "changed", "calibrated", "first", "removed")
SUBJECT = "192.168.77.66"
BUDGETS = {"bakery": 0.5, "never-sent-a-row": 0.25, "idle-since-its-first-day": 2.0}


def maintained(running, folder):
    """What trims the journal of ``running``, as the collector is wired."""
    intake = SimpleNamespace(heard={}, high_water=HighWater(), refresh=lambda: False)
    settings = CollectorSettings(state=folder, retention_days=RETENTION_DAYS)
    sites = SimpleNamespace(agents=list, note_copies=lambda _copied: None)
    maintenance = Maintenance(
        settings,
        running.journal,
        intake,
        sites,
        running.workers,
        Telemetry([]),
        lambda: running.now,
    )
    maintenance.open()
    return maintenance, intake


def choices(arrival):
    drafts = [Budget(per_week).draft(site, arrival) for site, per_week in BUDGETS.items()]
    until = arrival + 3650 * DAY
    return drafts + [Exemption("scan", SUBJECT, until).draft(site, arrival) for site in BUDGETS]


def check_in_force(running):
    [engine] = running.engines
    for site, per_week in BUDGETS.items():
        at = engine.numbering.site(site)
        assert engine.policy.per_week[at] == per_week
        for detector, policy in zip(engine.host.detectors, engine.policy.detectors, strict=True):
            assert policy.budget[at] == pytest.approx(per_week * policy.share), detector.name
        [exempted] = engine.incidents.exemptions.of(site)
        assert (exempted.kind, exempted.subject) == ("scan", SUBJECT)
        assert exempted.until > running.now + 3000 * DAY


def test_what_was_chosen_is_in_force_after_every_upgrade_and_trimming(house, busy_day, named_once):
    assert len({partition_of(site) for site in (*BUDGETS, "clinic")}) == 4
    for day in range(DAYS):
        begin = WORKING_MORNING + day * DAY
        # Releases change in the middle of the night, when all has been folded.
        release = RELEASES[day % len(RELEASES)] if day < LAST_UPGRADE else RELEASES[0]
        running = house.start_again(release, now=begin)
        maintenance, intake = maintained(running, house.folder)
        if day == 0:
            running.feed(choices(begin))
        if day <= 1:
            running.feed(busy_day("idle-since-its-first-day", day + 1, begin))
        running.feed(busy_day("bakery", day + 1, begin) + busy_day("clinic", day + 1, begin))
        check_in_force(running)
        if day % 3 == 1:
            house.crash()
            continue
        running.now = begin + DAY // 2
        intake.high_water.catch_up(running.journal)
        running.workers.close()
        maintenance.close()
        running.close()
    begin = WORKING_MORNING + DAYS * DAY
    running = house.start_again(RELEASES[0], now=begin)
    check_in_force(running)
    running.feed(
        busy_day("bakery", DAYS + 1, begin, attacked=True)
        + busy_day("clinic", DAYS + 1, begin, attacked=True)
    )
    told = {
        (e.incident.site, e.incident.kind) for e in house.told.events if e.incident.start >= begin
    }
    assert told >= {("clinic", "scan"), ("clinic", "bruteforce"), ("bakery", "bruteforce")}
    assert ("bakery", "scan") not in told
    named_once(house.told.events)
    entries, _ = running.journal.read(range(PARTITIONS), {}, max_entries=1)
    assert entries[0].position == running.journal.first > PARTITIONS
    assert entries[0].arrival >= begin - (RETENTION_DAYS + 3) * DAY
