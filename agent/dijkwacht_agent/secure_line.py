"""A connection that only the collector that was joined can take, and on which we show who we are.

=======================================  ==========================================================
its certificate is not by our authority  `ForeignCollector`: nothing was said to it
it fails for its time alone              it is asked once what time it is, and then either our clock
                                         is behind what it told us before, so that it is certainly
                                         wrong: we go on by its clock; or `WrongClock`
it hangs up on our certificate           `CertificateUnknown`, where it answers without one
=======================================  ==========================================================
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from dijkwacht_agent.clock import span
from dijkwacht_agent.error_words import worded
from dijkwacht_agent.identity import Identity
from dijkwacht_records.enrolment import COLLECTOR_NAME, SELF_PATH
from dijkwacht_records.errors import (
    CertificateUnknown,
    ForeignCollector,
    Message,
    NotAuthorised,
    WrongClock,
)

_NOT_YET, _NO_MORE = 9, 10
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""
_AGREE_S: Final = 300.0
_DATE_S: Final = 2.0
"""A ``Date`` is a whole second, and a moment old."""
HUNG_UP: Final = (ssl.SSLError, ConnectionError, http.client.BadStatusLine)


class SecureConnection(http.client.HTTPSConnection):
    """One to the collector at ``url``; as in the table above when it is opened.

    ``check_time``: whether its certificate's time counts; ``shown``: whether we show ours.
    """

    def __init__(
        self,
        url: str,
        timeout: float,
        identity: Identity,
        *,
        check_time: bool = True,
        shown: bool = True,
    ) -> None:
        self._tls = identity.context(check_time=check_time, shown=shown)
        super().__init__(urlsplit(url).netloc, timeout=timeout, context=self._tls)
        self._url, self._identity = url, identity
        self._check_time, self._shown = check_time, shown

    def connect(self) -> None:
        """Open it. Raises ``OSError``, `ForeignCollector` or `WrongClock`."""
        try:
            self._open(self._tls)
        except ssl.SSLCertVerificationError as error:
            if not self._check_time or error.verify_code not in {_NOT_YET, _NO_MORE}:
                raise worded(ForeignCollector, "foreign_collector") from None
            self._identity.trouble = self._clock_is_wrong()
            self._open(self._identity.context(check_time=False, shown=self._shown))
        else:
            if self._check_time:
                self._identity.trouble = None

    def _open(self, context: ssl.SSLContext) -> None:
        http.client.HTTPConnection.connect(self)
        bare = self.sock
        try:
            self.sock = context.wrap_socket(bare, server_hostname=COLLECTOR_NAME)
        except BaseException:
            bare.close()
            raise

    def _clock_is_wrong(self) -> Message:
        """What is wrong with our clock, by the collector's. Raises unless we can go on by that one."""
        asked = SecureConnection(
            self._url,
            float(self.timeout or 0) or 15.0,
            self._identity,
            check_time=False,
            shown=False,
        )
        with contextlib.closing(asked):
            asked.connect()
            certificate = asked.sock.getpeercert()
            asked.request("GET", connection_path(self._url) + "/healthz")
            answer = asked.getresponse()
            answer.read()
        theirs = _time_of(answer.getheader("Date"))
        ours, known = self._identity.clock() / 1e6, self._identity.known_time / 1e6
        if certificate and _holds(certificate, theirs) and abs(ours - theirs) < _AGREE_S:
            raise worded(ForeignCollector, "authority_untimely")  # it cannot be the clocks
        if certificate is None or not _holds(certificate, theirs) or theirs < known - _DATE_S:
            raise worded(ForeignCollector, "foreign_collector")  # it ran out by its own clock too
        much = span(ours - theirs)
        if ours < known:
            return Message("clock_behind", {"much": much})
        error = worded(WrongClock, "clock_ahead" if ours > theirs else "clock_behind", much=much)
        error.ahead_s = ours - theirs
        raise error


def connection_path(url: str) -> str:
    """The path under which the collector at ``url`` lives, without a final slash."""
    return urlsplit(url).path.rstrip("/")


def hung_up(url: str, identity: Identity, timeout: float) -> NotAuthorised | None:
    """Why the collector may have hung up: because of our certificate, or for another reason (None)."""

    def answers(path: str, *, shown: bool) -> bool:
        connection = SecureConnection(url, timeout, identity, shown=shown)
        with contextlib.closing(connection):
            try:
                connection.request("GET", connection_path(url) + path)
                return connection.getresponse().status > 0
            except HUNG_UP:
                return False

    try:
        if answers(SELF_PATH, shown=True) or not answers("/healthz", shown=False):
            return None
    except (OSError, http.client.HTTPException):
        return None
    return worded(CertificateUnknown, "refused_certificate_unknown")


def _time_of(date: str | None) -> float:
    """Seconds UTC that a ``Date`` says; 0 for none."""
    try:
        return email.utils.parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return 0.0


def _holds(certificate: Mapping[str, Any], time: float) -> bool:
    """Whether a certificate, as the ssl module reads it, is good at a time, s UTC."""
    begins, ends = (ssl.cert_time_to_seconds(certificate[k]) for k in ("notBefore", "notAfter"))
    return begins - _DATE_S <= time <= ends
