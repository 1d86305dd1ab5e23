"""The page on a first detector, gone by a newcomer: an empty folder, its own blocks, nothing else."""

import os
import re
import subprocess
import sys

import pytest

from dijkwacht_collector.policy import OWN_SHARE, read_calibration
from dijkwacht_lab.calibrate import line_of

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
WAY = ["try", "check-detector", "calibrate", "replay", "evaluate"]


@pytest.fixture(scope="module")
def blocks(root):
    """The (language, text) blocks of the way itself, up to what comes after it."""
    page = (root / "docs/first-detector.md").read_text("utf-8")
    way, _, _ = page.partition("## On a live collector")
    return FENCE.findall(way)


@pytest.fixture
def shell(root, tmp_path):
    """Run a block in an empty folder, where ``dijkwacht`` is that of this checkout."""
    programs, folder = tmp_path / "bin", tmp_path / "empty"
    programs.mkdir()
    folder.mkdir()
    for name, module in (("dijkwacht", ["-m", "dijkwacht.cli"]), ("python", [])):
        words = " ".join([f"'{sys.executable}'", *module])
        (programs / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (programs / name).chmod(0o755)
    packages = [
        str(root / p) for p in ("agent", "records", "detectors", "collector", "lab", "dijkwacht")
    ]
    environment = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": ":".join(packages),
    }  # fmt: skip

    def run(script):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr

    return folder, run


def test_from_an_empty_folder_to_the_scoreboard(blocks, shell, quiet):
    folder, run = shell
    (folder / "quiet.pcap").write_bytes(quiet.read_bytes())
    told, gone, promised = {}, [], []
    for language, text in blocks:
        if language == "python":
            (folder / "mine" / "rare_port.py").write_text(text)
        elif language == "sh":
            command = (re.findall(r"^dijkwacht (\S+)", text, re.MULTILINE) or [""])[-1]
            told[command] = run(text)
            gone += [command] if command else []
        else:
            promised.append((gone[-1], text))
    assert gone == WAY
    assert promised
    for command, text in promised:
        for line in text.splitlines():
            assert line in told[command][0].splitlines(), command

    assert len(told["try"][0].splitlines()) >= 3
    assert "192.168.20.66 used port" in told["try"][0]
    assert "15 of 15 checks hold" in told["check-detector"][1]
    table = read_calibration(folder / "mine" / "rare_port.json", "rare_port")
    assert "1 benign recordings and 2 generated offices" in table.made
    assert line_of(table, OWN_SHARE) > 9.69, "the page says that it would have told nobody"
    page = (folder / "mine" / "rare_port.html").read_text()
    assert "<svg" in page
    assert "rare_port: interrupts by rare_port.json beside it" in told["replay"][1]
    rows = [line.split() for line in told["evaluate"][0].splitlines()]
    [place] = [row for row in rows if row[:1] == ["rare_port"]]
    assert place[7] == "9.69", "the strongest on attacks"
