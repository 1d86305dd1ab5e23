"""A webhook's body as the service at its address wants it, by the name of its host.

=====================================  ============================================================
Slack                                  the letter; ``& < >`` of its text would be Slack's own signs
Teams, by a workflow (Power Automate)  the letter, and beside it the Adaptive Card that the templates
                                       of Teams post: without one a workflow answers 202 and fails
any other                              the letter
=====================================  ============================================================
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from dijkwacht_records.notices.letter import Letter

MOST_BYTES: Final = 1_900
"""Of ``text``: Discord refuses more than 2,000 characters, ntfy's templates more than 4,096 bytes."""
_SLACK: Final = ("hooks.slack.com", "hooks.slack-gov.com")
_TEAMS: Final = (
    ".logic.azure.com", ".api.powerplatform.com", "api.powerautomate.com", "flow.microsoft.com",
    ".webhook.office.com",
)  # fmt: skip
_CARD: Final = "application/vnd.microsoft.card.adaptive"


def body_for(url: str, letter: Letter) -> bytes:
    """What is posted to ``url``, JSON."""
    host = (urlsplit(url).hostname or "").lower()
    if host in _SLACK:
        fields = msgspec.structs.asdict(letter)
        fields |= {"text": _escaped(letter.text), "title": _escaped(letter.title)}
        return msgspec.json.encode(fields)
    if host.endswith(_TEAMS):
        # The letter's own fields stay: somebody's workflow may post one of them.
        return msgspec.json.encode({**msgspec.structs.asdict(letter), **_card(letter.text)})
    return msgspec.json.encode(letter)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _card(text: str) -> dict[str, object]:
    """A message of one card; a block of text each line, for in one block lines run together."""
    lines = [line for line in text.split("\n") if line]
    blocks = [{"type": "TextBlock", "text": line, "wrap": True} for line in lines]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": blocks,
    }
    attached = {"contentType": _CARD, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attached]}
