"""Files of JSON lines are bounded, and no step is written twice, whatever fails between two of them."""

import contextlib
import os

import msgspec
import pytest

from dijkwacht_collector.incidents import Incident, IncidentEvent
from dijkwacht_collector.sinks import JsonLines


def an_event(uid, revision):
    incident = Incident(
        uid, "bakery", "scan", "scan", "T1046", "10.0.0.7", 0, 3, 90, 0.1, 1_000_000, 2_000_000,
        1, "title", "titel", "desc", "besch", (), revision=revision,
    )  # fmt: skip
    return IncidentEvent("update", incident, revision + 1)


@pytest.fixture
def lines(tmp_path):
    return tmp_path / "incidents.jsonl"


def written(path):
    return [
        (line["finding_info"]["uid"], line["unmapped"]["revision"])
        for line in map(msgspec.json.decode, path.read_bytes().splitlines())
    ]


def run_through(path, events):
    sink = JsonLines(path)
    sink.open()
    sink.handle(events)
    sink.close()


def every_line(path):
    """Of all files, the oldest first."""
    older = sorted(path.parent.glob("incidents.jsonl.[0-9]*"), key=lambda p: -int(p.suffix[1:]))
    return [step for file in (*older, path) if file.exists() for step in written(file)]


MANY = [an_event(f"{n % 7}-{n // 21}", n // 7 % 3) for n in range(105)]


@pytest.mark.parametrize("older", [1, 3, 50])
def test_files_are_bounded_and_no_line_is_written_twice(lines, older):
    """Each start hands all events of the last steps again, as an engine does from its checkpoint."""
    for end in range(5, len(MANY) + 5, 5):
        sink = JsonLines(lines, most_bytes=4096, older=older)
        sink.open()
        for at in range(max(0, end - 40), end):
            sink.handle(MANY[at : at + 1])
        sink.close()
        assert lines.stat().st_size < 4096 + 2000
    told = every_line(lines)
    assert len(told) == len(set(told))
    wanted = [(e.incident.uid, e.incident.revision) for e in MANY]
    assert told == wanted[len(wanted) - len(told) :]
    kept = [p for p in lines.parent.glob("incidents.jsonl.*") if p.suffix != ".known"]
    assert len(kept) == min(older, len(kept))
    assert (told == wanted) == (older == 50)


@pytest.mark.parametrize("failing", range(12))
@pytest.mark.parametrize("way", ["crash", "disk"])
def test_whatever_fails_while_a_file_is_changed_for_another(lines, monkeypatch, failing, way):
    """At each of the calls that change files: a crash there, or an error and then another try."""
    sink = JsonLines(lines, most_bytes=4096, older=99)
    sink.open()
    for event in MANY[:40]:
        sink.handle([event])
    calls = [0]

    def failing_at(call):
        def wrapped(*args, **more):
            calls[0] += 1
            if calls[0] == failing + 1:
                raise OSError(5, "Input/output error")
            return call(*args, **more)

        return wrapped

    with monkeypatch.context() as patch:
        for name in ("open", "fsync", "fdatasync", "rename", "replace", "pwrite", "ftruncate"):
            patch.setattr(os, name, failing_at(getattr(os, name)))
        for event in MANY[40:60]:
            with contextlib.suppress(OSError):
                sink.handle([event])
    if way == "crash":
        sink = JsonLines(lines, most_bytes=4096, older=99)
        sink.open()
    for event in MANY[30:]:
        sink.handle([event])
    sink.close()
    assert calls[0] > failing
    assert every_line(lines) == [(e.incident.uid, e.incident.revision) for e in MANY]


@pytest.mark.parametrize("failing", range(24))
def test_a_crash_while_no_other_file_can_be_begun(lines, monkeypatch, failing):
    """From one of the calls on files cannot be opened or renamed; lines are written all the same, then it crashes."""
    sink = JsonLines(lines, most_bytes=4096, older=99)
    sink.open()
    for event in MANY[:40]:
        sink.handle([event])
    calls = [0]

    def failing_from(call):
        def wrapped(*args, **more):
            calls[0] += 1
            if calls[0] > failing:
                raise OSError(24, "Too many open files")
            return call(*args, **more)

        return wrapped

    with monkeypatch.context() as patch:
        for name in ("open", "rename", "replace"):
            patch.setattr(os, name, failing_from(getattr(os, name)))
        for event in MANY[40:60]:
            sink.handle([event])
    assert calls[0] > failing
    sink = JsonLines(lines, most_bytes=4096, older=99)
    sink.open()
    for event in MANY[30:]:
        sink.handle([event])
    sink.close()
    assert sorted(every_line(lines)) == sorted((e.incident.uid, e.incident.revision) for e in MANY)


@pytest.mark.parametrize("damage", [b"", b"DWJ\x01 and no more"])
def test_without_its_note_the_file_before_says_what_was_taken(lines, damage):
    run_through(lines, MANY[:3])
    lines.replace(lines.with_name("incidents.jsonl.1"))
    if damage:
        lines.with_name("incidents.jsonl.known").write_bytes(damage)
    run_through(lines, MANY[:3])
    assert written(lines) == []


def test_of_a_file_that_is_far_too_long_only_the_end_is_read(lines, monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.sinks.jsonl._LONGEST", 1000)
    run_through(lines, MANY)
    size = lines.stat().st_size
    read = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, n, at: read.append(at) or pread(fd, n, at))
    sink = JsonLines(lines, most_bytes=4096)
    sink.open()
    assert min(read) == size - 2 * 4096 - 1000
    sink.handle(MANY[-5:])
    assert lines.stat().st_size == 0, "it was full, and so another was begun"
    sink.close()
    assert len(every_line(lines)) == len(MANY)


def test_no_more_steps_are_known_than_are_needed(lines, monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.sinks.jsonl.MOST_KNOWN", 10)
    sink = JsonLines(lines)
    sink.open()
    sink.handle(MANY)
    sink.handle(MANY[-10:])
    assert len(sink._taken) == 10
    sink.close()
    assert len(written(lines)) == len(MANY)
