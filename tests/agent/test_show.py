import json

import pytest

from dijkwacht_agent.batches import Parcel
from dijkwacht_agent.show import SENTENCES, show, show_json
from dijkwacht_records import wire
from dijkwacht_records.addresses import HASHED_MAC, pack_address
from dijkwacht_records.tables import TABLES

HERE = pack_address("192.168.1.5")
ROWS = [
    (
        1,
        (
            1_700_000_000_123_456,
            HERE,
            pack_address("9.9.9.9"),
            53,
            "www.example.nl",
            1,
            1,
            255,
            0,
            0,
        ),
    ),
    (
        4,
        (
            1_700_000_000_123_456,
            1,
            HASHED_MAC | 0x001B21 << 32 | 7,
            HASHED_MAC | 7,
            HERE,
            0,
            bytes(16),
        ),
    ),
    (2, (1_700_000_000_123_456, 7, HERE, HERE, 443, 0x0304, "\x1b[2Jevil\nname")),
]


@pytest.fixture(name="parcel")
def _parcel():
    encoded = wire.encode("bakery", "till", bytes(16), 3, 1, ROWS)
    return Parcel(encoded, len(ROWS), 3)


def test_people_read_every_field_that_says_something(parcel):
    text = "\n".join(show([parcel]))
    assert "batch 3 of till at bakery" in text
    assert f"{len(parcel.wire)} bytes" in text
    assert (
        "2023-11-14T22:13:20.123Z orig_h=192.168.1.5 resp_h=9.9.9.9 resp_p=53 query=www.example.nl"
        in text
    )
    assert "eth_src=00:1b:21~00000007" in text
    assert "target_h" not in text


def test_names_cannot_steer_the_terminal(parcel):
    lines = list(show([parcel]))
    assert all(line.isprintable() for line in lines)
    assert any("\\x1b[2Jevil\\nname" in line for line in lines)


def test_programs_read_every_field_of_every_row(parcel):
    lines = [json.loads(line) for line in show_json([parcel])]
    assert lines[0]["batch"]["size"] == len(parcel.wire)
    assert [line["table"] for line in lines[1:]] == ["dns", "arp", "tls"]
    for line in lines[1:]:
        table = next(table for table in TABLES if table.name == line["table"])
        assert list(line) == ["table", *(column.name for column in table.columns)]
    assert lines[2]["sender_h"] == "192.168.1.5"


def test_nothing_seen_is_said():
    assert list(show([])) == [SENTENCES["en"]["none"]]


def test_dutch_says_the_same_things(parcel):
    assert SENTENCES["en"].keys() == SENTENCES["nl"].keys()
    assert any("zending 3 van till" in line for line in show([parcel], "nl"))
