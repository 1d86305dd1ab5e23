"""What a refused log-in is worth as a sign that a password is guessed."""

from __future__ import annotations

from dijkwacht_detectors.state.naming import njit_lean
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

_RDP, _HTTP = int(AuthService.RDP), int(AuthService.HTTP)
_TGS, _ANONYMOUS = int(AuthMethod.KERBEROS_TGS), int(AuthMethod.ANONYMOUS)
_TICKET = int(AuthMethod.KERBEROS)
_EXPIRED, _LOCKED = int(AuthStatus.EXPIRED), int(AuthStatus.LOCKED)
_RESTRICTED, _ASKED = int(AuthStatus.RESTRICTED), int(AuthStatus.PREAUTH_REQUIRED)
_OTHER, _NO_SERVICE = int(AuthStatus.OTHER), int(AuthStatus.UNKNOWN_SERVICE)
_PROXIES = (3128, 8080)


@njit_lean
def worth_of_refusal(service, method, status, port):  # type: ignore[no-untyped-def]
    """0 to 1, by numbers of `AuthService`, `AuthMethod` and `AuthStatus`, and the server's port.

    0 where no password was tried: anonymously, with a ticket, for one, or before any proof.
    """
    if method in (_ANONYMOUS, _TICKET, _TGS) or status in (_ASKED, _NO_SERVICE):
        return 0.0
    worth = 1.0
    if status in (_EXPIRED, _OTHER):
        worth = 0.1  # clocks that differ, ciphers that nobody shares
    elif status == _LOCKED:
        worth = 0.5
    elif status == _RESTRICTED:
        worth = 0.0 if service == _RDP else 0.5  # a client too old for the server
    if service == _HTTP:  # said with every request, and no log-in each
        worth *= 0.05 if port in _PROXIES else 0.25
    return worth
