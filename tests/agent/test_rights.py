"""Capabilities are given up by system calls; what they ask for is looked at, and once for real."""

import os
import subprocess
import sys
from struct import unpack

import pytest

from dijkwacht_agent.rights import give_up

LOOK = """
import socket, sys, threading
from dijkwacht_agent.rights import give_up
before = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
assert give_up(root=False), "not given up"
before.bind(("lo", 3))
status = []
thread = threading.Thread(target=lambda: status.append(open("/proc/thread-self/status").read()))
thread.start(); thread.join()
held = dict(line.split(":\\t") for line in status[0].splitlines() if line.startswith(("Cap", "NoNew")))
print(held["CapInh"], held["CapPrm"], held["CapEff"], held["CapAmb"], held["NoNewPrivs"])
try:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
except PermissionError:
    print("refused")
"""


@pytest.mark.parametrize(("root", "kept"), [(False, 0), (True, 0b1111)])
def test_root_keeps_what_concerns_files_and_nobody_else_anything(root, kept):
    asked = []

    def prctl(*words):
        asked.append(words)
        return 0

    def capset(head, data):
        asked.append((unpack("=Ii", head), unpack("=6I", data)))
        return 0

    assert give_up((prctl, capset), root=root)
    assert asked[0] == ((0x20080522, 0), (kept, kept, 0, 0, 0, 0))
    assert (47, 4, 0, 0, 0) in asked  # no child inherits any
    assert (38, 1, 0, 0, 0) in asked  # and no program that it starts gains any


def test_a_system_that_refuses_is_told_of():
    assert not give_up((lambda *_: 0, lambda *_: -1))
    assert not give_up((lambda *_: -1, lambda *_: 0))

    def refuse(*_):
        raise OSError

    assert not give_up((refuse, refuse))


@pytest.mark.live
def test_a_socket_that_is_open_goes_on_and_no_other_can_be_opened():
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    none = "0" * 16
    assert done.stdout.splitlines() == [f"{none} {none} {none} {none} 1", "refused"]
