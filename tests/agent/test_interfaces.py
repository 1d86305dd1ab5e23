from types import SimpleNamespace

import psutil
import pytest

from dijkwacht_agent.interfaces import default_interface
from dijkwacht_records.errors import CaptureError

V4 = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
br0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
wan1\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
"""
V6 = """fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     br0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     wan6
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
"""


@pytest.fixture(name="files")
def _files(tmp_path):
    return tmp_path / "route", tmp_path / "ipv6_route"


def test_the_default_route_of_ipv4_first(files):
    files[0].write_text(V4)
    files[1].write_text(V6)
    assert default_interface(*files) == "wan1"


def test_else_that_of_ipv6(files):
    files[0].write_text(V4.splitlines()[0] + "\n")
    files[1].write_text(V6)
    assert default_interface(*files) == "wan6"


def test_else_the_only_one_that_is_up_or_a_question(files, monkeypatch):
    cards = {"lo": True, "a": True, "b": False}
    monkeypatch.setattr(
        psutil, "net_if_stats", lambda: {n: SimpleNamespace(isup=up) for n, up in cards.items()}
    )
    assert default_interface(*files) == "a"
    cards["b"] = True
    with pytest.raises(CaptureError, match="a, b, lo"):
        default_interface(*files)
