"""Answers to what an engine does not remember, and words that no collector wrote."""

import msgspec
import pytest

from dijkwacht_collector.incidents import Evidence, Incident, OpenIncidents
from dijkwacht_collector.incidents.ended import MOST_ENDED
from dijkwacht_collector.journal import Entry, Exemption, Verdict

CLOSED = Incident(
    "a", "bakery", "scan", "scan", "T1046", "10.0.0.7", 0, 3, 90, 0.1, 1_000_000, 2_000_000, 1,
    "title", "titel", "desc", "besch", (), status="closed", revision=1,
)  # fmt: skip


def say(incidents, verdict, about, position=2, by="Jan", uid=CLOSED.uid):
    entry = Entry(position, "verdict", 0, position, CLOSED.site, b"")
    word = Verdict(uid, verdict, by, msgspec.msgpack.encode(about))
    return incidents.answer(entry, word, lambda *_: None)


def test_two_answers_by_who_saw_the_same_step_are_two_steps_whatever_ends_between_them():
    """An engine that lags meets them with many others between; the store keeps the higher revision only."""
    incidents, position, told = OpenIncidents(), 2, []
    incidents.ended.note(CLOSED)
    for first, second in (("normal", "attack"), ("attack", "normal")) * 2:
        for verdict in (first, second):
            told += say(incidents, verdict, CLOSED, position)
            position += 1
        for number in range(MOST_ENDED):
            incidents.ended.note(msgspec.structs.replace(CLOSED, uid=f"{position}-{number}"))
        assert CLOSED.uid not in [
            msgspec.msgpack.decode(body, type=Incident).uid for body in incidents.ended.of("bakery")
        ]
    revisions = [CLOSED.revision, *(event.incident.revision for event in told)]
    assert revisions == sorted(set(revisions)), "each says more than the one before"
    assert len(told) == 8


@pytest.mark.parametrize(
    "lie",
    [
        {"revision": 2**64 - 1}, {"revision": 2**62}, {"end": -(2**63)}, {"severity_id": 77},
        {"answered": 2**63}, {"evidences": (Evidence(0, 1.0, b"short", 0, bytes(16), 0),)},
    ],
)  # fmt: skip
def test_what_no_engine_ever_said_is_no_incident(lie):
    incidents = OpenIncidents()
    with pytest.raises(ValueError):  # noqa: PT011  # msgspec's, or one of ours
        say(incidents, "normal", msgspec.structs.replace(CLOSED, **lie))
    assert incidents.take("bakery") == OpenIncidents().take("bakery")


@pytest.mark.parametrize("lie", [{"site": "clinic"}, {"uid": "another"}])
def test_an_answer_is_about_nothing_but_what_it_names(lie):
    assert say(OpenIncidents(), "normal", msgspec.structs.replace(CLOSED, **lie)) == []
    assert len(say(OpenIncidents(), "normal", CLOSED)) == 1


def test_a_name_in_an_answer_steers_nothing():
    """Whatever door it came by, and whatever an earlier release has written."""
    incidents = OpenIncidents()
    (event,) = say(incidents, "normal", CLOSED, by="\x1b]0;J\u202ean\n" + "n" * 999)
    for position, (kind, by) in enumerate((("dns", "\x9bPiet"), ("dos", "")), 3):
        entry = Entry(position, "exemption", 0, 1, "bakery", b"")
        incidents.exempt(entry, Exemption(kind, "10.0.0.9", 10**16, by))
    names = [row.by for row in incidents.exemptions.of("bakery")]
    assert names == [event.incident.answered_by, "Piet", ""]
    assert names[0] == ("]0;Jan" + "n" * 999)[:100]
