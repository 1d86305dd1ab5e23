"""The entity table against a plain dictionary, and its fairness between sites."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.state.buckets import home
from dijkwacht_detectors.state.entities import MOST_READERS, Entities, mix
from dijkwacht_detectors.state.keys import mix_column
from dijkwacht_detectors.state.sites import Sites


def resolve(table: Entities, sites: list[int], keys: list[int], times: list[int]):
    key = np.zeros(len(keys), np.uint64)
    mix_column(key, np.array(sites, np.int64))
    mix_column(key, np.array(keys, np.int64))
    return table.resolve(np.array(sites, np.int32), key, np.array(times, np.int64))


rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(0, 40)), min_size=1, max_size=400
)


@settings(max_examples=150)
@given(rows=rows, size=st.integers(1, 50))
def test_an_unbounded_table_is_a_dictionary(rows, size):
    table = Entities(per_site=10_000, forget_after_us=100)
    model: dict[tuple[int, int], int] = {}
    seen: dict[tuple[int, int], int] = {}
    clock = 0
    for at in range(0, len(rows), size):
        part = rows[at : at + size]
        times = []
        for _, _, gap in part:
            clock += gap
            times.append(clock)
        slots, fresh = resolve(table, [r[0] for r in part], [r[1] for r in part], times)
        for (site, key, _), time, slot, new in zip(part, times, slots, fresh, strict=True):
            entity = site, key
            assert bool(new) == (entity not in model or time - seen[entity] > 100)
            assert model.setdefault(entity, int(slot)) == slot
            seen[entity] = time
    assert len(set(model.values())) == len(model)


@settings(max_examples=100)
@given(rows=rows, cap=st.integers(1, 12))
def test_what_other_sites_do_changes_nothing(rows, cap):
    alone: list[bool] = []
    table = Entities(per_site=cap, forget_after_us=10**9)
    mine = [(key, at) for at, (site, key, _) in enumerate(rows) if site == 0]
    for key, at in mine:
        alone.append(bool(resolve(table, [0], [key], [at])[1][0]))
    table = Entities(per_site=cap, forget_after_us=10**9)
    _, fresh = resolve(table, [r[0] for r in rows], [r[1] for r in rows], list(range(len(rows))))
    assert [bool(f) for f, r in zip(fresh, rows, strict=True) if r[0] == 0] == alone


def test_a_flood_of_entities_keeps_to_its_bound_and_spares_the_busy():
    table = Entities(per_site=64, forget_after_us=10**12)
    resolve(table, [1], [7], [0])
    spared = 0
    for at in range(5_000):
        _, fresh = resolve(table, [0, 0, 1], [-1, 1_000 + at, 7], [at, at, at])
        spared += not fresh[0]
        assert at == 0 or not fresh[2]
    assert table.used <= 64 + 1
    assert spared == 4_999


churn = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 900)), min_size=1_500, max_size=2_500)


@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("at_once", [0, 1 << 17])
@given(
    seed=st.integers(0, 1 << 32), cap=st.sampled_from((150, 300, 10_000)), size=st.integers(1, 700)
)
def test_a_table_that_grows_is_one_that_had_the_room(at_once, seed, cap, size):
    rows = np.random.default_rng(seed).integers(0, (6, 900), (2_500, 2)).tolist()
    small, roomy = Entities(cap, 10**9, at_once), Entities(cap, 10**9)
    roomy._make_room(6, 10_000)
    for at in range(0, len(rows), size):
        part = rows[at : at + size]
        asked = [r[0] for r in part], [r[1] for r in part], list(range(at, at + len(part)))
        for grown, known in zip(resolve(small, *asked), resolve(roomy, *asked), strict=True):
            assert grown.tolist() == known.tolist()
    for site in range(6):
        for grown, known in zip(small.take(site), roomy.take(site), strict=True):
            assert grown.tolist() == known.tolist()


def test_what_a_table_knows_moves_a_little_with_each_row_and_then_is_there_once():
    table = Entities(per_site=1 << 20, forget_after_us=10**9, at_once=0)
    known = 1 << 16
    keys = np.arange(1, known + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    table.put(0, keys, np.zeros(known, np.int64))
    slots, _ = table.resolve(*_rows_of(keys[:1] + np.uint64(1)))
    assert slots[0] == known
    moved = int(table._table.moving[0])
    assert 0 < moved < known // 8
    for at in range(0, known, 64):
        slots, _ = table.resolve(*_rows_of(keys[at : at + 64]))
        assert slots.tolist() == list(range(at, at + 64))
    assert len(table._table.old) == 0
    assert np.count_nonzero(table._table.buckets) == known + 1


def _rows_of(keys):
    return np.zeros(len(keys), np.int32), keys, np.zeros(len(keys), np.int64)


def test_mix_spreads_and_is_stable():
    values = {int(mix(a, b)) for a in range(200) for b in range(200)}
    assert len(values) == 40_000
    assert int(mix(1, 2)) == int(mix(1, 2))


def test_equal_mixes_of_two_sites_are_two_entities():
    """Whoever knows how keys are mixed can make up an address whose mix is another site's."""
    table = Entities(per_site=4, forget_after_us=10**9)
    sites = np.array([0, 1, 0, 1], np.int32)
    slots, fresh = table.resolve(sites, np.full(4, 99, np.uint64), np.arange(4))
    assert fresh.tolist() == [1, 1, 0, 0]
    assert slots[0] == slots[2] != slots[1] == slots[3]
    for at in range(20):  # a site that makes room removes its own
        table.resolve(np.array([1], np.int32), np.array([at], np.uint64), np.array([at + 9]))
    assert not table.resolve(sites[:1], np.full(1, 99, np.uint64), np.array([40]))[1][0]


def test_only_entities_take_room_not_rows():
    table = Entities(per_site=1, forget_after_us=10**9)
    resolve(table, [0] * 65_535, [5] * 65_535, [0] * 65_535)
    assert table.capacity == 256
    resolve(table, list(range(300)), [5] * 300, [0] * 300)
    assert (table.used, table.capacity) == (300, 512)


def probes(entities):
    """How many places are looked at until each slot's key is found."""
    table = entities._table
    mask = np.uint64(len(table.buckets) - 1)
    homes = np.array(
        [home(key, table.salt, mask) for key in table.entities["key"][: entities.used]]
    )
    found = np.full(entities.used, -1, np.int64)
    at = np.flatnonzero(table.buckets)
    found[table.buckets[at] - 1] = at
    return (found - homes.astype(np.int64)) % len(table.buckets) + 1


@pytest.mark.parametrize("shift", [0, 13, 30, 40, 48])
def test_keys_that_were_chosen_to_collide_are_found_as_soon_as_others(shift):
    n = 4000
    keys = np.arange(1, n + 1, dtype=np.uint64) << np.uint64(shift)
    entities = Entities(2 * n, 10**9)
    entities.resolve(np.zeros(n, np.int32), keys, np.zeros(n, np.int64))
    looked = probes(entities)
    assert looked.min() == 1
    assert looked.mean() < 4
    assert looked.max() < 400


def test_where_a_table_keeps_its_entities_changes_nothing():
    chance = np.random.default_rng(5)
    n = 3000
    site = chance.integers(0, 3, n).astype(np.int32)
    key = chance.integers(0, 300, n).astype(np.uint64) << np.uint64(40)
    time = np.sort(chance.integers(0, 10**6, n))
    tables = [Entities(50, 10**5) for _ in range(2)]
    salts = [table._table.salt.tolist() for table in tables]
    assert salts[0] != salts[1]
    resolved = [table.resolve(site, key, time) for table in tables]
    for one, other in zip(*resolved, strict=True):
        assert one.tolist() == other.tolist()
    for number in range(3):
        for one, other in zip(*(table.take(number) for table in tables), strict=True):
            assert one.tolist() == other.tolist()


def test_each_reader_meets_an_entity_in_its_own_rows():
    table = Entities(per_site=4, forget_after_us=100)
    first, other = table.join(), table.join()
    readers = np.array([first, first | other], np.uint64)
    kind = np.array([0, 1, 1, 0, 1], np.int8)
    time = np.array([0, 1, 2, 103, 104])
    key = np.full(5, 7, np.uint64)
    slots, new = table.resolve(np.zeros(5, np.int32), key, time, readers, kind)
    assert len(set(slots.tolist())) == 1
    assert (new & first != 0).tolist() == [True, False, False, True, False]
    assert (new & other != 0).tolist() == [False, True, False, False, True]


def test_one_reader_forgets_and_the_others_know():
    table = Entities(per_site=4, forget_after_us=100)
    first, other = table.join(), table.join()
    both = np.array([first | other])
    row = np.zeros(1, np.int32), np.full(1, 7, np.uint64), np.zeros(1, np.int64)
    slots, _ = table.resolve(*row, both)
    table.forget(slots, first)
    assert table.unmet(slots, first).tolist() == [True]
    assert table.unmet(slots, other).tolist() == [False]
    assert table.resolve(*row, both)[1].tolist() == [first]


def test_what_was_put_is_new_until_it_is_met():
    table = Entities(per_site=4, forget_after_us=100)
    first, other = table.join(), table.join()
    key = np.array([7, 8], np.uint64)
    slots = table.put(0, key, np.zeros(2, np.int64))
    table.meet(slots[:1], first)
    site, time = np.zeros(2, np.int32), np.ones(2, np.int64)
    assert table.resolve(site, key, time, np.array([first | other]))[1].tolist() == [2, 3]


def test_a_table_has_no_more_readers_than_bits():
    table = Entities(per_site=4, forget_after_us=100)
    bits = [int(table.join()) for _ in range(MOST_READERS)]
    assert len(set(bits)) == MOST_READERS
    assert max(bits) < 2**64
    with pytest.raises(ValueError, match="read this table"):
        table.join()


@pytest.mark.parametrize("kind", [lambda: Entities(4, 100), lambda: Sites(100)])
def test_readers_that_join_later_take_nothing_from_those_before(kind):
    table = kind()
    bits = [table.join() for _ in range(8)]
    row = np.zeros(1, np.int32), np.zeros(1, np.uint64), np.zeros(1, np.int64)
    assert table.resolve(*row, np.array([bits[0] | bits[7]]))[1].tolist() == [0b10000001]
    bits += [table.join() for _ in range(MOST_READERS - 8)]
    everybody = np.bitwise_or.reduce(np.array(bits))
    assert table.resolve(*row, np.array([everybody]))[1].tolist() == [
        everybody & ~np.uint64(0b10000001)
    ]
    assert table.resolve(*row, np.array([everybody]))[1].tolist() == [0]


@settings(max_examples=100)
@given(rows=rows, size=st.integers(1, 50))
def test_sites_are_entities_of_which_each_has_one(rows, size):
    tables = Sites(100), Entities(1, 100)
    clock = 0
    for at in range(0, len(rows), size):
        part = rows[at : at + size]
        site = np.array([40 * r[0] for r in part], np.int32)
        time = clock + np.cumsum([r[2] for r in part])
        clock = int(time[-1])
        news = [table.resolve(site, site.astype(np.uint64), time)[1] for table in tables]
        assert news[0].tolist() == news[1].tolist()
    assert tables[0].used == tables[1].used
    for number in range(130):
        seen = [table.take(number)[2].tolist() for table in tables]
        assert seen[0] == seen[1]


def test_a_site_that_moved_goes_on():
    table, other = Sites(100), Sites(100)
    table.resolve(np.array([900], np.int32), np.zeros(0, np.uint64), np.array([50]))
    slots, keys, seen = table.take(900)
    assert other.take(3)[0].tolist() == []
    put = other.put(3, keys, seen)
    assert (slots.tolist(), put.tolist(), other.used) == ([900], [3], 1)
    other.meet(put, np.uint64(1))
    row = np.array([3], np.int32), np.zeros(0, np.uint64)
    assert other.resolve(*row, np.array([150]))[1].tolist() == [0]
    assert other.resolve(*row, np.array([251]))[1].tolist() == [1]
    with pytest.raises(ValueError, match="known already"):
        other.put(3, keys, seen)
