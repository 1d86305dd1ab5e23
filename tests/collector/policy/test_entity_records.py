"""What is kept of entities whose score was ever rare, and of all others."""

from __future__ import annotations

import numpy as np

from dijkwacht_collector.policy.entity_records import EntityRecords


def test_entities_without_a_record_are_saved_alike_alone_and_beside_one_that_has_one() -> None:
    records = EntityRecords()
    records.make_room(4)
    alone = records.take(np.array([1, 2], np.int32))
    records.used, places, _ = records.for_more(1)
    places[3] = records.used
    records.used += 1
    beside = records.take(np.array([1, 2, 3], np.int32))
    assert [len(field) for field in (*alone[:2], *alone[2])] == [4, 16, 8, 16, 16, 16, 16, 16, 4]
    for field, longer in zip((*alone[:2], *alone[2]), (*beside[:2], *beside[2]), strict=True):
        assert longer[: len(field)] == field
