"""Log-ins and how they were answered, as Wireshark's dissectors see requests and replies.

The facts are attempts by service, method, reason and outcome, summed up over a client, a server and
its port. SSH and RDP are left out: theirs are encrypted, and Wireshark tells no outcome of them. Of
HTTP only refusals are compared, as Wireshark is asked for no other answers.
"""

import re
from collections import Counter

import pytest

from dijkwacht_agent.protocols.ntstatus import MORE_PROCESSING, PENDING, SUCCESS, refusal_class
from dijkwacht_records.addresses import format_address
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus, EtypeClass

FAILED, SUCCEEDED, UNKNOWN = "failed", "succeeded", "unknown"
OUTCOMES = (FAILED, SUCCEEDED, UNKNOWN)
UNSEEN = {AuthService.SSH, AuthService.RDP}
AS, TGS = AuthMethod.KERBEROS_AS, AuthMethod.KERBEROS_TGS
KERBEROS = {10: AS, 11: AS, 12: TGS, 13: TGS}
KERBEROS_ERROR, TOO_BIG = 30, 52
PROOFS = {1, 2, 14, 16, 138, 141, 142, 151}
REASONS = {6: AuthStatus.UNKNOWN_ACCOUNT, 7: AuthStatus.UNKNOWN_SERVICE, 18: AuthStatus.LOCKED}
REASONS |= dict.fromkeys((1, 2, 23, 32), AuthStatus.EXPIRED)
REASONS |= dict.fromkeys((12, 21), AuthStatus.RESTRICTED)
REASONS |= dict.fromkeys((24, 31), AuthStatus.WRONG_PASSWORD)
REASONS |= dict.fromkeys((25, 91), AuthStatus.PREAUTH_REQUIRED)
ETYPES = dict.fromkeys((17, 18, 19, 20), EtypeClass.AES)
ETYPES |= dict.fromkeys((23, 24, -128, -133, -135), EtypeClass.RC4)
ETYPES |= dict.fromkeys((1, 2, 3), EtypeClass.DES)
LDAP_SUCCESS, LDAP_CONTINUED, LDAP_INVALID = 0, 14, 49
LDAP_REASONS = {"525": AuthStatus.UNKNOWN_ACCOUNT, "52e": AuthStatus.WRONG_PASSWORD}
"""What Windows adds in words to the one code for all wrong credentials."""
SASL = {"GSSAPI": AuthMethod.KERBEROS, "NTLM": AuthMethod.NTLM}
SASL |= dict.fromkeys(("PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5"), AuthMethod.PASSWORD)
AUTHENTICATE = 3
SCHEMES = {"basic", "digest", "ntlm", "negotiate"}
YES = {"1", "True"}


@pytest.mark.captures
@pytest.mark.timeout(7200)
@pytest.mark.tools("tshark")
def test_log_ins_are_what_wireshark_reads(compare):
    assert compare("auth", ours, theirs) > 20


def ours(rows):
    seen = Counter()
    for row in rows["auth"]:
        if row["service"] in UNSEEN:
            continue
        ends = (*(format_address(row[name]) for name in ("orig_h", "resp_h")), row["resp_p"])
        for outcome in OUTCOMES:
            if row["service"] == AuthService.HTTP and outcome != FAILED:
                continue
            how = (row["service"], row["method"], row["etype"], row["status"])
            seen[*ends, *how, outcome] += row[outcome]
    return +seen


def theirs(packets):
    flows = {}
    for packet in packets:
        if packet.tunnelled:
            continue
        for name, fields in packet.layers:
            reader = READERS.get(name)
            carried = name == "dcerpc" and {"smb", "smb2"} & set(packet.names)
            if reader is None or carried or (packet.proto == 17 and name != "kerberos"):
                continue
            key = (packet.proto, packet.stream, reader)
            flow = flows[key] = flows.get(key) or reader()
            flow.read(packet, fields)
    seen = Counter()
    for flow in flows.values():
        flow.leave()
        seen.update(flow.seen)
    return +seen


class Flow:
    """The log-ins of one connection in one protocol."""

    service = AuthService.OTHER

    def __init__(self):
        self.seen = Counter()
        self.waiting = {}
        self.client = None

    def name_client(self, packet, *, asks):
        if self.client is None:
            ends = (packet.src, packet.dst, packet.dport), (packet.dst, packet.src, packet.sport)
            self.client = ends[not asks]

    def count(self, outcome, method, status=AuthStatus.NONE, etype=EtypeClass.NONE):
        self.seen[*self.client, self.service, method, etype, status, outcome] += 1

    def leave(self):
        for method, *_ in self.waiting.values():
            self.count(UNKNOWN, method)


class Kerberos(Flow):
    service = AuthService.KERBEROS

    def read(self, packet, fields):
        kind = number(fields, "kerberos.msg_type")
        etypes = [int(text) for text in fields.get("kerberos.etype", ())]
        if kind in {10, 12}:
            self.name_client(packet, asks=True)
            listed = fields.get("kerberos.ENCTYPE", ())
            first_etype = (
                ETYPES.get(int(listed[0]), EtypeClass.OTHER) if listed else EtypeClass.NONE
            )
            proofs = {int(text) for text in fields.get("kerberos.padata_type", ())}
            nonce = first(fields, "kerberos.nonce")
            self.waiting.setdefault(nonce, (KERBEROS[kind], first_etype, bool(proofs & PROOFS)))
        elif kind in {11, 13}:
            self.name_client(packet, asks=False)
            found = next((n for n, (m, *_) in self.waiting.items() if m == KERBEROS[kind]), None)
            _, _, proven = self.waiting.pop(found, (0, 0, True))
            ticket_and_own = [ETYPES.get(etype, EtypeClass.OTHER) for etype in etypes[-2:]]
            status = AuthStatus.NONE if proven else AuthStatus.NO_PREAUTH
            etype = ticket_and_own[-1 if kind == 11 else 0] if etypes else EtypeClass.NONE
            self.count(SUCCEEDED, KERBEROS[kind], status, etype)
        elif kind == KERBEROS_ERROR and self.waiting:
            method, etype, _ = self.waiting.pop(next(iter(self.waiting)))
            code = number(fields, "kerberos.error_code")
            if code != TOO_BIG:
                status = REASONS.get(code, AuthStatus.OTHER)
                unproven = status == AuthStatus.PREAUTH_REQUIRED
                self.count(UNKNOWN if unproven else FAILED, method, status, etype)

    def leave(self):
        for method, etype, _ in self.waiting.values():
            self.count(UNKNOWN, method, AuthStatus.NONE, etype)


class Ldap(Flow):
    service = AuthService.LDAP
    continued = None

    def read(self, packet, fields):
        message = first(fields, "ldap.messageID")
        if "ldap.bindRequest_element" in fields:
            self.name_client(packet, asks=True)
            self.waiting[message] = (self.method(fields),)
            self.continued = None
        elif "ldap.bindResponse_element" in fields:
            self.name_client(packet, asks=False)
            (method,) = self.waiting.pop(message, (AuthMethod.UNKNOWN,))
            code = number(fields, "ldap.resultCode")
            if code == LDAP_CONTINUED:
                self.continued = method
            elif code == LDAP_SUCCESS:
                self.count(SUCCEEDED, method)
            else:
                found = re.search(", data ([0-9a-f]{3}),", first(fields, "ldap.errorMessage"))
                told = LDAP_REASONS.get(found[1] if found else "", AuthStatus.REFUSED)
                self.count(FAILED, method, told if code == LDAP_INVALID else AuthStatus.OTHER)

    def method(self, fields):
        if first(fields, "ldap.authentication") == "0":
            named = first(fields, "ldap.name") and first(fields, "ldap.simple")
            return AuthMethod.PASSWORD if named else AuthMethod.ANONYMOUS
        known = self.continued or SASL.get(first(fields, "ldap.mechanism"), AuthMethod.UNKNOWN)
        return token_method(fields) or known


class Smb(Flow):
    """NTLM and Kerberos by the NT status of a session set-up."""

    service = AuthService.SMB

    def read(self, packet, fields):
        name = "smb2" if "smb2.cmd" in fields else "smb"
        command = number(fields, f"{name}.cmd")
        if command != {"smb": 0x73, "smb2": 1}[name]:
            return
        answers = first(fields, f"{name}.flags.response") in YES
        which = first(fields, "smb2.msg_id") or (first(fields, "smb.pid"), first(fields, "smb.mid"))
        if not answers:
            self.name_client(packet, asks=True)
            self.waiting[which] = (token_method(fields) or old_method(fields),)
        elif which in self.waiting:
            status = nt_status(fields)
            if status == PENDING:
                return
            (method,) = self.waiting.pop(which)
            if status != MORE_PROCESSING and (status != SUCCESS or method):
                refusal = refusal_class(status)
                self.count(FAILED if refusal else SUCCEEDED, method, refusal)

    def leave(self):
        for (method,) in self.waiting.values():
            if method:
                self.count(UNKNOWN, method)


class Rpc(Flow):
    """A token is accepted if the next call is answered."""

    service = AuthService.RPC
    proof = AuthMethod.UNKNOWN

    def read(self, packet, fields):
        kind = number(fields, "dcerpc.pkt_type")
        if kind in {11, 14, 16} and (method := token_method(fields)):
            self.name_client(packet, asks=True)
            self.leave()
            self.proof = method
        elif kind in {2, 3, 13} and self.proof:
            denied = kind == 13 or (kind == 3 and number(fields, "dcerpc.cn_status") == 5)
            refusal = AuthStatus.REFUSED if denied else AuthStatus.NONE
            self.count(FAILED if denied else SUCCEEDED, self.proof, refusal)
            self.proof = AuthMethod.UNKNOWN

    def leave(self):
        if self.proof:
            self.count(UNKNOWN, self.proof)
            self.proof = AuthMethod.UNKNOWN


class Ftp(Flow):
    service = AuthService.FTP
    over = False
    anonymous = False

    def read(self, packet, fields):
        for command, argument in zip(
            fields.get("ftp.request.command", ()),
            fields.get("ftp.request.arg", ("",)),
            strict=False,
        ):
            self.name_client(packet, asks=True)
            if command.upper() == "USER":
                self.anonymous = argument.lower() in {"anonymous", "ftp"}
            if command.upper() in {"USER", "PASS"} and not self.over:
                method = AuthMethod.ANONYMOUS if self.anonymous else AuthMethod.PASSWORD
                if self.waiting.get("", ("", ""))[1] == "PASS":
                    self.count(UNKNOWN, self.waiting[""][0])
                self.waiting[""] = (method, command.upper())
        for code in fields.get("ftp.response.code", ()):
            self.answer(int(code))

    def answer(self, code):
        if "" not in self.waiting:
            return
        method, command = self.waiting[""]
        if code in {202, 230, 232}:
            self.count(SUCCEEDED, method)
            self.over = True
        elif code in {430, 530}:
            self.count(FAILED, method, AuthStatus.REFUSED)
        elif code in {421, 532}:
            self.count(FAILED, method, AuthStatus.RESTRICTED)
        elif command == "PASS" and code >= 400:
            self.count(FAILED, method, AuthStatus.OTHER)
        else:
            return
        del self.waiting[""]

    def leave(self):
        if self.waiting.get("", ("", ""))[1] == "PASS":
            self.count(UNKNOWN, self.waiting[""][0])


class Imap(Flow):
    service = AuthService.IMAP

    def read(self, packet, fields):
        for tag, command in pairs(fields, "imap.request_tag", "imap.request.command"):
            if command in {"LOGIN", "AUTHENTICATE"}:
                self.name_client(packet, asks=True)
                self.waiting[tag] = (AuthMethod.PASSWORD,)
        for tag, status in pairs(fields, "imap.response_tag", "imap.response.status"):
            if tag in self.waiting:
                (method,) = self.waiting.pop(tag)
                refusal = AuthStatus.NONE if status == "OK" else AuthStatus.REFUSED
                self.count(SUCCEEDED if status == "OK" else FAILED, method, refusal)


class Pop(Flow):
    """Replies come in the order of commands, the greeting first."""

    service = AuthService.POP
    over = False

    def __init__(self):
        super().__init__()
        self.asked = []

    def read(self, packet, fields):
        # Of pop.request, the whole line, some versions of Wireshark show nothing.
        for command in fields.get("pop.request.command", ()):
            self.name_client(packet, asks=True)
            self.asked.append([command.upper(), *fields.get("pop.request.parameter", ())])
        for indicator in fields.get("pop.response.indicator", ()):
            if self.asked and not self.over:
                self.answer(self.asked.pop(0), indicator == "+OK")

    def answer(self, asked, accepted):
        tries = asked[0] in {"PASS", "APOP"} or (asked[0] == "AUTH" and len(asked) > 1)
        if accepted and tries:
            self.count(SUCCEEDED, AuthMethod.PASSWORD)
            self.over = True
        elif not accepted and (tries or asked[0] == "USER"):
            self.count(FAILED, AuthMethod.PASSWORD, AuthStatus.REFUSED)


class Smtp(Flow):
    service = AuthService.SMTP

    def read(self, packet, fields):
        for command, text in pairs(fields, "smtp.req.command", "smtp.req.parameter"):
            if command.upper() == "AUTH":
                self.name_client(packet, asks=True)
                mechanism = text.split(" ")[0].upper()
                self.waiting[""] = (SASL.get(mechanism, AuthMethod.OTHER),)
        for text in fields.get("smtp.response.code", ()):
            if "" in self.waiting and text != "334":
                (method,) = self.waiting.pop("")
                reason = AuthStatus.REFUSED if text == "535" else AuthStatus.OTHER
                accepted = text == "235"
                self.count(SUCCEEDED if accepted else FAILED, method, 0 if accepted else reason)


class Http(Flow):
    """Credentials that an answer refuses, and does not only ask to go on with."""

    service = AuthService.HTTP
    asked = None

    def read(self, packet, fields):
        held = first(fields, "http.authorization", "http.proxy_authorization")
        scheme = held.partition(" ")[0].lower()
        if scheme in SCHEMES:
            self.name_client(packet, asks=True)
            plain = scheme in {"basic", "digest"}
            self.asked = AuthMethod.PASSWORD if plain else token_method(fields)
        elif first(fields, "http.response.code") in {"401", "407"} and self.asked is not None:
            challenge = first(fields, "http.www_authenticate", "http.proxy_authenticate")
            goes_on = "ntlmssp.messagetype" in fields or "stale=true" in challenge.lower()
            if not goes_on:
                self.count(FAILED, self.asked, AuthStatus.REFUSED)
            self.asked = None


READERS = {
    "kerberos": Kerberos,
    "ldap": Ldap,
    "smb": Smb,
    "smb2": Smb,
    "dcerpc": Rpc,
    "ftp": Ftp,
    "imap": Imap,
    "pop": Pop,
    "smtp": Smtp,
    "http": Http,
}


def token_method(fields):
    """What a token proves, as far as it proves something."""
    if number(fields, "ntlmssp.messagetype") == AUTHENTICATE:
        named = first(fields, "ntlmssp.auth.username") not in {"", "NULL"}
        return AuthMethod.NTLM if named else AuthMethod.ANONYMOUS
    return AuthMethod.KERBEROS if "kerberos.ap_req_element" in fields else AuthMethod.UNKNOWN


def old_method(fields):
    """Of a session set-up of SMB 1 that names an account itself."""
    if "smb.account" not in fields:
        return AuthMethod.UNKNOWN
    return AuthMethod.NTLM if first(fields, "smb.account") else AuthMethod.ANONYMOUS


def nt_status(fields):
    text = first(fields, "smb2.nt_status", "smb.nt_status")
    if text:
        return int(text, 0)
    kind, code = number(fields, "smb.error_class") or 0, number(fields, "smb.error_code") or 0
    return code << 16 | kind


def pairs(fields, *names):
    return zip(*(fields.get(name, ()) for name in names), strict=False)


def first(fields, *names):
    return next((fields[name][0] for name in names if fields.get(name)), "")


def number(fields, name):
    text = first(fields, name)
    return int(text, 0) if text else None
