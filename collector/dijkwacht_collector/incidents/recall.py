"""What the store of incidents says of a site, where another release than this one has decided since."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dijkwacht_collector.incidents.alarms import MOST_ALARMS, Alarm
from dijkwacht_collector.incidents.ended import MOST_ENDED, Ended
from dijkwacht_collector.incidents.exemptions import Exemptions
from dijkwacht_collector.incidents.incident import (
    ALERT_SEVERITY,
    Incident,
    IncidentEvent,
    interruption,
)
from dijkwacht_collector.incidents.open_incidents import SiteIncidents
from dijkwacht_collector.incidents.story import Event
from dijkwacht_collector.policy import Spending


def recall(site: str, kept: SiteIncidents, told: Sequence[Event]) -> SiteIncidents:
    """``kept``, as far as a checkpoint knew, brought to where the store has it.

    ``told``: the last step of each incident and story in it. What was closed is closed, what was opened is open, what was
    answered is exempt or is so no more, and what was spent of the budget is spent.
    """
    stored = [event for event in told if isinstance(event, IncidentEvent)]
    ordinals = {(kind, subject): n for kind, subject, n in kept.ordinals}
    spending = Spending()
    alarms = {(one.kind, one.subject): msgspec.structs.replace(one) for one in kept.alarms}
    incidents = [event.incident for event in stored]
    for incident in sorted(incidents, key=lambda i: (i.start, i.uid)):
        key = (incident.kind, incident.subject)
        ordinals[key] = max(ordinals.pop(key, 0), incident.ordinal + 1)
        if incident.severity_id >= ALERT_SEVERITY:
            due = interruption(
                _machine(incident), incident.subject, incident.evidences, incident.start
            )
            spending.note(site, incident.detector, due)
            _call(alarms, incident)
    exemptions, ended = Exemptions(), Ended()
    exemptions.put(site, kept.exempted())
    ended.put(site, kept.ended)
    by_position = sorted(stored, key=lambda e: (e.position, e.incident.uid))
    for event in by_position:
        incident = event.incident
        if incident.answered or incident.status in {"normal", "confirmed"}:
            exemptions.heed(incident, event.position)
            attack = incident.status == "confirmed"
            spending.answer(site, _machine(incident), incident.end, attack=attack)
            alarm = alarms.get((incident.kind, incident.subject))
            if alarm is not None and alarm.since <= max(incident.answered, incident.end):
                del alarms[incident.kind, incident.subject]
    over = [event for event in by_position if event.incident.status != "new"]
    for event in over[-MOST_ENDED:]:
        ended.note(event.incident)
    return SiteIncidents(
        [incident for incident in incidents if incident.status == "new"],
        [],
        [(kind, subject, n) for (kind, subject), n in ordinals.items()],
        [],
        {},
        exemptions.of(site),
        ended.of(site),
        spending.of(site),
        sorted(alarms.values(), key=lambda alarm: alarm.last)[-MOST_ALARMS:],
    )


def _call(alarms: dict[tuple[str, str], Alarm], incident: Incident) -> None:
    """``incident`` has called; how long that went on a checkpoint may know better than the store."""
    key = (incident.kind, incident.subject)
    alarm = alarms.get(key)
    if alarm is None or alarm.since < incident.start:
        alarms[key] = Alarm(*key, incident.start, incident.end, incident.severity_id)
        return
    alarm.last = max(alarm.last, incident.end)
    alarm.severity_id = max(alarm.severity_id, incident.severity_id)


def _machine(incident: Incident) -> str:
    return incident.machine or incident.subject
