"""What is installed: the six packages and their data, nothing else; and light on an agent."""

import subprocess
import sys
import tarfile
import textwrap
import zipfile

import pytest

PACKAGES = {
    "dijkwacht",
    "dijkwacht_agent",
    "dijkwacht_collector",
    "dijkwacht_detectors",
    "dijkwacht_lab",
    "dijkwacht_records",
}
HEAVY = ["numpy", "numba", "sklearn", "scipy", "scapy", "pyarrow", "aiohttp", "jinja2"]


def _run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def built(root, tmp_path_factory):
    """A source distribution of the tree, and the wheel built from that; not from the tree."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(root))
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    [path] = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """The interpreter of an empty environment that holds the bare wheel: an agent's machine."""
    folder = tmp_path_factory.mktemp("bare")
    _run(sys.executable, "-m", "venv", str(folder))
    python = folder / "bin" / "python"
    _run(str(python), "-m", "pip", "install", "--disable-pip-version-check", str(wheel))
    return python


def test_the_wheel_holds_the_packages_and_nothing_else(root, wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert not [name for name in names if "/tests/" in name or name.endswith((".pyc", ".nbi"))]
    _run(sys.executable, "-m", "check_wheel_contents", str(wheel), cwd=root)


def test_the_wheel_holds_every_tracked_file_of_the_packages(root, wheel):
    listing = _run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=root)
    sources = tuple(f"{name.partition('_')[2] or name}/{name}/" for name in PACKAGES)
    wanted = {
        name.partition("/")[2]
        for name in listing.splitlines()
        if name.startswith(sources) and (root / name).is_file()
    }
    assert len({name.split("/")[0] for name in wanted}) == len(PACKAGES)
    assert wanted <= set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_carries_the_licence_and_bundles_no_other(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if name.endswith("licenses/LICENCE")]
    assert not [name for name in names if "scapy" in name.split("/")]


def test_the_source_distribution_can_be_tested(built):
    [path] = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENCE", "Makefile", "README.md", "tests/conftest.py"} <= names
    assert not [name for name in names if name.startswith((".venv", "var/"))]


def test_an_agents_machine_imports_every_light_module_and_nothing_heavy(bare, tmp_path):
    code = textwrap.dedent(f"""
        import importlib, pkgutil, sys
        for package in ("dijkwacht_records", "dijkwacht_agent"):
            top = importlib.import_module(package)
            for module in pkgutil.walk_packages(top.__path__, package + "."):
                if not module.name.endswith("__main__"):
                    importlib.import_module(module.name)
        heavy = sorted(set({HEAVY}) & set(sys.modules))
        sys.exit(f"imported {{heavy}}" if heavy else 0)
    """)
    _run(str(bare), "-W", "error", "-c", code, cwd=tmp_path)


def test_an_agents_machine_has_nothing_heavy_to_import(bare, tmp_path):
    for module in HEAVY:
        found = subprocess.run(
            [str(bare), "-c", f"import {module}"], capture_output=True, check=False, cwd=tmp_path
        )
        assert found.returncode != 0, module


def test_a_bare_install_meters_a_recording(bare, tmp_path, recording):
    command = bare.parent / "dijkwacht-agent"
    shown = _run(str(command), "show", "--recording", str(recording), cwd=tmp_path)
    assert "flows" in shown


@pytest.fixture
def recording(tmp_path):
    """A small capture, written here byte by byte: three DNS questions over Ethernet and IPv4."""
    frames = []
    for number in range(3):
        question = bytes([0, number, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + b"\5brood\7example\0\0\1\0\1"
        udp = (40_000 + number).to_bytes(2) + b"\0\x35" + (8 + len(question)).to_bytes(2) + b"\0\0"
        ip = bytes([69, 0]) + (28 + len(question)).to_bytes(2) + bytes([0, 0, 0, 0, 64, 17, 0, 0])
        ip += bytes([192, 168, 10, 20, 192, 168, 10, 1])
        frames.append(bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]) + ip + udp + question)
    body = b"\xd4\xc3\xb2\xa1\2\0\4\0" + bytes(8) + b"\xff\xff\0\0\1\0\0\0"
    for number, frame in enumerate(frames):
        size = len(frame).to_bytes(4, "little")
        body += (1_767_268_800 + number).to_bytes(4, "little") + bytes(4) + size + size + frame
    path = tmp_path / "questions.pcap"
    path.write_bytes(body)
    return path
