"""Who is behind a pseudonym: address, hardware address, name, maker and when last seen, for the owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from dijkwacht_agent.error_words import worded
from dijkwacht_agent.hidden_names import HiddenNames
from dijkwacht_agent.join import DEVICES_FILE, KEY_FILE
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.owner.device_memory import Device, read_memory
from dijkwacht_agent.owner.device_names import read_names
from dijkwacht_agent.owner.makers import find_makers, maker_of
from dijkwacht_agent.owner.unhide import Unhide
from dijkwacht_agent.plain_text import plain
from dijkwacht_agent.privacy import Pseudonyms, read_or_make_key
from dijkwacht_agent.search_suffixes import SearchSuffixes
from dijkwacht_records.addresses import V4_PREFIX, format_address, format_mac, pack_address
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.pseudonyms import (
    MARK,
    bare,
    is_hashed_label,
    is_hashed_mac,
    is_hidden,
    reversed_address,
    spans,
)

Kind = Literal["address", "mac", "name"]


class Found(msgspec.Struct, frozen=True):
    """What a pseudonym stands for.

    ``real`` is an address, a hardware address or a name; ``others`` what it may be besides, if the key
    leaves that open. ``called``: by the owner; ``name``: as the device announced itself; ``maker``: a
    name, or three octets; ``chance``: the hardware address was drawn by the device itself. ``seen``: µs
    UTC, 0 if that device was never met.
    """

    pseudonym: str
    kind: Kind
    real: str
    others: list[str] = []
    called: str = ""
    name: str = ""
    mac: str = ""
    maker: str = ""
    chance: bool = False
    addresses: list[str] = []
    seen: int = 0

    @property
    def label(self) -> str:
        """What the owner knows it by: his own name for it, else its own, else nothing."""
        return self.called or self.name


class Who:
    """Opens pseudonyms with what the agent's ``state`` folder holds, under its key or that in ``key_file``.

    Raises `SettingsError` without a key, or with one that cannot be used.
    """

    def __init__(self, state: Path, key_file: Path | None = None) -> None:
        path = key_file or state / KEY_FILE
        if not path.exists():
            raise worded(SettingsError, "who_no_key", path=str(path))
        key = read_or_make_key(path)
        held = read_memory(state / DEVICES_FILE)
        self._names = read_names(state)
        self._unhide = Unhide(key, held.addresses)
        self._hide = Pseudonyms(key, LocalNetworks())
        # Oldest first: of two that had an address, the later one has it now.
        self._devices = sorted(held.devices, key=lambda device: device.seen)
        self._by_address = {one: device for device in self._devices for one in device.addresses}
        self._by_hash = {format_mac(self._hide.mac(device.mac)): device for device in self._devices}
        labels = HiddenNames(key, lambda address: address, lambda _: False, SearchSuffixes(()))
        named = [part for d in self._devices if d.name for part in (*d.name.split("."), d.name)]
        self._labels: dict[str, str] = {}
        for label in (*held.labels, *map(str.lower, named)):
            self._labels |= dict.fromkeys(labels.hashes(label), label)
        makers = {maker for device in self._devices if (maker := maker_of(device.mac)) is not None}
        self._makers = _makers(frozenset(makers))

    def open(self, text: str) -> Found:
        """Who ``text`` is, with or without its mark. Raises `SettingsError` that says why nobody."""
        value = bare(text)
        if is_hashed_mac(value):
            return self._open_mac(value)
        try:
            packed = pack_address(value)
        except ValueError:
            return self._open_name(value)
        if not is_hidden(packed):
            raise worded(SettingsError, "who_real", text=value)
        found = [format_address(one) for one in self._unhide.addresses(packed)]
        if not found:
            raise worded(SettingsError, "who_prefix", text=MARK + value)
        # The key opens what any site has made: nothing shows whether it was this one.
        return self._of_device(MARK + value, "address", found)

    def sentence(self, text: str) -> tuple[str, list[str]]:
        """``text`` with who it is behind every pseudonym in it, and these pseudonyms.

        Where anything in it bears the mark only what does is one; a text without marks may be an older
        one, in which all that looks like a pseudonym is.
        """
        places = list(spans(text))
        if any(text[begin] == MARK for begin, _ in places):
            places = [place for place in places if text[place[0]] == MARK]
        made, opened, at = list[str](), list[str](), 0
        for begin, end in places:
            try:
                found = self.open(text[begin:end])
            except SettingsError:
                continue
            opened.append(found.pseudonym)
            made += [text[at:end], f" [{', '.join(filter(None, (found.real, found.label)))}]"]
            at = end
        return "".join((*made, text[at:])), list(dict.fromkeys(opened))

    def devices(self) -> Iterator[Found]:
        """Every device that is remembered, the latest first, each as its hardware address."""
        for device in reversed(self._devices):
            hashed = format_mac(self._hide.mac(device.mac))
            yield self._told(MARK + hashed, "mac", format_mac(device.mac), device)

    def pseudonym(self, address: str) -> str:
        """How ``address`` is called outside, with the mark; the address itself where it is not hidden."""
        hidden = self._hide.address(pack_address(address))
        return (MARK if is_hidden(hidden) else "") + format_address(hidden)

    def _open_mac(self, value: str) -> Found:
        device = self._by_hash.get(value)
        if device is None:
            raise worded(SettingsError, "who_forgotten", text=MARK + value)
        return self._told(MARK + value, "mac", format_mac(device.mac), device)

    def _open_name(self, value: str) -> Found:
        back = reversed_address(value)
        if back is not None and is_hidden(back[0]):
            return self._open_reverse(value, *back)
        labels = value.lower().split(".")
        if not any(map(is_hashed_label, labels)):
            raise worded(SettingsError, "who_no_pseudonym", text=value)
        real = [self._labels.get(label, label) for label in labels]
        if any(map(is_hashed_label, real)):
            raise worded(SettingsError, "who_forgotten", text=MARK + value)
        name = ".".join(real)
        mine = [one for one in self._devices if one.name and one.name.lower() in {name, real[0]}]
        return self._told(MARK + value, "name", name, mine[-1] if mine else None)

    def _open_reverse(self, value: str, packed: bytes, bits: int) -> Found:
        found = self._unhide.addresses(packed)
        if not found:
            raise worded(SettingsError, "who_prefix", text=MARK + value)
        names = [_reverse_name(address, bits) for address in found]
        device = self._by_address.get(found[0])
        return self._told(MARK + value, "name", names[0], device, names[1:])

    def _of_device(self, pseudonym: str, kind: Kind, found: list[str]) -> Found:
        device = self._by_address.get(pack_address(found[0]))
        return self._told(pseudonym, kind, found[0], device, found[1:])

    def _told(
        self,
        pseudonym: str,
        kind: Kind,
        real: str,
        device: Device | None,
        others: Iterable[str] = (),
    ) -> Found:
        if device is None:
            return Found(pseudonym, kind, real, list(others), self._names.get(real, ""))
        mac, maker = format_mac(device.mac), maker_of(device.mac)
        octets = "" if maker is None else mac[:8]
        return Found(
            pseudonym,
            kind,
            real,
            list(others),
            self._names.get(mac) or self._names.get(real, ""),
            plain(device.name),
            mac,
            octets if maker is None else self._makers.get(maker, octets),
            maker is None,
            [format_address(one) for one in device.addresses],
            device.seen,
        )


@lru_cache(maxsize=4)
def _makers(wanted: frozenset[int]) -> dict[int, str]:
    """The list is megabytes, and a page asks each time that it is shown."""
    return find_makers(wanted)


def _reverse_name(address: bytes, bits: int) -> str:
    if address[:12] == V4_PREFIX:
        return ".".join(map(str, address[12 : 12 + bits // 8][::-1])) + ".in-addr.arpa"
    return ".".join(address.hex()[: bits // 4][::-1]) + ".ip6.arpa"
