"""FTP, SMTP, POP3 and IMAP: commands, replies, and passwords that nobody looks at."""

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus, EtypeClass

FTP, SMTP, POP, IMAP = AuthService.FTP, AuthService.SMTP, AuthService.POP, AuthService.IMAP
PASSWORD, NTLM = AuthMethod.PASSWORD, AuthMethod.NTLM
REFUSED, RESTRICTED, OTHER = AuthStatus.REFUSED, AuthStatus.RESTRICTED, AuthStatus.OTHER
PORTS = {FTP: 21, SMTP: 587, POP: 110, IMAP: 143}
SECRET = "hunter2-and-a-horse"


def c(text):
    return True, text.encode() + b"\r\n"


def s(text):
    return False, text.encode() + b"\r\n"


def b64(text):
    return b64encode(text.encode()).decode()


def row(service, status, *counts, method=PASSWORD, accounts=1):
    return (service, method, EtypeClass.NONE, status, *counts, accounts)


FTP_GREETING = s("220 (vsFTPd 3.0.3)")
SMTP_HELLO = (
    s("220 mail.example ESMTP"),
    c("EHLO till"),
    s("250-mail.example\r\n250 AUTH PLAIN LOGIN"),
)
POP_GREETING = s("+OK ready <1896.697170952@mail.example>")
IMAP_GREETING = s("* OK IMAP4rev1 ready")
PLAIN = b64(f"\0alice\0{SECRET}")

SESSIONS = {
    "ftp": (
        FTP,
        [
            FTP_GREETING,
            c("USER alice"),
            s("331 Password required"),
            c("PASS wrong"),
            s("530 Login incorrect."),
            c("USER bob"),
            s("331 Password required"),
            c("PASS " + SECRET),
            s("230-Welcome\r\n530 is no code here\r\n230 Logged in"),
            c("USER carol"),
            s("530 no more"),
        ],
        [row(FTP, AuthStatus.NONE, 0, 1, 0, accounts=2), row(FTP, REFUSED, 1, 0, 0, accounts=2)],
    ),
    "smtp plain": (
        SMTP,
        [*SMTP_HELLO, c("AUTH PLAIN " + PLAIN), s("535 5.7.8 Authentication failed"), c("QUIT")],
        [row(SMTP, REFUSED, 1, 0, 0)],
    ),
    "smtp login": (
        SMTP,
        [
            *SMTP_HELLO,
            c("auth login"),
            s("334 VXNlcm5hbWU6"),
            c(b64("alice")),
            s("334 UGFzc3dvcmQ6"),
            c(b64(SECRET)),
            s("235 2.7.0 Authentication successful"),
        ],
        [row(SMTP, AuthStatus.NONE, 0, 1, 0)],
    ),
    "pop": (
        POP,
        [
            POP_GREETING,
            c("CAPA"),
            s("+OK\r\nUSER\r\nSASL PLAIN\r\n."),
            c("USER alice"),
            s("+OK"),
            c("PASS wrong"),
            s("-ERR [AUTH] no"),
            c("USER alice\r\nPASS " + SECRET),  # at once
            s("+OK\r\n+OK Logged in."),
        ],
        [row(POP, AuthStatus.NONE, 0, 1, 0), row(POP, REFUSED, 1, 0, 0)],
    ),
    "pop sasl": (
        POP,
        [
            POP_GREETING,
            c("AUTH"),
            s("-ERR one argument"),
            c("AUTH PLAIN"),
            s("+ "),
            c(PLAIN),
            s("+OK Logged in."),
        ],
        [row(POP, AuthStatus.NONE, 0, 1, 0)],
    ),
    "pop apop": (
        POP,
        [POP_GREETING, c("APOP alice c4c9334bac560ecc979e58001b3e22fb"), s("-ERR no")],
        [row(POP, REFUSED, 1, 0, 0)],
    ),
    "imap": (
        IMAP,
        [
            IMAP_GREETING,
            c("a1 CAPABILITY"),
            s("* CAPABILITY IMAP4rev1\r\na1 OK done"),
            c(f'a2 LOGIN "al\\"ice" "{SECRET}"'),
            s("a2 NO [AUTHENTICATIONFAILED] no"),
            c("a3 login bob wrong"),
            s("a3 NO [EXPIRED] change it"),
            c("a4 LOGIN {5}"),
            s("+ go"),
            c("carol {19}"),
            s("+ go"),
            c(SECRET),
            s("a4 OK LOGIN completed"),
        ],
        [
            row(IMAP, AuthStatus.NONE, 0, 1, 0, accounts=3),
            row(IMAP, AuthStatus.EXPIRED, 1, 0, 0, accounts=3),
            row(IMAP, REFUSED, 1, 0, 0, accounts=3),
        ],
    ),
    "imap sasl": (
        IMAP,
        [
            IMAP_GREETING,
            c("a1 AUTHENTICATE PLAIN " + PLAIN),
            s("a1 BAD what"),
            c("a2 AUTHENTICATE CRAM-MD5"),
            s("+ " + b64("<1896@mail.example>")),
            c(b64("bob 9f1a")),
        ],
        [
            row(IMAP, AuthStatus.NONE, 0, 0, 1, accounts=2),
            row(IMAP, OTHER, 1, 0, 0, accounts=2),
        ],
    ),
}
every_session = pytest.mark.parametrize("name", SESSIONS)


@every_session
def test_log_ins_are_counted_as_they_were_answered(heard, name):
    service, exchange, rows = SESSIONS[name]
    assert heard(exchange, PORTS[service]) == sorted(rows)
    assert heard(exchange, 4999) == sorted(rows)
    ends = heard(exchange, 4999, begun=False, client_port=700, ends=True)
    assert set(ends) == {("10.0.0.9", "10.0.0.2", 4999)}


@every_session
@settings(max_examples=30)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_segments_may_end_anywhere(heard, name, sizes):
    service, exchange, rows = SESSIONS[name]
    assert heard(exchange, PORTS[service], sizes=sizes, whole=22) == sorted(rows)


@every_session
def test_no_password_is_kept_whatever_a_segment_ends_with(wire, kept, name):
    service, exchange, _ = SESSIONS[name]
    secrets = [part for text in (SECRET, PLAIN, b64(SECRET)) for part in (text[-9:], text[-15:-6])]
    flow = wire(PORTS[service])
    flow.send(*exchange[0])
    for by_client, said in exchange[1:]:
        for place in range(len(said)):
            flow.send(by_client, said[place : place + 1])
            if by_client:
                held = b"\n".join(kept(flow.meter))
                assert not any(secret.encode() in held for secret in secrets)
    assert flow.finish()


@pytest.mark.parametrize("secret", ["a" * 6, SECRET, "0" * 3000])
def test_a_line_longer_than_is_kept_ends_where_it_ends(heard, secret):
    exchange = [FTP_GREETING, c("USER " + secret), s("331"), c("PASS " + secret), s("530 no")]
    assert heard(exchange, 21) == [row(FTP, REFUSED, 1, 0, 0)]


def test_an_anonymous_guest_of_ftp_is_no_account(heard):
    exchange = [FTP_GREETING, c("USER Anonymous"), s("331 ok"), c("PASS me@"), s("230 ok")]
    assert heard(exchange, 21) == [
        row(FTP, AuthStatus.NONE, 0, 1, 0, method=AuthMethod.ANONYMOUS, accounts=0)
    ]


def test_ftp_may_refuse_a_user_before_the_password(heard):
    exchange = [FTP_GREETING, c("USER alice"), s("530 not from here"), c("QUIT"), s("221 bye")]
    assert heard(exchange, 21) == [row(FTP, REFUSED, 1, 0, 0)]


@pytest.mark.parametrize(
    ("service", "exchange"),
    [
        (
            FTP,
            [FTP_GREETING, c("AUTH TLS"), s("234 go"), c("USER alice"), c("PASS x"), s("530 no")],
        ),
        (SMTP, [*SMTP_HELLO, c("STARTTLS"), s("220 go"), c("AUTH PLAIN x"), s("535 no")]),
        (
            SMTP,
            [*SMTP_HELLO, c("MAIL FROM:<a@b.example>"), s("250 ok"), c("AUTH PLAIN x"), s("535")],
        ),
        (
            POP,
            [POP_GREETING, c("STLS"), s("+OK go"), c("USER a"), c("PASS x"), s("-ERR"), s("-ERR")],
        ),
        (IMAP, [IMAP_GREETING, c("a STARTTLS"), s("a OK go"), c("b LOGIN a x"), s("b NO no")]),
    ],
)
def test_nothing_counts_once_all_is_encrypted_or_mail_is_handed_over(heard, service, exchange):
    assert heard(exchange, PORTS[service]) == []


@pytest.mark.parametrize(
    ("service", "exchange"),
    [
        (FTP, [FTP_GREETING, c("USER alice"), s("331"), c("PASS x")]),
        (SMTP, [*SMTP_HELLO, c("AUTH PLAIN " + PLAIN)]),
        (POP, [POP_GREETING, c("USER alice"), s("+OK"), c("PASS x")]),
        (IMAP, [IMAP_GREETING, c("a LOGIN alice x"), s("* OK still thinking")]),
    ],
)
def test_what_is_not_answered_is_unknown(heard, service, exchange):
    assert heard(exchange, PORTS[service]) == [row(service, AuthStatus.NONE, 0, 0, 1)]


@pytest.mark.parametrize(
    ("reply", "status"), [("534 weak", RESTRICTED), ("454 later", OTHER), ("535 no", REFUSED)]
)
def test_smtp_says_why(heard, reply, status):
    exchange = [*SMTP_HELLO, c("AUTH PLAIN " + PLAIN), s(reply)]
    assert heard(exchange, 25) == [row(SMTP, status, 1, 0, 0)]


def test_ntlm_in_mail_is_ntlm(heard):
    name = "alice".encode("utf-16-le")
    token = b"NTLMSSP\0\3\0\0\0" + (bytes(4) + b"\x58\0\0\0") * 3
    token = (token + b"\x0a\0\x0a\0\x58\0\0\0").ljust(88, b"\0") + name
    first = b64encode(b"NTLMSSP\0\1\0\0\0" + bytes(20)).decode()
    exchange = [*SMTP_HELLO, c("AUTH NTLM " + first), s("334 TlRM"), c(b64encode(token).decode())]
    assert heard([*exchange, s("535 no")], 25) == [row(SMTP, REFUSED, 1, 0, 0, method=NTLM)]


def test_other_talk_makes_no_rows(heard):
    redis = [
        (True, b"*2\r\n$4\r\nAUTH\r\n$3\r\nabc\r\n"),
        s("+OK"),
        (True, b"PASS x\r\n"),
        s("-ERR"),
    ]
    web = [c("GET / HTTP/1.1\r\nHost: a.example\r\n"), s("HTTP/1.1 200 OK\r\n")]
    assert heard(redis, 6379) == []
    assert heard(web, 80) == []


@every_session
@settings(max_examples=30)
@given(data=st.data())
def test_no_bytes_break_it(heard, name, data):
    service, exchange, _ = SESSIONS[name]
    said = []
    for by_client, line in exchange:
        whole = bytearray(line)
        for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
            whole[place] = data.draw(st.integers(0, 255))
        said.append((by_client, bytes(whole[: data.draw(st.integers(1, len(whole)))])))
    rows = heard(said, PORTS[service])
    assert sum(row.failed + row.succeeded + row.unknown for row in rows) <= len(exchange)
