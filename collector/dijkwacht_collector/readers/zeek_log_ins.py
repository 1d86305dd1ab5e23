"""Zeek's kerberos, ntlm, rdp and ssh logs → rows of the table ``auth``, one a line.

Of accounts only their number is kept.
"""

from __future__ import annotations

from typing import Final

from dijkwacht_collector.readers.accounts import AccountsTried
from dijkwacht_collector.readers.auth_words import FAILURES, etype_of, refusal_of
from dijkwacht_collector.readers.fields import Fields
from dijkwacht_collector.readers.rows import NumberedRow, row_of
from dijkwacht_collector.readers.zeek_ends import ID, ends, flow_of
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus, EtypeClass

COLUMNS: Final = {
    "kerberos": ID | {"request_type", "client", "success", "error_msg", "cipher"},
    "ntlm": ID | {"username", "domainname", "success", "status"},
    "rdp": ID | {"cookie", "result", "security_protocol"},
    "ssh": ID | {"auth_success", "auth_attempts"},
}
_MOST: Final = 1 << 16
_BY_PORT: Final = {
    139: AuthService.SMB, 445: AuthService.SMB, 389: AuthService.LDAP, 636: AuthService.LDAP,
    3268: AuthService.LDAP, 3269: AuthService.LDAP, 80: AuthService.HTTP, 443: AuthService.HTTP,
    5985: AuthService.HTTP, 5986: AuthService.HTTP, 8080: AuthService.HTTP, 25: AuthService.SMTP,
    110: AuthService.POP, 143: AuthService.IMAP, 587: AuthService.SMTP, 3389: AuthService.RDP,
}  # fmt: skip


class LogIns:
    """Makes the rows; it counts accounts over all lines of one file."""

    def __init__(self) -> None:
        self._accounts = AccountsTried()

    def kerberos(self, f: Fields) -> list[NumberedRow]:
        """A ticket asked for, and what became of it."""
        by_account = f.text("request_type").upper() != "TGS"
        error = f.text("error_msg").upper()
        status = refusal_of(error) if error not in ("", "KDC_ERR_NONE") else AuthStatus.NONE
        if status is None:
            return []
        succeeded = f.flag("success") and status is AuthStatus.NONE
        told = "success" in f.values or status is not AuthStatus.NONE
        failed = told and not succeeded and status is not AuthStatus.PREAUTH_REQUIRED
        if failed and status is AuthStatus.NONE:
            status = AuthStatus.REFUSED
        return self._row(
            f,
            AuthService.KERBEROS,
            AuthMethod.KERBEROS_AS if by_account else AuthMethod.KERBEROS_TGS,
            (int(failed), int(succeeded)),
            status,
            f.text("client") if by_account else "",
            etype_of(f.text("cipher")),
        )

    def ntlm(self, f: Fields) -> list[NumberedRow]:
        """A log-in with NTLM, over whatever carried it."""
        told = f.text("status").upper()
        succeeded = f.flag("success") or told == "SUCCESS"
        failed = not succeeded and ("success" in f.values or bool(told))
        name = f.text("username")
        service = _BY_PORT.get(f.number("id.resp_p", 0xFFFF), AuthService.RPC)
        return self._row(
            f,
            service,
            AuthMethod.NTLM if name else AuthMethod.ANONYMOUS,
            (int(failed), int(succeeded)),
            FAILURES.get(told, AuthStatus.REFUSED) if failed else AuthStatus.NONE,
            f"{f.text('domainname')}\\{name}" if name else "",
        )

    def rdp(self, f: Fields) -> list[NumberedRow]:
        """A connection to a desktop: whether the log-in succeeds is encrypted, a refusal before it is not."""
        refused = (
            f.text("result").upper().endswith(("_BY_SERVER", "_ON_SERVER", "_REQUIRED", "FLAGS"))
        )
        status = AuthStatus.RESTRICTED if refused else AuthStatus.NONE
        return self._row(
            f, AuthService.RDP, AuthMethod.UNKNOWN, (int(refused), 0), status, f.text("cookie")
        )

    def ssh(self, f: Fields) -> list[NumberedRow]:
        """All attempts of one connection, as Zeek infers them from sizes."""
        succeeded = f.flag("auth_success")
        attempts = f.number("auth_attempts", _MOST)
        failed = 0
        if succeeded:
            failed = max(0, attempts - 1)
        elif "auth_success" in f.values:
            failed = max(1, attempts)
        status = AuthStatus.REFUSED if failed else AuthStatus.NONE
        return self._row(
            f, AuthService.SSH, AuthMethod.UNKNOWN, (failed, int(succeeded)), status, ""
        )

    def _row(
        self,
        f: Fields,
        service: AuthService,
        method: AuthMethod,
        counts: tuple[int, int],
        status: AuthStatus,
        account: str,
        etype: EtypeClass = EtypeClass.NONE,
    ) -> list[NumberedRow]:
        """``counts``: failed, succeeded; one whose outcome does not show where both are 0."""
        time, (orig_h, resp_h) = f.micros("ts"), ends(f)
        return [
            row_of(
                "auth",
                time=time,
                flow_id=flow_of(f),
                orig_h=orig_h,
                resp_h=resp_h,
                resp_p=f.number("id.resp_p", 0xFFFF),
                service=int(service),
                method=int(method),
                etype=int(etype),
                status=int(status),
                failed=counts[0],
                succeeded=counts[1],
                unknown=int(not any(counts)),
                accounts=self._accounts.count(time, orig_h, service, account),
            )
        ]
