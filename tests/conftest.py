"""What all tests share: where things are, which tests need more than Python, what a skip means.

Markers (declared in pyproject.toml):

* ``live("nmap", ...)``: needs root, network namespaces and the named commands;
* ``tools("promtool", ...)``: needs the named commands, no special rights;
* ``captures``: needs the labelled captures in ``../shared/captures``;
* ``long``: takes minutes, runs under ``make long`` only.

A test whose needs are not met is skipped with a reason that names the Debian package. Under
``DIJKWACHT_NO_SKIPS=1``, as in CI, a skip is a failure.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
CAPTURES = ROOT.parent / "shared" / "captures"


def _beside(name: str) -> ModuleType:
    """A file beside this one: tests are imported by their path, and so is what they share."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_receivers = _beside("receivers")
mail_server, webhook = _receivers.mail_server, _receivers.webhook
receivers, receiver_certificate = _receivers.receivers, _receivers.receiver_certificate
wait_for = _receivers._wait_for
page = _beside("browser")._page
every_step = _beside("every_step")._fixture

hypothesis.settings.register_profile("dijkwacht", deadline=None, print_blob=True)
hypothesis.settings.load_profile("dijkwacht")

PACKAGE_OF = {
    "amtool": "prometheus-alertmanager",
    "apt-ftparchive": "apt-utils",
    "chromium": "chromium",
    "dhclient": "isc-dhcp-client",
    "dnsmasq": "dnsmasq-base",
    "dpkg-deb": "dpkg",
    "faketime": "faketime",
    "gpg": "gpg",
    "gpgv": "gpgv",
    "hydra": "hydra",
    "iodine": "iodine",
    "ip": "iproute2",
    "lintian": "lintian",
    "nmap": "nmap",
    "openssl": "openssl",
    "ping": "iputils-ping",
    "pipx": "pipx",
    "prometheus": "prometheus",
    "pmacctd": "pmacct",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
    "tcpdump": "tcpdump",
    "tshark": "tshark",
    "x86_64-linux-gnu-strip": "binutils",
}
"""Which Debian package brings a command. ``.ci/packages`` lists those that CI installs."""

# Tests start commands by name, also those that only root's PATH leads to.
os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"

_PACKAGES_IN_REASON = re.compile(r"apt-get install ([a-z0-9.+ -]+)")


@cache
def _can_make_namespaces() -> bool:
    name = f"dw-probe-{os.getpid()}"
    ip = shutil.which("ip")
    if ip is None or os.geteuid() != 0:
        return False
    made = subprocess.run([ip, "netns", "add", name], capture_output=True, check=False)
    subprocess.run([ip, "netns", "del", name], capture_output=True, check=False)
    return made.returncode == 0


def _missing(commands: tuple[str, ...]) -> str:
    lacking = [command for command in commands if shutil.which(command) is None]
    if not lacking:
        return ""
    packages = sorted({PACKAGE_OF.get(command, command) for command in lacking})
    return f"needs {', '.join(lacking)}: apt-get install {' '.join(packages)}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests that take minutes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        long = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, with a reason that says what would help."""
    if item.get_closest_marker("captures") and not CAPTURES.is_dir():
        pytest.skip("needs the labelled captures in ../shared/captures")
    if (tools := item.get_closest_marker("tools")) and (reason := _missing(tools.args)):
        pytest.skip(reason)
    if live := item.get_closest_marker("live"):
        if reason := _missing(("ip", *live.args)):
            pytest.skip(reason)
        if not _can_make_namespaces():
            pytest.skip("needs root and the right to make network namespaces")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Turn skips into a failure where the environment is promised to be whole."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not _no_skips():
        return
    if reporter.stats.get("skipped") and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say the one line that would let the skipped tests run."""
    skipped = terminalreporter.stats.get("skipped", [])
    packages: set[str] = set()
    for report in skipped:
        for match in _PACKAGES_IN_REASON.finditer(str(report.longrepr)):
            packages.update(match[1].split())
    if packages:
        terminalreporter.write_line(
            f"To run what was skipped: sudo apt-get install {' '.join(sorted(packages))}",
        )
    if skipped and _no_skips():
        terminalreporter.write_line(
            f"DIJKWACHT_NO_SKIPS is set: {len(skipped)} skipped tests count as failures", red=True
        )


def _no_skips() -> bool:
    return os.environ.get("DIJKWACHT_NO_SKIPS", "") not in {"", "0"}


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def tracked(root: Path) -> list[str]:
    """Every file that git would hand to somebody else, new ones included."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    names = [name for name in listing.stdout.decode().split("\0") if name]
    return [name for name in names if (root / name).is_file()]


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of labelled captures; mark the test ``captures`` too, or ask for this alone."""
    if not CAPTURES.is_dir():
        pytest.skip("needs the labelled captures in ../shared/captures")
    return CAPTURES
