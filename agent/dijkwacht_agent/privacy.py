"""What leaves the site: pseudonyms instead of inside addresses, hardware addresses, device names.

=====================================  ====================================================
unspecified, loopback, 255.255.255.255 unchanged: they name nobody
private, link-local, multicast         prefix kept, the other bits permuted (`pseudonyms.KEPT`), .255 stays
inside with a public address           permuted into `RESERVED_V4` or `RESERVED_V6`
IPv6 made from a hardware address      the same, inside or not
any other address                      unchanged: detection needs it, and it is public
hardware address                       maker kept, a keyed hash for the rest
name with an inside address, LAN name  keyed hashes for its labels (`hidden_names.py`)
=====================================  ====================================================

The permutation is Crypto-PAn (Xu, Fan, Ammar, Moon 2002) with the site's key: two addresses that
share n leading bits have pseudonyms that share n leading bits. A pseudonym is still personal data;
`docs/privacy.md` explains what that means, and what to do when the key is lost or copied.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final, Protocol, TypeVar, cast

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from dijkwacht_agent.error_words import worded
from dijkwacht_agent.hidden_names import HiddenNames
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.settings import write_private
from dijkwacht_records.addresses import HASHED_MAC, UNSPECIFIED, V4_PREFIX
from dijkwacht_records.columns import Columns, Values
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.pseudonyms import RESERVED, RESERVED_V4, RESERVED_V6, kept_bits
from dijkwacht_records.tables import DNS, HARDWARE_ADDRESSES, TABLES

KEY_BYTES: Final = 32

_UNCHANGED: Final = frozenset(
    (UNSPECIFIED, bytes(15) + b"\x01", V4_PREFIX + bytes(4), V4_PREFIX + b"\xff" * 4)
)
_BROADCAST_MAC: Final = (1 << 48) - 1
_LOOPBACK: Final = 127
_BROADCAST: Final = 255
_MAX_CACHED: Final = 16_384
_T = TypeVar("_T")
_S = TypeVar("_S")


class Privacy(Protocol):
    """What stands between the rows as metered and the rows as sent."""

    def hide(self, rows: Columns) -> Columns:
        """``rows`` as they may leave the site."""
        ...


class Noted(Protocol):
    """Hears what is hidden beyond what the key alone could open again: for the owner, on this machine."""

    def see(self, rows: Columns) -> None:
        """Rows as they were metered, before each is hidden."""
        ...

    def note_address(self, address: bytes) -> None:
        """An IPv6 address of which the pseudonym does not keep the provider's prefix."""
        ...

    def note_mac(self, mac: int) -> None:
        """A hardware address."""
        ...

    def note_label(self, label: str) -> None:
        """One label of a name."""
        ...


class Clear:
    """No privacy: for one's own recordings on one's own machine (`replay`), never for a site."""

    def hide(self, rows: Columns) -> Columns:
        """``rows`` themselves."""
        return rows


class CryptoPan:
    """The prefix-preserving permutation of 32-bit and 128-bit addresses under a 32-byte key.

    >>> pan = CryptoPan(bytes(range(21, 53)))
    >>> pan.permute(bytes([192, 0, 2, 1])) == pan.permute(bytes([192, 0, 2, 1]))
    True
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        # ECB on purpose: the scheme uses AES as a pseudo-random function, a block a prefix.
        cipher = Cipher(algorithms.AES(key[:16]), modes.ECB())  # noqa: S305
        self._encrypt = cipher.encryptor().update
        self._pad = int.from_bytes(self._encrypt(key[16:]), "big")

    def permute(self, address: bytes, kept: int = 0) -> bytes:
        """``address`` (4 or 16 bytes) with all bits after the first ``kept`` permuted."""
        bits = 8 * len(address)
        number = int.from_bytes(address, "big") << (128 - bits)
        blocks = []
        for length in range(kept, bits):  # the first `length` bits, then the pad's
            tail = (1 << (128 - length)) - 1
            blocks.append((number & ~tail | self._pad & tail).to_bytes(16, "big"))
        mask = 0
        for first in self._encrypt(b"".join(blocks))[::16]:
            mask = mask << 1 | first >> 7
        return (int.from_bytes(address, "big") ^ mask).to_bytes(len(address), "big")

    def restore(self, pseudonym: bytes, kept: int = 0) -> bytes:
        """What `permute` made ``pseudonym`` of: bit by bit, as each depends on those before it.

        >>> pan = CryptoPan(bytes(range(21, 53)))
        >>> pan.restore(pan.permute(bytes([192, 0, 2, 1]), 8), 8) == bytes([192, 0, 2, 1])
        True
        """
        bits = 8 * len(pseudonym)
        number = int.from_bytes(pseudonym, "big") << (128 - bits)
        for length in range(kept, bits):
            tail = (1 << (128 - length)) - 1
            first = self._encrypt((number & ~tail | self._pad & tail).to_bytes(16, "big"))[0]
            number ^= (first >> 7) << (127 - length)
        return (number >> (128 - bits)).to_bytes(len(pseudonym), "big")

    def permute_host(self, address: bytes, kept: int) -> bytes:
        """As `permute` for a 4-byte address, but .255 stays .255, and no other becomes it.

        It is how a subnet's broadcast shows, which is no machine: one that became it would be seen by nobody.
        The one address of its /24 that would have become it takes the place that it has left.

        >>> pan = CryptoPan(bytes(range(21, 53)))
        >>> {pan.permute_host(bytes([192, 168, 1, n]), 16)[3] for n in range(255)} == set(range(255))
        True
        """
        hidden = self.permute(address, kept)
        if address[3] == _BROADCAST:
            return hidden[:3] + bytes((_BROADCAST,))
        if hidden[3] == _BROADCAST:
            return self.permute(address[:3] + bytes((_BROADCAST,)), kept)
        return hidden

    def restore_host(self, pseudonym: bytes, kept: int) -> bytes:
        """What `permute_host` made ``pseudonym`` of."""
        found = self.restore(pseudonym, kept)
        if pseudonym[3] == _BROADCAST:
            return found[:3] + bytes((_BROADCAST,))
        if found[3] == _BROADCAST:
            return self.restore(pseudonym[:3] + bytes((_BROADCAST,)), kept)
        return found


class Pseudonyms:
    """Hides rows under the site's key (32 bytes); ``inside`` knows which addresses are the site's.

    Answers are remembered for the last few thousand addresses and names, never more. ``noted`` is told
    what is hidden by a hash.
    """

    def __init__(self, key: bytes, inside: LocalNetworks, noted: Noted | None = None) -> None:
        self._pan = CryptoPan(key)
        self._key = key
        self._inside = inside
        self._addresses: dict[bytes, bytes] = {}
        self._macs: dict[int, int] = {}
        self._noted = noted
        note = noted.note_label if noted is not None else None
        self._names = HiddenNames(key, self.address, self.hides, inside.suffixes, note)

    def hide(self, rows: Columns) -> Columns:
        """``rows`` with addresses, hardware addresses and names replaced, each of them once."""
        if self._noted is not None:
            self._noted.see(rows)
        addresses = list(map(self.address, rows.addresses))
        texts: dict[str, int] = {}
        tables = {}
        for number, columns in rows.tables.items():
            own = tables[number] = list(columns)
            for place, column in enumerate(TABLES[number].columns[: len(own)]):
                if column.kind == "text":
                    hidden = self._hide_names(number, column.name, own, rows.texts)
                    own[place] = [texts.setdefault(text, len(texts)) for text in hidden]
                elif column.name in HARDWARE_ADDRESSES:
                    own[place] = list(_each(self.mac, cast("Sequence[int]", own[place])))
        return Columns(rows.order, tables, addresses, list(texts))

    def address(self, address: bytes) -> bytes:
        """The pseudonym of a 16-byte address; the address itself where it is not hidden."""
        hidden = self._addresses.get(address)
        if hidden is None:
            if len(self._addresses) >= _MAX_CACHED:
                self._addresses.clear()
            hidden = self._addresses[address] = self._hide_address(address)
        return hidden

    def mac(self, mac: int) -> int:
        """The keyed hash of a hardware address, behind its maker; 0 and broadcast stay."""
        hidden = self._macs.get(mac)
        if hidden is None:
            if len(self._macs) >= _MAX_CACHED:
                self._macs.clear()
            hidden = self._macs[mac] = self._hide_mac(mac)
        return hidden

    def _hide_names(
        self, number: int, column: str, columns: Sequence[Values], texts: Sequence[str]
    ) -> Iterator[str]:
        """The texts of one column, hidden as its names ask."""
        places = cast("Sequence[int]", columns[TABLES[number].index(column)])
        if column == "query":
            ports = cast("Sequence[int]", columns[_PORT])
            asked = [(place, port in _LAN_PORTS) for place, port in zip(places, ports, strict=True)]
            return _each(lambda query: self._names.name(texts[query[0]], lan=query[1]), asked)
        hide = {"server_name": self._names.name, "host_name": self._names.device}.get(column, str)
        return _each(lambda place: hide(texts[place]), places)

    def hides(self, address: bytes) -> bool:
        """Whether it has a pseudonym; a few addresses are their own, and nobody may tell which."""
        if address in _UNCHANGED:
            return False
        if address[:12] == V4_PREFIX:
            octets = address[12:]
            if octets[0] == _LOOPBACK:
                return False
            return kept_bits(octets) is not None or address in self._inside
        if kept_bits(address) is not None or address in self._inside or _holds_mac(address):
            return True
        return any(self.hides(carried) for carried in _carried_v4(address))

    def _hide_address(self, address: bytes) -> bytes:
        if not self.hides(address):
            return address
        v4 = address[:12] == V4_PREFIX
        kept = kept_bits(address[12:] if v4 else address)
        if v4 and kept is not None:
            return V4_PREFIX + self._pan.permute_host(address[12:], kept)
        if v4:
            return RESERVED_V4 + self._pan.permute(address[12:])
        if kept is not None:
            return self._walk(address, kept)
        if self._noted is not None:
            self._noted.note_address(address)
        return RESERVED_V6 + self._pan.permute(address)[4:]

    def _walk(self, address: bytes, kept: int) -> bytes:
        # Once more whenever the pseudonym falls into the reserved range: still a permutation.
        hidden = self._pan.permute(address, kept)
        while hidden[:3] == RESERVED != address[:3]:
            hidden = self._pan.permute(hidden, kept)
        return hidden

    def _hide_mac(self, mac: int) -> int:
        if mac in {0, _BROADCAST_MAC}:
            return mac
        if self._noted is not None:
            self._noted.note_mac(mac)
        digest = blake2b(
            mac.to_bytes(8, "big"), digest_size=4, key=self._key, person=b"dijkwacht mac"
        )
        local_or_group = mac >> 40 & 0b11
        maker = 0 if local_or_group else mac >> 24 & 0xFFFFFF
        return HASHED_MAC | maker << 32 | int.from_bytes(digest.digest(), "big")


def _each(change: Callable[[_T], _S], values: Sequence[_T]) -> Iterator[_S]:
    """``values`` as ``change`` makes them, which is asked once about each."""
    changed = {value: change(value) for value in dict.fromkeys(values)}
    return map(changed.__getitem__, values)


def read_or_make_key(path: Path) -> bytes:
    """The site's key from ``path``; drawn and written there (mode 0600) when there is none.

    Raises `SettingsError` for a file of another size or one that others may read.
    """
    if not path.exists():
        fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        try:
            write_private(fresh, secrets.token_bytes(KEY_BYTES))
            # Whole or not at all, and never in place of one that somebody else drew just now.
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(fresh)
        except OSError as error:
            error.filename = str(path)
            raise
        finally:
            fresh.unlink(missing_ok=True)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise worded(SettingsError, "key_size", path=str(path), wanted=KEY_BYTES, found=len(key))
    if path.stat().st_mode & 0o077:
        raise worded(SettingsError, "key_open", path=str(path))
    return key


def _carried_v4(address: bytes) -> Iterator[bytes]:
    """The IPv4 addresses that an IPv6 address carries, as far as its form tells, 16 bytes each."""
    if address[:2] == b"\x20\x02":  # 6to4
        yield V4_PREFIX + address[2:6]
    if address[:12] in _EMBEDDING:
        yield V4_PREFIX + address[12:]
    if address[:4] == b"\x20\x01\x00\x00":  # Teredo
        yield V4_PREFIX + bytes(octet ^ 0xFF for octet in address[12:])
    if address[8:12] in _ISATAP:
        yield V4_PREFIX + address[12:]
    if address[8]:
        return
    # NAT64 under a prefix of the site's own (RFC 6052): octet 8 is zero, and so is what follows.
    for begin, end in _TRANSLATED:
        carried = address[begin:8] + address[9:end]
        if not any(address[end:]) and carried[0] < _FIRST_MULTICAST:
            yield V4_PREFIX + carried
    if not any(address[8:12]) and address[12] < _FIRST_MULTICAST:
        yield V4_PREFIX + address[12:]


def _holds_mac(address: bytes) -> bool:
    """An IPv6 address made from a hardware address (EUI-64), which names a device under any prefix."""
    return address[11:13] == b"\xff\xfe"


_EMBEDDING: Final = frozenset(
    (b"\x00\x64\xff\x9b" + bytes(8), bytes(12), bytes(8) + b"\xff\xff\x00\x00")
)
"""NAT64 (RFC 6052), IPv4-compatible (RFC 4291) and IPv4-translated (RFC 2765) addresses."""
_ISATAP: Final = frozenset((b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe"))
_TRANSLATED: Final = ((4, 9), (5, 10), (6, 11), (7, 12), (8, 13))
"""Where the address begins and ends under a prefix of 32, 40, 48, 56 or 64 bits, octet 8 left out."""
_FIRST_MULTICAST: Final = 224
_PORT: Final = DNS.index("resp_p")
_LAN_PORTS: Final = frozenset((137, 5353, 5355))
