"""Programs that speak TLS: their hellos, which a made-up office's machines share or not."""

from __future__ import annotations

from hashlib import sha256
from typing import Final, NamedTuple

from dijkwacht_records.vocabulary import Alpn, HelloFlag

TLS_1_2: Final = 0x0303
TLS_1_3: Final = 0x0304


class Program(NamedTuple):
    """What says hello: ``first`` and ``again`` are its JA4s without and with a session to take up.

    ``quic``: its JA4 over QUIC, empty if it speaks none; ``asks``: whether it is known to ask so much
    of a server at once that turns are many (a browser), or a request or two (all else).
    """

    first: str
    again: str
    quic: str = ""
    port: int = 443
    version: int = TLS_1_3
    alpn: int = Alpn.NONE.value
    flags: int = 0
    asks: int = 1


_ENDS: Final = {
    Alpn.NONE: "00",
    Alpn.H2: "h2",
    Alpn.HTTP_1_1: "h1",
    Alpn.H3: "h3",
    Alpn.DOT: "dt",
}


def ja4(seed: str, version: int, alpn: Alpn, *, named: bool = True, more: int = 0) -> str:
    """A made-up JA4 in JA4's form: of ``seed`` the numbers of ciphers and extensions and both hashes.

    ``named``: the hello holds a server name; ``more``: extensions that it has besides its usual.
    """
    digest = sha256(seed.encode()).hexdigest()
    ciphers = 9 + int(digest[0], 16) + (version < TLS_1_3) * 8
    extensions = 8 + int(digest[1], 16) % 9 + more - (not named)
    told = sha256(f"{digest}{more}".encode()).hexdigest()[:12]
    head = f"t{'13' if version == TLS_1_3 else '12'}{'d' if named else 'i'}"
    return f"{head}{ciphers:02}{extensions:02}{_ENDS[alpn]}_{digest[:12]}_{told}"


def program(
    seed: str,
    alpn: Alpn = Alpn.H2,
    version: int = TLS_1_3,
    port: int = 443,
    flags: int = 0,
    *,
    quic: bool = False,
    asks: int = 1,
) -> Program:
    """A program whose hellos are of its ``seed``: the same everywhere, and nobody else's."""
    first = ja4(seed, version, alpn)
    over_quic = f"q13d0312h3_{sha256(seed.encode()).hexdigest()[:12]}_{first[-12:]}" if quic else ""
    again = ja4(seed, version, alpn, more=1)
    return Program(first, again, over_quic, port, version, int(alpn), int(flags), asks)


def unnamed(browser: Program, seed: str) -> Program:
    """The same when it calls an address: no server name is in the hello."""
    bare = ja4(seed, browser.version, Alpn(browser.alpn), named=False)
    return browser._replace(first=bare, again=bare, quic="")


BROWSER: Final = program("the usual browser", flags=HelloFlag.ECH, quic=True, asks=6)
BROWSERS: Final = (
    BROWSER,
    program("the usual browser, a version before", flags=HelloFlag.ECH, quic=True, asks=6),
    program("another browser", flags=HelloFlag.ECH, quic=True, asks=6),
)
"""What people look at pages with, commonest first."""
BARE_BROWSER: Final = unnamed(BROWSER, "the usual browser")
TELEPHONES: Final = (
    program("a telephone's programs", flags=HelloFlag.ECH, quic=True, asks=3),
    program("another maker's telephones", asks=3),
)
MAIL: Final = program("a mail program", Alpn.NONE, port=993)
SUBMISSION: Final = program("a mail program", Alpn.NONE, port=465)
CLOUD: Final = program("a cloud's client")
UPDATER: Final = program("an updater", Alpn.HTTP_1_1)
SHIELD: Final = program("an antivirus", Alpn.HTTP_1_1, TLS_1_2)
CHAT: Final = program("a messenger of colleagues", Alpn.HTTP_1_1)
BACKUP: Final = program("a backup", Alpn.NONE)
PUSH: Final = program("a telephone's messages", Alpn.NONE, port=5228)
PRIVATE_DNS: Final = program("a telephone's resolver", Alpn.DOT, port=853)
THINGS: Final = tuple(
    program(f"maker {maker} of things", Alpn.NONE, TLS_1_2, port)
    for maker, port in enumerate((8883, 443, 443))
)
"""Firmware: old libraries, each its own."""
