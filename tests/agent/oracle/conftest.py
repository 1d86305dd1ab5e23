"""Wireshark's dissectors, through pyshark, as the second opinion on what the meter read.

Each test says for a capture's rows and for its packets what both must have seen, and `compare`
counts those. Where they differ, ``differences.toml`` says by how much and why; a difference that is
not listed fails, and so does one that is listed and gone. The sample in every run is one capture in
`EVERY` of those in which the meter found something; ``make long`` takes all, and the figures too.

Wireshark reads a capture once for all tests; they share what it said through a folder.
"""

import asyncio
import os
import pickle
import tomllib
import zlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pyshark
import pytest
from pyshark.capture.capture import TSharkCrashException

from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.sources.recording import Recording, is_recording
from dijkwacht_records.errors import UnreadableInput
from dijkwacht_records.tables import TABLES

HERE = Path(__file__).parent
EVERY = 12
MAX_BYTES = 1_000_000
"""Larger captures are for ``make long``."""
WANTED = (
    "dns or mdns or llmnr or nbns or dhcp"
    " or tls.handshake.type in {1,2,11} or tls.alert_message.level == 2"
    " or smb or smb2 or dcerpc or ntlmssp or kerberos"
    " or ldap.resultCode or ldap.authentication"
    " or ftp or smtp.req or smtp.rsp"
    " or pop.request or pop.response or imap.request or imap.response"
    " or http.authorization or http.proxy_authorization or http.response.code in {401,407}"
)
"""The display filter that all tests share."""
LAYERS = frozenset(
    [
        "dns",
        "mdns",
        "llmnr",
        "nbns",
        "dhcp",
        "tls",
        "quic",
        "smb",
        "smb2",
        "dcerpc",
        "kerberos",
        "ldap",
        "ftp",
        "smtp",
        "pop",
        "imap",
        "http",
        "ntlmssp",
        "tds",
        "nbss",
    ]
)
NETWORK, TRANSPORT = frozenset({"ip", "ipv6"}), {"tcp": 6, "udp": 17}
OPTIONS = ("-n",)


class Packet(NamedTuple):
    """What the tests need of one packet: ``layers`` hold each field's values, by Wireshark's names.

    ``names``: of all layers; ``ends``: addresses and ports of all network and transport layers.
    """

    number: int
    time: float
    names: tuple
    ends: tuple
    stream: int
    layers: list

    @property
    def tunnelled(self):
        """It has another packet in it: the meter reads the outer one, or an ICMP error quotes one."""
        return (
            sum(end[0] in TRANSPORT for end in self.ends) != 1
            or sum(name in NETWORK for name in self.names) != 1
        )

    @property
    def src(self):
        return self.ends[0][0]

    @property
    def dst(self):
        return self.ends[0][1]

    @property
    def proto(self):
        return TRANSPORT.get(self.ends[-1][0], 0)

    @property
    def sport(self):
        return self.ends[-1][1]

    @property
    def dport(self):
        return self.ends[-1][2]

    def of(self, *names):
        """Fields of each layer of one of these names."""
        return [fields for name, fields in self.layers if name in names]

    def fields(self, *names):
        """Fields of all these layers together."""
        merged = {}
        for fields in self.of(*names):
            for name, values in fields.items():
                merged[name] = merged.get(name, ()) + values
        return merged


def _metered(path):
    """Rows of ``path`` by table: what the meter made, as dictionaries."""
    meter = Meter(LocalNetworks(), names_per_second=1 << 40, messages_per_second=1 << 40)
    rows = {table.name: [] for table in TABLES}

    def keep(columns):
        for number, row in columns.rows():
            table = TABLES[number]
            names = (column.name for column in table.columns)
            rows[table.name].append(dict(zip(names, row, strict=False)))

    try:
        for block in Recording([path]).blocks():
            meter.feed(block)
            keep(meter.take())
    except UnreadableInput:
        pass
    meter.finish()
    keep(meter.take())
    return rows


def _dissected(path):
    """Wireshark's packets of ``path`` that are `WANTED`."""
    options = {"keep_packets": False, "custom_parameters": list(OPTIONS)}
    # A loop of its own: other tests leave the thread without one.
    loop = asyncio.new_event_loop()
    capture = pyshark.FileCapture(str(path), display_filter=WANTED, eventloop=loop, **options)
    found = []
    try:
        found.extend(_packet(packet) for packet in capture)
        capture.close()
    except TSharkCrashException:
        # A capture that is cut short: what was before the cut has been read.
        capture._running_processes.clear()  # or it is closed, and raises, once more
    finally:
        loop.close()
    return found


def _packet(packet):
    ends, layers, stream = [], [], -1
    for layer in packet.layers:
        name, fields = layer.layer_name, layer._all_fields
        if name in NETWORK:
            ends.append(tuple(fields[f"{name}.{side}"].fields[0].show for side in ("src", "dst")))
        elif name in TRANSPORT:
            ports = (int(fields[f"{name}.{side}port"].fields[0].show) for side in ("src", "dst"))
            ends.append((name, *ports))
            stream = int(fields[f"{name}.stream"].fields[0].show)
        elif name in LAYERS:
            named = ((key, found.fields) for key, found in fields.items() if "." in key)
            layers.append((name, {key: tuple(map(_value, found)) for key, found in named}))
    names = tuple(layer.layer_name for layer in packet.layers)
    time = float(packet.sniff_timestamp)
    return Packet(int(packet.number), time, names, tuple(ends), stream, layers)


def _value(field):
    return field.show or ""


@pytest.fixture(scope="session")
def recordings(captures):
    """Every readable capture of both folders."""
    folders = (captures, captures.parent / "captures-quiet")
    return sorted(path for folder in folders for path in folder.glob("*/*") if is_recording(path))


@pytest.fixture(scope="session")
def read(tmp_path_factory):
    """``read(path, make)``: what ``make(path)`` is, made once for all tests and test processes."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "oracle"
    folder.mkdir(exist_ok=True)

    def kept(path, make):
        place = folder / f"{make.__name__} {path.parts[-3]} {path.parts[-2]} {path.name}"
        if not place.exists():
            mine = place.with_name(f"{place.name} {os.getpid()}")
            mine.write_bytes(pickle.dumps(make(path)))
            mine.replace(place)
        return pickle.loads(place.read_bytes())

    return kept


@pytest.fixture(params=["sample", pytest.param("all", marks=pytest.mark.long)])
def compare(recordings, read, request):
    """``compare(table, ours, theirs)``: of rows and of packets, a counter of what they hold."""
    whole = request.param == "all"

    def compared(table, ours, theirs):
        listed = tomllib.loads((HERE / "differences.toml").read_text("utf-8"))
        figures, wrong = Counter(), []
        for path in recordings:
            if not (whole or _is_sample(path)):
                continue
            mine = ours(read(path, _metered))
            if not (whole or mine):
                continue
            other = theirs([Packet(*packet) for packet in read(path, _dissected)])
            found = figures_of(mine, other)
            figures.update(found, captures=bool(mine or other))
            name = f"{path.parent.name}/{path.name}"
            known = listed["captures"].get(table, {}).get(name, {"missed": 0, "more": 0})
            if any(found[figure] != known[figure] for figure in ("missed", "more")):
                examples = [*(other - mine).most_common(3), *(mine - other).most_common(3)]
                told = f"missed = {found['missed']}, more = {found['more']}"
                wrong.append(f'"{name}" = {{ {told} }}  # {examples}')
        if whole and dict(figures) != listed["figures"].get(table):
            wrong.append(f"[figures.{table}]  # {dict(figures)}")
        if wrong:
            pytest.fail("\n".join([f"[captures.{table}]", *wrong]), pytrace=False)
        return figures["compared"]

    return compared


def figures_of(mine, other):
    """How many facts Wireshark has, and on how many both agree."""
    return Counter(
        compared=other.total(),
        equal=(mine & other).total(),
        missed=(other - mine).total(),
        more=(mine - other).total(),
    )


def _is_sample(path):
    return zlib.crc32(path.name.encode()) % EVERY == 0 and path.stat().st_size < MAX_BYTES
