"""Journal entries that collectors have written: every later version must still read them.

``golden/journal/NAME.bin`` is one frame, salt 7, of an entry of that kind, as the version that brought
it wrote it; ``segment_1.dwj`` is a whole segment of the first format. Files are only ever added.
"""

from pathlib import Path

import pytest

from dijkwacht_collector.journal import (
    PARTITIONS,
    Budget,
    Exemption,
    Journal,
    Model,
    Release,
    Strike,
    Table,
    Verdict,
    batch_draft,
    batch_key,
)
from dijkwacht_collector.journal.entry import KINDS, partition_of, read_frame, write_frame
from dijkwacht_records import wire

GOLDEN = Path(__file__).parent / "golden"
NOON = 1_767_268_800_000_000
SALT = 7
WRITTEN = {
    "verdict": Verdict("0123456789abcdef01234567", "normal", "operator"),
    "verdict_about": Verdict("0123456789abcdef01234567", "undone", "Jan", b"incident \x00\xff"),
    "exemption": Exemption("scan", "192.168.1.66", NOON + 10**12),
    "exemption_by": Exemption("scan", "192.168.1.66", 0, "Jan"),
    "budget": Budget(2.5),
    "model": Model("volume", "", b"bundle \x00\xff\n more"),
    "model_named": Model("volume", "0123456789abcdef0123456789abcdef"),
    "release": Release("0123456789abcdef0123456789abcdef"),
    "table": Table("seen-elsewhere", "0123456789abcdef0123456789abcdef"),
    "strike": Strike("scan", 41, "ZeroDivisionError: division by zero"),
}
TYPES = {name: type(payload) for name, payload in WRITTEN.items()}


def golden(kind):
    data = (GOLDEN / "journal" / f"{kind}.bin").read_bytes()
    frame = read_frame(data, 0, SALT)
    assert frame.end == len(data)
    return frame


def test_every_kind_has_its_golden_entry():
    assert {path.stem for path in (GOLDEN / "journal").glob("*.bin")} == {"batch", *TYPES}
    assert {golden(name).entry.kind for name in TYPES} | {"batch"} == set(KINDS)


@pytest.mark.parametrize("kind", TYPES)
def test_a_payload_is_read_as_it_was_meant(kind):
    entry = golden(kind).entry
    assert entry.kind == TYPES[kind].kind_of_entry
    assert TYPES[kind].read(entry) == WRITTEN[kind]


@pytest.mark.parametrize("kind", [name for name in TYPES if name != "model"])
def test_what_is_written_today_reads_back_the_same(kind):
    entry = golden(kind).entry
    payload = WRITTEN[kind]
    draft = payload.draft(entry.site, entry.arrival)
    again = read_frame(write_frame(draft, entry.partition, 9, 8, SALT), 0, SALT).entry
    assert (again.kind, again.site, again.arrival) == (entry.kind, entry.site, entry.arrival)
    assert TYPES[kind].read(again) == payload


def test_a_batch_is_the_agents_own_bytes_under_the_name_it_had():
    frame = golden("batch")
    body = (GOLDEN / "v1/one_flow.bin").read_bytes()
    batch = wire.decode(body)
    draft = batch_draft(batch.site, batch_key(batch.agent, batch.boot, batch.seq), NOON, body)
    written = write_frame(draft, partition_of(batch.site), 1, 0, SALT)
    assert written == (GOLDEN / "journal/batch.bin").read_bytes()
    assert frame.entry.payload == body


def test_a_segment_of_the_first_format_is_read(tmp_path):
    path = tmp_path / f"{1:020d}.dwj"
    path.write_bytes((GOLDEN / "journal/segment_1.dwj").read_bytes())
    journal = Journal(tmp_path)
    journal.open()
    entries, _ = journal.read(range(PARTITIONS), {})
    journal.close()
    named = [(e.position, e.kind, e.site, e.arrival - NOON, e.payload, e.key) for e in entries]
    assert named == [
        (1, "batch", "bakery", 0, b"first", batch_key("desk", bytes(16), 0)),
        (2, "budget", "bakery", 1, b'{"per_week":2.5}', ""),
        (3, "batch", "clinic", 2, b"third", batch_key("till", bytes(16), 0)),
    ]


@pytest.mark.parametrize("kind", ["verdict", "exemption", "budget"])
@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"\xff"])
def test_a_payload_that_is_none_is_a_value_error(kind, payload):
    entry = golden(kind).entry._replace(payload=payload)
    with pytest.raises(ValueError):  # noqa: PT011  # of msgspec, whose words differ
        TYPES[kind].read(entry)
