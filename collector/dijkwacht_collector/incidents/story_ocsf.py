"""Story → OCSF Incident Finding, over the Detection Findings of `ocsf`: by the same rules, from the story alone."""

from __future__ import annotations

from functools import partial
from typing import Final

from dijkwacht_collector.incidents.incident import IncidentEvent, Status
from dijkwacht_collector.incidents.ocsf import (
    ACTIVITIES,
    ANSWERS,
    SEVERITIES,
    Json,
    encode_finding,
    finding_info,
    metadata_of,
    one_line,
)
from dijkwacht_collector.incidents.story import Call, Event, StoryEvent
from dijkwacht_collector.incidents.story_words import story_text, story_title
from dijkwacht_records.pseudonyms import marked

CLASS_UID: Final = 2005

_STATUSES: Final[dict[Status, tuple[int, str]]] = {
    "new": (1, "New"),
    "closed": (5, "Closed"),
    "normal": (5, "Closed"),
    "confirmed": (4, "Resolved"),
}
_VERDICTS: Final[dict[Status, tuple[int, str]]] = {
    "normal": (5, "Benign"),
    "confirmed": (2, "True Positive"),
}
"""The schema's verdict for what a person answered."""


def incident_finding(
    event: StoryEvent, logged_time: int | None = None, *, clear: bool = False
) -> Json:
    """The finding of one step in a story's life. ``logged_time``: µs UTC of a clock."""
    story = event.story
    activity_id, activity = ACTIVITIES[event.activity]
    status_id, status = _STATUSES[story.status]
    told = partial(marked, clear=clear)
    title_en, title_nl = story_title(story, clear=clear)
    desc_en, desc_nl = story_text(story, clear=clear)
    unmapped: Json = {
        "story_uid": story.uid,
        "title_nl": title_nl,
        "desc_nl": desc_nl,
        "machine": story.machine,
        "interrupted": story.interrupted,
        "calls": [_call(call) for call in story.calls],
        "more": story.more,
        "revision": story.revision,
    }
    finding: Json = {
        "activity_id": activity_id,
        "activity_name": activity,
        "category_name": "Findings",
        "category_uid": 2,
        "class_name": "Incident Finding",
        "class_uid": CLASS_UID,
        "type_uid": CLASS_UID * 100 + activity_id,
        "type_name": f"Incident Finding: {activity}",
        "time": story.end // 1000,
        "start_time": story.start // 1000,
        "end_time": story.end // 1000,
        "count": len(story.parts) + story.more,
        "severity_id": story.severity_id,
        "severity": SEVERITIES[story.severity_id],
        "status_id": status_id,
        "status": status,
        # The schema wants to know whose it is to look at: whoever looks after the site.
        "assignee_group": {"name": story.site},
        "message": title_en,
        "desc": desc_en,
        "metadata": metadata_of(event, logged_time, clear=clear),
        "finding_info_list": [finding_info(part, told) for part in story.parts],
        "unmapped": unmapped,
    }
    if story.status in _VERDICTS:
        finding["verdict_id"], finding["verdict"] = _VERDICTS[story.status]
        finding["status_detail"] = ANSWERS[story.status]
        finding["is_suspected_breach"] = story.status == "confirmed"
    if story.answered:
        unmapped |= {"answered_by": story.answered_by, "answered_time": story.answered // 1000}
    return finding


def encode_story(
    event: StoryEvent, logged_time: int | None = None, *, clear: bool = False
) -> bytes:
    """The finding as one line of JSON, as `encode_finding` writes those of incidents."""
    return one_line(incident_finding(event, logged_time, clear=clear))


def encode_event(event: Event, logged_time: int | None = None) -> bytes:
    """An incident's step as a Detection Finding, a story's as an Incident Finding."""
    if isinstance(event, IncidentEvent):
        return encode_finding(event, logged_time)
    return encode_story(event, logged_time)


def _call(call: Call) -> Json:
    return {
        "time": call.time // 1000,
        "detector": call.detector,
        "class": call.kind,
        "finding_uid": call.finding,
    }
