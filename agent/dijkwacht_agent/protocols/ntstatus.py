"""Classes of Windows' NT status: how an operation was answered, why a log-in was refused.

Codes are those of [MS-ERREF]; of SMB1 also the DOS codes of [MS-CIFS] that old servers send in their
place, as they stand in the same four bytes: class | code << 16. Neither can be mistaken for the other.
"""

from __future__ import annotations

from typing import Final

from dijkwacht_records.vocabulary import AuthStatus, RpcStatus

SUCCESS: Final = 0
PENDING: Final = 0x00000103
"""The server has the request and answers later."""
MORE_PROCESSING: Final = 0xC0000016
"""A log-in goes on."""

_REFUSALS: Final = {
    0xC000006A: AuthStatus.WRONG_PASSWORD,
    0xC0000064: AuthStatus.UNKNOWN_ACCOUNT,
    0xC0000234: AuthStatus.LOCKED,  # locked out
    0xC0000072: AuthStatus.LOCKED,  # disabled
    0xC0000071: AuthStatus.EXPIRED,  # password
    0xC0000224: AuthStatus.EXPIRED,  # password must be changed first
    0xC0000193: AuthStatus.EXPIRED,  # account
    0xC000006E: AuthStatus.RESTRICTED,  # account
    0xC000006F: AuthStatus.RESTRICTED,  # hours
    0xC0000070: AuthStatus.RESTRICTED,  # workstation
    0xC000015B: AuthStatus.RESTRICTED,  # kind of log-in
    0xC0000413: AuthStatus.RESTRICTED,  # from this domain
    0xC000006D: AuthStatus.REFUSED,  # wrong account or password: which is not said
    0xC0000022: AuthStatus.REFUSED,  # access denied
    0x00020002: AuthStatus.REFUSED,  # ERRSRV, ERRbadpw
    0x00050001: AuthStatus.REFUSED,  # ERRDOS, ERRnoaccess
}
_ANSWERS: Final = {
    SUCCESS: RpcStatus.SUCCESS,
    MORE_PROCESSING: RpcStatus.CONTINUED,
    0xC0000022: RpcStatus.DENIED,  # access
    0xC0000061: RpcStatus.DENIED,  # privilege not held
    0xC00000CA: RpcStatus.DENIED,  # network access
    0xC0000121: RpcStatus.DENIED,  # cannot delete
    0x00050001: RpcStatus.DENIED,  # ERRDOS, ERRnoaccess
    0x00040002: RpcStatus.DENIED,  # ERRSRV, ERRaccess
    0xC000000F: RpcStatus.NOT_FOUND,  # no such file
    0xC0000034: RpcStatus.NOT_FOUND,  # object name
    0xC000003A: RpcStatus.NOT_FOUND,  # object path
    0xC00000BE: RpcStatus.NOT_FOUND,  # network path
    0xC00000CC: RpcStatus.NOT_FOUND,  # network name
    0xC0000225: RpcStatus.NOT_FOUND,
    0x00020001: RpcStatus.NOT_FOUND,  # ERRDOS, ERRbadfile
    0x00030001: RpcStatus.NOT_FOUND,  # ERRDOS, ERRbadpath
    0x00060002: RpcStatus.NOT_FOUND,  # ERRSRV, ERRinvnetname
    0xC0000002: RpcStatus.UNSUPPORTED,  # not implemented
    0xC0000010: RpcStatus.UNSUPPORTED,  # request that the device does not know
    0xC00000BB: RpcStatus.UNSUPPORTED,
    0x00320001: RpcStatus.UNSUPPORTED,  # ERRDOS, ERRunsup
}
_SEVERITY: Final = 30
_WARNING: Final = 2


def status_class(status: int) -> RpcStatus:
    """How the server answered. Warnings count as success: what was asked for was done.

    >>> status_class(0xC0000022), status_class(0x80000005), status_class(0xC000006A)
    (<RpcStatus.DENIED: 2>, <RpcStatus.SUCCESS: 1>, <RpcStatus.LOGON_FAILED: 4>)
    """
    known = _ANSWERS.get(status)
    if known is not None:
        return known
    if status in _REFUSALS:
        return RpcStatus.LOGON_FAILED
    return RpcStatus.SUCCESS if status >> _SEVERITY == _WARNING else RpcStatus.OTHER


def refusal_class(status: int) -> AuthStatus:
    """Why a log-in failed with ``status``; ``NONE`` if it did not, or goes on.

    >>> refusal_class(0xC0000234), refusal_class(MORE_PROCESSING)
    (<AuthStatus.LOCKED: 3>, <AuthStatus.NONE: 0>)
    """
    known = _REFUSALS.get(status)
    if known is not None:
        return known
    if status in {SUCCESS, PENDING, MORE_PROCESSING} or status >> _SEVERITY == _WARNING:
        return AuthStatus.NONE
    return AuthStatus.OTHER
