"""Suricata's records of remote procedures and log-ins; names of people and things never pass."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.readers import Problems
from dijkwacht_collector.readers.logs import read_logs
from dijkwacht_records import wire
from dijkwacht_records.rpc_interfaces import RpcInterface
from dijkwacht_records.vocabulary import (
    AuthMethod,
    AuthService,
    AuthStatus,
    EtypeClass,
    RpcKind,
    RpcStatus,
    RpcVia,
    ShareKind,
)

ENDS = {
    "timestamp": "2026-01-02T03:04:05.000006+0000", "flow_id": 7, "src_ip": "10.0.0.1",
    "src_port": 4000, "dest_ip": "10.0.0.2", "dest_port": 445, "proto": "TCP",
}  # fmt: skip
SVCCTL = {"interfaces": [{"uuid": "367abb81-9844-35f1-ad32-98f038001003", "version": "2.0"}]}


@pytest.fixture
def eve(log, read_named):
    """Records of (kind, body) → rows by name."""

    def read(*records):
        lines = (json.dumps(ENDS | {"event_type": kind, kind: body}) for kind, body in records)
        rows, problems = read_named(log("\n".join(lines)))
        assert problems == []
        return rows

    return read


def test_a_call_is_of_what_its_flow_bound(eve):
    bind = {"request": "BIND", "response": "BINDACK"} | SVCCTL
    call = {"request": "REQUEST", "response": "RESPONSE", "opnum": 12}
    (_, bound), (_, called) = eve(("dcerpc", bind), ("dcerpc", call))
    assert (bound["kind"], bound["iface"], bound["op"]) == (RpcKind.BIND, RpcInterface.SVCCTL, -1)
    assert (called["kind"], called["iface"], called["op"]) == (
        RpcKind.CALL,
        RpcInterface.SVCCTL,
        12,
    )
    assert (called["via"], called["status"]) == (RpcVia.TCP, RpcStatus.SUCCESS)
    ((_, alone),) = eve(("smb", {"command": "SMB2_COMMAND_IOCTL", "dcerpc": call}))
    assert (alone["via"], alone["iface"]) == (RpcVia.SMB2, RpcInterface.UNKNOWN)


def test_a_record_of_dcerpc_tells_its_operation_within_the_request(eve):
    call = {"request": "REQUEST", "response": "RESPONSE", "req": {"opnum": 15, "frag_cnt": 1}}
    ((_, called),) = eve(("dcerpc", call))
    assert (called["kind"], called["op"]) == (RpcKind.CALL, 15)
    ((_, unknown),) = eve(("dcerpc", call | {"req": {"frag_cnt": 1}}))
    assert unknown["op"] == -1


def test_trees_files_and_pipes(eve):
    ok = {"status": "STATUS_SUCCESS"}
    rows = eve(
        ("smb", ok | {"command": "SMB2_COMMAND_TREE_CONNECT", "share": "\\\\a\\C$", "tree_id": 1}),
        ("smb", ok | {"command": "SMB2_COMMAND_CREATE", "filename": "wages.xlsx", "tree_id": 1}),
        ("smb", ok | {"command": "SMB2_COMMAND_WRITE", "filename": "wages.xlsx", "tree_id": 1}),
        ("smb", ok | {"command": "SMB2_COMMAND_SET_INFO", "rename": {"to": "x"}, "tree_id": 1}),
        (
            "smb",
            {"command": "SMB2_COMMAND_TREE_CONNECT", "named_pipe": "\\\\a\\IPC$", "tree_id": 2},
        ),
        ("smb", ok | {"command": "SMB2_COMMAND_CREATE", "filename": "svcctl", "tree_id": 2}),
        ("smb", ok | {"command": "SMB2_COMMAND_READ", "filename": "svcctl", "tree_id": 2}),
        ("smb", {"command": "SMB1_COMMAND_TREE_CONNECT_ANDX", "status": "STATUS_ACCESS_DENIED"}),
    )
    assert [(row["kind"], row["share"]) for _, row in rows] == [
        (RpcKind.TREE, ShareKind.DRIVE),
        (RpcKind.FILES, ShareKind.DRIVE),
        (RpcKind.FILES, ShareKind.DRIVE),
        (RpcKind.FILES, ShareKind.DRIVE),
        (RpcKind.TREE, ShareKind.IPC),
        (RpcKind.PIPE, ShareKind.IPC),
        (RpcKind.TREE, ShareKind.NONE),
    ]
    assert [rows[place][1][name] for place, name in ((1, "creates"), (2, "writes"))] == [1, 1]
    assert (rows[3][1]["renames"], rows[5][1]["iface"]) == (1, RpcInterface.SVCCTL)
    assert rows[4][1]["status"] == RpcStatus.UNANSWERED
    assert (rows[6][1]["status"], rows[6][1]["via"]) == (RpcStatus.DENIED, RpcVia.SMB1)


@pytest.mark.parametrize(
    ("status", "outcome", "why", "session"),
    [
        ("STATUS_SUCCESS", (0, 1), AuthStatus.NONE, RpcStatus.SUCCESS),
        ("STATUS_LOGON_FAILURE", (1, 0), AuthStatus.REFUSED, RpcStatus.LOGON_FAILED),
        ("STATUS_ACCOUNT_LOCKED_OUT", (1, 0), AuthStatus.LOCKED, RpcStatus.LOGON_FAILED),
    ],
)
def test_sessions_are_log_ins(eve, status, outcome, why, session):
    body = {
        "command": "SMB2_COMMAND_SESSION_SETUP", "status": status,
        "ntlmssp": {"user": "jan", "domain": "VOS", "host": "PC-JAN"},
    }  # fmt: skip
    (_, rpc), (_, auth) = eve(("smb", body))
    assert (rpc["kind"], rpc["status"]) == (RpcKind.SESSION, session)
    assert (auth["failed"], auth["succeeded"]) == outcome
    assert (auth["service"], auth["method"]) == (AuthService.SMB, AuthMethod.NTLM)
    assert (auth["status"], auth["accounts"]) == (why, 1)
    more = body | {"status": "STATUS_MORE_PROCESSING_REQUIRED"}
    assert [table for table, _ in eve(("smb", more))] == ["rpc"]


def test_a_session_may_be_opened_with_a_ticket(eve):
    body = {
        "command": "SMB2_COMMAND_SESSION_SETUP", "status": "STATUS_SUCCESS",
        "kerberos": {"realm": "VOS.AD", "snames": ["cifs", "nas"]},
    }  # fmt: skip
    _, (_, auth) = eve(("smb", body))
    assert (auth["service"], auth["method"]) == (AuthService.SMB, AuthMethod.KERBEROS)
    assert (auth["succeeded"], auth["accounts"]) == (1, 0)
    del body["kerberos"]
    assert [table for table, _ in eve(("smb", body))] == ["rpc"]


def test_tickets(eve):
    given_ticket = {
        "msg_type": "KRB_TGS_REP", "cname": "jan", "realm": "VOS.AD",
        "encryption": "aes256-cts-hmac-sha1-96", "ticket_encryption": "rc4-hmac",
    }  # fmt: skip
    refused = {
        "msg_type": "KRB_ERROR", "failed_request": "KRB_AS_REQ",
        "error_code": "KDC_ERR_PREAUTH_FAILED", "cname": "jan",
    }  # fmt: skip
    (_, ticket), (_, error) = eve(("krb5", given_ticket), ("krb5", refused))
    assert (ticket["method"], ticket["succeeded"], ticket["etype"]) == (
        AuthMethod.KERBEROS_TGS,
        1,
        EtypeClass.RC4,
    )
    assert (error["method"], error["failed"], error["status"]) == (
        AuthMethod.KERBEROS_AS,
        1,
        AuthStatus.WRONG_PASSWORD,
    )
    assert (ticket["accounts"], error["accounts"]) == (0, 1)


def test_what_an_error_does_not_say_is_no_account_and_no_cipher(eve):
    untold = {
        "msg_type": "KRB_ERROR", "failed_request": "KRB_AS_REQ", "cname": "<empty>",
        "error_code": "KDC_ERR_PREAUTH_FAILED", "realm": "<empty>", "encryption": "<none>",
    }  # fmt: skip
    ((_, error),) = eve(("krb5", untold))
    assert (error["failed"], error["etype"], error["accounts"]) == (1, EtypeClass.NONE, 0)
    assert eve(("krb5", untold | {"error_code": "KRB_ERR_RESPONSE_TOO_BIG"})) == []
    ((_, service),) = eve(("krb5", untold | {"error_code": "KDC_ERR_S_PRINCIPAL_UNKNOWN"}))
    assert service["status"] == AuthStatus.UNKNOWN_SERVICE


def test_desktops(eve):
    asked = {"event_type": "initial_request", "cookie": "jan"}
    refused = {"event_type": "initial_response", "reason": "SSL not allowed by server"}
    shown = {"event_type": "tls_handshake"}
    rows = eve(("rdp", asked), ("rdp", refused), ("rdp", shown))
    assert [(row["unknown"], row["failed"]) for _, row in rows] == [(1, 0), (0, 1)]
    assert {row["service"] for _, row in rows} == {AuthService.RDP}


BODIES = {
    "smb": {
        "command": "SMB2_COMMAND_SESSION_SETUP", "status": "STATUS_LOGON_FAILURE",
        "ntlmssp": {"user": "NAME", "domain": "NAME", "host": "NAME"}, "filename": "NAME",
    },
    "krb5": {
        "msg_type": "KRB_AS_REP", "cname": "NAME", "realm": "NAME", "sname": "NAME",
        "encryption": "rc4-hmac",
    },
    "rdp": {"event_type": "initial_request", "cookie": "NAME", "client": {"client_name": "NAME"}},
    "dcerpc": {"request": "REQUEST", "opnum": 3, "activityuuid": "NAME"},
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(BODIES))
@given(name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_names_never_pass(tmp_path_factory, kind, name):
    path = tmp_path_factory.getbasetemp() / f"names-{kind}.json"

    def read(word):
        body = json.loads(json.dumps(BODIES[kind]).replace("NAME", json.dumps(word)[1:-1]))
        path.write_text(json.dumps(ENDS | {"event_type": kind, kind: body}))
        rows = read_logs([path], lambda _: False, Problems()).rows
        assert rows
        return rows

    assert read(name) == read("Jan de Vries")


@given(
    st.sampled_from(sorted(BODIES)),
    st.dictionaries(
        st.sampled_from([*BODIES["smb"], *BODIES["krb5"], "share", "dcerpc", "opnum", "tree_id"]),
        st.none() | st.integers() | st.text(max_size=5) | st.just({}) | st.just([{}]),
        max_size=4,
    ),
)
def test_damaged_records_never_raise(tmp_path_factory, kind, changes):
    path = tmp_path_factory.getbasetemp() / "damaged-remote.json"
    lines = [
        ENDS | {"event_type": kind, kind: body} for body in (BODIES[kind], BODIES[kind] | changes)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = read_logs([path], lambda _: False, Problems()).rows
    assert rows
    wire.decode(wire.encode("s", "a", bytes(16), 0, 0, rows, 2), [2])
