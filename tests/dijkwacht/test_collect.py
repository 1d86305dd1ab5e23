"""`dijkwacht collect` as a process, and `dijkwacht site` beside it."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from dijkwacht import cli
from dijkwacht.collect import notify_systemd
from dijkwacht_collector.journal import PARTITIONS, Journal
from dijkwacht_collector.settings import load_settings
from dijkwacht_collector.sinks import IncidentStore
from dijkwacht_collector.sites import Sites, Speaker
from dijkwacht_records.joincode import read_code
from dijkwacht_records.orders import OrderOutcome
from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import encode


def collect(state, *more):
    return subprocess.Popen(
        [sys.executable, "-m", "dijkwacht.cli", "collect", "--state", state, *more],
        stderr=subprocess.PIPE,
        text=True,
    )


def said_until(process, pattern):
    said = ""
    for line in process.stderr:
        said += line
        if found := re.search(pattern, line):
            return found
    pytest.fail(said)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(tmp_path, number):
    with collect(tmp_path, "--listen", "127.0.0.1:0") as process:
        url = said_until(process, r"listening on (http://\S+)")[1]
        with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
            assert json.load(answer)["status"] == "ok"
        process.send_signal(number)
        log = [json.loads(line) for line in process.stderr if line.startswith("{")]
        assert process.wait(30) == 0
    assert "error" not in {line["level"] for line in log}


FAILING_DISK = """
import errno, sys
from dijkwacht_collector.journal.segment import Disk
from dijkwacht import cli

def fail(*_):
    raise OSError(errno.EIO, "Input/output error")

def sync(self, fd, syncs=[]):
    syncs.append(fd)
    if len(syncs) > 100:
        fail()

Disk.sync = sync
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_failed_disk_ends_it_with_one_line_and_the_next_start_goes_on(tmp_path):
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    sites.add("bakery", 1)
    token = sites.make_token("bakery", "desk", 1)
    sites.close()
    words = ["collect", "--state", str(tmp_path), "--listen", "127.0.0.1:0", "--no-training"]
    with subprocess.Popen(
        [sys.executable, "-c", FAILING_DISK, *words], stderr=subprocess.PIPE, text=True
    ) as process:
        url = said_until(process, r"listening on (http://\S+)")[1]
        kept = post_until_refused(url, token)
        said = [line for line in process.stderr if not line.startswith("{")]
        assert process.wait(60) == 2
    assert len(said) == 1
    assert re.match(r"dijkwacht collect: \d+\.dwj: Input/output error; what was", said[0])
    journal = Journal(tmp_path / "journal")
    journal.open()
    entries, _ = journal.read(range(PARTITIONS), {})
    journal.close()
    assert 0 < kept <= sum(entry.kind == "batch" for entry in entries)


def post_until_refused(url, token):
    """How many batches were taken before one was not."""
    beat = TABLES.index(AGENT), (1, *(0 for _ in AGENT.columns[1:]))
    for seq in range(10_000):
        body = encode("bakery", "desk", bytes(16), seq, 1, [beat])
        request = urllib.request.Request(
            f"{url}/v1/batches", body, {"Authorization": f"Bearer {token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            return seq if error.code == 503 else pytest.fail(str(error))
    return pytest.fail("nothing was refused")


def test_it_says_in_one_line_why_it_cannot_start(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with collect(tmp_path, "--listen", f"127.0.0.1:{port}") as process:
            said = [line for line in process.stderr if not line.startswith("{")]
            assert process.wait(30) == 2
    assert len(said) == 1
    assert str(port) in said[0]


def test_two_collectors_do_not_share_their_state(tmp_path):
    with collect(tmp_path, "--listen", "127.0.0.1:0") as first:
        said_until(first, "listening on")
        with collect(tmp_path, "--listen", "127.0.0.1:0") as second:
            said = [line for line in second.stderr if not line.startswith("{")]
            assert second.wait(30) == 2
        assert "another collector uses this journal" in said[-1]
        first.terminate()
        first.stderr.read()


@pytest.mark.parametrize("name", ["sites.db", "incidents.db"])
@pytest.mark.parametrize("damage", ["not a database", "a page"])
def test_a_damaged_database_is_one_line(tmp_path, name, damage):
    for part in (Sites(tmp_path / "sites.db"), IncidentStore(tmp_path / "incidents.db")):
        part.open()
        part.close()
    data = bytearray((tmp_path / name).read_bytes())
    at = 0 if damage == "not a database" else 4096
    data[at : at + 4096] = b"\xa5" * 4096
    (tmp_path / name).write_bytes(data)
    with collect(tmp_path, "--listen", "127.0.0.1:0") as process:
        said = [next(line for line in process.stderr if not line.startswith("{"))]
        if "listening" in said[0]:
            process.terminate()
        said += [line for line in process.stderr if not line.startswith("{")]
        code = process.wait(30)
    assert (len(said), code) == (1, 2), said
    assert said[0].startswith(f"dijkwacht collect: {tmp_path / name}: ")
    assert "move it away" in said[0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--listen", "8470"], "HOST:PORT"),
        (["--workers", "0"], "workers is 0"),
        (["--listen", "0.0.0.0:8470"], "operator_token_file"),
        (["--settings", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path, capsys, arguments, sentence):
    assert cli.main(["collect", "--state", str(tmp_path), *arguments]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path, monkeypatch, abstract):
    name = "\0dijkwacht-test-notify" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name)
        monkeypatch.setenv("NOTIFY_SOCKET", name.replace("\0", "@"))
        notify_systemd("READY=1")
        assert systemd.recv(100) == b"READY=1"
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify_systemd("READY=1")


def site(tmp_path, *arguments):
    return cli.main(["site", "--state", str(tmp_path), *arguments])


def an_empty_state(folder):
    sites = Sites(folder / "sites.db")
    sites.open()
    sites.close()


def test_a_site_comes_with_the_line_its_owner_types(tmp_path, capsys):
    assert site(tmp_path, "add", "bakery", "--url", "https://wacht.example") == 0
    code = re.search(r"dijkwacht-agent join (\S+)", capsys.readouterr().out)[1]
    assert read_code(code)[0] == "https://wacht.example"
    assert site(tmp_path, "code", "bakery") == 0
    assert "dijkwacht-agent join" in capsys.readouterr().out
    assert site(tmp_path, "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["site"], listed["agents"]) == ("bakery", {})


def test_sites_are_listed_with_their_agents(tmp_path, capsys):
    site(tmp_path, "add", "bakery")
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    sites.note_agents({("bakery", "desk"): 1_790_000_000_000_000})
    sites.make_token("bakery", "desk", 1)
    sites.close()
    capsys.readouterr()
    assert site(tmp_path, "list") == 0
    assert capsys.readouterr().out.splitlines() == [
        "bakery: 1 agent(s)",
        "    desk, last seen 2026-09-21 14:13:20 UTC",
    ]
    assert site(tmp_path, "revoke", "bakery", "desk") == 0
    assert site(tmp_path, "revoke", "bakery", "desk") == 2


def test_agents_that_joined_and_those_that_are_gone_are_listed(tmp_path, capsys):
    site(tmp_path, "add", "bakery")
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    for agent in ("desk", "till", "oven", "van"):
        sites.make_token("bakery", agent, 1_790_000_000_000_000)
    sites.note_agents({("bakery", "desk"): 1_790_000_001_000_000, ("bakery", "van"): 2})
    sites.close()
    assert site(tmp_path, "revoke", "bakery", "oven") == 0
    assert site(tmp_path, "remove-agent", "bakery", "van") == 0
    assert site(tmp_path, "remove-agent", "bakery", "nobody") == 2
    capsys.readouterr()
    assert site(tmp_path, "list") == 0
    assert capsys.readouterr().out.splitlines() == [
        "bakery: 2 agent(s), 2 gone",
        "    desk, last seen 2026-09-21 14:13:21 UTC",
        "    oven, revoked, never heard",
        "    till, joined 2026-09-21 14:13:20 UTC, not heard yet",
        "    van, removed, last seen 1970-01-01 00:00:00 UTC",
    ]
    assert site(tmp_path, "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["standing"] == {
        "desk": "live",
        "oven": "revoked",
        "till": "never_heard",
        "van": "removed",
    }
    assert listed["agents"]["till"] == 0


def test_an_agent_on_two_machines_is_listed_as_such(tmp_path, capsys):
    site(tmp_path, "add", "bakery")
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    sites.make_token("bakery", "desk", 1)
    sites.note_agents({("bakery", "desk"): 1_790_000_000_000_000})
    sites.note_copies({("bakery", "desk"): 1})
    capsys.readouterr()
    assert site(tmp_path, "list") == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "        2 machines use its identity: was its disk copied? Remove it, and let each join again."
    ]
    assert site(tmp_path, "list", "--json") == 0
    assert json.loads(capsys.readouterr().out)["copies"] == {"desk": 1}
    sites.note_copies({})
    sites.close()
    assert site(tmp_path, "list") == 0
    assert "2 machines" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["add", "The Bakery"], "a site is named by"),
        (["code", "clinic"], "no site of this name"),
        (["add", "bakery", "--url", "wacht.example"], "not the address of a collector"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, capsys, arguments, sentence):
    an_empty_state(tmp_path)
    assert site(tmp_path, *arguments) == 2
    assert sentence in capsys.readouterr().err
    site(tmp_path, "list")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "--json"], ["code", "bakery"], ["revoke", "bakery", "desk"]]
)
@pytest.mark.parametrize("there", [False, True])
def test_a_folder_without_state_is_named_and_stays_as_it_is(tmp_path, capsys, arguments, there):
    state = tmp_path / "mistyped"
    if there:
        state.mkdir()
    assert site(state, *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"dijkwacht site: {state}: there is no collector state in this folder;")
    assert err.count("\n") == 1
    assert list(tmp_path.rglob("*")) == ([state] if there else [])


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_state_without_sites_says_how_one_is_added(tmp_path, capsys, as_json):
    state = tmp_path / "the state"
    state.mkdir()
    an_empty_state(state)
    assert site(state, "list", *as_json) == 0
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.splitlines()
    assert line.startswith("dijkwacht site: there is no site yet; add one: ")
    words = shlex.split(line.partition("add one: ")[2])
    assert words == ["dijkwacht", "site", "--state", str(state), "add", "NAME"]
    assert cli.main([*words[1:-1], "bakery"]) == 0
    assert site(state, "list") == 0
    assert capsys.readouterr().err == ""


def test_the_state_may_stand_behind_the_action(tmp_path, capsys):
    assert cli.main(["site", "add", "bakery", "--state", str(tmp_path)]) == 0
    assert cli.main(["site", "--state", str(tmp_path), "list"]) == 0
    out = capsys.readouterr().out
    assert "It leads to http://127.0.0.1:8470; --url names another address." in out
    assert "bakery: 0 agent(s)" in out


def test_a_state_that_is_no_folder_is_named(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert cli.main(["collect", "--state", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.endswith("file: is no folder\n")


def test_sites_are_added_where_the_collector_looks_from_any_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    assert cli.main(["site", "add", "bakery"]) == 0
    assert load_settings().state == tmp_path / "state"
    assert (tmp_path / "state" / "sites.db").exists()


def test_state_of_an_earlier_version_is_used_and_reported(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "none"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["site", "--state", "var/collector", "add", "bakery"]) == 0
    assert cli.main(["site", "list"]) == 0
    out, err = capsys.readouterr()
    assert "bakery: 0 agent(s)" in out
    assert "using the state of an earlier version in var/collector" in err


def test_an_order_is_given_and_how_it_ended_is_shown(tmp_path, capsys):
    site(tmp_path, "add", "bakery")
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    sites.make_token("bakery", "desk", 1)
    for wrong in (["nobody", "diagnostics"], ["desk", "diagnostics", "--hours", "200"]):
        assert site(tmp_path, "order", "bakery", *wrong) == 2
    capsys.readouterr()
    assert site(tmp_path, "orders", "bakery") == 0
    assert capsys.readouterr().out == "No agent of bakery was asked anything.\n"
    for _ in range(2):
        assert site(tmp_path, "order", "bakery", "desk", "diagnostics", "--hours", "2") == 0
    name = re.search(r"Order (\w+) \(diagnostics\) waits", capsys.readouterr().out)[1]
    sites.orders.note_upload(Speaker("bakery", "desk"), name, 1, "bakery.desk.file", 7)
    said = OrderOutcome("failed", "\x1b[31mOSError")
    sites.orders.end(Speaker("bakery", "desk"), name, said, 1_790_000_000_000_000)
    assert site(tmp_path, "orders", "bakery") == 0
    out = capsys.readouterr().out
    assert "waits until" in out
    assert "failed ('\\x1b[31mOSError'), said 2026-09-21 14:13:20 UTC; file " in out
    assert "\x1b" not in out
    assert site(tmp_path, "orders", "bakery", "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (ended,) = [row for row in rows if row["id"] == name]
    assert ended["expires"] - ended["issued"] == 2 * 3600 * 10**6
    assert (ended["kind"], ended["agent"], ended["outcome"]) == ("diagnostics", "desk", "failed")
    assert ended["file"] == str(tmp_path / "uploads" / "bakery.desk.file")
    sites.close()
    assert site(tmp_path, "orders", "butcher") == 2
