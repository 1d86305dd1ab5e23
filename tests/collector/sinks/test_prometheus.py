from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from dijkwacht_collector.incidents import Call, Incident, IncidentEvent, Part, Story, StoryEvent
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.metrics.telemetry import SEVERITIES, severity_name
from dijkwacht_collector.sinks import PrometheusSink


def an_event(uid="u", activity="create", severity_id=4, revision=0, **changes):
    incident = Incident(
        uid, "bakery", "scan", "scan", "T1046", "10.0.0.7", 0, severity_id, 90, 0.1, 0, 1,
        1, "", "", "", "", (), revision=revision,
    )  # fmt: skip
    return IncidentEvent(activity, msgspec.structs.replace(incident, **changes), 1)


def a_closed(uid="u", revision=1, **changes):
    return an_event(uid, "close", revision=revision, **({"status": "closed"} | changes))


@pytest.fixture
def telemetry():
    return Telemetry(["scan", "bruteforce"], ["T1046"])


@pytest.fixture
def sink(telemetry):
    return opened(telemetry)


def opened(telemetry, *kept):
    sink = PrometheusSink(telemetry, lambda: kept)
    sink.open()
    return sink


def by_severity(telemetry, name, detector="scan"):
    """Severity → value, of those that are not 0."""
    families = text_string_to_metric_families(telemetry.render().decode())
    return {
        sample.labels["severity"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == f"dijkwacht_{name}"
        and sample.labels.get("detector", detector) == detector
        if sample.value
    }


def technique_total(telemetry):
    return telemetry.registry.get_sample_value(
        "dijkwacht_incidents_technique_total", {"technique": "T1046"}
    )


def test_an_incident_is_open_once_at_the_severity_it_has_now(telemetry, sink):
    sink.handle([an_event(severity_id=3)])
    assert by_severity(telemetry, "incidents_open") == {"medium": 1}
    sink.handle([an_event(activity="update", severity_id=4, revision=1)])
    assert by_severity(telemetry, "incidents_open") == {"high": 1}
    sink.handle([a_closed(revision=2)])
    assert by_severity(telemetry, "incidents_open") == {}
    assert technique_total(telemetry) == 1


def test_an_incident_counts_once_under_each_severity_it_reaches(telemetry, sink):
    sink.handle([an_event(severity_id=2)])
    assert by_severity(telemetry, "incidents_total") == {"low": 1}
    sink.handle([an_event(activity="update", severity_id=4, revision=1)])
    reached = {"low": 1, "medium": 1, "high": 1}
    assert by_severity(telemetry, "incidents_total") == reached
    # Down and up again is nothing new.
    sink.handle(
        [an_event(activity="update", severity_id=s, revision=r) for r, s in ((2, 3), (3, 4))]
    )
    sink.handle([a_closed(revision=4)])
    assert by_severity(telemetry, "incidents_total") == reached
    assert technique_total(telemetry) == 1


def test_a_rise_that_was_counted_before_a_restart_is_not_counted_again(telemetry):
    kept = an_event(severity_id=3, revision=1).incident
    sink = opened(telemetry, kept)
    sink.handle([an_event(severity_id=2), an_event(activity="update", severity_id=3, revision=1)])
    assert by_severity(telemetry, "incidents_total") == {}
    sink.handle([an_event(activity="update", severity_id=4, revision=2)])
    assert by_severity(telemetry, "incidents_total") == {"high": 1}


LIVES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.tuples(st.lists(st.integers(2, 5), min_size=1, max_size=5).map(sorted), st.booleans()),
    min_size=1,
)


@given(LIVES, st.data())
def test_whatever_is_repeated_after_a_restart_each_severity_counts_once(lives, data):
    events = []
    for uid, (severities, ends) in lives.items():
        events += [an_event(uid, severity_id=s, revision=r) for r, s in enumerate(severities)]
        if ends:
            events.append(a_closed(uid, len(severities), severity_id=severities[-1]))
    crash = data.draw(st.integers(0, len(events)))
    checkpoint = data.draw(st.integers(0, crash))
    first, second = Telemetry(["scan"]), Telemetry(["scan"])
    opened(first).handle(events[:crash])
    kept = {event.incident.uid: event.incident for event in events[:crash]}
    opened(second, *kept.values()).handle(events[checkpoint:])

    counted = Counter(by_severity(first, "incidents_total"))
    counted.update(by_severity(second, "incidents_total"))
    highest = [severities[-1] for severities, _ in lives.values()]
    reached = {name: sum(h >= level for h in highest) for level, name in SEVERITIES.items()}
    assert counted == {name: number for name, number in reached.items() if number}
    still = Counter(severity_name(s[-1]) for s, ends in lives.values() if not ends)
    assert by_severity(second, "incidents_open") == still


def test_an_incident_that_another_detector_takes_over_is_open_once(telemetry, sink):
    sink.handle([an_event(), an_event(activity="update", revision=1, detector="bruteforce")])
    assert by_severity(telemetry, "incidents_open") == {"high": 1}
    sink.handle([a_closed(revision=2, detector="bruteforce")])
    assert by_severity(telemetry, "incidents_open") == {}


@pytest.mark.parametrize("status", ["normal", "confirmed", "closed"])
def test_an_incident_that_is_answered_or_over_is_open_no_more(telemetry, sink, status):
    sink.handle([an_event(), a_closed(status=status)])
    assert by_severity(telemetry, "incidents_open") == {}


def test_after_a_restart_the_gauges_are_true_and_repeats_count_for_nothing(telemetry):
    kept = an_event("open", revision=3).incident, a_closed("over", revision=2).incident
    sink = opened(telemetry, *kept, *kept)
    assert by_severity(telemetry, "incidents_open") == {"high": 1}
    sink.handle([
        an_event("open"), an_event("open", "update", revision=3),
        an_event("over"), a_closed("over", revision=2),
    ])  # fmt: skip
    assert by_severity(telemetry, "incidents_open") == {"high": 1}
    assert by_severity(telemetry, "incidents_total") == {}
    sink.handle([an_event("fresh"), a_closed("open", revision=4)])
    sink.flush()
    sink.close()
    assert by_severity(telemetry, "incidents_open") == {"high": 1}
    assert by_severity(telemetry, "incidents_total")["high"] == 1


def test_steps_repeated_without_a_restart_count_for_nothing(telemetry, sink):
    life = [an_event(), an_event(activity="update", revision=1), a_closed(revision=2)]
    sink.handle(life)
    sink.handle(life)
    assert by_severity(telemetry, "incidents_total")["high"] == 1
    assert by_severity(telemetry, "incidents_open") == {}


def test_memory_of_ended_incidents_is_bounded(telemetry, sink, monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.sinks.prometheus._MOST_ENDED", 2)
    sink.handle([an_event("open")])
    for number in range(9):
        sink.handle([an_event(f"i{number}"), a_closed(f"i{number}")])
    sink.handle([a_closed("i8"), a_closed("i7")])
    assert len(sink._counted) == 3
    assert by_severity(telemetry, "incidents_open") == {"high": 1}


def test_an_answer_to_what_is_not_remembered_any_more_counts_nothing_again(telemetry, sink):
    late = an_event(activity="update", revision=7, status="confirmed", answered=5)
    sink.handle([late])
    sink.handle([late, an_event(activity="update", revision=8, status="closed", answered=6)])
    assert by_severity(telemetry, "incidents_total") == {}
    assert by_severity(telemetry, "incidents_open") == {}
    assert technique_total(telemetry) == 0
    sink.handle([an_event("told")])
    assert by_severity(telemetry, "incidents_total") == {"low": 1, "medium": 1, "high": 1}


def a_story(uid="s", activity="update", **changes):
    part = Part.of(an_event().incident)
    story = Story(uid, "bakery", "10.0.0.7", 1, 2, (part,), 2)
    return StoryEvent(activity, msgspec.structs.replace(story, **changes), 1)


A_CALL, ANOTHER = (Call(time, by, "scan", "a") for time, by in ((1, "scan"), (2, "fusion")))


def interruptions(telemetry):
    families = text_string_to_metric_families(telemetry.render().decode())
    return {
        sample.labels.get("detector", sample.labels.get("site")): sample.value
        for family in families
        for sample in family.samples
        if "interruptions_total" in sample.name
        if sample.value
    }


def test_a_story_counts_under_each_severity_and_each_of_its_calls_once(telemetry, sink):
    sink.handle([a_story(activity="create")])
    assert by_severity(telemetry, "stories_total") == {"low": 1}
    assert by_severity(telemetry, "stories_open") == {"low": 1}
    assert interruptions(telemetry) == {}
    called = a_story(revision=1, severity_id=3, calls=(A_CALL,))
    twice = a_story(revision=2, severity_id=4, calls=(A_CALL, ANOTHER))
    sink.handle([called, called])
    assert interruptions(telemetry) == {"bakery": 1, "scan": 1}
    sink.handle([twice, called, twice])
    assert interruptions(telemetry) == {"bakery": 2, "scan": 1, "fusion": 1}
    assert by_severity(telemetry, "stories_open") == {"high": 1}
    sink.handle(
        [
            a_story(
                activity="close",
                revision=3,
                severity_id=4,
                calls=(A_CALL, ANOTHER),
                status="normal",
            )
        ]
    )
    assert by_severity(telemetry, "stories_open") == {}
    assert by_severity(telemetry, "stories_total") == {"low": 1, "medium": 1, "high": 1}
    assert interruptions(telemetry) == {"bakery": 2, "scan": 1, "fusion": 1}


def test_what_a_story_had_called_before_a_restart_is_not_counted_again(telemetry):
    kept = a_story(revision=1, severity_id=3, calls=(A_CALL,))
    sink = opened(telemetry, kept.story)
    sink.handle([kept, a_story(revision=2, severity_id=3, calls=(A_CALL, ANOTHER))])
    assert interruptions(telemetry) == {"bakery": 1, "fusion": 1}
    assert by_severity(telemetry, "stories_open") == {"medium": 1}
    assert by_severity(telemetry, "stories_total") == {}
