"""Models and tables hold for the sites of a partition, from the entry that names them on."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import load, save
from dijkwacht_collector.journal import (
    BundlesInHand,
    Entry,
    Model,
    Table,
    bundle_name,
    partition_of,
)
from dijkwacht_detectors.api import Explanation, RowDetector, SiteDetector, Who
from dijkwacht_records.wire import decode, encode

MINUTE = 60_000_000
SITES = ("bakery", "clinic", "garage")
GIVEN = [b"1", b"2", b"3", b"refused"]


class Taught(RowDetector):
    """Scores each row by what it was given, and how many rows of the site it has seen."""

    name = "taught"
    table = "system"
    reads = ("metric", "value")
    entity = "site"
    kind = "other"
    technique = ""
    who = Who("", "", "")
    subject = "agent"
    state = {"count": ("i8", ())}  # noqa: RUF012  # as the contract has it

    def __init__(self):
        self.model, self.list = 0, 0

    def activate(self, bundle):
        self.model = int(bundle)

    def take_table(self, name, data):
        if name == "list":
            self.list = int(data)

    def fold(self, rows, state, scores, facts):
        for i in range(len(rows)):
            slot = rows.slot[i]
            state["count"][slot] = 1 if rows.fresh[i] else state["count"][slot] + 1
            scores[i] = state["count"][slot] * 100 + self.list * 10 + self.model
            assert rows["metric"][i] == f"m{int(rows['value'][i])}"

    def explain(self, facts):
        return Explanation("t", "t", "t", "t")


class TaughtSite(SiteDetector):
    """The same, an object a site."""

    name = "taught_site"
    table = "system"
    reads = ("value",)
    who = Who("", "", "")
    subject = "agent"

    def __init__(self):
        self.model, self.list, self.count = 0, 0, 0

    activate, take_table = Taught.activate, Taught.take_table

    def score_many(self, window):
        self.count += len(window)
        return np.full(len(window), self.count * 100.0 + self.list * 10 + self.model)


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.CRITICAL)


def samples(position, site, minute, rows):
    time = 1_000_000 * MINUTE + minute * MINUTE
    made = [(5, (time + i, f"m{i}", float(i))) for i in range(rows)]
    payload = encode(site, "till", bytes(16), position, time, made)
    return Entry(position, "batch", partition_of(site), time, site, payload)


def given_entry(position, partition, data, detector):
    payload = Model(detector, bundle_name(data)) if detector else Table("list", bundle_name(data))
    return Entry(position, payload.kind_of_entry, partition, 0, "", payload.draft("", 0).payload)


def bundles():
    kept = BundlesInHand()
    for data in GIVEN:
        kept.keep(data)
    return kept


@st.composite
def journals(draw):
    made, minutes = [], dict.fromkeys(SITES, 0)
    for position in range(1, draw(st.integers(4, 40))):
        site = draw(st.sampled_from(SITES))
        if draw(st.booleans()):
            data, what = (
                draw(st.sampled_from(GIVEN)),
                draw(st.sampled_from(["taught", "taught_site", ""])),
            )
            made.append(given_entry(position, partition_of(site), data, what))
            continue
        minutes[site] += draw(st.integers(0, 1))
        made.append(samples(position, site, minutes[site], draw(st.integers(1, 4))))
    return made


def opinions(entries, owners, cuts=(), stops=(), folder=None):
    """By site, with ``owners`` engines that have the partitions among them."""
    told = {}

    def see(scored, numbering):
        for one in scored:
            for site, time, score in zip(one.site, one.time, one.scores, strict=True):
                key = numbering.sites[site], one.detector
                told.setdefault(key, []).append((int(time), float(score)))

    kept = bundles()
    for owner in range(owners):
        engine = Engine([Taught(), TaughtSite()], watch=see, bundles=kept)
        mine = [entry for entry in entries if entry.partition % owners == owner]
        begin = 0
        for number, end in enumerate([*sorted(cuts), len(mine)]):
            engine.step(mine[begin:end])
            begin = max(begin, end)
            if number in stops:
                save(engine, folder / f"{owner}-{number}")
                engine = Engine([Taught(), TaughtSite()], watch=see, bundles=kept)
                load(engine, folder / f"{owner}-{number}")
    return told


@settings(max_examples=40)
@given(
    journals(), st.sampled_from([1, 2, 4]), st.sets(st.integers(1, 39)), st.sets(st.integers(0, 5))
)
def test_each_row_is_scored_by_what_its_partition_was_given(
    tmp_path_factory, entries, owners, cuts, stops
):
    truth, given_to = {}, {}
    for entry in entries:
        known = given_to.setdefault(entry.partition, {"taught": 0, "list": 0})
        if entry.kind == "batch":
            of_site = truth.setdefault((entry.site, 0), [])
            for _ in range(decode(entry.payload).rows):
                of_site.append((len(of_site) + 1) * 100 + known["list"] * 10 + known["taught"])
        elif (data := next(d for d in GIVEN if bundle_name(d).encode() in entry.payload)).isdigit():
            known["list" if entry.kind == "table" else Model.read(entry).detector] = int(data)
    told = opinions(entries, owners, cuts, stops, tmp_path_factory.mktemp("saved"))
    rows = {key: [score for _, score in of] for key, of in told.items() if key[1] == 0}
    assert rows == truth
    whole = opinions(entries, 1)
    assert {k: sorted(of) for k, of in told.items()} == {k: sorted(of) for k, of in whole.items()}


def test_a_refusal_is_counted_once_and_what_was_before_stays():
    engine = Engine([Taught()], bundles=bundles())
    for number, data in enumerate((b"2", b"refused")):
        engine.step([given_entry(128 * number + p, p, data, "taught") for p in range(128)])
    assert engine.take_observed().failures == {"taught": 1}
    assert [one.model for one in engine.host.hosted[0].instances.each.values()] == [2]
    assert engine.controls.take_strikes() == []


def test_a_bundle_that_is_lost_costs_itself_and_is_said(caplog, tmp_path):
    caplog.set_level(logging.ERROR, "dijkwacht_collector")
    engine = Engine([Taught()], bundles=bundles())
    engine.step(
        [samples(1, "bakery", 0, 2), given_entry(2, partition_of("bakery"), b"2", "taught")]
    )
    save(engine, tmp_path)
    again = Engine([Taught()])
    load(again, tmp_path)
    assert [record.message for record in caplog.records] == ["bundle lost"]
    assert again.host.hosted[0].instances.any.model == 0
    again.step([given_entry(3, partition_of("bakery"), b"3", "taught")])
    assert caplog.records[-1].message == "journal entry ignored"


@pytest.mark.parametrize("partition", [partition_of("bakery"), 7])
def test_what_was_given_is_in_the_checkpoint_of_its_partition(tmp_path, partition):
    engine = Engine([Taught()], bundles=bundles())
    engine.step([samples(1, "bakery", 0, 2), given_entry(2, partition, b"3", "")])
    save(engine, tmp_path)
    again = Engine([Taught()], bundles=bundles())
    load(again, tmp_path)
    instances = again.host.hosted[0].instances
    lists = [instances.each[place].list for place in instances.places.tolist()]
    assert [number for number, value in enumerate(lists) if value == 3] == [partition]
