"""What sensors call outcomes of log-ins and ciphers of tickets → the closed lists of the contract."""

from __future__ import annotations

from typing import Final

from dijkwacht_records.vocabulary import AuthStatus, EtypeClass

_ERRORS: Final = {
    "NAME_EXP": AuthStatus.EXPIRED, "SERVICE_EXP": AuthStatus.EXPIRED,
    "C_PRINCIPAL_UNKNOWN": AuthStatus.UNKNOWN_ACCOUNT, "POLICY": AuthStatus.RESTRICTED,
    "CLIENT_REVOKED": AuthStatus.LOCKED, "CLIENT_NOTYET": AuthStatus.RESTRICTED,
    "KEY_EXPIRED": AuthStatus.EXPIRED, "PREAUTH_FAILED": AuthStatus.WRONG_PASSWORD,
    "PREAUTH_REQUIRED": AuthStatus.PREAUTH_REQUIRED, "BAD_INTEGRITY": AuthStatus.WRONG_PASSWORD,
    "TKT_EXPIRED": AuthStatus.EXPIRED, "S_PRINCIPAL_UNKNOWN": AuthStatus.UNKNOWN_SERVICE,
    "MORE_PREAUTH_DATA_REQUIRED": AuthStatus.PREAUTH_REQUIRED,
}  # fmt: skip
"""Kerberos' errors, by what follows ``KDC_ERR_`` or ``KRB_AP_ERR_``."""
FAILURES: Final = {
    "WRONG_PASSWORD": AuthStatus.WRONG_PASSWORD, "NO_SUCH_USER": AuthStatus.UNKNOWN_ACCOUNT,
    "ACCOUNT_LOCKED_OUT": AuthStatus.LOCKED, "ACCOUNT_DISABLED": AuthStatus.LOCKED,
    "PASSWORD_EXPIRED": AuthStatus.EXPIRED, "PASSWORD_MUST_CHANGE": AuthStatus.EXPIRED,
    "ACCOUNT_EXPIRED": AuthStatus.EXPIRED, "ACCOUNT_RESTRICTION": AuthStatus.RESTRICTED,
    "INVALID_LOGON_HOURS": AuthStatus.RESTRICTED, "INVALID_WORKSTATION": AuthStatus.RESTRICTED,
    "LOGON_TYPE_NOT_GRANTED": AuthStatus.RESTRICTED, "LOGON_FAILURE": AuthStatus.REFUSED,
    "ACCESS_DENIED": AuthStatus.REFUSED,
}  # fmt: skip
"""NT statuses of log-ins, without ``STATUS_``."""


def refusal_of(error: str) -> AuthStatus | None:
    """Why Kerberos gave no ticket, by its error's name; ``None`` if the same is asked again over TCP.

    >>> refusal_of("KDC_ERR_PREAUTH_FAILED").name, refusal_of("KRB_ERR_RESPONSE_TOO_BIG")
    ('WRONG_PASSWORD', None)
    """
    name = error.upper().partition("_ERR_")[2]
    return None if name == "RESPONSE_TOO_BIG" else _ERRORS.get(name, AuthStatus.OTHER)


def etype_of(cipher: str) -> EtypeClass:
    """The class of a Kerberos cipher, by its name.

    >>> etype_of("aes256-cts-hmac-sha1-96").name, etype_of("rc4-hmac").name, etype_of("").name
    ('AES', 'RC4', 'NONE')
    """
    name = cipher.lower()
    if not name:
        return EtypeClass.NONE
    if name.startswith("aes"):
        return EtypeClass.AES
    if name.startswith(("rc4", "arcfour")):
        return EtypeClass.RC4
    return EtypeClass.DES if name.startswith("des") else EtypeClass.OTHER
