"""Closed lists that the tables' columns take their values from: what one number stands for.

A member may be added to a list, never renumbered; whoever reads a number that is not here treats it as
the list's ``OTHER``. 0 is always "none" or "not known". Nothing in any list names a person or a machine.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class RpcVia(IntEnum):
    """What carried a remote procedure call or a file operation."""

    TCP = 1  # DCE/RPC on a port of its own
    SMB1 = 2
    SMB2 = 3  # all of SMB 2 and 3 that can be read
    SMB3_ENCRYPTED = 4


class RpcKind(IntEnum):
    """What a row of ``rpc`` counts."""

    CALL = 1  # DCE/RPC requests; ``op`` is the opnum
    BIND = 2  # DCE/RPC binds and changes of context
    SESSION = 3  # SMB session set-ups
    TREE = 4  # SMB tree connects
    PIPE = 5  # named pipes opened
    FILES = 6  # file operations, by their counters
    ENCRYPTED = 7  # encrypted SMB messages, of which nothing else can be said
    OTHER = 15


class RpcStatus(IntEnum):
    """How what is counted was answered: a class of NT status or DCE/RPC fault."""

    UNANSWERED = 0
    SUCCESS = 1
    DENIED = 2
    NOT_FOUND = 3
    LOGON_FAILED = 4
    CONTINUED = 5  # more follows: no verdict yet
    FAULT = 6  # of DCE/RPC
    UNSUPPORTED = 7
    OTHER = 15


class ShareKind(IntEnum):
    """What kind of share a tree is, by the last part of its name, which is then forgotten."""

    NONE = 0
    IPC = 1  # IPC$
    ADMIN = 2  # ADMIN$
    DRIVE = 3  # C$, D$ ...
    DOMAIN = 4  # SYSVOL, NETLOGON
    PRINTER = 5  # print$ or a printer
    HIDDEN = 6  # any other name that ends in $
    OTHER = 15


class AuthService(IntEnum):
    """What was logged in to."""

    SSH = 1
    RDP = 2
    KERBEROS = 3
    SMB = 4
    LDAP = 5
    FTP = 6
    IMAP = 7
    POP = 8
    SMTP = 9
    HTTP = 10
    RPC = 11  # DCE/RPC that is not inside SMB
    OTHER = 255


class AuthMethod(IntEnum):
    """How, as far as it shows."""

    UNKNOWN = 0
    PASSWORD = 1
    NTLM = 2
    KERBEROS_AS = 3  # a ticket for an account
    KERBEROS_TGS = 4  # a ticket for a service
    ANONYMOUS = 5
    KERBEROS = 6  # a ticket shown to a service
    OTHER = 15


class AuthStatus(IntEnum):
    """Why the attempts of a row failed, or what else was said of them; ``NONE`` for the plain rest."""

    NONE = 0
    WRONG_PASSWORD = 1
    UNKNOWN_ACCOUNT = 2
    LOCKED = 3  # or disabled
    EXPIRED = 4  # the password, the account, or a ticket
    RESTRICTED = 5  # not here or not now
    PREAUTH_REQUIRED = 6  # Kerberos asks for a proof first: no failure, its outcome is unknown
    REFUSED = 7  # the service does not say why
    UNKNOWN_SERVICE = 8  # Kerberos knows none of that name
    NO_PREAUTH = 9  # succeeded: Kerberos gave an account's ticket without asking for a proof
    OTHER = 15


class EtypeClass(IntEnum):
    """Cipher of a Kerberos ticket: what a burst of weak ones is made to be cracked with."""

    NONE = 0
    AES = 1
    RC4 = 2
    DES = 3
    OTHER = 15


class Alpn(IntEnum):
    """Protocol that a TLS server chose, or the first that the client offered if it chose none."""

    NONE = 0
    H2 = 1
    HTTP_1_1 = 2
    H3 = 3
    HTTP_1_0 = 4
    DOT = 5  # DNS over TLS
    OTHER = 15


class HelloFlag(IntFlag):
    """What else a ClientHello shows."""

    ECH = 1  # it encrypts its true server name
    RESUMES = 2  # it offers a session that it had before
    CUT = 4  # only its beginning was captured: fingerprint and name may be missing


class CertFlag(IntFlag):
    """What a server's certificate shows, at the time it passed."""

    SEEN = 1  # there is one: TLS 1.3 and resumption show none
    SELF_SIGNED = 2  # its issuer is its subject
    EMPTY_SUBJECT = 4
    EXPIRED = 8
    NOT_YET = 16
    OTHER_NAME = 32  # it does not hold the server name that the client asked for
    NO_ALTERNATIVE = 64  # it has no subject alternative name


class FirstSpeaker(IntEnum):
    """Whose payload came first in a flow."""

    UNKNOWN = 0
    ORIG = 1
    RESP = 2


class NdpKind(IntEnum):
    """What a message of IPv6's neighbour discovery is: its ICMPv6 type (RFC 4861)."""

    ROUTER_SOLICITATION = 133
    ROUTER_ADVERTISEMENT = 134
    NEIGHBOUR_SOLICITATION = 135
    NEIGHBOUR_ADVERTISEMENT = 136
    REDIRECT = 137


class NdpFlag(IntFlag):
    """What a message of IPv6's neighbour discovery says besides."""

    ROUTER = 1  # neighbour advertisement: the sender is a router
    SOLICITED = 2  # neighbour advertisement: an answer
    OVERRIDE = 4  # neighbour advertisement: forget what you knew
    MANAGED = 8  # router advertisement: addresses come by DHCPv6
    OTHER_CONFIG = 16  # router advertisement: all else comes by DHCPv6
    OUTSIDE = 32  # router advertisement: a route of its own to all that is outside (RFC 4191)
    BESIDE_GATEWAY = 64  # router advertisement: another machine carries outside traffic meanwhile
