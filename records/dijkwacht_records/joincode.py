"""The join code: one text that an owner types, holding a one-time secret and where to bring it.

Twenty letters in four groups, short enough for the telephone, and behind an ``@`` where to bring them:
a host, with its port if need be, that is reached by https, or a whole URL. Without it they are for
the collector on this machine. The letters are Crockford's base 32, which has none that looks like
another: 4 bits version, 80 bits secret, CRC-16, which finds every single wrong letter and every swap
of neighbours.

Codes of the first form, which are read as before, have a secret of 16 bytes, and the URL in the
letters: ``version · secret · URL (ASCII) · CRC-16``.
"""

from __future__ import annotations

import binascii
from typing import Final
from urllib.parse import urlsplit

from dijkwacht_records.errors import JoinCodeError, Message

VERSION: Final = 2
SECRET_BYTES: Final = 10
MAX_URL_BYTES: Final = 200
HERE: Final = "http://127.0.0.1:8470"
"""The collector on this machine, as it listens where nothing is set."""
LONG_VERSION: Final = 1
LONG_SECRET_BYTES: Final = 16
"""Of a code of the first form, which the first agents read."""

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE: Final = {letter: value for value, letter in enumerate(_LETTERS)}
_LOOKALIKES: Final = str.maketrans("OIL", "011", "- \t\r\n")
WRONG_CODES: Final = {
    "code_letter": "a join code has no '{letter}' in it",
    "code_long": "the join code is too long: was it pasted twice?",
    "code_short": "the join code is too short: is a part of it missing?",
    "code_typo": "the join code has a typing error, or a part of it is missing",
    "code_version": "the join code is of version {version}; this agent reads {reads}",
    "code_url": "'{url}' is not the address of a collector (http:// or https://)",
    "code_place": "what stands behind the @, '{place}', is no address: it is a name, mostly with a colon and a number behind it",
    "code_url_parts": "'{url}': a collector's address is scheme, host, port and path only",
}
"""Key of a message → its English text; the agent's table of messages has the Dutch."""
_COUNT: Final = 20
_SHORTEST: Final = 1 + LONG_SECRET_BYTES + len("http://x") + 2


def make_code(url: str, secret: bytes) -> str:
    """The code that brings ``secret`` to the collector at ``url`` (http or https).

    A secret of 10 bytes makes twenty letters, one of 16 a code of the first form. Raises
    `JoinCodeError` for a URL that is not one, ``ValueError`` for a secret of another size.

    >>> make_code("https://lab.example.nl", bytes(10))
    '40000-00000-00000-00X5W@lab.example.nl'
    >>> make_code("http://127.0.0.1:8470", bytes(16))[:11]
    '04000-00000'
    """
    checked = _checked_url(url)
    if len(secret) == LONG_SECRET_BYTES:
        plain = bytes([LONG_VERSION]) + secret + checked.encode("ascii")
        plain += _sum(plain).to_bytes(2, "big")
        letters = -(-len(plain) * 8 // 5)
        number = int.from_bytes(plain, "big") << (letters * 5 - len(plain) * 8)
        return _grouped(number, letters)
    if len(secret) != SECRET_BYTES:
        raise ValueError(
            f"the secret has {len(secret)} bytes, not {SECRET_BYTES} or {LONG_SECRET_BYTES}"
        )
    plain = bytes([VERSION]) + secret
    code = _grouped(int.from_bytes(plain, "big") << 16 | _sum(plain), _COUNT)
    return code if checked == HERE else f"{code}@{_place(checked)}"


def read_code(text: str) -> tuple[str, bytes]:
    """(URL, secret) of a code that somebody typed; case, spaces and dashes do not matter.

    Raises `JoinCodeError`, whose message names what is wrong with the code.

    >>> read_code(make_code("https://wacht.example", bytes(10)).lower())[0]
    'https://wacht.example'
    """
    typed, at, place = text.partition("@")
    letters = typed.upper().translate(_LOOKALIKES)
    unknown = sorted({letter for letter in letters if letter not in _VALUE})
    if unknown:
        raise _wrong("code_letter", letter=unknown[0])
    if len(letters) > 8 * (MAX_URL_BYTES + LONG_SECRET_BYTES + 3) // 5 + 1:
        raise _wrong("code_long")
    if not at and len(letters) * 5 // 8 >= _SHORTEST:
        return _read_long(letters)
    if len(letters) != _COUNT:
        raise _wrong("code_short" if len(letters) < _COUNT else "code_long")
    number = _number(letters)
    plain = (number >> 16).to_bytes(1 + SECRET_BYTES, "big")
    if number & 0xFFFF != _sum(plain):
        raise _wrong("code_typo")
    if plain[0] != VERSION:
        raise _wrong("code_version", version=plain[0], reads=VERSION)
    return _url_of(place) if at else HERE, plain[1:]


def _read_long(letters: str) -> tuple[str, bytes]:
    number = _number(letters)
    size, spare = divmod(len(letters) * 5, 8)
    plain = (number >> spare).to_bytes(size, "big")
    wrong = _sum(plain[:-2]) != int.from_bytes(plain[-2:], "big")
    if wrong or spare >= 5 or number & ((1 << spare) - 1):
        raise _wrong("code_typo")
    if plain[0] != LONG_VERSION:
        raise _wrong("code_version", version=plain[0], reads=VERSION)
    end = 1 + LONG_SECRET_BYTES
    return _checked_url(plain[end:-2].decode("latin-1")), plain[1:end]


def _place(url: str) -> str:
    """``url`` as it stands behind the ``@``: https and no path need not be said."""
    host = url.removeprefix("https://")
    return url if host == url or "/" in host else host


def _url_of(place: str) -> str:
    place = "".join(place.split())
    if "://" in place:
        return _checked_url(place)
    try:
        return _checked_url(f"https://{place.lower()}")
    except JoinCodeError:  # in the terms of what was typed
        raise _wrong("code_place", place=place) from None


def _sum(plain: bytes) -> int:
    return binascii.crc_hqx(plain, 0xFFFF)


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number << 5 | _VALUE[letter]
    return number


def _grouped(number: int, letters: int) -> str:
    text = "".join(_LETTERS[number >> 5 * k & 31] for k in range(letters - 1, -1, -1))
    return "-".join(text[k : k + 5] for k in range(0, letters, 5))


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # half a bracket, or a port that is none
        raise _wrong("code_url", url=url) from None
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in {"http", "https"} or not host or not plain:
        raise _wrong("code_url", url=url)
    if parts.username or parts.query or parts.fragment or len(url) > MAX_URL_BYTES:
        raise _wrong("code_url_parts", url=url)
    return url.rstrip("/")


def _wrong(key: str, **values: str | int) -> JoinCodeError:
    error = JoinCodeError(WRONG_CODES[key].format(**values))
    error.message = Message(key, {**values})
    return error
