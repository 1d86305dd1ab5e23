"""Argus' flows as text."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.readers import Problems
from dijkwacht_collector.readers.logs import read_logs
from dijkwacht_records import wire
from dijkwacht_records.tables import ConnState, FlowState

HEADER = (
    "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,"
    "SrcBytes,Label\n"
)
LINE = (
    "2018/12/18 14:00:00.527012,0.699716,tcp,10.0.0.1,52798,   ->,192.0.2.1,445,FSPA_FSPA,0,0,"
    "8,1000,600,flow=Botnet"
)


@pytest.fixture
def flow(log, read_named):
    """The row of one line, some of whose columns are others."""
    names = HEADER.strip().split(",")

    def row(**values):
        line = dict(zip(names, LINE.split(","), strict=True)) | values
        rows, problems = read_named(log(HEADER + ",".join(line.values()) + "\n"))
        assert problems == []
        assert len(rows) == 1
        return rows[0][1]

    return row


def test_a_flow_is_one_end_part_at_its_last_packet(flow):
    row = flow()
    assert row["start"] == 1_545_141_600_527_012
    assert row["time"] == row["start"] + 699_716
    assert (row["part"], row["state"]) == (0, FlowState.END)
    assert (row["orig_h"], row["orig_p"]) == ("10.0.0.1", 52798)
    assert (row["resp_h"], row["resp_p"]) == ("192.0.2.1", 445)
    assert (row["proto"], row["conn_state"]) == (6, ConnState.SF)
    assert (row["orig_flags"], row["resp_flags"]) == (0x1B, 0x1B)
    assert (row["orig_pkts"], row["resp_pkts"]) == (5, 3)
    assert (row["orig_bytes"], row["resp_bytes"]) == (600 - 5 * 54, 400 - 3 * 54)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("S_", ConnState.S0),
        ("S_RA", ConnState.REJ),
        ("SR_", ConnState.RSTOS0),
        ("FS_", ConnState.SH),
        ("SPA_SPA", ConnState.S1),
        ("FSPA_SPA", ConnState.S2),
        ("SPA_FSPA", ConnState.S3),
        ("SRPA_SPA", ConnState.RSTO),
        ("SPA_SRPA", ConnState.RSTR),
        ("PA_PA", ConnState.OTH),
        ("_SRA", ConnState.RSTRH),
        ("FA_FSA", ConnState.SHR),
        ("REQ", ConnState.S0),
        ("CON", ConnState.S1),
        ("FIN", ConnState.SF),
        ("RST", ConnState.RSTO),
    ],
)
def test_states_become_zeeks(flow, state, expected):
    packets = {"TotPkts": "1", "TotBytes": "64", "SrcBytes": "64"} if state.endswith("_") else {}
    assert flow(State=state, **packets)["conn_state"] == expected


def test_one_packet_and_a_reset_is_refused(flow):
    assert flow(State="RST", TotPkts="2", TotBytes="120", SrcBytes="60")["conn_state"] == (
        ConnState.REJ
    )


def test_headers_alone_are_no_payload(flow):
    row = flow(State="S_RA", TotPkts="2", TotBytes="134", SrcBytes="70")
    assert (row["orig_pkts"], row["resp_pkts"]) == (1, 1)
    assert (row["orig_bytes"], row["resp_bytes"]) == (0, 0)


def test_udp_and_icmp(flow):
    row = flow(Proto="udp", State="CON", TotPkts="2", TotBytes="200", SrcBytes="80")
    assert (row["proto"], row["conn_state"], row["orig_bytes"]) == (17, ConnState.SF, 80 - 42)
    assert flow(Proto="rtp", State="INT", TotPkts="1", TotBytes="80", SrcBytes="80")["proto"] == 17
    echo = flow(Proto="icmp", Sport="0x0008", Dport="0x0f72", State="ECO")
    assert (echo["proto"], echo["orig_p"], echo["resp_p"]) == (1, 8, 0)
    unreachable = flow(Proto="icmp", Sport="0x0301", Dport="", State="URP")
    assert (unreachable["orig_p"], unreachable["resp_p"]) == (1, 3)


def test_hexadecimal_ports_and_other_clocks(flow):
    row = flow(Sport="0x0050", StartTime="1545141600.5")
    assert (row["orig_p"], row["start"]) == (80, 1_545_141_600_500_000)


def test_who_began_is_the_destination_where_the_arrow_says_so(flow):
    row = flow(Dir="   <-", State="SA_S")
    assert (row["orig_h"], row["orig_p"]) == ("192.0.2.1", 445)
    assert (row["resp_h"], row["orig_pkts"], row["resp_pkts"]) == ("10.0.0.1", 3, 5)
    assert row["conn_state"] == ConnState.S1
    assert flow(Dir="  <->")["orig_h"] == "10.0.0.1"


def test_arp_makes_no_row(log, read_named):
    arp = LINE.replace(",tcp,", ",arp,").replace("52798", "")
    assert (
        read_named(log(f"{HEADER}{arp}\n{LINE}\n"))[0]
        == read_named(log(f"{HEADER}{LINE}\n", "b"))[0]
    )


def test_other_columns_and_gzip(log, read_named):
    wide = HEADER.replace("Label", "SrcPkts,Label") + LINE.replace(",flow=", ",6,flow=") + "\n"
    rows, problems = read_named(log(gzip.compress(wide.encode())))
    assert problems == []
    assert (rows[0][1]["orig_pkts"], rows[0][1]["resp_pkts"]) == (6, 2)


LABEL = st.one_of(
    st.sampled_from([HEADER.strip(), "StartTime", "#fields", "{", "-"]),
    st.text(st.characters(exclude_characters="\0\r\n", codec="utf-8"), max_size=20),
)


@given(label=LABEL)
def test_labels_never_pass(tmp_path_factory, label):
    path = tmp_path_factory.getbasetemp() / "labels.binetflow"

    def bytes_of(text):
        path.write_text(f"{HEADER}{LINE.replace('flow=Botnet', text)}\n{LINE}\n", "utf-8")
        problems = Problems()
        found = read_logs([path], lambda _: False, problems)
        assert list(problems) == []
        return wire.encode("s", "a", bytes(16), 0, 0, found.rows, 2)

    assert bytes_of(label) == bytes_of("Background")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("10.0.0.1", "nobody", "an address in SrcAddr"),
        ("2018/12/18", "2018/18/12", "a time in StartTime"),
        ("52798", "99999", "a number up to 65535 in Sport"),
        ("52798", "0xzz", "a number up to 65535 in Sport"),
        ("0.699716", "soon", "seconds in Dur"),
        (",0,0,8,1000,600,flow=Botnet", "", "14 columns"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_is_read(log, read_named, before, after, expected):
    rows, problems = read_named(log(f"{HEADER}{LINE.replace(before, after)}\n{LINE}\n"))
    assert len(rows) == 1
    assert len(problems) == 1
    assert "a.log: line 2: expected " in problems[0]
    assert expected in problems[0]


@given(
    st.lists(
        st.lists(
            st.sampled_from([*LINE.split(","), *HEADER.strip().split(","), "", "-1", "1e999", "é"]),
            max_size=17,
        ).map(",".join)
        | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40),
        max_size=5,
    )
)
def test_damaged_lines_never_raise(tmp_path_factory, lines):

    path = tmp_path_factory.getbasetemp() / "damaged.binetflow"
    path.write_text("\n".join([HEADER.strip(), LINE, *lines]), "utf-8", "surrogatepass")
    found = read_logs([path], lambda _: False, Problems())
    assert found.readable == 1
    wire.decode(wire.encode("s", "a", bytes(16), 0, 0, found.rows, 2), [2])


@pytest.mark.captures
def test_every_flow_of_the_captures_is_read(captures, read_named):
    (path,) = captures.glob("scan/*.binetflow")
    rows, problems = read_named(path)
    assert problems == []
    assert len(rows) == len(path.read_text().splitlines()) - 1
    guesses = [row for _, row in rows if row["orig_h"] == "46.166.151.160"]
    assert {row["resp_p"] for row in guesses} == {3389}
