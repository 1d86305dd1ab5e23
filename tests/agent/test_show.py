import json

import pytest

from dijkwacht_agent.batches import Parcel
from dijkwacht_agent.show import DUTCH, SENTENCES, show, show_json
from dijkwacht_records import wire
from dijkwacht_records.addresses import HASHED_MAC, pack_address
from dijkwacht_records.columns import Columns
from dijkwacht_records.tables import TABLE, TABLES

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
        "2023-11-14T22:13:20.123Z orig_h=~192.168.1.5 resp_h=9.9.9.9 resp_p=53 query=www.example.nl"
        in text
    )
    assert "eth_src=~00:1b:21~00000007" in text
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


AUTH = Columns.of(
    [(TABLES.index(TABLE["auth"]), (1, 7, HERE, HERE, 3389, 2, 2, 0, 1, 40, 0, 0, 9))]
)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "log-ins over one flow"), ("nl", "aanmeldingen bij een dienst, geteld")],
)
def test_numbers_of_closed_lists_are_words(language, words):
    lines = list(show([Parcel(wire.encode("s", "a", bytes(16), 0, 1, AUTH), 1, 0)], language))
    assert lines[1].startswith(f"  auth: {words}")
    assert "service=RDP method=NTLM status=WRONG_PASSWORD failed=40 accounts=9" in lines[2]


def test_every_table_is_said_in_dutch():
    assert DUTCH.keys() == TABLE.keys()


def test_every_time_is_written_as_one():
    row = dict.fromkeys((c.name for c in TABLE["floods"].columns), 0)
    row |= {"time": 1_700_000_060_000_000, "start": 1_700_000_000_123_456, "flows": 900}
    row |= {"orig_h": HERE, "resp_h": HERE}
    floods = Columns.of([(TABLES.index(TABLE["floods"]), tuple(row.values()))])
    lines = list(show([Parcel(wire.encode("s", "a", bytes(16), 0, 1, floods), 1, 0)]))
    assert "2023-11-14T22:14:20.000Z start=2023-11-14T22:13:20.123Z" in lines[2]
