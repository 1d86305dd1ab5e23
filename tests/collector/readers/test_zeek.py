"""Zeek's logs, in every dress they come in."""

import gzip
import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.readers import Problems
from dijkwacht_collector.readers.lines import MAX_LINE_BYTES
from dijkwacht_collector.readers.logs import read_logs
from dijkwacht_records import wire
from dijkwacht_records.addresses import UNSPECIFIED, pack_address
from dijkwacht_records.tables import NO_ANSWER, ConnState, FlowState

FIELDS = [
    "ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "service",
    "duration", "orig_bytes", "resp_bytes", "conn_state", "local_orig", "local_resp",
    "history", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes",
]  # fmt: skip
LINE = [
    "100.5", "C1", "10.0.0.1", "4000", "192.0.2.1", "443", "tcp", "ssl", "1.25", "10", "20",
    "SF", "T", "F", "ShADadFf", "5", "300", "4", "200",
]  # fmt: skip


def header(fields, path="conn", separator="\t"):
    return (
        f"#separator \\x{ord(separator):02x}\n#set_separator{separator},\n"
        f"#empty_field{separator}(empty)\n#unset_field{separator}-\n#path{separator}{path}\n"
        + separator.join(["#fields", *fields])
        + "\n#types\tignored\n"
    )


def read(path, *more, inside=lambda _: False):
    problems = Problems()
    found = read_logs([path, *more], inside, problems)
    return found.rows, [str(problem) for problem in problems]


def conn(*lines):
    return header(FIELDS) + "".join("\t".join(line) + "\n" for line in lines)


def test_a_connection_is_one_end_part_at_its_last_packet(log, named):
    rows, problems = read(log(conn(LINE)))
    table, row = named(rows[0])
    assert (table, problems) == ("flows", [])
    assert row["time"] == 101_750_000
    assert row["start"] == 100_500_000
    assert (row["part"], row["state"]) == (0, FlowState.END)
    assert (row["orig_h"], row["orig_p"]) == ("10.0.0.1", 4000)
    assert (row["resp_h"], row["resp_p"]) == ("192.0.2.1", 443)
    assert (row["proto"], row["conn_state"]) == (6, ConnState.SF)
    assert (row["orig_flags"], row["resp_flags"]) == (0x1B, 0x1B)
    assert (row["orig_pkts"], row["resp_pkts"]) == (5, 4)
    assert (row["orig_bytes"], row["resp_bytes"]) == (10, 20)
    assert (row["local_orig"], row["local_resp"]) == (1, 0)


def test_json_and_text_say_the_same(log):
    as_json = dict(zip(FIELDS, LINE, strict=True))
    for name in FIELDS:
        if name in {"ts", "duration"}:
            as_json[name] = float(as_json[name])
        elif name.endswith(("_p", "_bytes", "_pkts")):
            as_json[name] = int(as_json[name])
    as_json |= {"local_orig": True, "local_resp": False}
    rows, problems = read(log(json.dumps(as_json) + "\n"))
    assert problems == []
    assert rows == read(log(conn(LINE), "b.log"))[0]


def test_gzip_says_the_same(log):
    plain = conn(LINE)
    assert read(log(gzip.compress(plain.encode()), "c.gz"))[0] == read(log(plain))[0]


def test_json_dates_are_read(log):
    line = {"ts": "2026-01-02T03:04:05.000006Z", "id.orig_h": "10.0.0.1", "id.resp_h": "10.0.0.2"}
    rows, _ = read(log(json.dumps(line | {"proto": "udp", "conn_state": "S0"})))
    assert rows[0][1][0] == 1_767_323_045_000_006


def test_a_date_without_a_zone_is_utc(log, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    line = {"ts": "2026-01-02T03:04:05", "id.orig_h": "10.0.0.1", "id.resp_h": "10.0.0.2"}
    rows, _ = read(log(json.dumps(line | {"proto": "udp", "conn_state": "S0"})))
    monkeypatch.undo()
    time.tzset()
    assert rows[0][1][0] == 1_767_323_045_000_000


def test_unset_inside_is_asked_of_the_site(log, named):
    line = LINE.copy()
    line[12:14] = ["-", "-"]
    site = pack_address("192.0.2.1")
    rows, _ = read(log(conn(line)), inside=lambda address: address == site)
    assert named(rows[0])[1]["local_orig"] == 0
    assert named(rows[0])[1]["local_resp"] == 1


def test_headers_may_come_again_with_other_columns(log, named):
    dns = [
        "ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "query", "qtype",
        "rcode", "answers", "rtt",
    ]  # fmt: skip
    ask = [
        "99.0", "C2", "10.0.0.1", "5000", "10.0.0.53", "53", "WWW.Example.ORG.", "1", "0",
        "192.0.2.1,192.0.2.2", "0.5",
    ]  # fmt: skip
    text = conn(LINE) + "#close\t2026\n" + header(dns, "dns") + "\t".join(ask) + "\n"
    rows, problems = read(log(text))
    assert [named(row)[0] for row in rows] == ["dns", "flows"]
    question = named(rows[0])[1]
    assert question["time"] == 99_500_000
    assert (question["query"], question["question"]) == ("www.example.org", 1)
    assert (question["rcode"], question["answers"]) == (0, 2)
    assert problems == []


def test_a_question_without_answer_says_so(log, named):
    fields = [
        "ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "query", "qtype",
        "rcode", "answers",
    ]  # fmt: skip
    text = header(fields, "dns") + "9\tC\t10.0.0.1\t9\t10.0.0.2\t53\ta\\xc3\\xa9 b\t16\t-\t-\n"
    row = named(read(log(text))[0][0])[1]
    assert (row["rcode"], row["answers"], row["answer_bytes"]) == (NO_ANSWER, 0, 0)
    assert row["query"] == "aã© b"


def test_other_separators_are_honoured(log):
    text = header(FIELDS, separator="|") + "|".join(LINE) + "\n"
    assert read(log(text))[0] == read(log(conn(LINE), "b.log"))[0]


def test_tabs_that_became_spaces_are_read(log):
    text = conn(LINE).replace("\t", "  ")
    assert read(log(text))[0] == read(log(conn(LINE), "b.log"))[0]


def test_flows_are_numbered_as_their_rows_come_and_keep_their_number_in_other_logs(log, named):
    """Beyond what a meter counts to: its flows may be in the same recording."""
    later, first = (["200", *LINE[1:]], ["100", "C2", *LINE[2:]])
    hello = ["99", "C1", *LINE[2:6], "TLSv13", "x", "mail.example"]
    fields = [*FIELDS[:6], "version", "cipher", "server_name"]
    path = log(header(fields, "ssl") + "\t".join(hello) + "\n", "ssl.log")
    rows = [named(row) for row in read(log(conn(later, first)), path)[0]]
    assert [(table, row["flow_id"] - (1 << 32)) for table, row in rows] == [
        ("tls", 0),
        ("flows", 1),
        ("flows", 0),
    ]


def test_one_dhcp_line_is_a_row_a_message(log, named):
    line = {
        "ts": 5.0, "mac": "02:00:00:00:00:01", "client_addr": "10.0.0.9",
        "server_addr": "10.0.0.1", "assigned_addr": "10.0.0.9", "requested_addr": "10.0.0.8",
        "host_name": "till", "trans_id": 77, "msg_types": ["DISCOVER", "OFFER", "REQUEST", "ACK", "NEWTHING"],
    }  # fmt: skip
    rows = [named(row)[1] for row in read(log(json.dumps(line)))[0]]
    assert [row["msg_type"] for row in rows] == [1, 2, 3, 5]
    assert [row["server_h"] for row in rows] == ["", "10.0.0.1", "", "10.0.0.1"]
    assert [row["host_name"] for row in rows] == ["till", "", "till", ""]
    assert {row["xid"] for row in rows} == {77}


def test_arp_lines(log, named):
    fields = ["ts", "operation", "src_mac", "dst_mac", "orig_h", "resp_h", "orig_hw", "resp_hw"]
    text = header(fields, "arp") + (
        "9\twho-has\t02:00:00:00:00:01\tff:ff:ff:ff:ff:ff\t10.0.0.1\t10.0.0.2\t-\t-\n"
    )
    row = named(read(log(text))[0][0])[1]
    assert (row["op"], row["eth_src"], row["sender_mac"]) == (1, 0x020000000001, 0x020000000001)
    assert (row["sender_h"], row["target_h"]) == ("10.0.0.1", "10.0.0.2")


def test_several_logs_are_merged_by_row_time(log):
    early = LINE.copy()
    early[0], early[1] = "50", "C9"
    rows, _ = read(log(conn(LINE), "z.log"), log(conn(LINE, early), "a2.log"))
    times = [row[0] for _, row in rows]
    assert times == sorted(times)
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("position", "value", "expected"),
    [
        (0, "yesterday", "seconds in ts"),
        (2, "10.0.0.300", "an address in id.orig_h"),
        (3, "-7", "a number up to 65535 in id.orig_p"),
        (5, "70000", "a number up to 65535 in id.resp_p"),
        (8, "inf", "seconds in duration"),
        (9, "9" * 40, "a number up to"),
        (11, "S9", "one of Zeek's states in conn_state"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_is_read(log, position, value, expected):
    bad = LINE.copy()
    bad[position] = value
    rows, problems = read(log(conn(bad, LINE, bad)))
    assert len(rows) == 1
    assert len(problems) == 1
    assert "a.log: line 8: expected" in problems[0]
    assert expected in problems[0]
    assert "1 more like it" in problems[0]


def test_a_short_line_is_counted(log):
    rows, problems = read(log(conn(LINE, LINE[:9])))
    assert len(rows) == 1
    assert "line 9: expected 19 columns" in problems[0]


def test_the_rest_of_a_line_too_long_is_no_line_of_its_own(log):
    """Else somebody's name of a mebibyte would write rows."""
    line = "\t".join(LINE)
    rows, problems = read(log(conn() + "x" * MAX_LINE_BYTES + line + "\n" + line + "\n"))
    assert len(rows) == 1
    assert [problem.partition("expected ")[2] for problem in problems] == [
        "lines below 1048576 bytes"
    ]


def test_a_log_of_another_kind_is_named(log):
    problems = Problems()
    text = header(["ts", "uid", "host"], "http") + "1\tC\tx\n"
    found = read_logs([log(text)], lambda _: False, problems)
    assert (found.rows, found.readable) == ([], 0)
    assert "http is skipped" in str(next(iter(problems)))


def test_an_empty_log_is_readable(log):
    problems = Problems()
    found = read_logs([log(header(FIELDS))], lambda _: False, problems)
    assert (found.rows, found.readable, list(problems)) == ([], 1, [])


def test_a_gzip_that_breaks_off_keeps_what_came_before(log):
    rng = random.Random(1)
    lines = []
    for number in range(4000):
        line = LINE.copy()
        line[1] = f"C{rng.getrandbits(64)}"
        line[3] = str(number)
        lines.append(line)
    rows, problems = read(log(gzip.compress(conn(*lines).encode())[:-4000], "x.gz"))
    assert 0 < len(rows) < 4000
    assert any("the rest of a gzip stream" in problem for problem in problems)


LABELS = ["label", "detailedlabel", "Mode", "attack_cat", "service"]


def labelled(labels, dress):
    rng = random.Random(3)
    lines = []
    for number in range(30):
        line = LINE.copy()
        line[0], line[1] = f"{number}.25", f"C{rng.getrandbits(60)}"
        lines.append(line)
    if dress == "json":
        return "".join(
            json.dumps(
                dict(zip(FIELDS, line, strict=True)) | dict(zip(LABELS, labels, strict=True))
            )
            + "\n"
            for line in lines
        )
    if dress == "spaces":
        glue = "   "
        fields = [*FIELDS, "tunnel_parents" + glue + glue.join(LABELS)]
        return header(fields) + "".join(
            "\t".join([*line, "(empty)" + glue + glue.join(labels)]) + "\n" for line in lines
        )
    return header([*FIELDS, *LABELS]) + "".join(
        "\t".join([*line, *labels]) + "\n" for line in lines
    )


TEXT = st.text(
    st.characters(exclude_characters="\t\n\r\x00", codec="utf-8"), min_size=1, max_size=20
)


@pytest.mark.parametrize("dress", ["tabs", "spaces", "json"])
@given(labels=st.lists(TEXT, min_size=len(LABELS), max_size=len(LABELS)))
def test_labels_never_pass(tmp_path_factory, dress, labels):
    path = tmp_path_factory.getbasetemp() / f"labels-{dress}.log"
    path.write_text(labelled(["Malicious"] * len(LABELS), dress), newline="\n")
    before, problems = read(path)
    assert len(before) == 30
    assert problems == []
    path.write_text(labelled(labels, dress), newline="\n")
    assert wire.encode("s", "a", bytes(16), 0, 0, read(path)[0]) == wire.encode(
        "s", "a", bytes(16), 0, 0, before
    )


@given(
    lines=st.lists(
        st.one_of(
            st.binary(max_size=80),
            st.lists(st.sampled_from([*LINE, "-", "(empty)", "\xff", "1e400"]), max_size=25).map(
                lambda parts: "\t".join(parts).encode("latin-1")
            ),
            st.sampled_from(
                [b"#fields", b"#fields\t", b"#", b"#separator", b"#path", b"{", b'{"ts":1}']
            ),
        ),
        max_size=8,
    ),
    begin=st.sampled_from(
        [conn().encode(), b'{"ts":1,"proto":"tcp","conn_state":"S0","id.orig_h":"::"}\n']
    ),
)
def test_damaged_logs_never_raise(tmp_path_factory, lines, begin):
    path = tmp_path_factory.getbasetemp() / "damaged.log"
    path.write_bytes(begin + b"\n".join(lines))
    rows, _ = read(path)
    if rows:
        wire.decode(wire.encode("s", "a", bytes(16), 0, 0, rows, 2), [2])


@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, "label", "query", "qtype", "_path"]),
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9),
            st.lists(st.integers(0, 9), max_size=3), st.just({}), st.sampled_from(LINE),
        ),
    )
)  # fmt: skip
def test_damaged_json_never_raises(tmp_path_factory, fields):
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    whole = dict(zip(FIELDS, LINE, strict=True))
    path.write_text(json.dumps(whole) + "\n" + json.dumps(whole | fields) + "\n")
    rows, _ = read(path)
    assert rows
    wire.decode(wire.encode("s", "a", bytes(16), 0, 0, rows, 2), [2])


def test_unspecified_address_is_an_address(log):
    line = LINE.copy()
    line[2], line[4] = "::", "ff02::1"
    rows, problems = read(log(conn(line)))
    assert problems == []
    assert rows[0][1][5] == UNSPECIFIED


@pytest.mark.captures
def test_every_log_of_the_captures_is_read_whole(captures):
    logs = sorted(p for p in captures.rglob("*") if p.name.endswith((".log", ".labeled")))
    assert logs
    for path in logs:
        rows, problems = read(path)
        lines = sum(not line.startswith(b"#") for line in path.read_bytes().splitlines())
        assert len(rows) >= lines
        assert problems == []


def test_a_header_that_breaks_off_is_named(tmp_path):
    path = tmp_path / "conn.log"
    path.write_text("#separator \\x09\n#path\tconn\n")
    rows, problems = read(path)
    assert (rows, problems) == ([], [f"{path}: end: expected a #fields line"])


def test_a_log_without_its_columns_is_named(tmp_path):
    path = tmp_path / "conn.log"
    path.write_text("#separator \\x09\n#path\tconn\n#fields\tts\tuid\n1\tC1\n")
    assert read(path)[1] == [f"{path}: line 3: expected the columns of a conn log"]


@pytest.mark.parametrize(
    ("columns", "table"),
    [
        ({"proto": "udp", "trans_id": 7, "query": "a.nl", "rejected": False}, "dns"),
        ({"resumed": False, "established": False, "ssl_history": "C"}, "tls"),
        ({"cookie": "jan", "result": "encrypted", "cert_count": 0}, "auth"),
        ({"action": "SMB::FILE_OPEN", "path": "\\\\s\\a"}, "rpc"),
    ],
)
def test_a_json_log_of_what_broke_off_is_told_by_what_is_always_there(
    log, read_named, columns, table
):
    ends = {"ts": 9.5, "uid": "C1", "id.orig_h": "10.0.0.1", "id.resp_h": "10.0.0.2"}
    ((found, _),), problems = read_named(log(json.dumps(ends | columns)))
    assert (found, problems) == (table, [])
