"""Wireshark's dissectors, through pyshark, as the second opinion on what the meter read.

Each test says for one packet or row what both must have seen, and `compare` counts those over a
capture. Where they differ, ``differences.toml`` says by how much and why; a difference that is not
listed fails, and so does one that is listed and gone. The sample in every run is one capture in
`EVERY` of those that hold the protocol; ``--long`` takes all.
"""

import tomllib
import zlib
from pathlib import Path

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
MAX_BYTES = 4_000_000
"""Larger captures are for ``--long``."""


def _metered(path):
    """Rows of ``path`` by table: what the meter made, as dictionaries."""
    meter = Meter(LocalNetworks(), names_per_second=1 << 40)
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


def _dissected(path, wanted, *options):
    """What Wireshark finds in the packets of ``path`` that pass the display filter ``wanted``."""
    capture = pyshark.FileCapture(
        str(path),
        display_filter=wanted,
        keep_packets=False,
        custom_parameters=[part for option in options for part in ("-o", option)],
    )
    try:
        yield from capture
        capture.close()
    except TSharkCrashException:
        # A capture that is cut short: what was before the cut has been read.
        capture._running_processes.clear()  # or it is closed, and raises, once more


@pytest.fixture(scope="session")
def recordings(captures):
    """Every readable capture of both folders."""
    folders = (captures, captures.parent / "captures-quiet")
    return sorted(path for folder in folders for path in folder.glob("*/*") if is_recording(path))


@pytest.fixture
def compare(recordings, request):
    """``compare(table, ours, theirs)``: both take a path and give a counter of what they saw."""

    def compared(table, ours, theirs):
        listed = tomllib.loads((HERE / "differences.toml").read_text("utf-8")).get(table, {})
        seen, wrong = 0, []
        for path in recordings:
            whole = request.config.getoption("--long")
            if not (whole or is_sample(path)):
                continue
            mine = ours(path)
            if not (whole or mine):
                continue
            other = theirs(path)
            seen += sum(other.values())
            missed, more = (sum(c.values()) for c in (other - mine, mine - other))
            name = f"{path.parent.name}/{path.name}"
            known = listed.get(name, {"missed": 0, "more": 0})
            if (missed, more) != (known["missed"], known["more"]):
                examples = [*(other - mine).most_common(3), *(mine - other).most_common(3)]
                wrong.append(f'"{name}" = {{ missed = {missed}, more = {more} }}  # {examples}')
        if wrong:
            pytest.fail("\n".join([f"[{table}]", *wrong]), pytrace=False)
        return seen

    return compared


def is_sample(path):
    return zlib.crc32(path.name.encode()) % EVERY == 0 and path.stat().st_size < MAX_BYTES


@pytest.fixture(scope="session")
def metered():
    """``metered(path)``: rows by table, as dictionaries."""
    return _metered


@pytest.fixture(scope="session")
def dissected():
    """``dissected(path, display_filter, *preferences)``: pyshark's packets."""
    return _dissected
