import socket

import pytest

from dijkwacht_agent.systemd import Systemd


@pytest.fixture(name="heard")
def _heard(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.setblocking(False)
        yield path, listener


def words(listener):
    found = []
    while True:
        try:
            found.append(listener.recv(100).decode())
        except BlockingIOError:
            return found


def test_ready_stopping_and_a_bounded_number_of_pings(heard):
    path, listener = heard
    now = [0.0]
    environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "4000000"}
    systemd = Systemd(environment, lambda: now[0])
    said = []
    systemd.ready()
    for _ in range(100):
        now[0] += 0.25
        systemd.moved()
        said += words(listener)
    systemd.stopping()
    assert said + words(listener) == ["READY=1", *["WATCHDOG=1"] * 25, "STOPPING=1"]


def test_a_systemd_that_does_not_listen_holds_nothing_up(heard):
    path, _ = heard
    systemd = Systemd({"NOTIFY_SOCKET": path})
    for _ in range(1000):
        systemd.ready()
    Systemd({"NOTIFY_SOCKET": path + "-gone"}).ready()


def test_without_a_watchdog_nobody_pings(heard):
    path, listener = heard
    systemd = Systemd({"NOTIFY_SOCKET": path}, lambda: 1e9)
    systemd.moved()
    assert words(listener) == []


def test_without_systemd_nothing_is_said():
    systemd = Systemd({})
    systemd.ready()
    systemd.moved()
    systemd.stopping()
