"""The Debian package: what is in it, that it can be built again, that each Python finds its modules."""

import gzip
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from dijkwacht_agent.state_format import FORMAT

pytestmark = [pytest.mark.tools("dpkg-deb", "x86_64-linux-gnu-strip"), pytest.mark.timeout(400)]
HOME = "usr/lib/dijkwacht-agent"
DOC = "usr/share/doc/dijkwacht-agent"
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def locked(root):
    text = (root / "deploy/debian/wheels.txt").read_text("utf-8")
    return dict(re.findall(r"^([a-z-]+)==(\S+)", text, re.MULTILINE)), set(
        re.findall(r"sha256:(\w+)", text)
    )


def test_two_builds_are_equal_byte_for_byte(build, package, tmp_path):
    before = os.umask(0o077)
    try:
        again = build("--to", str(tmp_path), TZ="Asia/Tokyo", LC_ALL="C")
    finally:
        os.umask(before)
    assert Path(again).read_bytes() == Path(package).read_bytes()


def test_it_brings_agent_and_records_and_no_other_package_of_ours(unpacked):
    ours = {path.name for path in unpacked.rglob("dijkwacht_*") if path.is_dir()}
    assert ours == {"dijkwacht_agent", "dijkwacht_records"}
    assert not list(unpacked.rglob("*.pyc"))
    assert not [path for path in unpacked.rglob("*") if path.name in {"numpy", "aiohttp", "scapy"}]


def test_what_is_locked_is_what_the_project_asks_for(root):
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    versions, _ = locked(root)
    for text in (*project["dependencies"], *project["optional-dependencies"]["flowexport"]):
        wanted = Requirement(text)
        assert wanted.specifier.contains(versions[wanted.name]), text


def test_every_wheel_is_in_the_bill_of_materials_with_its_hash(root, unpacked):
    bill = json.loads((unpacked / DOC / "sbom.cdx.json").read_text("utf-8"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    versions, hashes = locked(root)
    assert {part["name"]: part["version"] for part in bill["components"]} == versions
    assert {each["content"] for part in bill["components"] for each in part["hashes"]} <= hashes
    assert all(part["licenses"] for part in bill["components"])
    # Five that fit one Python each, the others all.
    assert len(bill["components"]) == 3 * len(PYTHONS) + len(versions) - 3


@pytest.mark.parametrize("python", PYTHONS)
def test_there_are_modules_for_each_python(unpacked, python):
    own = unpacked / HOME / f"lib/python{python}/site-packages"
    assert (own / "common.pth").read_text() == f"/{HOME}/common\n"
    tag = python.replace(".", "")
    for module in ("msgspec/_core", "zstandard/backend_c", "_cffi_backend"):
        assert (own / f"{module}.cpython-{tag}-x86_64-linux-gnu.so").is_file()


def test_each_python_of_this_machine_runs_it(unpacked):
    """As installed, but for the folder's name and which Python it is."""
    tried = 0
    for python in PYTHONS:
        program = shutil.which(f"python{python}")
        if (
            program is None
            or subprocess.run([program, "-V"], capture_output=True, check=False).returncode
        ):
            continue
        paths = [
            str(unpacked / HOME / f"lib/python{python}/site-packages"),
            f"{unpacked / HOME}/common",
        ]
        code = (
            f"import sys; sys.path[:0] = {paths}; import cryptography.hazmat.bindings._rust, netflume\n"
            "from dijkwacht_agent.packaged import main; raise SystemExit(main(['--version']))"
        )
        done = subprocess.run(
            [program, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("dijkwacht-agent ")
        tried += 1
    assert tried


def test_the_scripts_know_what_the_agent_writes(unpacked):
    text = (unpacked / "DEBIAN/preinst").read_text("utf-8")
    assert f"-gt {FORMAT} ]" in text
    for script in ("preinst", "postinst", "prerm", "postrm"):
        assert not re.search(r"@[A-Z_]+@", (unpacked / "DEBIAN" / script).read_text("utf-8"))
        subprocess.run(["sh", "-n", str(unpacked / "DEBIAN" / script)], check=True)


def test_the_man_page_has_every_command(unpacked):
    text = gzip.decompress(
        (unpacked / "usr/share/man/man1/dijkwacht-agent.1.gz").read_bytes()
    ).decode()
    assert {"run", "join", "check", "show", "pair"} <= set(
        re.findall(r"^\.SS (\S+)$", text, re.MULTILINE)
    )


def test_terms_of_everything_that_is_brought_are_in_it(root, unpacked):
    text = (unpacked / DOC / "copyright").read_text("utf-8")
    assert "EUPL-1.2" in text
    for name in locked(root)[0]:
        assert f"License: {name}-terms\n" in text


@pytest.mark.tools("lintian")
def test_lintian_has_nothing_to_say(package):
    done = subprocess.run(
        ["lintian", "--allow-root", package], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_arm64_comes_from_the_same_script(build, tmp_path):
    made = build("--arch", "arm64", "--to", str(tmp_path))
    said = subprocess.run(
        ["dpkg-deb", "-f", made, "Architecture"], capture_output=True, text=True, check=True
    )
    assert said.stdout == "arm64\n"
    listed = subprocess.run(
        ["dpkg-deb", "-c", made], capture_output=True, text=True, check=True
    ).stdout
    assert listed.count("aarch64-linux-gnu.so") == 3 * len(PYTHONS)
    assert "x86_64" not in listed
