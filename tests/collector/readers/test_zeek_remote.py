"""Remote procedures and log-ins, as Zeek's logs tell them; names of people and things never."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.readers import Problems
from dijkwacht_collector.readers.logs import read_logs
from dijkwacht_collector.readers.rpc_words import interface_of, operation_of, share_kind
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
    "ts": "100.5", "uid": "C1", "id.orig_h": "10.0.0.1", "id.orig_p": "4000",
    "id.resp_h": "10.0.0.2", "id.resp_p": "445",
}  # fmt: skip
COLUMNS = {
    "dce_rpc": ["rtt", "named_pipe", "endpoint", "operation"],
    "smb_mapping": ["path", "service", "native_file_system", "share_type"],
    "smb_files": ["fuid", "action", "path", "name", "size", "prev_name"],
    "kerberos": ["request_type", "client", "service", "success", "error_msg", "cipher"],
    "ntlm": ["username", "hostname", "domainname", "server_nb_computer_name", "success", "status"],
    "rdp": ["cookie", "result", "security_protocol", "client_name", "keyboard_layout"],
    "ssh": ["version", "auth_success", "auth_attempts", "client", "server"],
}
NAMES = {
    "smb_files": ["fuid", "name", "prev_name"],
    "kerberos": ["client", "service"],
    "ntlm": ["username", "hostname", "domainname", "server_nb_computer_name"],
    "rdp": ["cookie", "client_name", "keyboard_layout"],
    "ssh": ["client", "server"],
    "smb_mapping": ["path", "service"],
    "dce_rpc": [],
}
"""Columns in which somebody's words stand."""


@pytest.fixture
def rows(log, zeek, read_named):
    """Lines of a log, by column → their rows by name."""

    def read(name, *lines):
        fields = [*ENDS, *COLUMNS[name]]
        found, problems = read_named(log(zeek(name, fields, *(ENDS | line for line in lines))))
        assert problems == []
        return found

    return read


def only(found, table):
    ((name, row),) = found
    assert name == table
    assert (row["time"], row["orig_h"], row["resp_h"]) == (100_500_000, "10.0.0.1", "10.0.0.2")
    return row


@pytest.mark.parametrize(
    ("endpoint", "operation", "expected"),
    [
        ("svcctl", "CreateServiceW", (RpcInterface.SVCCTL, 12)),
        ("svcctl", "unknown-60", (RpcInterface.SVCCTL, 60)),
        ("ITaskSchedulerService", "SchRpcRun", (RpcInterface.TASKS, 12)),
        ("drsuapi", "DRSGetNCChanges", (RpcInterface.DRSUAPI, 3)),
        ("netlogon", "NetrServerAuthenticate3", (RpcInterface.NETLOGON, 26)),
        ("samr", "SamrEnumerateUsersInDomain", (RpcInterface.SAMR, 13)),
        ("IWbemServices", "ExecMethod", (RpcInterface.WMI, 24)),
        ("winreg", "BaseRegSetValue", (RpcInterface.WINREG, 22)),
        ("srvsvc", "NetrShareEnum", (RpcInterface.SRVSVC, 15)),
        ("IRemoteWinspool", "RpcAsyncAddPrinterDriver", (RpcInterface.PRINT_ASYNC, 39)),
        ("IRemoteWinspool", "AddPrinterDriver", (RpcInterface.PRINT_ASYNC, 39)),
        ("spoolss", "RpcAddPrintProcessor", (RpcInterface.SPOOLSS, 14)),
        ("spoolss", "RpcAddPrinterDriverEx", (RpcInterface.SPOOLSS, 89)),
        ("epmapper", "ept_lookup", (RpcInterface.EPM, 2)),
        ("unknown-c681d488-d850-11d0-8c52-00c04fd90f7e", "unknown-0", (RpcInterface.EFSRPC, 0)),
        ("unknown-00000000-0000-0000-0000-000000000001", "unknown-9", (RpcInterface.UNKNOWN, 9)),
        ("BackupKey", "bkrp_BackupKey", (RpcInterface.UNKNOWN, -1)),
    ],
)
def test_calls_have_numbers(rows, endpoint, operation, expected):
    line = {"named_pipe": "49683", "endpoint": endpoint, "operation": operation, "rtt": "0.1"}
    row = only(rows("dce_rpc", line), "rpc")
    assert (row["iface"], row["op"]) == expected
    assert (row["kind"], row["via"], row["status"]) == (RpcKind.CALL, RpcVia.TCP, RpcStatus.SUCCESS)
    assert (row["count"], row["resp_p"]) == (1, 445)


def test_calls_through_a_pipe(rows):
    line = {"named_pipe": "\\\\pipe\\\\svcctl", "operation": "unknown-2"}
    row = only(rows("dce_rpc", line), "rpc")
    assert (row["iface"], row["op"]) == (RpcInterface.SVCCTL, 2)
    assert (row["via"], row["status"]) == (RpcVia.SMB2, RpcStatus.UNANSWERED)


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("\\\\server\\IPC$", "PIPE", ShareKind.IPC),
        ("\\\\10.0.0.2\\ADMIN$", "DISK", ShareKind.ADMIN),
        ("\\\\server\\c$", "DISK", ShareKind.DRIVE),
        ("\\\\vos.ad\\SYSVOL", "DISK", ShareKind.DOMAIN),
        ("\\\\server\\print$", "DISK", ShareKind.PRINTER),
        ("\\\\server\\laser", "PRINT", ShareKind.PRINTER),
        ("\\\\server\\wages$", "DISK", ShareKind.HIDDEN),
        ("\\\\server\\wages", "DISK", ShareKind.OTHER),
    ],
)
def test_trees_have_kinds(rows, path, kind, expected):
    row = only(rows("smb_mapping", {"path": path, "share_type": kind}), "rpc")
    assert (row["kind"], row["share"], row["status"]) == (RpcKind.TREE, expected, RpcStatus.SUCCESS)
    assert row["via"] == RpcVia.SMB2
    old = {"path": path, "share_type": kind, "native_file_system": "NTFS"}
    assert only(rows("smb_mapping", old), "rpc")["via"] == RpcVia.SMB1


@pytest.mark.parametrize(
    ("action", "counter"),
    [
        ("SMB::FILE_READ", "reads"),
        ("SMB::FILE_WRITE", "writes"),
        ("SMB::FILE_OPEN", "creates"),
        ("SMB::FILE_RENAME", "renames"),
        ("SMB::FILE_DELETE", "deletes"),
    ],
)
def test_files_are_counters(rows, action, counter):
    line = {"action": action, "path": "\\\\server\\C$", "name": "wages.xlsx", "size": "9"}
    row = only(rows("smb_files", line), "rpc")
    assert (row["kind"], row["share"], row["count"]) == (RpcKind.FILES, ShareKind.DRIVE, 1)
    counters = ("reads", "writes", "creates", "renames", "deletes")
    assert {name: row[name] for name in counters} == dict.fromkeys(counters, 0) | {counter: 1}


def test_pipes_lead_to_interfaces_and_a_close_says_nothing(rows):
    pipe = {"action": "SMB::PIPE_OPEN", "path": "\\\\server\\IPC$", "name": "svcctl"}
    row = only(rows("smb_files", pipe), "rpc")
    assert (row["kind"], row["iface"], row["share"]) == (
        RpcKind.PIPE,
        RpcInterface.SVCCTL,
        ShareKind.IPC,
    )
    closed = {"action": "SMB::FILE_CLOSE", "path": "x", "name": "y"}
    assert rows("smb_files", closed) == []


@pytest.mark.parametrize(
    ("success", "error", "outcome", "status"),
    [
        ("T", "-", (0, 1, 0), AuthStatus.NONE),
        ("F", "KDC_ERR_PREAUTH_FAILED", (1, 0, 0), AuthStatus.WRONG_PASSWORD),
        ("F", "KDC_ERR_C_PRINCIPAL_UNKNOWN", (1, 0, 0), AuthStatus.UNKNOWN_ACCOUNT),
        ("F", "KDC_ERR_CLIENT_REVOKED", (1, 0, 0), AuthStatus.LOCKED),
        ("F", "KDC_ERR_PREAUTH_REQUIRED", (0, 0, 1), AuthStatus.PREAUTH_REQUIRED),
        ("F", "KRB_AP_ERR_TKT_EXPIRED", (1, 0, 0), AuthStatus.EXPIRED),
        ("F", "KDC_ERR_ETYPE_NOSUPP", (1, 0, 0), AuthStatus.OTHER),
        ("F", "-", (1, 0, 0), AuthStatus.REFUSED),
        ("-", "-", (0, 0, 1), AuthStatus.NONE),
    ],
)
def test_tickets(rows, success, error, outcome, status):
    line = {
        "request_type": "AS", "client": "jan/VOS.AD", "success": success, "error_msg": error,
        "cipher": "rc4-hmac",
    }  # fmt: skip
    row = only(rows("kerberos", line), "auth")
    assert (row["failed"], row["succeeded"], row["unknown"]) == outcome
    assert (row["service"], row["method"]) == (AuthService.KERBEROS, AuthMethod.KERBEROS_AS)
    assert (row["status"], row["etype"], row["accounts"]) == (status, EtypeClass.RC4, 1)
    row = only(rows("kerberos", line | {"request_type": "TGS"}), "auth")
    assert (row["method"], row["accounts"]) == (AuthMethod.KERBEROS_TGS, 0)


def test_a_ticket_too_big_for_udp_is_asked_again_and_counted_then(rows):
    line = {"request_type": "TGS", "success": "F", "error_msg": "KRB_ERR_RESPONSE_TOO_BIG"}
    assert rows("kerberos", line) == []
    row = only(rows("kerberos", line | {"error_msg": "KDC_ERR_S_PRINCIPAL_UNKNOWN"}), "auth")
    assert (row["failed"], row["status"]) == (1, AuthStatus.UNKNOWN_SERVICE)


def test_accounts_are_counted_within_an_hour(rows):
    lines = [
        {"ts": str(time), "username": name, "domainname": "VOS", "success": "F"}
        for time, name in [(0, "jan"), (1, "piet"), (2, "Jan"), (3, "kees"), (3601, "els")]
    ]
    found = [row for _, row in rows("ntlm", *lines)]
    assert [row["accounts"] for row in found] == [1, 2, 2, 3, 3]
    assert {row["status"] for row in found} == {AuthStatus.REFUSED}
    assert {row["service"] for row in found} == {AuthService.SMB}


@pytest.mark.parametrize(
    ("columns", "outcome", "method", "status"),
    [
        ({"username": "jan", "success": "T"}, (0, 1, 0), AuthMethod.NTLM, AuthStatus.NONE),
        ({"success": "T"}, (0, 1, 0), AuthMethod.ANONYMOUS, AuthStatus.NONE),
        ({"username": "jan"}, (0, 0, 1), AuthMethod.NTLM, AuthStatus.NONE),
        (
            {"username": "jan", "status": "NO_SUCH_USER"},
            (1, 0, 0),
            AuthMethod.NTLM,
            AuthStatus.UNKNOWN_ACCOUNT,
        ),
    ],
)
def test_ntlm(rows, columns, outcome, method, status):
    row = only(rows("ntlm", columns), "auth")
    assert (row["failed"], row["succeeded"], row["unknown"]) == outcome
    assert (row["method"], row["status"]) == (method, status)


@pytest.mark.parametrize(
    ("success", "attempts", "outcome"),
    [
        ("T", "1", (0, 1, 0)),
        ("T", "4", (3, 1, 0)),
        ("F", "6", (6, 0, 0)),
        ("F", "0", (1, 0, 0)),
        ("-", "0", (0, 0, 1)),
    ],
)
def test_ssh(rows, success, attempts, outcome):
    row = only(rows("ssh", {"auth_success": success, "auth_attempts": attempts}), "auth")
    assert (row["failed"], row["succeeded"], row["unknown"]) == outcome
    assert row["service"] == AuthService.SSH
    assert row["status"] == (AuthStatus.REFUSED if outcome[0] else AuthStatus.NONE)


@pytest.mark.parametrize(
    ("result", "outcome"),
    [("encrypted", (0, 0, 1)), ("Success", (0, 0, 1)), ("SSL_NOT_ALLOWED_BY_SERVER", (1, 0, 0))],
)
def test_rdp(rows, result, outcome):
    line = {"cookie": "jan", "result": result, "security_protocol": "HYBRID"}
    row = only(rows("rdp", line), "auth")
    assert (row["failed"], row["succeeded"], row["unknown"]) == outcome
    assert (row["service"], row["accounts"]) == (AuthService.RDP, 1)


WORDS = st.text(st.characters(exclude_characters="\t\n\r\0\\/$", codec="utf-8"), min_size=2)
FIXED = {
    "smb_files": {"action": "SMB::FILE_OPEN", "path": "\\\\s\\C$"},
    "kerberos": {"request_type": "AS", "success": "T", "cipher": "rc4-hmac"},
    "ntlm": {"success": "F"},
    "rdp": {"result": "encrypted", "security_protocol": "HYBRID"},
    "ssh": {"auth_success": "F", "auth_attempts": "3"},
    "smb_mapping": {"share_type": "DISK"},
}
FREE = ("-", "(empty)", "print", "ipc", "sysvol", "netlogon")
"""Words that mean something to Zeek or to us."""


@pytest.mark.parametrize("name", sorted(FIXED))
@given(data=st.data())
def test_names_never_pass(tmp_path_factory, zeek, name, data):
    """Whatever names stand in a log, its rows are the same."""
    path = tmp_path_factory.getbasetemp() / f"names-{name}.log"

    def read(word):
        lines = [
            ENDS | FIXED[name] | dict.fromkeys(NAMES[name], word(number)) for number in range(3)
        ]
        path.write_text(zeek(name, [*ENDS, *COLUMNS[name]], *lines), "utf-8")
        problems = Problems()
        found = read_logs([path], lambda _: False, problems).rows
        assert list(problems) == []
        assert len(found) == 3
        return found

    words = data.draw(
        st.lists(
            WORDS.filter(lambda word: not word.lower().startswith(FREE)),
            min_size=3,
            max_size=3,
            unique_by=str.lower,
        )
    )
    assert read(words.__getitem__) == read(lambda number: f"Jan de Vries {number}")


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_word_raises(endpoint, operation, path):
    interface = interface_of(endpoint, path)
    assert -1 <= operation_of(interface, operation) <= 0xFFFF
    assert share_kind(path) in ShareKind


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_json_is_told_by_its_path(log, read_named, name):
    text = (
        f'{{"_path":"{name}","ts":9.5,"id.orig_h":"10.0.0.1","id.orig_p":9,'
        f'"id.resp_h":"10.0.0.2","id.resp_p":445,"action":"SMB::FILE_READ"}}\n'
    )
    ((table, row),), problems = read_named(log(text))
    assert problems == []
    assert table == ("auth" if name in {"kerberos", "ntlm", "rdp", "ssh"} else "rpc")
    assert row["orig_h"] == "10.0.0.1"


@pytest.mark.parametrize("name", sorted(COLUMNS))
@given(
    st.lists(
        st.sampled_from(["-", "", "(empty)", "T", "F", "-1", "1e400", "\\x", "::", "SMB::"])
        | st.text(st.characters(exclude_characters="\t\n\r\0", codec="utf-8"), max_size=9),
        max_size=14,
    )
)
def test_damaged_lines_never_raise(tmp_path_factory, zeek, name, cells):
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}.log"
    fields = [*ENDS, *COLUMNS[name]]
    whole = ENDS | FIXED.get(name, {"endpoint": "svcctl", "operation": "unknown-1"})
    damaged = dict(zip(fields, cells, strict=False))
    path.write_text(zeek(name, fields, whole, whole | damaged), "utf-8")
    rows = read_logs([path], lambda _: False, Problems()).rows
    assert rows
    wire.decode(wire.encode("s", "a", bytes(16), 0, 0, rows, 2), [2])
