"""Notices: what agent and collector tell a person by themselves, when nobody is looking.

Both tell in the same way, so it is written once: whoever reads the messages sets up one receiver, and
"never a flood" is one promise. Nothing here imports more than the standard library and msgspec.
"""

from dijkwacht_records.notices.carriers import (
    FAILURES,
    Undelivered,
    carriers_of,
    get,
    reason_of,
)
from dijkwacht_records.notices.forms import MAIL_ADDRESSES, MAIL_SERVER, WEB_ADDRESS
from dijkwacht_records.notices.letter import Letter, Notice, NoticeLanguage, compose
from dijkwacht_records.notices.outbox import GATHER_S, Outboxes
from dijkwacht_records.notices.told import Told, Verdict
from dijkwacht_records.notices.watchdog import Watchdog

__all__ = [
    "FAILURES",
    "GATHER_S",
    "MAIL_ADDRESSES",
    "MAIL_SERVER",
    "WEB_ADDRESS",
    "Letter",
    "Notice",
    "NoticeLanguage",
    "Outboxes",
    "Told",
    "Undelivered",
    "Verdict",
    "Watchdog",
    "carriers_of",
    "compose",
    "get",
    "reason_of",
]
