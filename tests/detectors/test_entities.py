"""The entity table against a plain dictionary, and its fairness between sites."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.state.entities import Entities, _home, mix, mix_column


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


def test_mix_spreads_and_is_stable():
    values = {int(mix(a, b)) for a in range(200) for b in range(200)}
    assert len(values) == 40_000
    assert int(mix(1, 2)) == int(mix(1, 2))


def test_equal_mixes_of_two_sites_are_two_entities():
    """Whoever knows how keys are mixed can make up an address whose mix is another site's."""
    table = Entities(per_site=4, forget_after_us=10**9)
    sites = np.array([0, 1, 0, 1], np.int32)
    slots, fresh = table.resolve(sites, np.full(4, 99, np.uint64), np.arange(4))
    assert fresh.tolist() == [True, True, False, False]
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
    homes = np.array([_home(key, table.salt, mask) for key in table.keys[: entities.used]])
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
