"""What sinks do beside one another, and what they do once for many steps."""

import os
import sqlite3
import threading

import msgspec
import pytest

from dijkwacht_collector.incidents import Incident, IncidentEvent
from dijkwacht_collector.journal import FencedOff
from dijkwacht_collector.sinks import JsonLines, Sinks


def a_step(uid, revision, activity):
    incident = Incident(
        uid, "bakery", "scan", "scan", "T1046", "10.0.0.7", 0, 3, 90, 0.1, 1_000_000, 2_000_000,
        1, "title", "titel", "desc", "besch", (), revision=revision,
    )  # fmt: skip
    return IncidentEvent(activity, incident, revision + 1)


LIFE = [
    a_step("a", 0, "create"), a_step("b", 0, "create"), a_step("a", 1, "update"),
    a_step("a", 2, "close"),
]  # fmt: skip


def written(path):
    steps = map(msgspec.json.decode, path.read_bytes().splitlines())
    return [(step["finding_info"]["uid"], step["unmapped"]["revision"]) for step in steps]


class SlowDisk(JsonLines):
    """Its flush ends when it may."""

    def __init__(self, path):
        super().__init__(path)
        self.flushing, self.may_end = threading.Event(), threading.Event()

    def flush(self):
        self.flushing.set()
        assert self.may_end.wait(30)
        super().flush()


def test_events_are_taken_while_a_disk_is_waited_for(lines, store):
    slow = SlowDisk(lines)
    sinks = Sinks([store, slow], store.fence)
    slow.open()
    flusher = threading.Thread(target=sinks.flush)
    flusher.start()
    assert slow.flushing.wait(30)
    sinks.handle(LIFE, 1)  # it would wait for ever
    assert written(lines) == [("a", 0), ("b", 0), ("a", 1), ("a", 2)]
    slow.may_end.set()
    flusher.join()
    sinks.close()


def test_a_file_is_flushed_beside_its_change_for_another(lines, monkeypatch):
    sink = JsonLines(lines, most_bytes=1)
    sink.open()
    sink.handle(LIFE[:1])
    synced, sync = [], os.fdatasync

    def change_meanwhile(fd):
        monkeypatch.setattr(os, "fdatasync", sync)
        sink.handle(LIFE[1:])  # which begins another file, and closes the first
        synced.append(os.fstat(fd).st_ino)
        sync(fd)

    first = lines.stat().st_ino
    monkeypatch.setattr(os, "fdatasync", change_meanwhile)
    sink.flush()
    assert synced == [first] != [lines.stat().st_ino]
    sink.close()


def test_of_several_steps_at_once_the_store_keeps_the_last_in_any_order(store):
    store.handle(LIFE[::-1])
    assert [(one.uid, one.revision) for one in store.incidents()] == [("a", 2), ("b", 0)]
    assert {event.uid: event.activity for event in store.events()} == {"a": "close", "b": "create"}


def test_an_owner_who_is_known_is_not_written_again(store, tmp_path):
    store.fence([7], 3)
    with sqlite3.connect(tmp_path / "incidents.db", timeout=0) as other:
        other.execute("BEGIN IMMEDIATE")  # nobody else can write now
        store.fence([7], 3)
        with pytest.raises(FencedOff):
            store.fence([7], 2)
        other.rollback()
    other.close()
    store.fence([7], 4)
    assert store.epoch == 4
