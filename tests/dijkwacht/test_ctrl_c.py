"""Ctrl-C: what was found until then is told, whole, and the exit code says that there could be more."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from dijkwacht.ctrl_c import CtrlC

pytestmark = pytest.mark.usefixtures("ctrl_c_heard")

BUSY = """
import os, signal
from dijkwacht_detectors.api import SiteDetector

class Busy(SiteDetector):
    name = "busy"
    table = "flows"
    reads = ("resp_p",)
    left = {times}

    def score_many(self, window):
        while self.left:
            self.left -= 1
            os.kill(os.getpid(), signal.SIGINT)
        return window["resp_p"].astype(float)
"""


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "dijkwacht.cli", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def test_replay_tells_what_it_has_found(slow_scan):
    with start("replay", slow_scan, "--speed", "600") as command:
        deadline = threading.Timer(120, command.kill)
        deadline.start()
        said = []
        for line in command.stderr:
            said.append(line)
            if "  scan  " in line:
                command.send_signal(signal.SIGINT)
        findings = [json.loads(line) for line in command.stdout]
        command.wait()
        deadline.cancel()
    assert command.returncode == 130
    assert "scan" in {finding["finding_info"]["types"][0] for finding in findings}
    assert said[-1] == "dijkwacht replay: stopped\n"
    assert f"{len(findings)} incident" in said[-2]
    rows = int(said[-2].split(" in ")[1].split()[0].replace(",", ""))
    assert 1000 <= rows < 1199


def test_try_shows_the_strangest_so_far(tmp_path, long_scan):
    (tmp_path / "busy.py").write_text(BUSY.format(times=1))
    with start("try", tmp_path / "busy.py", long_scan, "--top", 1) as command:
        out, err = command.communicate(timeout=120)
    assert command.returncode == 130
    (row,) = map(json.loads, out.splitlines())
    scored = int(row["score"])
    assert 0 < scored < 5000
    assert err.splitlines()[-2:] == [
        f"{scored:,} scores on {scored:,} rows",
        "dijkwacht try: stopped",
    ]


def test_the_second_ends_at_once(tmp_path, scan):
    (tmp_path / "busy.py").write_text(BUSY.format(times=2))
    with start("try", tmp_path / "busy.py", scan) as command:
        out, err = command.communicate(timeout=120)
    assert command.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "dijkwacht try: stopped"


def test_before_the_first_item_there_is_nothing_to_tell():
    def reading():
        interrupt()
        yield 1

    with CtrlC() as ctrl_c, pytest.raises(KeyboardInterrupt):
        list(ctrl_c.until(reading()))
    assert not ctrl_c.came


def test_it_ends_the_items_and_puts_the_signal_back():
    before = signal.getsignal(signal.SIGINT)
    seen = []
    with CtrlC() as ctrl_c:
        for number in ctrl_c.until(range(10)):
            seen.append(number)
            if number == 3:
                interrupt()
                assert ctrl_c.came
        assert seen == [0, 1, 2, 3]
        ctrl_c.sleep(1e9)  # would not end if the signal did not end it
        with pytest.raises(KeyboardInterrupt):
            interrupt()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c.raise_if_came()
    assert signal.getsignal(signal.SIGINT) is before


def test_who_ignores_the_signal_goes_on_ignoring_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with CtrlC() as ctrl_c:
            for _ in ctrl_c.until(range(3)):
                interrupt()
        assert not ctrl_c.came
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_leave_the_signal_alone():
    seen, before = [], signal.getsignal(signal.SIGINT)

    def work():
        with CtrlC() as ctrl_c:
            seen.extend(ctrl_c.until(range(3)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [0, 1, 2]
    assert signal.getsignal(signal.SIGINT) is before
