"""Builds ``dijkwacht-agent_VERSION_MACHINE.deb``: ``make deb``, or ``python deploy/debian/build.py``.

By dpkg-deb, which every Debian has and whose archives SOURCE_DATE_EPOCH makes equal byte for byte;
nfpm would be one more program to trust for one text file less.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from wheels import HERE, MACHINES, PYTHONS, ROOT, Wheel, fetch

sys.path[:0] = [str(ROOT / "agent"), str(ROOT / "records")]

from man_page import man_page  # noqa: E402  # reads the command that is packed
from papers import (  # noqa: E402
    bill_of_materials,
    changelog,
    control,
    copyright_,
    own_version,
    state_format,
)

TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
FILES = HERE / "files"
UNITS = ("dijkwacht-agent.service", "dijkwacht-agent-page.service")
MAINTAINER = "Dijkwacht maintainers <dijkwacht@localhost.localdomain>"
SPARE_KIB = 20_000
"""Room beside the files themselves: what Python compiles of them, dpkg's own notes."""
HOME = Path("usr/lib/dijkwacht-agent")
DOC = Path("usr/share/doc/dijkwacht-agent")


def build(machine: str, version: str, into: Path, cache: Path, maintainer: str) -> Path:
    """Make the package for ``machine`` in the folder ``into``; its path."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _last_change())
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        wheels = fetch(machine, cache)
        _modules(tree / HOME, version, wheels)
        _strip(tree / HOME, machine)
        _settings(tree)
        _papers(tree, version, machine, wheels, epoch, maintainer)
        _set_modes(tree)
        kibibytes = sum(
            -(-path.stat().st_size // 1024) for path in tree.rglob("*") if path.is_file()
        )
        _scripts(tree / "DEBIAN", kibibytes)
        (tree / "DEBIAN/control").write_text(
            control(version, machine, maintainer, kibibytes), "utf-8"
        )
        into.mkdir(parents=True, exist_ok=True)
        made = into / f"dijkwacht-agent_{version}_{machine}.deb"
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
        words = ["dpkg-deb", "--root-owner-group", "-Zxz", "--threads-max=1", "--build"]
        subprocess.run(
            [*words, str(tree), str(made)], env=environment, check=True, stdout=subprocess.DEVNULL
        )
    return made


def _modules(home: Path, version: str, wheels: list[Wheel]) -> None:
    """A virtual environment that each Python reads as its own, and one folder that all share."""
    common = home / "common"
    for source in ("agent/dijkwacht_agent", "records/dijkwacht_records"):
        unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", "py.typed")
        shutil.copytree(ROOT / source, common / Path(source).name, ignore=unwanted)
    card = common / f"dijkwacht-{version}.dist-info/METADATA"
    card.parent.mkdir()
    card.write_text(f"Metadata-Version: 2.4\nName: dijkwacht\nVersion: {version}\n", "utf-8")
    for python in PYTHONS:
        own = home / f"lib/python{python}/site-packages"
        own.mkdir(parents=True)
        (own / "common.pth").write_text(f"/{HOME}/common\n", "utf-8")
    for wheel in wheels:
        wheel.unpack(home / wheel.folder)
    (home / "bin").mkdir()
    (home / "bin/python3").symlink_to("/usr/bin/python3")
    # With this file beside it, the machine's Python looks for modules here and nowhere else.
    (home / "pyvenv.cfg").write_text(
        "home = /usr/bin\ninclude-system-site-packages = false\n", "utf-8"
    )


def _strip(home: Path, machine: str) -> None:
    """Leave out what only a debugger reads: two thirds of the package; not where nothing can."""
    strip = shutil.which(f"{TRIPLETS[machine]}-strip")
    if strip is None:
        print(f"no {TRIPLETS[machine]}-strip: the package is larger than need be", file=sys.stderr)
        return
    words = [strip, "--strip-unneeded", "--remove-section=.comment", "--remove-section=.note"]
    for path in sorted(home.rglob("*.so")):
        subprocess.run([*words, str(path)], check=True)


def _settings(tree: Path) -> None:
    units = ROOT / "deploy/systemd"
    for source, place in (
        (FILES / "dijkwacht-agent", "usr/bin/dijkwacht-agent"),
        (FILES / "default", "etc/default/dijkwacht-agent"),
        (FILES / "52dijkwacht-agent", f"{DOC}/examples/52dijkwacht-agent"),
        *((each, f"{DOC}/examples/bridge/{each.name}") for each in (FILES / "bridge").iterdir()),
        *((units / unit, f"usr/lib/systemd/system/{unit}") for unit in UNITS),
    ):
        (tree / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, tree / place)


def _papers(
    tree: Path, version: str, machine: str, wheels: list[Wheel], epoch: int, maintainer: str
) -> None:
    doc, man = tree / DOC, tree / "usr/share/man/man1"
    man.mkdir(parents=True)
    page = man_page(version, epoch).encode()
    (man / "dijkwacht-agent.1.gz").write_bytes(gzip.compress(page, 9, mtime=0))
    (doc / "copyright").write_text(copyright_(wheels), "utf-8")
    (doc / "changelog.gz").write_bytes(changelog(version, maintainer, epoch))
    (doc / "sbom.cdx.json").write_text(bill_of_materials(version, machine, wheels, epoch), "utf-8")
    overrides = tree / "usr/share/lintian/overrides/dijkwacht-agent"
    overrides.parent.mkdir(parents=True)
    shutil.copyfile(FILES / "lintian-overrides", overrides)


def _scripts(folder: Path, kibibytes: int) -> None:
    folder.mkdir(mode=0o755)
    values = {
        "@PYTHONS@": " ".join(PYTHONS),
        "@FORMAT@": state_format(),
        "@NEEDED_KIB@": str(kibibytes + SPARE_KIB),
    }
    for name in ("preinst", "postinst", "prerm", "postrm"):
        text = (FILES / name).read_text("utf-8")
        for mark, value in values.items():
            text = text.replace(mark, value)
        (folder / name).write_text(text, "utf-8")
        (folder / name).chmod(0o755)
    shutil.copyfile(FILES / "templates", folder / "templates")
    (folder / "templates").chmod(0o644)
    (folder / "conffiles").write_text("/etc/default/dijkwacht-agent\n", "utf-8")


def _set_modes(tree: Path) -> None:
    """Whatever the umask was: readable by all, run by all what is a command."""
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)


def _last_change() -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "1"


def main() -> None:
    """Build what the command line asks for; print its path."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", choices=sorted(MACHINES), default="amd64")
    parser.add_argument("--version", default=own_version(), help="the project's, unless given")
    parser.add_argument("--to", type=Path, default=ROOT / "dist", metavar="FOLDER")
    parser.add_argument("--cache", type=Path, default=ROOT / "build/wheels", metavar="FOLDER")
    parser.add_argument("--maintainer", default=os.environ.get("DEBEMAIL") or MAINTAINER)
    args = parser.parse_args()
    os.umask(0o022)
    print(build(args.arch, args.version, args.to, args.cache, args.maintainer))


if __name__ == "__main__":
    main()
