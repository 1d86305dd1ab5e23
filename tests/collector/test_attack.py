"""Honest agents get through while the doors are attacked; how fast is a benchmark's question."""

import pytest

from dijkwacht_collector.unpacking import decode
from dijkwacht_lab.bench import attack
from dijkwacht_lab.bench.hostile_batches import KINDS, contradiction
from dijkwacht_records.errors import MalformedBatch
from dijkwacht_records.planes import MAX_ROWS

MOST_BYTES = 600 * 1024 * 1024


@pytest.mark.long
@pytest.mark.timeout(300)
def test_honest_agents_get_through_beside_floods_slow_bodies_and_half_heads():
    found = attack.measure(seconds=10.0, hostile=200, heads=1100)
    for when in ("before", "during"):
        for who, figures in found[when].items():
            assert set(figures["statuses"]) == {"200"}, (when, who)
    assert {"200", "400"} <= found["hostile_statuses"].keys(), "the attack was one"
    assert "500" not in found["hostile_statuses"]
    assert found["tracebacks"] == 0
    assert found["ended"] is None
    assert found["rss_peak_bytes"] < MOST_BYTES


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not contradiction])
def test_the_hostile_batches_are_batches_and_small(kind):
    wire = kind("hostile", 7)
    batch = decode(wire)
    assert (batch.site, batch.seq) == ("hostile", 7)
    assert batch.rows > MAX_ROWS - 10
    assert len(wire) < 2000
    assert kind("hostile", 7) != kind("hostile", 8)


def test_one_of_them_contradicts_itself():
    with pytest.raises(MalformedBatch):
        decode(contradiction("hostile", 7))


def test_the_attack_is_bounded_and_names_no_target():
    with pytest.raises(ValueError, match="at most"):
        attack.measure(hostile=attack.MOST_CONNECTIONS, heads=1)
    with pytest.raises(ValueError, match="at most"):
        attack.measure(seconds=attack.LONGEST_S + 1)
    assert set(attack.measure.__annotations__) == {"seconds", "hostile", "heads", "return"}
