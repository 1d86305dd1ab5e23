"""Versions beside the present one, as processes: the first, from this repository's history, and a next.

Of the next one there are only its records, so that everything else of today runs over them: it has a
contract 3, with columns that are added to tables of before, and within contract 2 a table more.
"""

import http.client
import importlib.metadata
import io
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
import threading
import time
import tomllib
import zipfile
from pathlib import Path

import msgspec
import pytest
from packaging.requirements import Requirement

import dijkwacht_records
from dijkwacht_agent.spool import Spool
from dijkwacht_collector.journal import PARTITIONS, Journal
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.contracts import CONTRACTS

ROOT = Path(__file__).resolve().parents[3]
FIRST = "98962f9"
"""The last commit of the first version: its agents say nothing of versions, its collectors neither."""
START_S = 1_700_000_000
PORTS = 300
MAIN = "import sys; from {package}.cli import main; sys.exit(main(sys.argv[1:]))"
COLUMNS = CONTRACTS[2].columns
MORE = (1, 0, 0, 3, 0, 1, *[0] * 6)
"""Columns that the next version adds to each table of contract 2."""
CHANGES = (
    (
        "tables.py",
        "TABLES: tuple[Table, ...] = (\n",
        """
def _with(table: Table, *columns: Column) -> Table:
    return Table(table.name, table.meaning, (*table.columns, *columns))


FLOWS = _with(FLOWS, Column("odd", "int", "", "for a rehearsal", 7))
DHCP = _with(
    DHCP,
    Column("vendor", "text", "", "for a rehearsal"),
    Column("relay_h", "addr", "", "for a rehearsal"),
    Column("lease", "int", "s", "for a rehearsal", -3_600),
)
SYSTEM = _with(SYSTEM, Column("scale", "float", "", "for a rehearsal", 0.5))
KNOCKS = Table(
    "knocks",
    "for a rehearsal",
    _columns(
        ("orig_h", "addr", "", "for a rehearsal"),
        ("count", "int", "", "for a rehearsal"),
        ("share", "float", "", "for a rehearsal"),
        ("banner", "text", "", "for a rehearsal"),
    ),
)
TABLES: tuple[Table, ...] = (
""",
    ),
    ("tables.py", "    NDP,\n)", "    NDP,\n    KNOCKS,\n)"),
    (
        "contracts.py",
        f"Contract(2, {COLUMNS}),",
        f"Contract(2, {(*COLUMNS, 5)}), Contract(3, {(*map(int.__add__, COLUMNS, MORE), 5)}),",
    ),
    ("contracts.py", "READS: Final[tuple[int, ...]] = (1, 2)", "READS: Final = (1, 2, 3)"),
    ("contracts.py", "WRITES: Final[tuple[int, ...]] = (1, 2)", "WRITES: Final = (1, 2, 3)"),
)
"""What the next version changes in the records: file, text, and what stands there then."""
READS = """
import functools, sys
import dijkwacht_collector.app as app
app.build_app = functools.partial(app.build_app, reads={reads})
from dijkwacht.cli import main
sys.exit(main(sys.argv[1:]))
"""


def until(true, limit_s=240):
    """Wait for a condition, and return what it gave. Generous: the first start compiles kernels."""
    deadline = time.monotonic() + limit_s
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited {limit_s} s"
        threading.Event().wait(0.02)
    return found


class Version:
    """A version's commands, run by ``python`` in ``environment``."""

    def __init__(self, python, environment):
        self.python, self.environment = python, environment

    def command(self, script, *arguments):
        return [self.python, "-c", script, *map(str, arguments)]

    def agent(self, *arguments):
        return self.command(MAIN.format(package="dijkwacht_agent"), *arguments)

    def collector(self, *arguments, reads=None):
        script = MAIN.format(package="dijkwacht") if reads is None else READS.format(reads=reads)
        return self.command(script, "collect", *arguments)

    def run(self, command, told=None):
        return subprocess.run(
            command, env=self.environment, input=told,
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    def speak(self, *questions):
        """The answers of `speak.py`."""
        script = Path(__file__).with_name("speak.py")
        done = self.run([self.python, script], msgspec.json.encode(questions).decode())
        assert done.returncode == 0, done.stderr
        return msgspec.json.decode(done.stdout)


@pytest.fixture(scope="session")
def new():
    return Version(sys.executable, dict(os.environ))


@pytest.fixture(scope="session")
def coming(tmp_path_factory):
    """The next version: today's, but with a package of records in front that has been changed."""
    folder = tmp_path_factory.mktemp("next")
    package = Path(dijkwacht_records.__file__).parent
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old_text, new_text in CHANGES:
        path = folder / package.name / name
        source = path.read_text("utf-8")
        assert source.count(old_text) == 1, (name, old_text)
        path.write_text(source.replace(old_text, new_text), "utf-8")
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    version = Version(sys.executable, os.environ | {"PYTHONPATH": os.pathsep.join(paths)})
    found = version.run(version.command("import dijkwacht_records as it; print(it.__file__)"))
    assert str(folder) in found.stdout, found
    return version


@pytest.fixture(scope="session")
def old(tmp_path_factory):
    """The first version in a virtual environment of its own.

    It takes third-party packages from this one as far as they are what it asks for, and installs its
    own otherwise.
    """
    folder = tmp_path_factory.mktemp("first")
    source, environment = folder / "source", folder / "environment"
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", "--format=zip", FIRST], capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip(f"needs commit {FIRST}, which this copy's history lacks: git fetch --unshallow")
    with zipfile.ZipFile(io.BytesIO(archive.stdout)) as files:
        files.extractall(source)
    project = tomllib.loads((source / "pyproject.toml").read_text())
    python = environment / "bin" / "python"
    if all(map(is_met, asked_for(project))):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
        paths = [source / package for package in packages]
        lines = [*(str(path.parent) for path in paths), sysconfig.get_path("purelib")]
        (within,) = environment.glob("lib/python*/site-packages")
        (within / "first.pth").write_text("\n".join(lines) + "\n")
    else:
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        wanted = f"{source}[collector]"
        subprocess.run([python, "-m", "pip", "install", "--quiet", wanted], check=True)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    version = Version(str(python), kept)
    found = version.run(version.command("import dijkwacht_records as it; print(it.__file__)"))
    assert str(folder) in found.stdout, found
    return version


def asked_for(project):
    return [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["collector"],
    ]


def is_met(text):
    requirement = Requirement(text)
    try:
        return importlib.metadata.version(requirement.name) in requirement.specifier
    except importlib.metadata.PackageNotFoundError:
        return False


class Collector:
    """A collector's state, and whichever version runs on it, always at the same address."""

    def __init__(self, folder):
        self.state, self.log = folder / "collector", folder / "collector.log"
        self.port, self.process, self.version = 0, None, None
        self.state.mkdir()
        self.log.touch()
        (folder / "collector.toml").write_text("training = false\n")
        self.settings = folder / "collector.toml"

    def start(self, version, *more, **options):
        self.version, before = version, self.log.stat().st_size
        state = ["--state", self.state, "--settings", self.settings]
        listen = ["--listen", f"127.0.0.1:{self.port}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                version.collector(*state, *listen, *more, **options),
                stderr=log,
                env=version.environment,
            )

        def listening():
            said = self.log.read_bytes()[before:].decode()
            assert self.process.poll() is None, said
            return re.search(r"listening on http://127\.0\.0\.1:(\d+)\n", said)

        self.port = int(until(listening)[1])

    def ask(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return msgspec.json.decode(connection.getresponse().read())
        finally:
            connection.close()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(60) == 0

    def wait_until_folded(self):
        def folded():
            health = self.ask("/healthz")
            assert health["status"] == "ok", health
            return health["engine_position"] == health["journal_position"]

        until(folded)

    def wait_until_failing(self):
        until(lambda: self.ask("/healthz")["status"] == "failing")

    def stop_when_folded(self):
        self.wait_until_folded()
        self.stop()

    def join_code(self):
        """A site, and the code of its first agent, made by the version that runs; every agent reads it."""
        site = ["site", "--state", self.state, "add", "bakery"]
        url = f"http://127.0.0.1:{self.port}"
        script = MAIN.format(package="dijkwacht")
        done = self.version.run(self.version.command(script, *site, "--url", url, "--long"))
        if "--long" in done.stderr:  # a version whose codes have one form
            done = self.version.run(self.version.command(script, *site, "--url", url))
        assert done.returncode == 0, done
        return re.search(r"dijkwacht-agent join (\S+)", done.stdout)[1]

    def bodies(self):
        """Every batch in the journal, looked at in a copy: what opens a journal may write to it."""
        copy = self.state.with_name("journal-copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.state / "journal", copy)
        journal = Journal(copy)
        journal.open()
        after, found = dict.fromkeys(range(PARTITIONS), 0), []
        while journal.wait(range(PARTITIONS), after, 0):
            entries, after = journal.read(range(PARTITIONS), after)
            found += [entry.payload for entry in entries if entry.kind == "batch"]
        journal.close()
        return found

    def scans(self):
        """By incident, the steps told of each scan."""
        told = {}
        for line in (self.state / "incidents.jsonl").read_bytes().splitlines():
            finding = msgspec.json.decode(line)
            if finding.get("finding_info", {}).get("types") == ["scan"]:  # a story is none
                steps = told.setdefault(finding["finding_info"]["uid"], [])
                steps.append(finding["activity_name"])
        return told


class Agent:
    """An agent's state, and whichever version runs on it."""

    def __init__(self, folder):
        self.state, self.log = folder / "agent", folder / "agent.log"
        self.log.touch()

    def join(self, version, code):
        done = version.run(version.agent("--state", self.state, "join", code, "--name", "till"))
        assert done.returncode == 0, done

    def start(self, version, recording, speed="max"):
        arguments = ["--state", self.state, "run", "--recording", recording, "--speed", speed]
        with self.log.open("ab") as log:
            return subprocess.Popen(version.agent(*arguments), stderr=log, env=version.environment)

    def run(self, version, recording):
        """Play a recording to its end, with nothing left behind."""
        process = self.start(version, recording)
        assert process.wait(240) == 0, self.log.read_text()

    def run_until_said(self, version, recording, words):
        """Play a recording as fast as it was, until a line has these ``words``, then stop."""
        process = self.start(version, recording, speed="1")

        def said():
            assert process.poll() is None, self.log.read_text()
            return words in self.log.read_text()

        until(said)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, self.log.read_text()

    def said(self, words):
        return [line for line in self.log.read_text().splitlines() if words in line]

    def waiting(self):
        """The batches in the spool, in their order, left as they are."""
        copy = self.state.with_name("spool-copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.state / "spool", copy)
        spool, found = Spool(copy), []
        while (record := spool.peek()) is not None:
            found.append(record.wire)
            spool.settle(record)
        spool.close()
        return found

    def accounts(self):
        """What became of the rows of its runs that have ended."""
        spool = Spool(self.state / "spool")
        accounts = spool.accounts
        spool.close()
        return accounts

    def check(self, version):
        """By name, what `check` found; an interface that can be captured is no matter here."""
        arguments = ["--state", self.state, "check", "--interface", "none0", "--json"]
        lines = version.run(version.agent(*arguments)).stdout.splitlines()
        return {found["check"]: found for found in map(msgspec.json.decode, lines)}


@pytest.fixture
def collector(tmp_path):
    collector = Collector(tmp_path)
    yield collector
    if collector.process is not None:
        collector.process.kill()
        collector.process.wait()


@pytest.fixture
def agent(tmp_path):
    return Agent(tmp_path)


@pytest.fixture
def scan(tmp_path):
    """Makes a recording in which the machine at the address given tries many ports of a server."""

    def make(intruder, start_s=START_S):
        frames = []
        for n in range(PORTS):
            port, server = 1 + n, "192.168.1.20"
            for late, ends, ports, flags in (
                (0, (intruder, server), (40_000 + n, port), 0x02),
                (500, (server, intruder), (port, 40_000 + n), 0x14),
            ):
                tcp = struct.pack(">HHIIBBHHH", *ports, 7, 7, 0x50, flags, 1024, 0, 0)
                ip = struct.pack(">BBHHHBBH", 0x45, 0, 40, n, 0, 64, 6, 0)
                ip += b"".join(pack_address(end)[-4:] for end in ends)
                data = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\x00" + ip + tcp
                second, part = divmod(n * 20_000 + late, 1_000_000)
                head = struct.pack("<4I", start_s + second, part, len(data), len(data))
                frames.append(head + data)
        path = tmp_path / f"{intruder}.pcap"
        header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        path.write_bytes(header + b"".join(frames))
        return path

    return make
