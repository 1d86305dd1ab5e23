"""Every log and table of both folders, whole, cut and damaged; and captures, packed."""

import gzip
import random

import pytest

from dijkwacht.recording import Recorded
from dijkwacht_collector.readers.formats import PACKETS, Format, detect_format

pytestmark = pytest.mark.captures
LONGEST = 60_000
"""Bytes of a file that is damaged."""


def rows(path):
    recorded = Recorded([path])
    found = list(recorded.rows())
    assert bool(found) <= bool(recorded.readable)
    return found, [str(problem) for problem in (*recorded.problems, *recorded.damage)]


@pytest.fixture(scope="module", params=["captures", "captures-quiet"])
def logs(request, captures):
    """All files of a folder that are no packets, and no notes about the folder."""
    paths = sorted((captures.parent / request.param).glob("*/*"))
    found = [path for path in paths if detect_format(path) not in PACKETS]
    assert len(found) >= 5
    return found


def test_what_is_read_and_what_is_not(logs):
    for path in logs:
        found, problems = rows(path)
        unread = detect_format(path) in {Format.CSV, Format.UNKNOWN}
        assert bool(found) is not unread, path
        assert len(problems) == unread, (path, problems)


def test_damaged_logs_are_read_as_far_as_they_go(logs, tmp_path):
    rng = random.Random(5)
    for source in logs:
        head = source.read_bytes()[:LONGEST]
        for number in range(6):
            damaged = bytearray(head[: rng.randrange(1, len(head))])
            for _ in range(number):
                place = rng.randrange(len(damaged))
                damaged[place : place + rng.randrange(3)] = rng.randbytes(rng.randrange(4))
            path = tmp_path / "damaged"
            packed = gzip.compress(damaged)
            path.write_bytes(damaged if number % 2 else packed[: len(packed) * 3 // 4])
            rows(path)


def test_packed_captures_say_the_same(captures, tmp_path):
    sources = sorted((captures / "robust").iterdir())[::7]
    assert len(sources) > 60
    for source in sources:
        path = tmp_path / "packed.pcap.gz"
        path.write_bytes(gzip.compress(source.read_bytes()))
        assert rows(path)[0] == rows(source)[0], source
