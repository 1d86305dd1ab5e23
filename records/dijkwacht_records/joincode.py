"""The join code: one text that an owner types, holding a one-time secret and where to bring it.

Bytes ``version · secret (16) · URL (ASCII) · CRC-16`` in Crockford's base 32, which has no letter
that looks like another; groups of five keep the eye in place. The CRC finds every single wrong
letter and every swap of neighbours.
"""

from __future__ import annotations

import binascii
from typing import Final
from urllib.parse import urlsplit

from dijkwacht_records.errors import JoinCodeError, Message

VERSION: Final = 1
SECRET_BYTES: Final = 16
MAX_URL_BYTES: Final = 200

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
    "code_url_parts": "'{url}': a collector's address is scheme, host, port and path only",
}
"""Key of a message → its English text; the agent's table of messages has the Dutch."""
_SHORTEST: Final = 1 + SECRET_BYTES + len("http://x") + 2


def make_code(url: str, secret: bytes) -> str:
    """The code that brings ``secret`` (16 bytes) to the collector at ``url`` (http or https).

    Raises `JoinCodeError` for a URL that is not one, ``ValueError`` for a secret of another size.

    >>> make_code("http://127.0.0.1:8470", bytes(16))[:11]
    '04000-00000'
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"the secret has {len(secret)} bytes, not {SECRET_BYTES}")
    plain = bytes([VERSION]) + secret + _checked_url(url).encode("ascii")
    plain += binascii.crc_hqx(plain, 0xFFFF).to_bytes(2, "big")
    letters = -(-len(plain) * 8 // 5)
    number = int.from_bytes(plain, "big") << (letters * 5 - len(plain) * 8)
    text = "".join(_LETTERS[number >> 5 * k & 31] for k in range(letters - 1, -1, -1))
    return "-".join(text[k : k + 5] for k in range(0, letters, 5))


def read_code(text: str) -> tuple[str, bytes]:
    """(URL, secret) of a code that somebody typed; case, spaces and dashes do not matter.

    Raises `JoinCodeError`, whose message names what is wrong with the code.

    >>> read_code(make_code("https://wacht.example", bytes(16)).lower())[0]
    'https://wacht.example'
    """
    letters = text.upper().translate(_LOOKALIKES)
    unknown = sorted({letter for letter in letters if letter not in _VALUE})
    if unknown:
        raise _wrong("code_letter", letter=unknown[0])
    if len(letters) > 8 * (MAX_URL_BYTES + SECRET_BYTES + 3) // 5 + 1:
        raise _wrong("code_long")
    number = 0
    for letter in letters:
        number = number << 5 | _VALUE[letter]
    size, spare = divmod(len(letters) * 5, 8)
    if size < _SHORTEST:
        raise _wrong("code_short")
    plain = (number >> spare).to_bytes(size, "big")
    wrong = binascii.crc_hqx(plain[:-2], 0xFFFF) != int.from_bytes(plain[-2:], "big")
    if wrong or spare >= 5 or number & ((1 << spare) - 1):
        raise _wrong("code_typo")
    if plain[0] != VERSION:
        raise _wrong("code_version", version=plain[0], reads=VERSION)
    return _checked_url(plain[1 + SECRET_BYTES : -2].decode("latin-1")), plain[1 : 1 + SECRET_BYTES]


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
        raise _wrong("code_url", url=url)
    if parts.username or parts.query or parts.fragment or len(url) > MAX_URL_BYTES:
        raise _wrong("code_url_parts", url=url)
    return url.rstrip("/")


def _wrong(key: str, **values: str | int) -> JoinCodeError:
    error = JoinCodeError(WRONG_CODES[key].format(**values))
    error.message = Message(key, {**values})
    return error
