"""An office's week is what an agent of contract 2 writes of one: within the closed lists, facts as their flows."""

from collections import Counter, defaultdict

import pytest

from dijkwacht_agent.system.metrics import METRICS
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records import hints, vocabulary, wire
from dijkwacht_records.rpc_interfaces import EXECUTES, RpcInterface
from dijkwacht_records.tables import TABLE, TABLES, ConnState, FlowState
from dijkwacht_records.vocabulary import (
    AuthService,
    AuthStatus,
    CertFlag,
    FirstSpeaker,
    RpcKind,
    RpcStatus,
    ShareKind,
)

HOUR = 3_600_000_000
WEEK = 168 * HOUR
KINDS = {"int": int, "float": float, "addr": bytes, "text": str}
LISTS = {
    known.__name__: known
    for known in (
        FlowState, ConnState, RpcInterface, RpcStatus, RpcKind, ShareKind, FirstSpeaker,
        vocabulary.RpcVia, AuthService, AuthStatus, vocabulary.AuthMethod, vocabulary.EtypeClass,
        vocabulary.Alpn, vocabulary.HelloFlag, CertFlag,
    )
}  # fmt: skip
NUMBER = {table.name: number for number, table in enumerate(TABLES)}


def named(name, row):
    return dict(zip((column.name for column in TABLE[name].columns), row, strict=True))


OFFICES = {"a week": (3, 8, WEEK), "a day": (2, 12, 24 * HOUR), "another": (1, 14, 9 * HOUR)}
"""Name → seed, machines, and how long."""


@pytest.fixture(scope="module", params=OFFICES.values(), ids=OFFICES)
def week(request):
    """Rows as they came; and by table, as dictionaries, with a row's place among all."""
    seed, hosts, lasts = request.param
    rows = list(office_rows(seed, hosts, WORKING_MORNING, lasts, 0.15, heartbeat_us=HOUR))
    by_table = defaultdict(list)
    for place, (number, row) in enumerate(rows):
        by_table[TABLES[number].name].append((place, named(TABLES[number].name, row)))
    return rows, by_table


@pytest.fixture(scope="module")
def flows(week):
    """Flow id → its parts, with their places."""
    parts = defaultdict(list)
    for place, row in week[1]["flows"]:
        parts[row["flow_id"]].append((place, row))
    return parts


def carried(week, *names):
    """Rows that are about a flow whose end is within the week."""
    return [(name, place, row) for name in names for place, row in week[1][name]]


def test_every_row_fits_the_contract(week):
    rows, _ = week
    for at in range(0, len(rows), 5_000):
        some = rows[at : at + 5_000]
        batch = wire.encode("site", "agent", bytes(16), 1, WORKING_MORNING, some, 2)
        assert list(wire.unpack_rows(wire.decode(batch))) == some


def test_every_value_is_of_its_kind_and_list(week):
    _, by_table = week
    for name, rows in by_table.items():
        for column in TABLE[name].columns:
            values = {row[column.name] for _, row in rows}
            assert {type(value) for value in values} == {KINDS[column.kind]}, (name, column.name)
            known = LISTS.get(column.unit)
            if known is not None:
                assert all(int(known(value)) == value for value in values), (name, column.name)


def test_all_that_an_agent_tells_of_an_office_is_there(week):
    _, by_table = week
    assert by_table.keys() == {table.name for table in TABLES} - {"floods"}
    assert {row["metric"] for _, row in by_table["system"]} == {metric.name for metric in METRICS}


def test_hints_stand_in_the_first_part_alone_and_fit_its_protocol(week):
    _, by_table = week
    for _, row in by_table["flows"]:
        told = row["hints"]
        if row["part"]:
            assert told == 0
            continue
        of = {name: field.get(told) for name, (field, _) in hints.FIELDS.items()}
        for name, (_, kind) in hints.FIELDS.items():
            assert kind(of[name]) == of[name]
        assert told == sum(field.put(of[name]) for name, (field, _) in hints.FIELDS.items())
        assert (of["options"] > 0) == (row["proto"] == 6)
        assert (of["window"] > 0) == (row["proto"] == 6)
        assert of["window"] != hints.SynWindow.SCANNER
        assert not of["seq_is_dst"]
        assert not of["called_back"]
        speaks = row["proto"] != 1 and row["orig_bytes"] + row["resp_bytes"] > 0
        assert (of["speech"] > 0) == speaks
        assert not (of["resp_first"] and not row["resp_bytes"])


def test_most_of_what_is_visited_was_named_and_a_hidden_resolver_hides_it(week):
    _, by_table = week
    first = [row for _, row in by_table["flows"] if row["part"] == 0 and not row["local_resp"]]
    of_web = Counter(hints.NAMED.get(r["hints"]) for r in first if r["resp_p"] == 443)
    assert of_web[hints.Named.BY_ORIG] > 0.7 * of_web.total()
    hiding = {row["orig_h"] for row in first if row["resp_p"] == 853}
    asked = {row["orig_h"] for _, row in by_table["dns"] if row["resp_p"] == 53}
    assert not hiding & asked
    for row in first:
        if row["orig_h"] in hiding:
            assert hints.NAMED.get(row["hints"]) in {hints.Named.UNKNOWN, hints.Named.BY_OTHER}


def test_facts_are_of_a_flow_that_was_there_then(week, flows):
    for name, _, row in carried(week, "tls", "rpc", "auth", "talks"):
        parts = [part for _, part in flows[row["flow_id"]]]
        assert parts, (name, row)
        for column in ("orig_h", "resp_h", "resp_p", "proto"):
            if column in row:
                assert row[column] == parts[0][column]
        if parts[-1]["state"] == FlowState.END:
            assert parts[0]["start"] <= row["time"] <= parts[-1]["time"]


def test_turns_calls_and_log_ins_come_behind_the_part_that_they_were_in(week, flows):
    """Alike ones are one row of a part."""
    places = {flow: [place for place, _ in parts] for flow, parts in flows.items()}
    seen = set()
    for name, place, row in carried(week, "rpc", "auth", "talks"):
        part = sum(before < place for before in places[row["flow_id"]]) - 1
        assert part >= 0
        cut = flows[row["flow_id"]][part][1]
        assert row["time"] <= cut["time"]
        if name != "rpc":
            assert row["time"] == cut["time"]
        what = [
            row[c] for c in ("via", "kind", "iface", "op", "share", "service", "method", "etype")
            if c in row
        ]  # fmt: skip
        key = (name, row["flow_id"], part, *what, row.get("status"))
        assert key not in seen
        seen.add(key)


def test_turns_are_possible(week, flows):
    for _, row in week[1]["talks"]:
        of_orig, of_resp = row["orig_turns"], row["turns"] - row["orig_turns"]
        assert row["turns"] >= 8
        assert of_orig
        assert of_resp
        for side, turns in (("orig", of_orig), ("resp", of_resp)):
            size, share, sizes = (row[f"{side}_{name}"] for name in ("size", "share", "sizes"))
            assert 1 <= sizes <= min(8, turns)
            assert 100 // turns <= share <= 100
            assert (sizes == 1) == (share == 100)
            parts = [part for _, part in flows[row["flow_id"]]]
            if parts[-1]["state"] == FlowState.END:
                most = -(-share * turns // 100)
                assert size * most <= sum(part[f"{side}_bytes"] for part in parts)
        lasts = row["time"] - flows[row["flow_id"]][0][1]["start"]
        firsts = of_orig if row["first"] == FirstSpeaker.ORIG else of_resp
        assert (firsts - 1) * row["gap"] * 1_000 <= lasts
        assert 0 <= row["gap_spread"] <= 1_000
        told = flows[row["flow_id"]][0][1]["hints"]
        assert row["first"] == (
            FirstSpeaker.RESP if hints.RESP_FIRST.get(told) else FirstSpeaker.ORIG
        )


def test_files_are_moved_by_flows_that_are_as_long(week, flows):
    moved = defaultdict(lambda: [0, 0])
    for _, row in week[1]["rpc"]:
        kinds = [row[name] for name in ("reads", "writes", "creates", "renames", "deletes")]
        if row["kind"] == RpcKind.FILES and row["status"] == RpcStatus.SUCCESS:
            assert row["count"] == sum(kinds)
        else:
            assert not any(kinds)
        assert row["count"] > 0
        assert (row["op"] >= 0) == (row["kind"] == RpcKind.CALL)
        assert (row["share"] > 0) == (row["kind"] in {RpcKind.TREE, RpcKind.PIPE, RpcKind.FILES})
        moved[row["flow_id"]][0] += row["write_bytes"]
        moved[row["flow_id"]][1] += row["read_bytes"]
    for flow, (written, read) in moved.items():
        parts = [part for _, part in flows[flow]]
        if parts[-1]["state"] == FlowState.END:
            assert written <= sum(part["orig_bytes"] for part in parts)
            assert read <= sum(part["resp_bytes"] for part in parts)


def test_nobody_runs_anything_elsewhere(week):
    called = {(row["iface"], row["op"]) for _, row in week[1]["rpc"] if row["kind"] == RpcKind.CALL}
    assert not called & EXECUTES


def test_log_ins_count_an_attempt_and_say_why_it_failed(week):
    rows = [row for _, row in week[1]["auth"]]
    for row in rows:
        assert row["failed"] + row["succeeded"] + row["unknown"] > 0
        good = row["status"] == AuthStatus.NONE
        assert not (good and row["failed"])
        assert not (not good and row["succeeded"])


def test_people_log_in_to_all_that_an_office_has_and_seldom_mistype():
    made = office_rows(3, 12, WORKING_MORNING, WEEK // 2, 1, heartbeat_us=HOUR)
    rows = [named("auth", row) for number, row in made if number == NUMBER["auth"]]
    services = Counter(row["service"] for row in rows)
    assert services.keys() >= {
        AuthService.SMB, AuthService.SSH, AuthService.RDP, AuthService.KERBEROS,
        AuthService.LDAP, AuthService.HTTP,
    }  # fmt: skip
    failed = sum(row["failed"] for row in rows)
    assert 0 < failed < 0.05 * services.total()


def test_a_ticket_is_proven_for_after_it_was_refused_without_a_proof(week):
    asked = defaultdict(list)
    for _, row in week[1]["auth"]:
        if row["method"] == vocabulary.AuthMethod.KERBEROS_AS:
            asked[row["orig_h"]].append(row)
    for rows in asked.values():
        rows.sort(key=lambda row: row["time"])
        for before, after in zip(rows[::2], rows[1::2], strict=False):
            assert before["status"] == AuthStatus.PREAUTH_REQUIRED
            assert after["status"] != AuthStatus.PREAUTH_REQUIRED


def test_certificates_are_shown_where_they_can_be_seen(week):
    for _, row in week[1]["tls"]:
        seen = bool(row["cert_flags"] & CertFlag.SEEN)
        assert seen == (row["server_version"] == 0x0303 and not row["resumed"])
        assert (row["cert_days"] > 0) == seen
        if seen and not row["cert_flags"] & CertFlag.SELF_SIGNED:
            assert 0 <= row["cert_age"] < row["cert_days"]
        assert row["server_version"] <= row["version"]
        assert row["ja4"][0] == ("q" if row["proto"] == 17 else "t")
        assert row["ja4"][3] == ("d" if row["server_name"] else "i")
        assert (row["server_name"] == "") == bool(row["cert_flags"] & CertFlag.SELF_SIGNED)


def test_pages_of_things_inside_are_looked_at_by_their_address():
    made = office_rows(5, 9, WORKING_MORNING, WEEK // 2, 0.1, heartbeat_us=HOUR)
    hellos = [named("tls", row) for number, row in made if number == NUMBER["tls"]]
    pages = [row for row in hellos if row["cert_flags"] & CertFlag.SELF_SIGNED]
    assert len({row["resp_h"] for row in pages}) > 1
    assert {row["server_name"] for row in pages} == {""}


def test_people_share_browsers_and_things_keep_their_own():
    made = office_rows(5, 16, WORKING_MORNING, HOUR, 0.5, heartbeat_us=HOUR)
    by_print, by_host = defaultdict(set), defaultdict(set)
    for row in (named("tls", row) for number, row in made if number == NUMBER["tls"]):
        by_print[row["ja4"]].add(row["orig_h"])
        by_host[row["orig_h"]].add(row["ja4"])
    assert max(map(len, by_print.values())) >= 4
    assert {len(prints) <= 2 for prints in by_host.values()} == {True, False}


def test_offices_differ_in_what_they_have():
    def services(seed):
        made = office_rows(seed, 8, WORKING_MORNING, HOUR, 0.5, heartbeat_us=HOUR)
        return {row[5] for number, row in made if number == NUMBER["auth"]}

    in_domain = [AuthService.KERBEROS in services(seed) for seed in range(1, 9)]
    assert 2 <= sum(in_domain) <= 6
