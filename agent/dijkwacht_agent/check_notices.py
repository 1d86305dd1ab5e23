"""Does a message of this agent arrive? Found out by sending one, for `check --notify`."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

from dijkwacht_agent.check import Finding
from dijkwacht_agent.dead_man import both_words, names_of, source_of
from dijkwacht_agent.error_words import error_message, worded
from dijkwacht_agent.settings import Settings
from dijkwacht_records.errors import Message, SettingsError
from dijkwacht_records.notices import (
    FAILURES,
    Notice,
    Undelivered,
    carriers_of,
    compose,
    get,
    reason_of,
)


def check_notices(settings: Settings) -> Iterator[Finding]:
    """Send a try to each receiver, and call the watchdog's address once."""
    if settings.notify_mail and not settings.notify_mail_server:
        why = worded(SettingsError, "notify_no_server")
        yield Finding("notice_fails", False, {"by": "mail", "why": why})
        return
    try:
        carriers = carriers_of(settings)
    except OSError as error:
        yield Finding("notice_fails", False, {"by": "mail", "why": error})
        return
    if not carriers:
        yield Finding("notice_nobody", False)
    tried = both_words("told_try", names_of(settings))
    letter = compose(source_of(settings), settings.notify_language, [("try", Notice(tried, tried))])
    for carrier in carriers:
        try:
            carrier.carry(letter)
        except FAILURES as error:
            yield Finding("notice_fails", False, {"by": carrier.name, "why": _why(error)})
        else:
            yield Finding("notice_sent", True, {"by": carrier.name})
    if settings.watchdog_url:
        try:
            get(settings.watchdog_url, settings.notify_ca_file)
        except FAILURES as error:
            yield Finding("watchdog_fails", False, {"why": _why(error)})
        else:
            yield Finding("watchdog_reached", True)


def _why(error: Exception) -> Message | BaseException:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Message("mail_log_in")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Message("mail_no_tls")
    if isinstance(error, smtplib.SMTPException):
        return Message("mail_refused", {"why": reason_of(error)})
    if isinstance(error, Undelivered):
        return Message("refused_status", {"status": error.status})
    return error_message(error)
