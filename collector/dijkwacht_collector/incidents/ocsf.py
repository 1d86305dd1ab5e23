"""Incident → OCSF Detection Finding: the form in which incidents are stored and served.

Times are milliseconds, as OCSF has them; everything follows from the incident alone, except
``metadata.logged_time``, which the caller may give. What people read carries the mark of a pseudonym
(`marked`), and ``metadata.labels`` says that there are some; fields for machines stay bare. ``clear``:
the addresses are no pseudonyms, as in a recording of one's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import msgspec

from dijkwacht_collector.incidents import techniques
from dijkwacht_collector.incidents.incident import (
    ALERT_SEVERITY,
    Activity,
    Evidence,
    Incident,
    IncidentEvent,
    Status,
)
from dijkwacht_collector.incidents.story import Part, StoryEvent
from dijkwacht_records.addresses import HASHED_MAC, format_address, format_mac
from dijkwacht_records.pseudonyms import LABEL, marked

OCSF_VERSION: Final = "1.5.0"
CLASS_UID: Final = 2004

ACTIVITIES: Final[dict[Activity, tuple[int, str]]] = {
    "create": (1, "Create"),
    "update": (2, "Update"),
    "close": (3, "Close"),
}
SEVERITIES: Final = {1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical"}
_STATUSES: Final[dict[Status, tuple[int, str]]] = {
    "new": (1, "New"),
    "closed": (4, "Resolved"),
    "normal": (3, "Suppressed"),
    "confirmed": (4, "Resolved"),
}
ANSWERS: Final[dict[Status, str]] = {
    "normal": "Answered: this is normal",
    "confirmed": "Answered: this was an attack",
}
"""The ``status_detail`` of what a person answered; a detection finding has no verdict."""

_OBEYED: Final = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")

Json = dict[str, object]


def _own_version() -> str:
    try:
        return version("dijkwacht")
    except PackageNotFoundError:
        return "0"


# Read once: the metadata is a file on disk, and a finding is made for every step of an incident.
_VERSION: Final = _own_version()
_PRODUCT: Final[Json] = {
    "name": "Dijkwacht",
    "vendor_name": "Dijkwacht",
    "version": _VERSION,
}


def detection_finding(
    event: IncidentEvent, logged_time: int | None = None, *, clear: bool = False
) -> Json:
    """The finding of one step in an incident's life. ``logged_time``: µs UTC of a clock."""
    incident, told = event.incident, partial(marked, clear=clear)
    activity_id, activity = ACTIVITIES[event.activity]
    status_id, status = _STATUSES[incident.status]
    unmapped: Json = {
        "title_nl": told(incident.title_nl),
        "desc_nl": told(incident.desc_nl),
        "rarity": incident.rarity,
        "facts": incident.evidences[0].facts if incident.evidences else {},
        "subject": incident.subject,
        "ordinal": incident.ordinal,
        "revision": incident.revision,
        "story_uid": incident.story,
        "interrupted": incident.interrupted,
        "together": list(incident.together),
    }
    finding: Json = {
        "activity_id": activity_id,
        "activity_name": activity,
        "category_name": "Findings",
        "category_uid": 2,
        "class_name": "Detection Finding",
        "class_uid": CLASS_UID,
        "type_uid": CLASS_UID * 100 + activity_id,
        "type_name": f"Detection Finding: {activity}",
        "time": incident.end // 1000,
        "start_time": incident.start // 1000,
        "end_time": incident.end // 1000,
        "count": incident.count,
        "severity_id": incident.severity_id,
        "severity": SEVERITIES[incident.severity_id],
        "status_id": status_id,
        "status": status,
        "confidence_score": incident.confidence,
        "is_alert": incident.severity_id >= ALERT_SEVERITY,
        "message": told(incident.title_en),
        "metadata": metadata_of(event, logged_time, clear=clear),
        "finding_info": finding_info(incident, told),
        "evidences": [_evidence(evidence) for evidence in incident.evidences[:5]],
        "unmapped": unmapped,
    }
    if incident.status in ANSWERS:
        finding["status_detail"] = ANSWERS[incident.status]
    if incident.answered:
        unmapped |= {
            "answered_by": incident.answered_by,
            "answered_time": incident.answered // 1000,
        }
    return finding


def encode_finding(
    event: IncidentEvent, logged_time: int | None = None, *, clear: bool = False
) -> bytes:
    """The finding as one line of JSON, without the newline; the same event gives the same bytes.

    What a terminal would obey (C1 controls, marks that turn the direction of writing) is escaped.
    """
    return one_line(detection_finding(event, logged_time, clear=clear))


def one_line(finding: Json) -> bytes:
    """A finding as JSON in which nothing is left that a terminal would obey."""
    line = msgspec.json.encode(finding)
    if line.isascii() and b"\x7f" not in line:
        return line
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", line.decode()).encode()


def metadata_of(
    event: IncidentEvent | StoryEvent, logged_time: int | None, *, clear: bool = False
) -> Json:
    """What says which step of what this is, and whose product said so. ``logged_time``: µs UTC, or None."""
    metadata: Json = {
        "product": _PRODUCT,
        "version": OCSF_VERSION,
        "uid": f"{event.uid}-{event.revision}",
        "tenant_uid": event.site,
        "sequence": event.position,
    }
    if not clear:
        metadata["labels"] = [LABEL]
    if logged_time is not None:
        metadata["logged_time"] = logged_time // 1000
    return metadata


def finding_info(told: Incident | Part, text: Callable[[str], str] = marked) -> Json:
    """What names a finding: its class, its technique, who found it and when; a part's words are its title."""
    info: Json = {
        "uid": told.uid,
        "title": text(told.title_en),
        "types": [told.kind],
        "first_seen_time": told.start // 1000,
        "last_seen_time": told.end // 1000,
        "analytic": {
            "name": told.detector,
            "uid": told.detector,
            "type_id": 1,
            "type": "Rule",
            "version": _VERSION,
        },
        "attacks": _attacks(told.technique),
    }
    if isinstance(told, Incident):
        info["desc"] = text(told.desc_en)
    return info


@lru_cache(maxsize=256)
def _attacks(uid: str) -> list[Json]:
    """What a technique is called, to be read only."""
    if not uid:
        return []
    known = techniques.TECHNIQUES.get(uid)
    parent, _, below = uid.partition(".")
    name = known.name if known else uid
    found: Json = {"version": techniques.VERSION}
    if below:
        above = techniques.TECHNIQUES.get(parent)
        found["technique"] = {"uid": parent, "name": above.name if above else parent}
        found["sub_technique"] = {"uid": uid, "name": name}
    else:
        found["technique"] = {"uid": uid, "name": name}
    if known:
        found["tactic"] = {"uid": known.tactic_uid, "name": known.tactic}
    return [found]


def _evidence(evidence: Evidence) -> Json:
    source: Json = {}
    if ip := format_address(evidence.src_h):
        source["ip"] = ip
    if mac := format_mac(evidence.src_mac):
        hashed = bool(evidence.src_mac & HASHED_MAC)
        if not hashed:
            source["mac"] = mac
        if hashed or not source.get("ip"):
            # To the schema a keyed hash is no hardware address, and one alone no endpoint.
            source["uid"] = mac
    target: Json = {}
    if ip := format_address(evidence.dst_h):
        target["ip"] = ip
    facts: Json = {"time": evidence.time // 1000, "score": evidence.score, "facts": evidence.facts}
    if evidence.dst_p:
        # A port alone is no endpoint to the schema: many addresses were asked for this one port.
        (target or facts)["port"] = evidence.dst_p
    found: Json = {"data": facts}
    if source:
        found["src_endpoint"] = source
    if target:
        found["dst_endpoint"] = target
    if evidence.name:
        found["query"] = {"hostname": evidence.name}
    return found
