"""Stories, fusion, doors and answers: the same entries tell the same steps, however they are cut, mixed or interrupted."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import load, save
from dijkwacht_collector.incidents import Event, IncidentEvent, Story, StoryEvent
from dijkwacht_collector.incidents.story import Call
from dijkwacht_collector.journal import (
    Budget,
    Draft,
    Entry,
    Exemption,
    Release,
    Verdict,
    partition_of,
)
from dijkwacht_collector.policy import Calibration, Calibrations
from dijkwacht_detectors.api import Entity, Explanation, Reads, RowDetector, Rows, Scores, State
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import ConnState, FlowState, Row
from dijkwacht_records.wire import encode

HOUR = 3_600_000_000
BEGIN = 20_000 * 24 * HOUR
GRID = [float(s) for s in range(30)]
RATES = [2.0**-s for s in range(30)]
SITES = ("bakery", "clinic")
OUTSIDE = "203.0.113.9"


class Said(RowDetector):
    """A row says how strange it is; its port, to whom."""

    reads: ClassVar[Reads] = {"flows": ("resp_p", "orig_bytes", "orig_h", "resp_h")}
    entity: ClassVar[Entity] = "orig"
    technique = "T1046"
    port = 0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score what is said to its port."""
        scores[:] = np.where(rows["resp_p"] == self.port, rows["orig_bytes"].astype(float), np.nan)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Name both ends."""
        return Explanation("{src} at {dst}", "{src} bij {dst}", self.name, self.name)


class Scans(Said):
    name, kind, port = "said_scan", "scan", 1


class Calls(Said):
    name, kind, port = "said_c2", "c2", 2


class Names(Said):
    name, kind, port = "said_dns", "dns", 3


class Enters(Said):
    name, kind, port, entered = "said_entry", "bruteforce", 4, True


class Silent(Said):
    """One that another release has, and that nothing is ever said to."""

    name, kind, port = "said_nothing", "other", 99


ALL = (Scans, Calls, Names, Enters)
TOLD = Calibrations(
    {each.name: Calibration(each.name, 1, "a test", GRID, RATES) for each in (*ALL, Silent)}
)


class Tables(Calibrations):
    """Those of the test, fusion included."""

    @property
    def fusion(self) -> tuple[Calibration, float]:
        """One bit a bit."""
        return Calibration("fusion", 1, "a test", GRID, RATES), 0.05


def engine_of(*more: Said, history: Any = None) -> Engine:
    return Engine([*(each() for each in ALL), *more], Tables(TOLD.own), history=history)


def release(position: int, engine: Engine) -> Entry:
    draft = Release(engine.controls.release).draft("", 0)
    return Entry(position, draft.kind, partition_of(SITES[0]), 0, "", draft.payload)


def flow(time: int, number: int, src: str, dst: str, port: int, size: int) -> tuple[int, Row]:
    inside = [int(address.startswith(("10.", "fe80"))) for address in (src, dst)]
    return 0, (
        time, time, number, 0, FlowState.END, pack_address(src), pack_address(dst), 40_000, port, 6,
        0, ConnState.SF, 2, 4, 1, 1, size, 1, *inside,
    )  # fmt: skip


ENDS = [
    ("10.0.0.1", "10.0.0.9"), ("10.0.0.2", OUTSIDE), ("10.0.0.3", OUTSIDE), ("10.0.0.4", "10.0.0.1"),
    ("10.0.0.5", "10.0.0.1"), (OUTSIDE, "10.0.0.1"), (OUTSIDE, "10.0.0.2"), ("198.51.100.1", "10.0.0.1"),
    ("fe80::1", "10.0.0.1"),
]  # fmt: skip

happenings = st.lists(
    st.one_of(
        st.tuples(
            st.just("row"), st.sampled_from(SITES), st.integers(0, 40), st.sampled_from(ENDS),
            st.sampled_from([1, 2, 3, 4]), st.sampled_from([0, 1, 2, 3, 6, 9, 14, 29]),
            st.sampled_from(["desk", "till"]),
        ),
        st.tuples(st.just("verdict"), st.sampled_from(SITES), st.integers(0, 30), st.sampled_from(["normal", "attack", "undone"])),
        st.tuples(st.just("budget"), st.sampled_from(SITES), st.sampled_from([0.0, 1.0, 1000.0])),
        st.tuples(st.just("exemption"), st.sampled_from(SITES), st.sampled_from(["c2", "scan"]), st.sampled_from([0, 1 << 60])),
    ),
    min_size=15,
    max_size=60,
)  # fmt: skip


def journal_of(what: Sequence[tuple[Any, ...]]) -> list[Entry]:
    """One row a batch; who answers does so of what a plain engine had told until then."""
    plain, clocks, made = engine_of(), dict.fromkeys(SITES, BEGIN), []
    told: dict[str, dict[str, Event]] = {site: {} for site in SITES}
    for number, (kind, site, *rest) in enumerate(what):
        now = clocks[site]
        if kind == "row":
            quarters, (src, dst), port, size, agent = rest
            clocks[site] = now = now + quarters * HOUR // 4
            time = now - 5 * HOUR if agent == "till" else now
            body = encode(
                site, agent, bytes(16), number, now, [flow(time, number + 1, src, dst, port, size)]
            )
            draft = Draft("batch", site, now, body)
        elif kind == "verdict":
            if not told[site]:
                continue
            uids = list(told[site])
            event = told[site][uids[rest[0] % len(uids)]]
            about = b"" if rest[0] % 3 else msgspec.msgpack.encode(event.told)
            if isinstance(event, StoryEvent):
                about = b""
            draft = Verdict(event.uid, rest[1], "Jan", about).draft(site, now)
        elif kind == "budget":
            draft = Budget(rest[0]).draft(site, now)
        else:
            draft = Exemption(rest[0], "10.0.0.2", rest[1]).draft(site, now)
        entry = Entry(
            len(made) + 1, draft.kind, partition_of(site), draft.arrival, site, draft.payload
        )
        made.append(entry)
        for event in plain.step([entry]):
            told[site].pop(event.uid, None)
            told[site][event.uid] = event
    return made


def without_answers(what: list[Any]) -> list[Any]:
    return [one for one in what if one[0] != "verdict"]


def by_uid(story: Story) -> str:
    return story.uid


def calls_of(events: Sequence[Event]) -> set[tuple[str, Call]]:
    stories = [event.story for event in events if isinstance(event, StoryEvent)]
    return {(story.machine, call) for story in stories for call in story.calls}


def steps(events: Sequence[Event]) -> list[bytes]:
    in_order = sorted(events, key=lambda e: (e.site, e.uid, e.revision))
    named = [(e.uid, e.revision) for e in events]
    assert len(named) == len(set(named)), "no revision is told twice"
    return [msgspec.json.encode((e.activity, e.told)) for e in in_order]


def test_such_journals_hold_stories_worth_comparing() -> None:
    dice = random.Random(10)
    what = [
        ("row", site, dice.choice([0, 1, 4]), dice.choice(ENDS), dice.choice([1, 2, 3, 4]), dice.choice([2, 6, 14]), "desk")
        for site in SITES
        for _ in range(60)
    ]  # fmt: skip
    engine = engine_of()
    told = [event for entry in journal_of(what) for event in engine.step([entry])]
    stories = {event.uid: event.story for event in told if isinstance(event, StoryEvent)}.values()
    assert {"fusion", "said_entry"} <= {call.detector for one in stories for call in one.calls}
    assert {0, 1, 2} <= {len(one.calls) for one in stories}
    assert any(not one.machine for one in stories)
    assert any(isinstance(event, IncidentEvent) and event.incident.together for event in told)


@settings(max_examples=60, deadline=None)
@given(what=happenings, step=st.integers(1, 20), stops=st.lists(st.integers(0, 60), max_size=4))
def test_any_step_any_mix_of_sites_any_restart(
    what: list[Any], step: int, stops: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    entries, engine, told = journal_of(what), engine_of(), list[Event]()
    path = tmp_path_factory.mktemp("engine") / "checkpoint"
    for at in range(0, len(entries), step):
        told += engine.step(entries[at : at + step])
        if at // step in stops:
            save(engine, path)
            engine = engine_of()
            load(engine, path)
    alone, open_ = list[Event](), list[Story]()
    for site in SITES:
        of_site = engine_of()
        alone += [event for e in entries if e.site == site for event in of_site.step([e])]
        open_ += of_site.open_stories()
    assert steps(told) == steps(alone)
    assert sorted(engine.open_stories(), key=by_uid) == sorted(open_, key=by_uid)


@settings(max_examples=40, deadline=None)
@given(what=happenings.map(without_answers), kept=st.integers(0, 60), until=st.integers(1, 60))
def test_another_release_goes_on_where_one_has_stopped(
    what: list[Any], kept: int, until: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing old is said again, and nobody is called who would not have been."""
    site = SITES[0]
    entries = [
        e._replace(position=at) for at, e in enumerate(journal_of(what), 2) if e.site == site
    ]
    until = min(until, len(entries))
    kept = min(kept, until)
    path = tmp_path_factory.mktemp("engine") / "checkpoint"
    before, alone, told = engine_of(), engine_of(), list[Event]()
    for engine in (before, alone):
        engine.step([release(1, before)])
    wanted = [event for entry in entries for event in alone.step([entry])]
    told += [event for entry in entries[:kept] for event in before.step([entry])]
    save(before, path)
    told += [event for entry in entries[kept:until] for event in before.step([entry])]
    stored = list({event.uid: event for event in told}.values())
    after = engine_of(Silent(), history=lambda _: {site: stored})
    load(after, path)
    assert after.step(entries[kept:until]) == [], "another decides"
    position = entries[until].position if until < len(entries) else 1 << 20
    told += after.step([release(position, after)])
    for entry in entries[until:]:
        told += after.step([entry._replace(position=entry.position + 1)])
    steps(told)
    assert calls_of(told) == calls_of(wanted)


def test_a_story_begins_with_the_first_of_what_was_added_up() -> None:
    engine, told = engine_of(), list[Event]()
    for number, (hours, port) in enumerate(((0, 2), (23, 3))):
        time = BEGIN + hours * HOUR
        row = flow(time, number + 1, "10.0.0.2", OUTSIDE, port, 4)
        body = encode(SITES[0], "desk", bytes(16), number, time, [row])
        entry = Entry(number + 1, "batch", partition_of(SITES[0]), time, SITES[0], body)
        told += engine.step([entry])
    incident, story = (event.told for event in told)
    assert (story.start, story.end) == (incident.start, incident.end) == (BEGIN, BEGIN + 23 * HOUR)
    assert [call.detector for call in story.calls] == ["fusion"]
