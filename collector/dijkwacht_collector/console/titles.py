"""The title of an incident, or of a story's part, for a reader: what a machine measures of itself has a plain name there."""

from __future__ import annotations

import re
from typing import Final

from dijkwacht_collector.console.language import LANGUAGES, Language, translations
from dijkwacht_collector.console.words import METRIC
from dijkwacht_collector.incidents import Incident, Part
from dijkwacht_records.pseudonyms import marked

_METRICS: Final = re.compile(rf"\b({'|'.join(METRIC)})\b")

# Read now: an event to send must not stop the event loop for a file.
_CATALOGUES: Final = {language: translations(language) for language in LANGUAGES}


def title(incident: Incident | Part, language: Language, *, clear: bool = False) -> str:
    """The title in ``language``; metrics are named only where the incident is a machine's own.

    Elsewhere a name comes from the network, and only looks like a metric. Pseudonyms carry their mark,
    unless the addresses are ``clear``.
    """
    text = incident.title_nl if language == "nl" else incident.title_en
    text = marked(text, clear=clear)
    if incident.kind != "host":
        return text
    translate = _CATALOGUES[language].gettext
    return _METRICS.sub(lambda found: translate(METRIC[found[0]]).lower(), text)
