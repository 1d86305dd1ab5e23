"""The repository that a lab hosts: apt and gpg believe it, and an owner needs one file of it."""

import os
import re
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.tools("dpkg-deb", "apt-ftparchive", "gpg", "gpgv", "x86_64-linux-gnu-strip"),
    pytest.mark.timeout(400),
]
URL = "https://lab.example.nl/dijkwacht"


@pytest.fixture(name="keys")
def _keys(tmp_path):
    folder = tmp_path / "gnupg"
    folder.mkdir(mode=0o700)
    words = [
        "gpg",
        "--batch",
        "--passphrase",
        "",
        "--quick-generate-key",
        "lab",
        "ed25519",
        "sign",
        "1d",
    ]
    environment = {**os.environ, "GNUPGHOME": str(folder)}
    subprocess.run(words, check=True, capture_output=True, env=environment)
    yield environment
    subprocess.run(["gpgconf", "--kill", "all"], check=False, env=environment)


def make(root, keys, into, *packages):
    script = str(root / "deploy/debian/repository.py")
    words = ["--key", "lab", "--url", URL, "--to", str(into)]
    return subprocess.run(
        [sys.executable, script, *words, *packages],
        capture_output=True,
        text=True,
        check=False,
        env=keys,
    )


def test_it_is_signed_and_lists_every_version(root, keys, package, tmp_path):
    into = tmp_path / "public"
    assert make(root, keys, into, package).returncode == 0
    tree = tmp_path / "tree"
    subprocess.run(["dpkg-deb", "-R", package, str(tree)], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(
        re.sub("^Version: .*$", "Version: 9", control.read_text(), flags=re.MULTILINE)
    )
    later = tmp_path / "dijkwacht-agent_9_amd64.deb"
    subprocess.run(
        ["dpkg-deb", "-Znone", "--build", str(tree), str(later)], check=True, capture_output=True
    )
    done = make(root, keys, into, str(later))
    assert done.stdout == f"{into}/dijkwacht.sources\n"

    sources = (into / "dijkwacht.sources").read_text("utf-8")
    assert f"URIs: {URL}\n" in sources
    key = "\n".join(line[1:] for line in sources.partition("Signed-By:\n")[2].splitlines())
    ring = tmp_path / "lab.gpg"
    subprocess.run(
        ["gpg", "--dearmor", "--output", str(ring)],
        input=key.replace("\n.\n", "\n\n"),
        text=True,
        check=True,
        env=keys,
    )
    suite = into / "dists/stable"
    for words in (["InRelease"], ["Release.gpg", "Release"]):
        subprocess.run(
            ["gpgv", "--keyring", str(ring), *words], check=True, capture_output=True, cwd=suite
        )

    listed = (suite / "main/binary-amd64/Packages").read_text("utf-8")
    assert sorted(re.findall(r"^Version: (.*)$", listed, re.MULTILINE)) == sorted(
        ["9", re.search(r"_(.*)_amd64", package)[1]]
    )
    assert "Origin: Dijkwacht\n" in (suite / "Release").read_text("utf-8")
    assert (suite / "main/binary-arm64/Packages").read_text("utf-8") == ""


def test_a_key_that_is_not_there_is_one_line(root, keys, package, tmp_path):
    keys["GNUPGHOME"] = str(tmp_path / "none")
    (tmp_path / "none").mkdir(mode=0o700)
    done = make(root, keys, tmp_path / "public", package)
    assert done.returncode == 1
    assert done.stderr.startswith("gpg: ")
    assert "Traceback" not in done.stderr
