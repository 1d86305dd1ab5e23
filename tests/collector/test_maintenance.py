"""What is done now and then goes on when something of it fails."""

import asyncio
import sqlite3
from types import SimpleNamespace

import pytest

from dijkwacht_collector.maintenance import Maintenance
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_records.errors import CollectorBusy, JournalError

TELEMETRY = SimpleNamespace(copied=lambda now: {})


class Marks:
    after = {95: 7}  # noqa: RUF012  # nobody writes it

    def dump(self):
        return b"marks"


class Intake:
    def __init__(self):
        self.heard = {("bakery", "till"): 1}
        self.high_water = Marks()
        self.refreshed = 0

    def settle(self):
        return self.high_water

    def refresh(self):
        self.refreshed += 1
        return False


class Sites:
    def __init__(self, error):
        self.errors, self.noted = [error], {}

    def note_agents(self, heard):
        if self.errors:
            raise self.errors.pop()
        self.noted |= heard

    def note_copies(self, copied):
        assert copied == {}


@pytest.mark.parametrize(
    "error", [JournalError("corrupt"), OSError("full"), sqlite3.OperationalError("locked")]
)
async def test_a_round_that_fails_is_tried_again_and_loses_nothing(tmp_path, monkeypatch, error):
    monkeypatch.setattr("dijkwacht_collector.maintenance._ROUND_S", 0.001)
    intake, sites = Intake(), Sites(error)
    maintenance = Maintenance(
        CollectorSettings(state=tmp_path), None, intake, sites, None, TELEMETRY, lambda: 0
    )
    rounds = asyncio.create_task(maintenance.go_round())
    async with asyncio.timeout(10):
        while not sites.noted:
            assert not rounds.done(), rounds.exception()
            await asyncio.sleep(0)
    assert sites.noted == {("bakery", "till"): 1}
    assert intake.refreshed >= 2
    rounds.cancel()
    await asyncio.wait([rounds])


@pytest.mark.parametrize(("cut", "level"), [(0, "INFO"), (42, "WARNING")])
def test_a_tail_that_was_cut_off_is_a_warning(tmp_path, caplog, cut, level):
    journal = SimpleNamespace(last=0, cut_bytes=cut, head=lambda _: 0, wait=lambda *_: False)
    sites = SimpleNamespace(agents=list)
    settings = CollectorSettings(state=tmp_path)
    maintenance = Maintenance(settings, journal, Intake(), sites, None, TELEMETRY, lambda: 0)
    with caplog.at_level("INFO", "dijkwacht_collector.maintenance"):
        maintenance.open()
    [said] = [record for record in caplog.records if record.message == "journal"]
    assert (said.levelname, said.cut_bytes) == (level, cut)


def test_on_a_full_disk_room_is_made_whatever_else_fails(tmp_path, caplog):
    """A choice that waits for the journal, marks that cannot be saved: the trimming is done all the same."""
    trimmed, swept, asked = {}, [], []

    def busy():
        asked.append("busy")
        raise CollectorBusy("the collector's disk is full")

    journal = SimpleNamespace(
        last=9, cut_bytes=0, head=lambda _: 0, wait=lambda *_: False,
        trim=trimmed.__setitem__, sweep=lambda before: swept.append(before) or 1,
    )  # fmt: skip
    sites = Sites(sqlite3.OperationalError("database or disk is full"))
    sites.agents = list
    workers = SimpleNamespace(durable={95: 9})
    (tmp_path / "journal").mkdir()
    maintenance = Maintenance(
        CollectorSettings(state=tmp_path), journal, Intake(), sites, workers, TELEMETRY,
        lambda: 10**15,
    )  # fmt: skip
    maintenance.chores = (busy, lambda: asked.append("the next"))
    maintenance.open()
    assert asked == ["busy", "the next"], "a start does not depend on it"
    assert maintenance._round({}, {95: 7}, b"marks") is False
    assert trimmed == {95: 8}, "what is saved is trimmed"
    (tmp_path / "journal" / "marks").unlink()
    (tmp_path / "journal").rmdir()
    assert maintenance._round({("bakery", "till"): 1}, {95: 9}, b"marks") is False
    assert trimmed == {95: 8}, "not what could not be saved"
    assert len(swept) == 2
    assert {r.why for r in caplog.records if r.message == "maintenance failed"} > {
        "the collector's disk is full", "database or disk is full",
    }  # fmt: skip
