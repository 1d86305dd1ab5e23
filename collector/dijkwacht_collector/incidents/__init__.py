"""What is decided for a site: incidents, their life, and the forms in which others read them."""

from dijkwacht_collector.incidents.answers import ANSWERED, StorySeen, changes
from dijkwacht_collector.incidents.exemptions import Exempted, unreported
from dijkwacht_collector.incidents.finding import KNOCKS, Door, EventTime, Finding, StepOrder
from dijkwacht_collector.incidents.incident import (
    ALERT_SEVERITY,
    Activity,
    Ends,
    Evidence,
    Incident,
    IncidentEvent,
    Status,
)
from dijkwacht_collector.incidents.normal_trial import (
    MOST_TRIED,
    TRIED_US,
    Trial,
    exempted_if_normal,
    try_normal,
)
from dijkwacht_collector.incidents.ocsf import detection_finding, encode_finding
from dijkwacht_collector.incidents.open_incidents import OpenIncidents
from dijkwacht_collector.incidents.recall import recall
from dijkwacht_collector.incidents.site_incidents import SiteIncidents
from dijkwacht_collector.incidents.story import (
    MOST_PARTS,
    Call,
    Event,
    Part,
    Story,
    StoryEvent,
    story_uid,
)
from dijkwacht_collector.incidents.story_ocsf import encode_event, encode_story, incident_finding
from dijkwacht_collector.incidents.story_words import story_text, story_title
from dijkwacht_collector.incidents.techniques import TECHNIQUES
from dijkwacht_collector.incidents.wording import PLACEHOLDERS, fill

__all__ = [
    "ALERT_SEVERITY",
    "ANSWERED",
    "KNOCKS",
    "MOST_PARTS",
    "MOST_TRIED",
    "PLACEHOLDERS",
    "TECHNIQUES",
    "TRIED_US",
    "Activity",
    "Call",
    "Door",
    "Ends",
    "Event",
    "EventTime",
    "Evidence",
    "Exempted",
    "Finding",
    "Incident",
    "IncidentEvent",
    "OpenIncidents",
    "Part",
    "SiteIncidents",
    "Status",
    "StepOrder",
    "Story",
    "StoryEvent",
    "StorySeen",
    "Trial",
    "changes",
    "detection_finding",
    "encode_event",
    "encode_finding",
    "encode_story",
    "exempted_if_normal",
    "fill",
    "incident_finding",
    "recall",
    "story_text",
    "story_title",
    "story_uid",
    "try_normal",
    "unreported",
]
