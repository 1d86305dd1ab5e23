"""The package's scripts on a folder (dpkg's ``DPKG_ROOT``) that stands for a machine."""

import os
import subprocess

import pytest

pytestmark = [pytest.mark.tools("dpkg-deb", "x86_64-linux-gnu-strip"), pytest.mark.timeout(400)]
STATE = "var/lib/dijkwacht-agent"


@pytest.fixture(name="machine")
def _machine(tmp_path, unpacked):
    """Run a script of the package; ``machine.root`` is the folder, ``machine.command`` puts a command on it."""

    class Machine:
        root = tmp_path / "machine"
        commands = tmp_path / "bin"

        def command(self, text, folder=None, name="python3"):
            path = (folder or self.root / "usr/bin") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)

        def run(self, script, *words, language="C"):
            environment = {"DPKG_ROOT": str(self.root), "LANG": language}
            environment["PATH"] = f"{self.commands}:{os.environ['PATH']}"
            return subprocess.run(
                [str(unpacked / "DEBIAN" / script), *words],
                capture_output=True,
                text=True,
                check=False,
                env=environment,
            )

    machine = Machine()
    (machine.root / "usr").mkdir(parents=True)
    machine.command("exit 0", machine.commands, "deb-systemd-helper")
    return machine


@pytest.mark.parametrize("python", ["echo 3.11", "echo 3.13", "exit 127"])
def test_what_can_work_is_let_through(machine, python):
    machine.command(python)
    (machine.root / STATE).mkdir(parents=True)
    (machine.root / STATE / "format").write_text("1\n")
    for words in (["install"], ["upgrade", "0.1.0"]):
        done = machine.run("preinst", *words)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_python_that_does_not_serve_is_refused(machine):
    machine.command("echo 3.10")
    done = machine.run("preinst", "upgrade", "0.1.0")
    assert done.returncode == 1
    assert "needs Python 3.11 3.12 3.13 3.14; this machine has 3.10." in done.stderr
    assert "Nothing was changed." in done.stderr


def test_state_of_a_newer_version_is_refused_in_the_owners_language(machine):
    machine.command("echo 3.11")
    (machine.root / STATE).mkdir(parents=True)
    (machine.root / STATE / "format").write_text("2\n")
    done = machine.run("preinst", "install", language="nl_NL.UTF-8")
    assert done.returncode == 1
    assert "een nieuwere versie heeft" in done.stderr


@pytest.mark.parametrize(("free", "code"), [(10_000, 1), (10_000_000, 0)])
def test_a_full_disk_is_refused_before_anything_is_replaced(machine, free, code):
    machine.command("echo 3.11")
    text = f"echo 'Filesystem 1024-blocks Used Available'; echo '/dev/x 1 1 {free}'"
    machine.command(text, machine.commands, "df")
    done = machine.run("preinst", "upgrade", "0.1.0")
    assert done.returncode == code
    assert ("too little room" in done.stderr) == bool(code)


def test_going_away_says_what_a_purge_would_take(machine):
    (machine.root / STATE).mkdir(parents=True)
    assert machine.run("prerm", "remove").stderr == ""
    (machine.root / STATE / "privacy.key").write_bytes(b"k")
    assert "keep a copy first" in machine.run("prerm", "remove").stderr
    assert machine.run("prerm", "upgrade", "9").stderr == ""


def test_a_purge_without_a_copy_of_the_key_says_so(machine):
    key, saved = (machine.root / STATE / name for name in ("privacy.key", "key.saved"))

    def purged(*written, language="C"):
        key.parent.mkdir(parents=True)
        for age, path in enumerate(written):
            path.write_bytes(b"k")
            os.utime(path, (1000 + age, 1000 + age))
        done = machine.run("postrm", "purge", language=language)
        assert (done.returncode, done.stdout, key.parent.exists()) == (0, "", False)
        return done.stderr

    assert purged() == ""
    assert "There is no copy of the key" in purged(key)
    assert "is er geen kopie" in purged(key, language="nl_NL.UTF-8")
    assert purged(key, saved) == ""
    assert "There is no copy" in purged(saved, key)  # one of a former key


def test_what_is_asked_is_asked_in_both_languages(unpacked):
    text = (unpacked / "DEBIAN/templates").read_text()
    assert text.startswith("Template: dijkwacht-agent/purge-key\nType: boolean\nDefault: true\n")
    assert "\nDescription-nl.UTF-8: " in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_remove_keeps_state_and_purge_leaves_nothing(machine):
    for folder in (STATE, "var/lib/private/dijkwacht-agent", "var/cache/private/dijkwacht-agent"):
        (machine.root / folder / "spool").mkdir(parents=True)
    other = machine.root / "var/lib/private/another"
    other.mkdir()
    assert machine.run("postrm", "remove").returncode == 0
    assert (machine.root / STATE / "spool").is_dir()
    assert machine.run("postrm", "purge").returncode == 0
    assert not list(machine.root.rglob("*dijkwacht*"))
    assert other.is_dir()


def test_a_first_installation_says_how_to_join_and_a_joined_one_nothing(machine):
    assert "sudo dijkwacht-agent join CODE" in machine.run("postinst", "configure").stdout
    (machine.root / STATE).mkdir(parents=True)
    (machine.root / STATE / "token").write_text("t")
    done = machine.run("postinst", "configure", "0.1.0")
    assert (done.returncode, done.stdout) == (0, "")
