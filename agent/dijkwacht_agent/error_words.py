"""From what failed to what its owner reads about it, in his language.

An error that the agent raises names its message (`worded`); the system's errors are put in plain
words by their kind. What is neither stays as it is, in English.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from pathlib import Path
from typing import Final, TypeVar

from dijkwacht_agent.messages import message_text
from dijkwacht_records.errors import DijkwachtError, Message
from dijkwacht_records.replies import Refusal

REFUSED: Final = {
    "malformed": Message("refused_malformed"),
    "unknown_contract": Message("refused_unknown_contract"),
    "too_large": Message("refused_too_large"),
    "rejected": Message("refused_rejected"),
    "not_authorised": Message("refused_not_authorised"),
    "no_certificate": Message("refused_no_certificate"),
    "certificate_expired": Message("refused_certificate_expired"),
    "certificate_revoked": Message("refused_certificate_revoked"),
    "certificate_unknown": Message("refused_certificate_unknown"),
    "foreign_collector": Message("foreign_collector"),
    "wrong_clock": Message("wrong_clock"),
    "busy": Message("refused_busy"),
}
"""``Refusal.reason``, from the error tree → what an owner reads of it."""
_BY_KIND: Final[tuple[tuple[type[OSError], Message], ...]] = (
    (ConnectionRefusedError, Message("os_refused")),
    (socket.gaierror, Message("os_name")),
    (ssl.SSLCertVerificationError, Message("os_certificate")),
    (ssl.SSLError, Message("os_tls")),
    (TimeoutError, Message("os_timeout")),
)
_BY_NUMBER: Final = dict.fromkeys(
    (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN), Message("os_no_route")
)

_Error = TypeVar("_Error", bound=DijkwachtError)


def worded(kind: type[_Error], key: str, /, **values: str | float | Message) -> _Error:
    """An error of ``kind`` whose message is ``key``; its own text is the English one."""
    return carrying(kind, Message(key, values))


def carrying(kind: type[_Error], message: Message) -> _Error:
    """The same for a message that is made already."""
    error = kind(message_text(message, "en"))
    error.message = message
    return error


def error_message(error: BaseException) -> Message:
    """What an owner reads of ``error``."""
    if isinstance(error, DijkwachtError) and error.message is not None:
        return error.message
    if isinstance(error, OSError):
        for kind, message in _BY_KIND:
            if isinstance(error, kind):
                return message
        if error.errno in _BY_NUMBER:
            return _BY_NUMBER[error.errno]
        if error.filename is not None:
            return _file_message(error, str(error.filename))
    return Message("other", {"text": str(error) or type(error).__name__})


def error_message_of_state(error: BaseException, state: Path | None) -> Message:
    """The same, where ``error`` may be about the state folder: then with what helps there."""
    if state is None or not isinstance(error, OSError) or error.filename is None:
        return error_message(error)
    path = Path(os.fsdecode(error.filename))
    if not path.is_relative_to(state):
        return error_message(error)
    if error.errno in {errno.EACCES, errno.EPERM}:
        if os.geteuid() == 0:
            return Message("state_not_writable", {"path": str(path)})
        # Not sudo alone: as root the usual folder is another.
        return Message("state_no_access", {"path": str(path), "state": str(state)})
    if error.errno == errno.ENOENT and path == state:  # so /proc answers
        key = "state_not_writable" if path.exists() else "state_not_made"
        return Message(key, {"path": str(path)})
    return error_message(error)


def words(why: Message | BaseException, language: str) -> str:
    """``why`` in ``en`` or ``nl``, without a full stop."""
    return message_text(why if isinstance(why, Message) else error_message(why), language)


def refusal_message(refusal: Refusal | None, status: int) -> Message:
    """What an owner reads of an answer with ``status`` that held ``refusal``, or none."""
    if refusal is None:
        known = REFUSED["not_authorised"] if status in {401, 403} else None
        return known or Message("refused_status", {"status": status})
    return REFUSED.get(refusal.reason) or Message("other", {"text": refusal.message})


def _file_message(error: OSError, path: str) -> Message:
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return Message("os_no_access", {"path": path})
        case errno.ENOSPC | errno.EDQUOT:
            return Message("os_disk_full", {"path": path})
        case errno.EROFS:
            return Message("os_read_only", {"path": path})
        case errno.ENOTDIR | errno.EEXIST:
            return Message("os_no_folder", {"path": path})
        case errno.ENOENT:
            return Message("os_missing", {"path": path})
    return Message("other", {"text": f"{path}: {error.strerror}"})
