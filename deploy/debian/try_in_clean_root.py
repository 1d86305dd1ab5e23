"""What an owner does, in a clean Debian: installs, joins, is updated, and removes it without a trace.

``make deb-test``. As root, with debootstrap, apt-utils and gpg. The collector, the lab's web server and
another machine of the network are outside the root, in network namespaces of this run. The commands are
those of docs/install.en.md, in its order; collector and agent know each other by certificates.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from build import MAINTAINER, build
from clean_root import CleanRoot, Failed
from key_purged import purged_without_a_copy
from papers import own_version
from repository import repository
from wheels import ROOT

from dijkwacht_lab.office.namespaces import CommandFailed, Namespaces

PAGE, LABS_PAGE = ROOT / "docs/install.en.md", ROOT / "docs/packages.md"
PLUG, SECOND_PLUG = "enp2s0", "enp3s0"
"""The plug that the page listens on; and one more, for a bridge."""
HERE, OTHER, THIRD = "10.77.14.2", "10.77.14.66", "10.77.14.77"
WEB = "http://127.0.0.1:8480"
DIJKWACHT = (sys.executable, "-c", "from dijkwacht.cli import main; raise SystemExit(main())")
HEARD_S, UP_S = 60.0, 60.0
DOWNLOADS = "/tmp"  # noqa: S108  # the root's own, where nobody else is
STATE = "/var/lib/dijkwacht-agent"
_APT = 'APT::Get::Assume-Yes "true";\nAPT::Install-Recommends "false";\n'
# What a machine remembers of having had any package at all.
_NOT_OURS = re.compile(
    r"(var/(cache/(apt|ldconfig|debconf)|lib/(apt|dpkg/(status|available|diversions|triggers|lock|info/format)"
    r"|systemd|private|unattended-upgrades|ucf)|log|backups)|root|dev|proc|sys|run|tmp|mnt)(/|$|-old|)"
    r"|etc/(machine-id|resolv.conf|\.pwd\.lock|ld\.so\.cache)$|media(/|$)|usr/lib/python3/|.*__pycache__"
)

_NOT_THE_AGENTS = re.compile(r"var/(cache/apt|lib/apt|log)/|media/usb/")
"""What apt downloaded, and says that it did: `apt clean` and time take care of it. And the owner's copy of the key."""


class Story:
    """The chapters, in order; each says in one line what it has seen."""

    def __init__(self, spaces: Namespaces, scratch: Path, suite: str, cache: Path) -> None:
        self.spaces, self.scratch = spaces, scratch
        self.web = scratch / "web"
        inside = ["ip", "netns", "exec", spaces.name("site")]
        self.root = CleanRoot(scratch / "root", suite, cache, inside)
        self.key = scratch / "gnupg"
        self.packages: dict[str, Path] = {}
        self.code = ""

    def prepare(self, wheels: Path) -> None:
        """Packages, repository, collector, a neighbour who talks."""
        first = own_version()
        self.packages["first"] = build("amd64", first, self.scratch, wheels, MAINTAINER)
        self.packages["second"] = self.changed(f"{first}+2")
        broken = "usr/lib/dijkwacht-agent/common/dijkwacht_agent/run.py"
        self.packages["broken"] = self.changed(f"{first}+3", **{broken: "import nowhere\n"})
        self.key.mkdir(mode=0o700)
        os.environ["GNUPGHOME"] = str(self.key)
        words = [
            "gpg",
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--quick-generate-key",
            "lab",
            "ed25519",
        ]
        subprocess.run([*words, "sign", "1d"], check=True, capture_output=True)
        self.publish("first")
        serve = [sys.executable, "-m", "http.server", "8480", "--bind", "127.0.0.1"]
        self.spaces.start("site", [*serve, "--directory", str(self.web)])
        state = str(self.scratch / "collector")
        log = (self.scratch / "collector.log").open("wb")
        reached = ["--listen", f"{HERE}:8470", "--url", f"https://{HERE}:8470"]
        words = [*DIJKWACHT, "collect", "--state", state, "--no-training", *reached]
        self.spaces.start("site", words, log, log)
        self.spaces.start("other", ["ping", "-q", "-i", "0.2", HERE])
        self.sites = [*DIJKWACHT, "site", "--state", state]
        self.root.until("the collector is there", self.has_sites, UP_S)

    def has_sites(self) -> bool:
        """The collector has begun, and has noted where it is reached: a site can be added."""
        if b"listening on" not in (self.scratch / "collector.log").read_bytes():
            return False
        told = self.spaces.run("site", [*self.sites, "add", "bakery"])
        self.code = re.findall(r"join (\S+)", told)[0]
        return True

    def changed(self, version: str, **files: str) -> Path:
        """The first package as ``version``, with other content in ``files``."""
        tree = self.scratch / f"tree-{version}"
        subprocess.run(["dpkg-deb", "-R", str(self.packages["first"]), str(tree)], check=True)
        card = next((tree / "usr/lib/dijkwacht-agent/common").glob("dijkwacht-*/METADATA"))
        for path in (tree / "DEBIAN/control", card):
            text = re.sub(
                r"^Version: .*$", f"Version: {version}", path.read_text("utf-8"), flags=re.MULTILINE
            )
            path.write_text(text, "utf-8")
        for name, text in files.items():
            (tree / name).write_text(text, "utf-8")
        made = self.scratch / f"dijkwacht-agent_{version}_amd64.deb"
        words = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(made)]
        subprocess.run(words, check=True, capture_output=True)
        return made

    def publish(self, which: str) -> None:
        """Put a package into the lab's repository."""
        repository([self.packages[which]], "lab", WEB, self.web)

    def without_systemd(self) -> None:
        """Scripts of a root that nobody booted: an image that is being made."""
        self.root.start(["/bin/sleep", "1000000"])
        self.root.until("it runs", self.is_up, 20)
        self.prepare_apt()
        before = self.root.files()
        self.root.run("wget", "-qP", "/etc/apt/sources.list.d", f"{WEB}/dijkwacht.sources")
        self.root.run("apt-get", "update")
        said = self.root.run("apt-get", "install", "dijkwacht-agent")
        _expect("sudo dijkwacht-agent join" in said, said)
        said = self.root.run("dijkwacht-agent", "--version")
        _expect(own_version() in said, said)
        # A child that the agent starts with the interpreter it has finds the same modules.
        own = "/usr/lib/dijkwacht-agent/bin/python3"
        said = self.root.run(own, "-I", "-m", "dijkwacht_agent", "--version")
        _expect(own_version() in said, said)
        purged_without_a_copy(self.root)
        self.root.run("rm", "/etc/apt/sources.list.d/dijkwacht.sources")
        self.compare(before)
        self.root.stop()

    def prepare_apt(self) -> None:
        """No packages but the lab's, no questions: nothing else is to be had from in here."""
        (self.root.folder / "etc/apt/sources.list").write_text("")
        (self.root.folder / "etc/hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()}\n")
        (self.root.folder / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
        (self.root.folder / "etc/apt/apt.conf.d/99test").write_text(_APT)
        self.root.run("systemd-machine-id-setup")

    def is_up(self) -> bool:
        """Commands can be run in it."""
        try:
            self.root.run("true")
        except (Failed, StopIteration, OSError):
            return False
        return True

    def owner(self) -> None:
        """The page, up to where it removes the agent."""
        self.root.boot()
        (self.root.folder / "media/usb").mkdir(parents=True, exist_ok=True)
        self.before = self.root.files()
        for command in self.commands():
            if "purge" in command:
                break
            self.type(command)
            if "join" in command:
                self.root.run("test", "-s", f"{STATE}/identity.pem")
                self.root.run("test", "!", "-e", f"{STATE}/token")
                self.watches()

    def type(self, command: str) -> None:
        """As the owner types it; what tells whether all is well is given time to become so."""
        if command.endswith(" check"):
            self.root.until("all is well", lambda: self.fine(command), HEARD_S)
        else:
            # The PIN is asked for; the shell of a script has nobody to ask.
            self.root.run(
                "sh", "-c", f"echo 482913 | {command}" if command.endswith(" pin") else command
            )
        print(f"    {command}", flush=True)

    def fine(self, command: str) -> bool:
        """Does it end with 0?"""
        try:
            self.root.run("sh", "-c", command)
        except Failed as failed:
            self.unwell = str(failed)
            return False
        return True

    def commands(self) -> Iterator[str]:
        """The page's, with this run's address and code for those of the example."""
        for block in re.findall(
            r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
        ):
            for line in block.splitlines():
                text = line.replace("https://lab.example.nl/dijkwacht", WEB)
                yield re.sub(r"(?:[0-9A-Z]{5}-){3}[0-9A-Z]{5}@\S+", self.code, text)

    def last_heard(self) -> int:
        """When the collector last heard the agent, µs UTC; 0 for never."""
        told = json.loads(self.spaces.run("site", [*self.sites, "list", "--json"]))
        return max([0, *filter(None, told["agents"].values())])

    def pid(self) -> int:
        """The service's process; 0 until it has said that it is ready."""
        said = self.root.run("systemctl", "show", "-pMainPID", "-pActiveState", "dijkwacht-agent")
        shown = dict(line.split("=") for line in said.splitlines())
        return int(shown["MainPID"]) if shown["ActiveState"] == "active" else 0

    def watches(self, former: int = 0) -> None:
        """It runs (as another process than ``former``), without rights, sees packets, and is heard."""
        self.root.until("it runs", lambda: self.pid() not in {0, former}, HEARD_S)
        status = self.root.run("cat", f"/proc/{self.pid()}/status")
        held = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        _expect(held["Uid"].split()[0] != "0", status)
        rights = [int(held[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Amb")]
        _expect(rights == [0, 0, 0, 0], status)
        now = time.time_ns() // 1000
        self.root.until("it is heard", lambda: self.last_heard() > now, HEARD_S)
        self.root.until("it sees packets", self.sees_packets, HEARD_S)

    def sees_packets(self) -> bool:
        """Its own count of them, which it writes with each heartbeat."""
        status = json.loads(self.root.run("cat", f"{STATE}/status.json"))
        return bool(status["counters"]["packets_seen"])

    def restarted(self) -> None:
        """By hand, and after a fall."""
        self.root.run("sed", "-i", "/^DIJKWACHT/d", "/etc/default/dijkwacht-agent")
        former = self.pid()
        self.root.run("systemctl", "restart", "dijkwacht-agent")
        self.watches(former)
        former = self.pid()
        self.root.run("sh", "-c", f"kill -9 {former}")
        self.watches(former)

    def upgraded(self) -> None:
        """By night, by unattended-upgrades as the page sets it up."""
        former = self.pid()
        self.publish("second")
        self.root.run("apt-get", "update")
        said = self.root.run("unattended-upgrade", "-v", seconds=300)
        _expect(self.version() == f"{own_version()}+2", said)
        self.watches(former)

    def version(self) -> str:
        """Of what is installed, whole."""
        said = self.root.run(
            "dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Version}", "dijkwacht-agent"
        )
        state, _, version = said.partition("  ")
        _expect(state == "ii", said)
        return version

    def failed_upgrades(self) -> None:
        """One that does not start, one that could not read what was kept: the old one goes on."""
        former, second = self.pid(), self.version()
        self.publish("broken")
        self.root.run("apt-get", "update")
        said = self.root.run("apt-get", "install", "dijkwacht-agent", fails=True)
        _expect("does not start here" in said, said)
        self.still(former, second)
        self.root.run("sh", "-c", f"echo 99 > {STATE}/format")
        first = f"{WEB}/pool/{self.packages['first'].name}"
        self.root.run("wget", "-qP", DOWNLOADS, first)
        name = f"{DOWNLOADS}/{self.packages['first'].name}"
        said = self.root.run("apt-get", "install", "--allow-downgrades", name, fails=True)
        _expect("a newer version wrote" in said, said)
        self.root.run("sh", "-c", f"echo 1 > {STATE}/format")
        self.still(former, second)
        self.root.run("systemctl", "restart", "dijkwacht-agent")  # the files are whole, too
        self.watches(former)

    def still(self, pid: int, version: str) -> None:
        """The same process of the same version, heard, and apt has nothing to complain of."""
        now = (self.pid(), self.version())
        _expect(now == (pid, version), f"it was {(pid, version)}, it is {now}")
        self.root.run("apt-get", "check")
        self.root.run("dijkwacht-agent", "check", fails=False)
        self.watches()

    def bridged(self) -> None:
        """As the labs' page has it: two machines meet through the box, and are seen."""
        blocks = re.findall(
            r"^```sh\n(.*?)^```", LABS_PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
        former = self.pid()
        for line in next(block for block in blocks if "bridge" in block).splitlines():
            self.type(line)
        self.watches(former)
        self.root.until("they meet", self.meets, HEARD_S)
        self.root.until("it sees packets", self.sees_packets, HEARD_S)
        self.root.run("sh", "-c", "rm /etc/systemd/network/5*dijkwacht*")
        self.root.run("systemctl", "disable", "--now", "systemd-networkd")

    def meets(self) -> bool:
        """Does the other machine reach the third, which only the box connects?"""
        try:
            self.spaces.run("other", ["ping", "-c", "1", "-W", "1", THIRD])
        except CommandFailed:
            return False
        return True

    def removed(self) -> None:
        """It comes back with what it kept; purged, nothing is left of it."""
        said = self.root.run("apt-get", "remove", "dijkwacht-agent")
        _expect("keep a copy first" in said, said)
        self.root.run("test", "-s", f"{STATE}/privacy.key")
        self.root.run("test", "!", "-e", "/usr/lib/dijkwacht-agent")
        second = f"dijkwacht-agent={own_version()}+2"
        self.root.run("apt-get", "install", second)
        self.watches()
        rest = list(self.commands())
        for command in rest[next(at for at, each in enumerate(rest) if "purge" in each) :]:
            self.type(command)
        self.compare(self.before)

    def compare(self, before: dict[str, str]) -> None:
        """Every file of the disk is what it was."""
        after = self.root.files()
        other = {
            name
            for name in before.keys() | after.keys()
            if before.get(name) != after.get(name) and not _NOT_OURS.match(name)
        }
        named = {name for name in after if "dijkwacht" in name and name not in before}
        named = {name for name in named if not _NOT_THE_AGENTS.match(name)}
        _expect(not other | named, "\n".join(sorted(other | named)))


def _expect(true: bool, otherwise: str) -> None:
    if not true:
        raise Failed(otherwise)


def main() -> None:
    """All chapters; one line each, with its seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=ROOT / "build", metavar="FOLDER")
    parser.add_argument("--suite", default="bookworm", help="which Debian (default: bookworm)")
    args = parser.parse_args()
    # Whoever ends this early gets the same order after it as whoever waits.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="dw-root-") as folder, Namespaces() as spaces:
        spaces.add("site")
        spaces.add("other")
        spaces.link("site", PLUG, "other", "eth0")
        spaces.add("third")
        spaces.link("site", SECOND_PLUG, "third", "eth0")
        spaces.ip("third", "addr", "add", f"{THIRD}/24", "dev", "eth0")
        spaces.ip("site", "addr", "add", f"{HERE}/24", "dev", PLUG)
        spaces.ip("site", "route", "add", "default", "via", OTHER)
        spaces.ip("other", "addr", "add", f"{OTHER}/24", "dev", "eth0")
        story = Story(spaces, Path(folder), args.suite, args.cache)
        chapters: list[tuple[str, Callable[[], None]]] = [
            ("packages, repository, collector", lambda: story.prepare(args.cache / "wheels")),
            ("a clean root", lambda: story.root.__enter__() and None),
            ("installed and purged without systemd", story.without_systemd),
            ("the owner's page", story.owner),
            ("restarted", story.restarted),
            ("upgraded by unattended-upgrades", story.upgraded),
            ("failed upgrades rolled back", story.failed_upgrades),
            ("a bridge", story.bridged),
            ("removed, brought back, purged without a trace", story.removed),
        ]
        try:
            for title, chapter in chapters:
                begun = time.monotonic()
                chapter()
                print(f"{time.monotonic() - begun:6.1f} s  {title}", flush=True)
        except BaseException:
            with contextlib.suppress(Failed, StopIteration, OSError):
                words = ["journalctl", "-u", "dijkwacht-agent", "-n", "20", "--no-pager"]
                print(story.root.run(*words), file=sys.stderr)
            for log in (story.scratch / "boot.log", story.scratch / "collector.log"):
                if log.exists():
                    print(f"{log.name}: {log.read_text(errors='replace')[-1500:]}", file=sys.stderr)
            raise
        finally:
            story.root.close()
            words = ["gpgconf", "--homedir", str(story.key), "--kill", "all"]
            subprocess.run(words, check=False, capture_output=True)
    print(f"{len(chapters)} passed, 0 failed")


if __name__ == "__main__":
    main()
