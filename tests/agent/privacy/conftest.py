"""A collector that is curious: it knows the code, the private ranges and what devices are called, but no key.

It is handed what an agent sends beside what was true, row for row, and tries to open it. What it finds
by luck under one key it does not find under another, so a test asks again before it believes it.
"""

import binascii
import hashlib
import ipaddress
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pytest

from dijkwacht_agent.batches import Batcher
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.privacy import KEY_BYTES, Pseudonyms
from dijkwacht_agent.sources.recording import Recording
from dijkwacht_records import wire
from dijkwacht_records.addresses import V4_PREFIX, format_address
from dijkwacht_records.community_id import community_id
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.tables import FLOWS, TABLES

HERE = Path(__file__).parent
ALGORITHMS = ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b", "blake2s")
PRIVATE = [
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
        "fc00::/7", "fe80::/10",
    )
]  # fmt: skip
LOCAL = re.compile(
    r"(^|\.)(local|localdomain|lan|home|internal|corp|workgroup|intranet|home\.arpa)$"
)
NOBODY = re.compile(r"_.*|\\x.*|[0-9a-f.:]*|b|db|r|dr|lb|wpad|isatap|localhost")
MACS = {"client_mac", "eth_src", "sender_mac", "target_mac", "link_mac"}
NAMES = {"query", "server_name", "host_name"}
AMOUNTS = {"µs UTC", "µs", "bytes"}
"""Units of numbers that are what they are, whatever they equal."""
HASHED_BITS = 40
"""A number below may equal a hash in a dictionary of millions by luck."""
MAX_FLOWS = 20_000
ENDS = ("orig_h", "resp_h", "orig_p", "resp_p", "proto")


@dataclass
class Sent:
    """What was true and what was sent for it, each pair once. ``flows``: the true ones.

    ``facts``: every number sent that is no time, no amount of bytes and no hardware address.
    """

    addresses: set[tuple[bytes, bytes]] = field(default_factory=set)
    macs: set[tuple[int, int]] = field(default_factory=set)
    names: set[tuple[str, str, bool]] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    numbers: set[int] = field(default_factory=set)
    facts: set[int] = field(default_factory=set)
    flows: set[tuple] = field(default_factory=set)

    def add(self, number, true, sent):
        """One row as it was metered and as it was decoded."""
        table, named = TABLES[number], {}
        for column, before, after in zip(table.columns, true, sent, strict=True):
            named[column.name] = before
            if column.kind == "addr":
                self.addresses.add((before, after))
            elif column.name in MACS:
                self.macs.add((before, after))
            elif column.kind == "text":
                self.texts.add(after)
                if column.name in NAMES:
                    lan = named.get("resp_p") in {137, 5353, 5355} or column.name == "host_name"
                    self.names.add((before, after, lan))
            elif column.kind == "int" and column.unit not in AMOUNTS:
                self.facts.add(after)
                if column.name == "flow_id":
                    self.numbers.add(after)
        if table is FLOWS and len(self.flows) < MAX_FLOWS:
            self.flows.add(tuple(named[name] for name in ENDS))


def send(paths, key) -> Sent:
    """Everything an agent with ``key`` sends for a recording: reader, meter, batcher, wire, and back."""
    inside = LocalNetworks()
    source, meter, sent, truth, parcels = Recording(paths), Meter(inside), Sent(), [], []
    batcher = Batcher("site", "agent", Pseudonyms(key, inside), lambda: 0)
    batcher.contract = max(CONTRACTS)
    for block in source.blocks():
        meter.feed(block)
        truth.append(rows := meter.take())
        batcher.add(rows)
    meter.finish()
    truth.append(rows := meter.take())
    batcher.add(rows)
    parcels = batcher.take(everything=True)
    assert batcher.rows_refused == 0
    decoded = (
        row for parcel in parcels for row in wire.unpack_rows(wire.decode(parcel.wire, CONTRACTS))
    )
    metered = (row for rows in truth for row in rows.rows())
    for (number, true), (same, hidden) in zip(metered, decoded, strict=True):
        assert number == same
        sent.add(number, true, hidden)
    return sent


def dictionary() -> list[str]:
    """Ten thousand things that devices of small offices and homes are called."""
    first, owned = (
        (HERE / file).read_text("ascii").split() for file in ("first_names.txt", "device_names.txt")
    )
    names = [pattern.format(name) for pattern in owned for name in first]

    def random(place, letters):
        return hashlib.sha256(f"{place}".encode()).hexdigest()[:letters]

    shapes = (
        "desktop-{}",
        "laptop-{}",
        "win-{}",
        "npi{}",
        "brw{}",
        "epson{}",
        "esp-{}",
        "shelly1-{}",
    )
    names += (shapes[n % len(shapes)].format(random(n, 7)) for n in range(10_000))
    return list(dict.fromkeys(names))[:10_000]


def is_private(address: bytes) -> bool:
    at = ipaddress.ip_address(address[12:] if address.startswith(V4_PREFIX) else address)
    return any(at in network for network in PRIVATE if network.version == at.version)


def is_made_of_mac(address: bytes) -> bool:
    return address[11:13] == b"\xff\xfe" and address[:12] != V4_PREFIX


def carried(address: bytes) -> set[bytes]:
    """Every IPv4 address that an IPv6 address may carry."""
    if address.startswith(V4_PREFIX):
        return set()
    within = {address[12:]}
    if address.startswith(b"\x20\x02"):
        within.add(address[2:6])
    if address.startswith(b"\x20\x01\x00\x00"):
        within.add(bytes(octet ^ 255 for octet in address[12:]))
    for begin in range(4, 9):  # RFC 6052: around octet 8, which is zero as is all that follows
        if not address[8] and not any(address[begin + 5 :]):
            within.add(address[begin:8] + address[9 : begin + 5])
    return {V4_PREFIX + each for each in within}


def spellings(address: bytes) -> set[str]:
    """How a name may spell an address."""
    raw = address[12:] if address.startswith(V4_PREFIX) else address
    found = {raw.hex(), raw[::-1].hex()}
    if len(raw) == 4:
        for octets in (raw, raw[::-1]):
            for mark in ".-_x":
                found |= {
                    mark.join(map(str, octets)),
                    mark.join(f"{octet:03}" for octet in octets),
                    mark.join(f"{octet:02x}" for octet in octets),
                }
            found.add(str(int.from_bytes(octets, "big")))
            found.add("".join(f"{octet:03}" for octet in octets))
        return found | {"".join(map(str, raw))} if raw[:2] == b"\xc0\xa8" else found
    at = ipaddress.IPv6Address(raw)
    for text in (at.compressed, at.exploded):
        found |= {text.replace(":", mark) for mark in ":-_"}
    return found | {".".join(raw.hex()), ".".join(raw.hex()[::-1])}


def device_labels(name: str, lan: bool) -> set[str]:
    """Labels of a true name that name a device, by rules of this test's own."""
    name = name.lower().rstrip(".")
    labels = name.split(".")
    if not (lan or len(labels) == 1 or LOCAL.search(name)) or name.endswith(".arpa"):
        return set()
    return {each for each in labels if not NOBODY.fullmatch(each) and not LOCAL.search(each)}


def digests(data: bytes) -> set[str]:
    """Hashes of ``data`` that need no key, in hexadecimal, as long as they come."""
    found = {hashlib.new(name, data, usedforsecurity=False).hexdigest() for name in ALGORITHMS}
    found |= {f"{binascii.crc32(data):08x}"}
    for key in (b"", bytes(KEY_BYTES)):  # what the code does, but for the key
        for person in (b"", b"dijkwacht name", b"dijkwacht mac"):
            for size in (4, 5, 20, 32):
                found.add(
                    hashlib.blake2b(data, digest_size=size, key=key, person=person).hexdigest()
                )
    return found


def numbers_of(data: bytes, found: set[str]) -> set[int]:
    """What ``data`` and its hashes may be as a number of up to 64 bits."""
    raws = [data[:8], data[:7], data[:6], *map(bytes.fromhex, found)]
    numbers = {
        int.from_bytes(raw[:size], order) >> shift
        for raw in raws
        for size in (5, 6, 8)
        for order in ("big", "little")
        for shift in ((0, 1, 2) if size == 8 else (0,))
    }
    return {number for number in numbers if number >> HASHED_BITS}


def as_hex(label: str) -> str:
    """The hexadecimal digits of a sent label, whatever it is written in."""
    text = label.removeprefix("h-")
    if re.fullmatch("[a-p]{10}", text):
        return "".join(f"{ord(letter) - 97:x}" for letter in text)
    return text if re.fullmatch("[0-9a-f]{8,128}", text) else ""


class CuriousCollector:
    """Each attack returns what it opened: empty, if privacy holds."""

    def __init__(self, names: Iterable[str]):
        self.names = set(names)
        self.hashes: dict[str, str] = {}
        self.hashed: dict[int, str] = {}
        for name in self.names:
            for text in (name, name.upper(), f"{name}.local"):
                found = digests(text.encode())
                self.hashes |= {digest[:10]: name for digest in found}
                self.hashed |= dict.fromkeys(numbers_of(text.encode(), found), name)

    @property
    def attacks(self) -> dict[str, Callable[[Sent], set[str]]]:
        return {
            name.removeprefix("try_"): getattr(self, name)
            for name in dir(self)
            if name.startswith("try_")
        }

    def open(self, sent: Sent) -> set[tuple[str, str]]:
        return {(name, what) for name, attack in self.attacks.items() for what in attack(sent)}

    def try_plain_names(self, sent):
        """A device's name, or one of its labels, stands there."""
        found = set()
        for text in sent.texts:
            found |= self.names & set(re.split(r"[.\s]|\\x20", text.lower().replace("_", "")))
        for true, hidden, lan in sent.names:
            found |= device_labels(true, lan) & set(hidden.lower().split("."))
        return found

    def try_unkeyed_hashes_of_names(self, sent):
        """A label is the hash of a name in the dictionary, or of what it stands for."""
        labels = {as_hex(label)[:10] for text in sent.texts for label in text.split(".")} - {""}
        found = {self.hashes[label] for label in labels & self.hashes.keys()}
        for true, hidden, lan in sent.names:
            there = {as_hex(label)[:10] for label in hidden.split(".")} - {""}
            for label in device_labels(true, lan):
                mine = {digest[:10] for digest in digests(label.encode())}
                found |= {label} if mine & there else set()
        return found

    def try_numbers_of_names(self, sent):
        """A number is a name in the dictionary, or an unkeyed hash of one."""
        return {self.hashed[number] for number in sent.facts & self.hashed.keys()}

    def try_numbers_of_addresses(self, sent):
        """A number is a private address that was there."""
        private = {true[12:]: true for true, _ in sent.addresses if is_private(true)}
        spelled = {
            int.from_bytes(raw, order): true
            for raw, true in private.items()
            for order in ("big", "little")
            if true.startswith(V4_PREFIX)
        }
        # Read from its other end, 10.0.0.0 is ten, and anything may be ten.
        found = {number for number in sent.facts & spelled.keys() if number >> 16}
        return {format_address(spelled[number]) for number in found}

    def try_spelled_addresses(self, sent):
        """A name spells the private address that it spelled before."""
        private = [true for true, _ in sent.addresses if is_private(true)]
        spelled = {text: true for true in private for text in spellings(true)}
        found = set()
        for true, hidden, _ in sent.names:
            runs = _runs(true.lower()) & _runs(hidden.lower()) & spelled.keys()
            found |= {format_address(spelled[run]) for run in runs}
        return found

    def try_addresses(self, sent):
        """A private address, or one made of a hardware address, is what it was."""
        return {
            format_address(true)
            for true, hidden in sent.addresses
            if true == hidden and (is_private(true) or is_made_of_mac(true))
        }

    def try_carried_addresses(self, sent):
        """An IPv6 address carries the private IPv4 address that it carried before."""
        return {
            format_address(true)
            for true, hidden in sent.addresses
            if any(is_private(each) for each in carried(true) & carried(hidden))
        }

    def try_hardware_addresses(self, sent):
        """A hardware address stands there, or in an address made of it, or an unkeyed hash of it."""
        true_macs = {true & 0xFFFFFF for true, _ in sent.macs if 0 < true < 0xFFFFFFFFFFFF}
        found = set()
        for true, hidden in sent.macs:
            if 0 < true < 0xFFFFFFFFFFFF:
                octets = true.to_bytes(6, "big")
                texts = (
                    octets,
                    true.to_bytes(8, "big"),
                    octets.hex().encode(),
                    octets.hex(":").encode(),
                )
                guesses = {digest[:8] for text in texts for digest in digests(text)}
                if hidden & 0xFFFFFF == true & 0xFFFFFF or f"{hidden & 0xFFFFFFFF:08x}" in guesses:
                    found.add(octets.hex(":"))
        for true, hidden in sent.addresses:
            if is_made_of_mac(hidden) and (is_made_of_mac(true) or true_macs):
                tail = int.from_bytes(hidden[13:], "big")
                if tail in true_macs or hidden[13:] == true[13:]:
                    found.add(format_address(hidden))
        return found

    def try_guessed_keys(self, sent):
        """All private addresses are what a key that anybody would guess makes of them."""
        pairs = [(true, hidden) for true, hidden in sent.addresses if is_private(true)]
        guesses = (
            bytes(KEY_BYTES),
            b"\xff" * KEY_BYTES,
            bytes(range(KEY_BYTES)),
            b"dijkwacht".ljust(KEY_BYTES),
        )
        return {
            guess.hex()
            for guess in guesses
            if pairs
            and all(map(_agrees(Pseudonyms(guess, LocalNetworks())), islice(sorted(pairs), 50)))
        }

    def try_community_ids(self, sent):
        """A text or a number is the Community ID of true addresses."""
        found = set()
        for flow in sent.flows:
            if is_private(flow[0]) or is_private(flow[1]):
                text = community_id(*flow)
                raw = binascii.a2b_base64(text[2:])
                numbers = {int.from_bytes(raw[:8], "big") >> shift for shift in (0, 1, 2)}
                forms = {text, text[2:], raw.hex(), b64encode(raw).decode().lower()}
                if forms & sent.texts or numbers & sent.numbers:
                    found.add(text)
        return found


def _agrees(privacy):
    return lambda pair: privacy.address(pair[0]) == pair[1]


def _runs(name: str) -> set[str]:
    """Every run of whole labels and parts of labels in ``name`` that may be an address."""
    found = set()
    for pattern in (r"[0-9a-f]+", r"[0-9]+", r"[0-9a-fx]+", r"[0-9a-f_-]+", r"[0-9a-f:]+"):
        found |= set(re.findall(pattern, name))
    pieces = re.split(r"(?<=[._x-])|(?=[._x-])", name)
    for size in (7, 63):
        for at in range(len(pieces) - size + 1):
            found.add("".join(pieces[at : at + size]))
    return found


@pytest.fixture(scope="session")
def device_names():
    return dictionary()


@pytest.fixture(scope="session")
def curious(device_names):
    return CuriousCollector(device_names)


@pytest.fixture(scope="session", name="send")
def _send():
    return send
