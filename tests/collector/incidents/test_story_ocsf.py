"""A story as it is stored and served: OCSF's Incident Finding, in words of both languages."""

from __future__ import annotations

import typing

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from dijkwacht_collector.incidents import (
    TECHNIQUES,
    Call,
    Part,
    Status,
    Story,
    StoryEvent,
    encode_story,
    story_text,
    story_title,
)

SCHEMA = jsonschema.Draft202012Validator(
    OcsfJsonSchemaEmbedded(get_ocsf_schema("1.5.0")).get_class_schema("incident_finding")
)

parts = st.builds(
    Part,
    uid=st.sampled_from(["a", "b", "c"]),
    kind=st.sampled_from(["scan", "c2", "new-device"]),
    detector=st.sampled_from(["scan", "beacon"]),
    technique=st.sampled_from(["", "T9999", *TECHNIQUES]),
    title_en=st.text(min_size=1, max_size=20),
    title_nl=st.text(max_size=20),
    severity_id=st.integers(2, 4),
    rarity=st.floats(0, 10),
    start=st.integers(0, 1 << 52),
    end=st.integers(0, 1 << 52),
)
calls = st.builds(Call, st.integers(0, 1 << 52), st.just("scan"), st.just("scan"), st.just("a"))
events = st.builds(
    StoryEvent,
    st.sampled_from(["create", "update", "close"]),
    st.builds(
        Story,
        uid=st.just("00ff"),
        site=st.just("bakery"),
        machine=st.sampled_from(["", "10.0.0.7", "till"]),
        start=st.integers(0, 1 << 52),
        end=st.integers(0, 1 << 52),
        parts=st.lists(parts, min_size=1, max_size=4).map(tuple),
        severity_id=st.integers(2, 4),
        calls=st.lists(calls, max_size=2).map(tuple),
        more=st.integers(0, 9),
        status=st.sampled_from(typing.get_args(Status)),
        revision=st.integers(0, 99),
        answered_by=st.sampled_from(["", "Jan"]),
        answered=st.sampled_from([0, 1 << 50]),
    ),
    st.integers(0, 1 << 50),
)


@settings(max_examples=30)
@given(events, st.none() | st.integers(0, 1 << 52))
def test_every_step_of_a_story_is_an_incident_finding(
    event: StoryEvent, logged: int | None
) -> None:
    finding = msgspec.json.decode(encode_story(event, logged))
    SCHEMA.validate(finding)
    story = event.story
    assert (
        finding["type_uid"] == {"create": 200501, "update": 200502, "close": 200503}[event.activity]
    )
    assert [info["uid"] for info in finding["finding_info_list"]] == [p.uid for p in story.parts]
    assert finding["count"] == len(story.parts) + story.more
    assert finding["unmapped"]["interrupted"] == bool(story.calls)
    assert finding["unmapped"]["story_uid"] == story.uid
    assert finding.get("is_suspected_breach", False) == (story.status == "confirmed")
    assert encode_story(event, logged) == encode_story(event, logged)


def a_part(uid: str, title: str, severity_id: int = 3, rarity: float = 0.1) -> Part:
    return Part(uid, "scan", "scan", "T1046", title, f"{title} nl", severity_id, rarity, 1, 2)


def a_story(*parts: Part, machine: str = "10.0.0.7", more: int = 0) -> Story:
    return Story("s", "bakery", machine, 1, 2, parts, 3, more=more)


def test_its_title_is_that_of_the_gravest_and_how_many_there_are_besides() -> None:
    scans, guesses = a_part("a", "it scans"), a_part("b", "it guesses", 4)
    assert story_title(a_story(scans)) == ("it scans", "it scans nl")
    assert story_title(a_story(scans, guesses, more=3)) == (
        "it guesses, and 4 more", "it guesses nl, en nog 4",
    )  # fmt: skip
    many = a_story(scans, guesses, machine="")
    assert story_title(many)[0] == "Several machines at once: it guesses, and 1 more"
    assert story_title(many)[1] == "Meerdere computers tegelijk: it guesses nl, en nog 1"


def test_full_stops_of_titles_come_once_and_last() -> None:
    scans, guesses = a_part("a", "It scans."), a_part("b", "It guesses.", 4)
    assert story_title(a_story(guesses))[0] == "It guesses."
    assert story_title(a_story(scans, guesses))[0] == "It guesses, and 1 more."
    assert story_text(a_story(scans, guesses))[0] == "It scans; It guesses."


def test_its_text_names_what_there_was_in_order_and_the_gravest_of_many() -> None:
    scans, guesses = a_part("a", "it scans"), a_part("b", "it guesses", 4)
    assert story_text(a_story(scans, guesses))[0] == "it scans; it guesses."
    many = a_story(*(a_part(f"{n}", f"t{n}", 3, 1.0 - n / 100) for n in range(20)), more=5)
    assert story_text(many)[0] == f"{'; '.join(f't{n}' for n in range(12, 20))}, and 17 more."
    assert story_text(many)[1].endswith("t19 nl, en nog 17.")


@pytest.mark.parametrize(
    ("status", "verdict"), [("normal", "Benign"), ("confirmed", "True Positive"), ("closed", None)]
)
def test_what_a_person_answered_is_the_verdict(status: Status, verdict: str | None) -> None:
    story = msgspec.structs.replace(a_story(a_part("a", "it scans")), status=status)
    finding = msgspec.json.decode(encode_story(StoryEvent("close", story, 1)))
    assert finding.get("verdict") == verdict
