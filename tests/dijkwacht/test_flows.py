"""`dijkwacht flows`: rows for people and notebooks."""

import json

import pytest

from dijkwacht import cli
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.community_id import community_id


def lines(data):
    return [json.loads(line) for line in data.splitlines()]


def name_of(row):
    ends = pack_address(row["orig_h"]), pack_address(row["resp_h"])
    return community_id(*ends, row["orig_p"], row["resp_p"], row["proto"])


def test_flows_are_json_lines_in_words(scan, capsysbinary):
    assert cli.main(["flows", str(scan)]) == 0
    out, err = capsysbinary.readouterr()
    rows = lines(out)
    assert sum(row["part"] == 0 for row in rows) == 300
    assert rows[0]["orig_h"] == "192.168.7.66"
    assert rows[0]["conn_state"] == "REJ"
    assert rows[0]["community_id"] == name_of(rows[0])
    assert len({row["community_id"] for row in rows}) == 300
    assert rows[0]["start"] == "2023-11-14T22:13:20.020000+00:00"
    assert b"inside is assumed" in err
    assert b"300 rows of flows from 600 packets" in err


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_flows_are_written_by_the_ending(tmp_path, scan, ending):
    pa = pytest.importorskip("pyarrow", reason="needs dijkwacht[lab]")
    parquet = pytest.importorskip("pyarrow.parquet")
    to = tmp_path / f"flows.{ending}"
    assert cli.main(["flows", str(scan), "--to", str(to)]) == 0
    read = parquet.read_table(to) if ending == "parquet" else pa.ipc.open_file(to).read_all()
    assert read.num_rows == 300
    assert str(read.schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert read.column("orig_h")[0].as_py() == "192.168.7.66"
    assert read.schema.field("orig_bytes").metadata[b"unit"] == b"bytes"
    assert read.column("community_id")[0].as_py() == name_of(read.slice(0, 1).to_pylist()[0])


def test_other_tables_and_other_files(tmp_path, scan):
    to = tmp_path / "dns.jsonl"
    assert cli.main(["flows", str(scan), "--table", "dns", "--to", str(to)]) == 0
    assert to.read_bytes() == b""


def test_who_asks_for_a_table_without_rows_hears_of_those_that_have_some(tmp_path, scan, capsys):
    log = tmp_path / "ntlm.log"
    log.write_text(
        '{"_path":"ntlm","ts":9.5,"id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","success":false}\n'
    )
    assert cli.main(["flows", str(log)]) == 0
    err = capsys.readouterr().err
    assert "0 rows of flows" in err
    assert "--table auth\n" in err
    for wanted, path in (("auth", log), ("flows", scan)):
        assert cli.main(["flows", "--table", wanted, str(path)]) == 0
        assert "--table" not in capsys.readouterr().err


def test_nothing_readable_is_exit_code_2(tmp_path, capsys):
    assert cli.main(["flows", str(tmp_path / "none")]) == 2
    assert "none: start: expected a file that can be opened" in capsys.readouterr().err


def test_a_packet_in_no_calendar_is_named_and_the_rest_is_written(far_future, capsysbinary):
    assert cli.main(["flows", str(far_future)]) == 0
    out, err = capsysbinary.readouterr()
    (row,) = lines(out)
    assert row["time"] == "2023-11-14T22:13:20.000000+00:00"
    assert err.count(b"a packet's time before the year 10000") == 1
