import pytest

from dijkwacht_records import tables
from dijkwacht_records.tables import TABLES


def test_every_table_begins_with_its_time():
    for table in TABLES:
        assert table.columns[0].name == "time"
        assert table.columns[0].kind == "int"


def test_numbers_on_the_wire_never_change():
    names = [table.name for table in TABLES]
    assert names == [
        *["flows", "dns", "tls", "dhcp", "arp", "system", "agent"],
        *["rpc", "auth", "talks", "floods", "ndp"],
    ]


def test_names_are_unique_and_every_column_says_what_it_means():
    for table in TABLES:
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        for column in table.columns:
            assert column.meaning
            assert table.columns[table.index(column.name)] is column


def test_an_unknown_column_is_named_in_the_error():
    with pytest.raises(KeyError, match="source_ip"):
        tables.FLOWS.index("source_ip")


def test_no_column_can_carry_payload():
    texts = {(t.name, c.name) for t in TABLES for c in t.columns if c.kind == "text"}
    assert texts == {
        ("dns", "query"),
        ("tls", "server_name"),
        ("tls", "ja4"),
        ("dhcp", "host_name"),
        ("system", "metric"),
    }


def test_connection_states_are_zeeks():
    zeek = "OTH RSTO RSTOS0 RSTR RSTRH REJ S0 S1 S2 S3 SF SH SHR"
    assert " ".join(sorted(state.name for state in tables.ConnState)) == " ".join(
        sorted(zeek.split())
    )
