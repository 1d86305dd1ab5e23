"""What the store of incidents says of a site, where another release than this one has decided since."""

from __future__ import annotations

from collections.abc import Sequence

from dijkwacht_collector.incidents.incident import ALERT_SEVERITY, Incident
from dijkwacht_collector.incidents.open_incidents import NORMAL_US, SiteIncidents


def recall(kept: SiteIncidents | None, stored: Sequence[Incident]) -> SiteIncidents:
    """``kept``, as far as a checkpoint knew, brought to where the ``stored`` incidents of the site are.

    What was closed is closed, what was opened is open, what was answered is exempt, and what was
    spent of the budget is spent.
    """
    kept = kept or SiteIncidents([], [], [], [], {})
    ordinals = {(kind, subject): n for kind, subject, n in kept.ordinals}
    exempt = {(kind, subject): until for kind, subject, until in kept.exempt_until}
    opened: dict[str, list[int]] = {}
    for incident in sorted(stored, key=lambda i: (i.start, i.uid)):
        key = (incident.kind, incident.subject)
        ordinals[key] = max(ordinals.pop(key, 0), incident.ordinal + 1)
        if incident.status == "normal":
            exempt[key] = max(exempt.get(key, 0), incident.end + NORMAL_US)
        if incident.severity_id >= ALERT_SEVERITY:
            opened.setdefault(incident.detector, []).append(incident.start)
    return SiteIncidents(
        [incident for incident in stored if incident.status == "new"],
        [],
        [(kind, subject, n) for (kind, subject), n in ordinals.items()],
        [(kind, subject, until) for (kind, subject), until in exempt.items()],
        opened,
    )
