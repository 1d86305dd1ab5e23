import asyncio
import re
import subprocess
import threading

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from dijkwacht_collector.app import build_app
from dijkwacht_collector.engine.detector_set import MOST_OWN
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.metrics.telemetry import MAX_SERIES_PER_SITE, SEVERITIES
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sites import Sites
from dijkwacht_detectors.discover import shipped_detectors

DETECTORS = (
    "scan",
    "bruteforce",
    "beacon",
    "dns_tunnel",
    "flood",
    "arp_spoof",
    "exfiltration",
    "system",
)
LABELS = {"site", "agent", "detector", "severity", "technique", "reason", "le"}


def samples(telemetry):
    text = telemetry.render().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(telemetry, name, **labels):
    return samples(telemetry)[f"dijkwacht_{name}", frozenset(labels.items())]


@pytest.fixture
def telemetry():
    return Telemetry(DETECTORS, ["T1046", "T1110"])


def test_everything_known_exists_at_0_before_anything_happens(telemetry):
    telemetry.know_agent("bakery", "till")
    found = samples(telemetry)
    for detector in DETECTORS:
        for severity in SEVERITIES.values():
            labels = {"site": "bakery", "detector": detector, "severity": severity}
            assert found["dijkwacht_incidents_total", frozenset(labels.items())] == 0
    for severity in SEVERITIES.values():
        labels = {"site": "bakery", "severity": severity}
        for name in ("incidents_open", "stories_total", "stories_open"):
            assert found[f"dijkwacht_{name}", frozenset(labels.items())] == 0
    assert value(telemetry, "interruptions_total", site="bakery") == 0
    for detector in (*DETECTORS, "fusion"):
        assert value(telemetry, "detector_interruptions_total", detector=detector) == 0
    for reason in ("ring", "truncated", "malformed", "unsupported"):
        assert not value(telemetry, "agent_packets_dropped_total", site="bakery", agent="till", reason=reason)  # fmt: skip
    assert value(telemetry, "rows_dropped_total", site="bakery", reason="window_full") == 0
    assert value(telemetry, "rows_skipped_total", site="bakery", reason="unknown_table") == 0
    for reason in ("malformed", "other"):
        assert value(telemetry, "rows_rejected_total", site="bakery", reason=reason) == 0
    assert value(telemetry, "incidents_technique_total", technique="T1046") == 0
    assert value(telemetry, "batches_rejected_total", reason="malformed") == 0
    assert value(telemetry, "detector_failures_total", detector="scan") == 0
    assert value(telemetry, "detector_scored_rows_total", detector="scan") == 0
    assert not [name for name, _ in found if name.endswith("_created")]


def test_labels_are_only_the_few_that_stay_few(telemetry):
    telemetry.know_agent("bakery", "till")
    assert {name for _, labels in samples(telemetry) for name, _ in labels} <= LABELS


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_series_of_a_site_are_bounded_whatever_comes(data):
    telemetry = Telemetry(DETECTORS, ["T1046"])
    texts = st.text(max_size=8)
    numbers = st.integers(-(1 << 63), 1 << 63)
    for _ in range(data.draw(st.integers(0, 60))):
        kind = data.draw(st.integers(0, 6))
        if kind == 0:
            row = data.draw(st.dictionaries(texts, st.one_of(numbers, texts, st.floats())))
            telemetry.observe_agent("bakery", data.draw(texts), data.draw(numbers), row)
        elif kind == 1:
            detector, severity = data.draw(texts), data.draw(st.integers(-9, 99))
            telemetry.count_technique(data.draw(texts))
            telemetry.count_severity("bakery", detector, severity, data.draw(st.integers(-9, 99)))
            telemetry.add_open("bakery", severity, data.draw(st.sampled_from([-1, 1])))
        elif kind == 2:
            telemetry.count_rejected(data.draw(texts))
        elif kind == 3:
            telemetry.count_failures(data.draw(texts), 1)
        elif kind == 4:
            telemetry.observe_troubles("bakery", data.draw(texts), {data.draw(texts), "disk-full"})
        elif kind == 5:
            telemetry.count_rows_rejected("bakery", data.draw(texts), 3)
        else:
            telemetry.count_batch("bakery", data.draw(st.integers(0, 1000)))
    check_bound(telemetry)


def test_a_thousand_agents_of_one_site_stay_under_the_bound(telemetry):
    for number in range(1000):
        telemetry.observe_agent("bakery", f"agent-{number}", 1, {"packets_seen": 1})
    check_bound(telemetry)
    assert telemetry.max_agents_per_site >= 25
    untracked = value(telemetry, "agent_rows_untracked_total")
    assert untracked == 1000 - telemetry.max_agents_per_site


def check_bound(telemetry):
    of_site = [key for key in samples(telemetry) if ("site", "bakery") in key[1]]
    assert len(of_site) <= MAX_SERIES_PER_SITE
    fleet = [key for key in samples(telemetry) if not dict(key[1]).get("site")]
    assert len(fleet) < 100


def test_an_agent_heartbeat_becomes_numbers(telemetry):
    row = {"packets_seen": 100, "dropped_ring": 3, "dropped_malformed": 1, "spool_bytes": 9,
           "flows_active": 5, "flows_evicted": 2, "rows_made": 60, "rows_shed": 4, "rows_waiting": 7,
           "clock_offset": -2_500_000, "messages_shed": 8,
           "flows_counted": 900}  # fmt: skip
    telemetry.observe_agent("bakery", "till", 1_790_000_000_500_000, row)
    where = {"site": "bakery", "agent": "till"}
    assert value(telemetry, "agent_last_seen_timestamp_seconds", **where) == 1_790_000_000.5
    assert value(telemetry, "agent_packets_total", **where) == 100
    assert value(telemetry, "agent_packets_dropped_total", **where, reason="ring") == 3
    assert value(telemetry, "agent_clock_offset_seconds", **where) == -2.5
    assert value(telemetry, "agent_spool_bytes", **where) == 9
    rows = [value(telemetry, f"agent_rows_{n}", **where) for n in ("made_total", "shed_total", "waiting")]  # fmt: skip
    assert rows == [60, 4, 7]
    rest = [
        value(telemetry, f"agent_{n}", **where)
        for n in (
            "messages_shed_total",
            "flows_counted_total",
        )
    ]
    assert rest == [8, 900]
    (health,) = telemetry.agents()
    assert (health.agent, health.packets_seen, health.dropped) == ("till", 100, 4)
    assert (health.rows_made, health.rows_shed, health.rows_waiting) == (60, 4, 7)


def test_a_full_disk_is_shown_until_it_is_not_said_any_more(telemetry):
    where = {"site": "bakery", "agent": "till"}

    def shown():
        in_health = [health.disk_full for health in telemetry.agents()]
        return value(telemetry, "agent_disk_full", **where), in_health

    telemetry.observe_troubles(**where, troubles={"disk-full"})
    assert shown() == (1, []), "before its first heartbeat"
    telemetry.observe_agent("bakery", "till", 1, {})
    assert shown() == (1, [True])
    telemetry.observe_troubles(**where, troubles=set())
    assert shown() == (0, [False])
    telemetry.observe_troubles(**where, troubles={"disk-full"})
    assert shown() == (1, [True])
    for number in range(1000):
        telemetry.observe_troubles("bakery", f"agent-{number}", {"disk-full"})
    check_bound(telemetry)


def test_an_agent_that_fell_silent_while_we_were_away_is_remembered(telemetry):
    telemetry.know_agent("bakery", "till", 1_790_000_000_000_000)
    found = value(telemetry, "agent_last_seen_timestamp_seconds", site="bakery", agent="till")
    assert found == 1_790_000_000
    assert "dijkwacht_agent_packets_total" not in {name for name, _ in samples(telemetry)}
    telemetry.observe_agent("bakery", "till", 1_790_000_001_000_000, {"packets_seen": 9_000_000})
    assert value(telemetry, "agent_packets_total", site="bakery", agent="till") == 9_000_000


def test_an_incident_counts_under_every_severity_up_to_the_one_reached(telemetry):
    def counted(detector="scan"):
        where = {"site": "bakery", "detector": detector}
        return [value(telemetry, "incidents_total", **where, severity=s) for s in SEVERITIES.values()]  # fmt: skip

    telemetry.count_severity("bakery", "scan", 3)
    assert counted() == [1, 1, 0]
    telemetry.count_severity("bakery", "scan", 5, 3)
    assert counted() == [1, 1, 1]
    telemetry.count_severity("bakery", "scan", 5, 5)
    assert counted() == [1, 1, 1]
    telemetry.count_severity("bakery", "a name nobody declared", 1)
    assert counted("other") == [1, 0, 0]


def test_a_technique_is_counted_by_its_name_if_it_has_one(telemetry):
    telemetry.count_technique("T1046")
    telemetry.count_technique("a technique nobody declared")
    assert value(telemetry, "incidents_technique_total", technique="T1046") == 1
    assert value(telemetry, "incidents_technique_total", technique="other") == 1


def test_open_incidents_come_and_go(telemetry):
    where = {"site": "bakery", "severity": "high"}
    telemetry.add_open("bakery", 4, 1)
    assert value(telemetry, "incidents_open", **where) == 1
    telemetry.add_open("bakery", 4, -1)
    assert value(telemetry, "incidents_open", **where) == 0


def test_the_rest_is_counted(telemetry):
    telemetry.count_batch("bakery", 7)
    telemetry.count_batch("bakery", 3, unknown=2)
    telemetry.count_duplicate("bakery")
    telemetry.count_engine_rows("bakery", 8)
    telemetry.count_late("bakery", 2)
    telemetry.count_future("bakery")
    telemetry.count_window_full("bakery", 9)
    telemetry.count_commit(512, 0.002)
    telemetry.times.observe_step(0.003)
    with telemetry.times.pause("checkpoint"):
        pass
    telemetry.show_lag(7)
    telemetry.show_slow("engine-0", 3, 4096)
    telemetry.show_slow("engine-1", 1, 100)
    telemetry.show_slow("engine-0", 2, 1024)
    telemetry.count_rejected("malformed")
    telemetry.count_rejected("a reason nobody declared")
    found = {name: value(telemetry, name, site="bakery") for name in (
        "batches_total", "rows_total", "batches_duplicate_total", "engine_rows_total",
        "rows_late_total", "rows_future_total")}  # fmt: skip
    assert list(found.values()) == [2, 10, 1, 8, 2, 1]
    assert value(telemetry, "rows_skipped_total", site="bakery", reason="unknown_table") == 2
    assert value(telemetry, "rows_dropped_total", site="bakery", reason="window_full") == 9
    assert value(telemetry, "journal_bytes_total") == 512
    assert value(telemetry, "journal_commit_seconds_count") == 1
    assert value(telemetry, "engine_step_seconds_count") == 1
    assert value(telemetry, "engine_pause_seconds_count", reason="checkpoint") == 1
    assert value(telemetry, "engine_pause_seconds_count", reason="model") == 0
    assert value(telemetry, "engine_lag_entries") == 7
    assert value(telemetry, "engine_slow_sites") == 3
    assert value(telemetry, "engine_slow_bytes") == 1124
    assert value(telemetry, "batches_rejected_total", reason="malformed") == 1
    assert value(telemetry, "batches_rejected_total", reason="other") == 1


def test_rows_go_on_from_what_was_durable_before(telemetry):
    telemetry.begin_rows("bakery", 1000)
    telemetry.count_batch("bakery", 7)
    assert value(telemetry, "rows_total", site="bakery") == 1007
    assert value(telemetry, "batches_total", site="bakery") == 1


def test_rows_of_refused_batches_are_counted_by_reason(telemetry):
    telemetry.count_rows_rejected("bakery", "malformed", 30)
    telemetry.count_rows_rejected("bakery", "a reason nobody declared", 5)
    where = {"site": "bakery"}
    assert value(telemetry, "rows_rejected_total", **where, reason="malformed") == 30
    assert value(telemetry, "rows_rejected_total", **where, reason="other") == 5
    assert (telemetry.rows_rejected("bakery"), telemetry.rows_rejected("clinic")) == (35, 0)


def test_two_collectors_in_one_process_do_not_share_numbers():
    one, two = Telemetry(DETECTORS), Telemetry(DETECTORS)
    one.count_commit(1, 0.1)
    assert value(two, "journal_bytes_total") == 0


@given(st.text())
def test_any_site_name_survives_the_text_format(name):
    telemetry = Telemetry(["scan"])
    telemetry.count_batch(name, 3)
    telemetry.observe_agent(name, name, 1, {"packets_seen": 5})
    found = value(telemetry, "agent_packets_total", site=name, agent=name)
    assert found == 5


def test_threads_lose_no_count(telemetry):
    def pump():
        for _ in range(2000):
            telemetry.count_batch("bakery", 1)
            telemetry.observe_agent("bakery", threading.current_thread().name, 1, {})

    threads = [threading.Thread(target=pump) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        telemetry.render()
    for thread in threads:
        thread.join()
    assert value(telemetry, "rows_total", site="bakery") == 8000


async def test_it_is_served_as_text(telemetry, aiohttp_client):
    app = web.Application()
    app.router.add_get("/metrics", telemetry.serve)
    client = await aiohttp_client(app)
    answer = await client.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "dijkwacht_engine_lag_entries 0.0" in await answer.text()


@pytest.fixture
def state(tmp_path):
    """What a collector left behind that had heard one agent."""
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    sites.add("bakery", 1)
    for agent in ("till", "never", "revoked", "removed"):
        sites.make_token("bakery", agent, 1)
    heard = ("till", "revoked", "removed", "tokenless")
    sites.note_agents(dict.fromkeys((("bakery", agent) for agent in heard), 1_790_000_000_000_000))
    sites.revoke("bakery", "revoked", 2)
    sites.remove_agent("bakery", "removed", 2)
    sites.close()
    return tmp_path


async def test_a_collector_that_starts_again_remembers_whom_it_heard(state, aiohttp_client):
    app = await asyncio.to_thread(build_app, CollectorSettings(state=state, training=False))
    client = await aiohttp_client(app)
    text = await (await client.get("/metrics")).text()
    assert 'last_seen_timestamp_seconds{site="bakery",agent="till"} 1790000000.0' in text
    assert 'agent_packets_total{site="bakery"' not in text
    assert set(re.findall(r'agent="(.*?)"', text)) == {"till"}, "nobody waits for the others"


def test_an_agent_that_is_gone_leaves_no_series_and_comes_back_from_nothing(telemetry):
    row = {"packets_seen": 100, "dropped_ring": 3, "spool_bytes": 9}
    telemetry.observe_agent("bakery", "desk", 1_790_000_000_000_000, row)
    before = samples(telemetry)
    telemetry.observe_agent("bakery", "till", 1_790_000_000_000_000, row)
    for _ in range(2):
        telemetry.forget_agent("bakery", "till")
    telemetry.forget_agent("bakery", "nobody")
    assert samples(telemetry) == before
    assert [health.agent for health in telemetry.agents()] == ["desk"]
    telemetry.observe_agent("bakery", "oven", 1_790_000_000_000_000, {"packets_seen": 1})
    telemetry.observe_agent("bakery", "till", 1_790_000_000_000_000, {"packets_seen": 2})
    for agent, packets, waiting in (("desk", 100, 9), ("oven", 1, 0), ("till", 2, 0)):
        where = {"site": "bakery", "agent": agent}
        assert value(telemetry, "agent_packets_total", **where) == packets
        assert value(telemetry, "agent_spool_bytes", **where) == waiting


def test_agents_that_are_gone_leave_room_for_others(telemetry):
    for number in range(telemetry.max_agents_per_site * 3):
        telemetry.observe_agent("bakery", f"a{number}", 1, {"packets_seen": number})
        assert value(telemetry, "agent_packets_total", site="bakery", agent=f"a{number}") == number
        telemetry.forget_agent("bakery", f"a{number}")
    assert telemetry.agents() == []


@pytest.mark.tools("promtool")
def test_promtool_finds_nothing_to_say(telemetry):
    telemetry.know_agent("bakery", "till")
    telemetry.count_severity("bakery", "scan", 4)
    done = subprocess.run(["promtool", "check", "metrics"], input=telemetry.render(), capture_output=True, check=False)  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_there_is_room_for_the_agents_of_a_site_beside_all_detectors_of_ones_own():
    shipped = shipped_detectors()
    names = [d.name for d in shipped] + [f"own{n}" for n in range(MOST_OWN)]
    context = {d.name for d in shipped if not d.interrupts}
    assert Telemetry(names, ["T1046"], context).max_agents_per_site >= 10


def test_what_never_interrupts_has_series_of_low_severity_alone():
    telemetry = Telemetry(["scan", "weak_services"], [], {"weak_services"})
    telemetry.know_agent("bakery", "till")
    severities = {
        dict(labels)["severity"]
        for name, labels in samples(telemetry)
        if ("detector", "weak_services") in labels and "severity" in dict(labels)
    }
    assert severities == {"low"}
    many = [f"own{n}" for n in range(16)]
    assert Telemetry(many, [], set(many)).max_agents_per_site > Telemetry(many).max_agents_per_site
    telemetry.count_severity("bakery", "weak_services", 2)
    where = {"site": "bakery", "detector": "weak_services", "severity": "low"}
    assert value(telemetry, "incidents_total", **where) == 1


def test_a_grave_incident_that_context_has_joined_is_counted_all_the_same():
    telemetry = Telemetry(["scan", "weak_services"], [], {"weak_services"})
    telemetry.count_severity("bakery", "weak_services", 4)
    where = {"site": "bakery", "detector": "other", "severity": "high"}
    assert value(telemetry, "incidents_total", **where) == 1
