"""Nothing that agents send opens to a collector that knows everything but the key."""

import hashlib

import pytest

from dijkwacht_agent.sources.recording import is_recording
from dijkwacht_records.errors import UnreadableInput

EACH = 6
"""Every sixth capture is tried in the usual suite, all of them under `make long`."""


def key_of(path, turn):
    return hashlib.sha256(f"{path.name} {turn}".encode()).digest()


def opened(path, send, curious):
    """What is opened under one key and, since that may be luck, under another as well."""
    try:
        found = curious.open(send([path], key_of(path, 0)))
    except UnreadableInput:
        return set()
    if found:
        found &= curious.open(send([path], key_of(path, 1)))
    return {(path.name, *each) for each in found}


def recordings(captures):
    folders = captures, captures.with_name("captures-quiet")
    return [path for folder in folders for path in sorted(folder.glob("*/*")) if is_recording(path)]


@pytest.mark.captures
def test_a_sample_of_the_captures_stays_shut(captures, send, curious):
    paths = recordings(captures)[::EACH]
    assert len(paths) > 50
    assert set().union(*(opened(path, send, curious) for path in paths)) == set()


@pytest.mark.long
@pytest.mark.captures
@pytest.mark.timeout(7200)
def test_every_capture_stays_shut(captures, send, curious):
    paths = recordings(captures)
    assert len(paths) > 800
    assert set().union(*(opened(path, send, curious) for path in paths)) == set()
