"""The reference meter over every labelled capture: odd, truncated, hostile and ordinary ones."""

import resource
import time

import pytest

from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.sources.recording import Recording, is_recording
from dijkwacht_records import wire
from dijkwacht_records.errors import UnreadableInput

MAX_CPU_S = 10
MAX_GROWTH_KIB = 128 * 1024


def rows_in(recording: Recording, meter: Meter) -> list:
    rows = []
    for block in recording.blocks():
        meter.feed(block)
        rows += meter.take().rows()
    meter.finish()
    return rows + list(meter.take().rows())


@pytest.mark.captures
def test_every_capture_is_metered_or_refused_in_one_line(captures):
    paths = sorted(path for path in captures.glob("*/*") if is_recording(path))
    assert len(paths) > 550
    unreadable = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in paths:
        started = time.process_time()
        meter = Meter(LocalNetworks())
        try:
            recording = Recording([path])
            rows = rows_in(recording, meter)
        except UnreadableInput as error:
            unreadable.append(str(error))
            continue
        counters = meter.counters
        assert counters["packets_seen"] == counters["packets_metered"] + sum(
            count for name, count in counters.items() if name.startswith("dropped_")
        )
        assert counters["flows_active"] == 0
        assert counters["rows_made"] == len(rows)
        assert len({row[2] for number, row in rows if number == 0}) == sum(
            row[3] == 0 for number, row in rows if number == 0
        )
        for at in range(0, len(rows), 10_000):  # each value lies in its column's range
            assert wire.encode("site", "agent", bytes(16), 0, 0, rows[at : at + 10_000])
        assert time.process_time() - started < MAX_CPU_S, path.name
    assert len(unreadable) <= 2
    assert not any("\n" in line for line in unreadable)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_GROWTH_KIB


@pytest.mark.captures
def test_all_captures_of_a_class_are_one_recording(captures):
    paths = sorted(path for path in (captures / "benign").iterdir() if is_recording(path))
    recording, meter = Recording(paths), Meter(LocalNetworks())
    rows = rows_in(recording, meter)
    assert recording.problem_count == 0
    assert meter.counters["packets_seen"] > 10_000
    assert rows
