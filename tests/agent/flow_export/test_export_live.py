"""An agent that listens to a router: what it hears reaches the collector, and `check` says how it is."""

import socket
import threading
import time

import pytest

from dijkwacht_agent.check import check, check_beside
from dijkwacht_agent.check_export import export_findings
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.messages import MESSAGES
from dijkwacht_agent.observed import exports, observe
from dijkwacht_agent.run import Agent
from dijkwacht_agent.settings import Settings, read_settings
from dijkwacht_agent.sources.export_socket import LONGEST, ExportSocket
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.errors import CaptureError, SettingsError
from dijkwacht_records.tables import AGENT, FLOWS, SYSTEM, TABLES

_FLOWS, _SYSTEM, _AGENT = map(TABLES.index, (FLOWS, SYSTEM, AGENT))


@pytest.fixture
def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def send(free_port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        yield lambda data: sender.sendto(data, ("127.0.0.1", free_port))


def fresh(wire, **flow):
    """A connection that ended just now, both ways."""
    back = {"src": "192.0.2.1", "dst": "192.168.7.5", "sport": 443, "dport": 50_000}
    records = wire.record(flow) + wire.record(back | flow)
    sets = wire.a_set(0, wire.template()), wire.a_set(256, records)
    return wire.v9(*sets, seconds=int(time.time()))


def test_what_a_router_tells_reaches_the_collector_disguised(
    joined, collector, wire, free_port, send
):
    flags = {"flow_export": f"127.0.0.1:{free_port}", "flow_export_hold_s": 0.5}
    told = []
    agent = Agent(read_settings(joined, {}, flags), joined, report=told.append)
    stop = threading.Event()
    running = threading.Thread(target=agent.run, args=(stop,))
    running.start()
    try:
        send(fresh(wire))
        send(b"\0\7 noise")
        collector.wait_for(lambda: any(which == _FLOWS for which, _ in collector.rows()))
        collector.wait_for((joined / "status.json").exists)
        found = [each.key for each in check_beside(read_settings(joined, {}, flags), joined)]
    finally:
        stop.set()
        running.join()
    assert "listens on flow export at 127.0.0.1" in told[0]
    assert "export_arrives" in found or "export_none" in found
    assert "interface_up" not in found
    rows = collector.rows()
    [flow] = [row for which, row in rows if which == _FLOWS and row[FLOWS.index("part")] == 0]
    assert flow[FLOWS.index("resp_h")] == pack_address("192.0.2.1")
    hidden = agent.batcher._privacy.address(pack_address("192.168.7.5"))
    assert flow[FLOWS.index("orig_h")] == hidden
    assert flow[FLOWS.index("orig_pkts")] == flow[FLOWS.index("resp_pkts")] == 5
    assert any(which == _SYSTEM for which, _ in rows)
    beats = [row for which, row in rows if which == _AGENT]
    assert [beats[-1][AGENT.index(n)] for n in ("packets_seen", "packets_metered")] == [2, 1]
    assert beats[-1][AGENT.index("dropped_unsupported")] == 1


def test_a_socket_gives_who_sent_and_what(free_port, send):
    source = ExportSocket(f"127.0.0.1:{free_port}", lambda: 7)
    try:
        send(b"one")
        send(bytes(LONGEST + 1))
        blocks, frames = source.blocks(), []
        while len(frames) < 2:
            block = next(blocks)
            frames += [
                (block.data[b:e], size - (e - b), t)
                for b, e, size, t in zip(
                    block.begins, block.ends, block.wire_lens, block.times, strict=True
                )
            ]
    finally:
        source.close()
    assert frames == [
        (pack_address("127.0.0.1") + b"one", 0, 7),
        (pack_address("127.0.0.1") + bytes(LONGEST), 1, 7),
    ]
    assert list(blocks) == []


def test_what_the_kernel_has_no_room_for_is_counted(free_port, send):
    source = ExportSocket(f"127.0.0.1:{free_port}", lambda: 7)
    sent, received = 1500, 0
    try:
        for _ in range(sent):
            send(bytes(8000))
        blocks = source.blocks()
        while block := next(blocks):
            received += len(block)
        # The kernel tells of a loss with the datagram that it takes next.
        send(b"last")
        received += len(next(blocks)) - 1
    finally:
        source.close()
    assert source.dropped > 0
    assert received + source.dropped == sent


def test_a_port_that_is_taken_is_named(free_port):
    place = f"127.0.0.1:{free_port}"
    source = ExportSocket(place, lambda: 0)
    with pytest.raises(CaptureError, match=f"{place}: another program listens there"):
        ExportSocket(place, lambda: 0)
    source.close()
    with pytest.raises(CaptureError, match="cannot listen there"):
        ExportSocket(f"203.0.113.9:{free_port}", lambda: 0)


@pytest.mark.parametrize("text", ["2055", "router:2055", "0.0.0.0:0", "0.0.0.0:99999", "::1:2055"])
def test_a_place_that_is_none_is_refused(tmp_path, text):
    with pytest.raises(SettingsError, match=r"expected an address and a port such as 0\.0\.0\.0"):
        read_settings(tmp_path, {}, {"flow_export": text})


def test_who_is_heard_is_what_is_inside_or_what_is_declared(free_port):
    def heard(**settings):
        observed = observe(Settings(flow_export=f"127.0.0.1:{free_port}", **settings))
        observed.source.source.close()
        return observed.meter._heard

    inside, public = pack_address("192.168.7.1"), pack_address("203.0.113.9")
    assert inside in heard()
    assert public not in heard()
    assert public in heard(local=["203.0.113.0/24"])
    assert inside not in heard(flow_exporters=["203.0.113.9/32"])


def test_without_the_library_it_says_what_to_install(monkeypatch, free_port):
    monkeypatch.setitem(__import__("sys").modules, "netflume", None)
    with pytest.raises(SettingsError, match=r"pip install 'dijkwacht\[flowexport\]'"):
        observe(Settings(flow_export=f"127.0.0.1:{free_port}"))


def test_check_listens_where_no_agent_runs(tmp_path, free_port):
    settings = Settings(flow_export=f"127.0.0.1:{free_port}")
    first = next(check(settings, tmp_path, 0.01))
    assert (first.key, first.ok) == ("export_none", False)
    assert "NetFlow" in first.sentence("en")
    assert "router" in first.sentence("nl")


def found_in(told, **settings):
    chosen = Settings(flow_export="0.0.0.0:2055", **settings)
    return {key: ok for key, ok, _ in export_findings(chosen, exports(told.meter.counters))}


def test_check_says_what_is_wrong_at_the_router(wire, fed):
    second = 1_000_000
    now = wire.begin * second
    records = wire.a_set(256, wire.record({}))
    fine = wire.v9(wire.a_set(0, wire.template()), records)
    assert found_in(fed().give(fine)) == {"export_arrives": True}
    assert found_in(fed()) == {"export_none": False}
    assert found_in(fed(heard=LocalNetworks(["10.0.0.0/8"])).give(fine)) == {
        "export_unheard": False
    }
    assert found_in(fed().give(b"\0\7\0\0")) == {"export_unreadable": False}
    assert found_in(fed().give(wire.v9(records))) == {"export_templates": False}
    assert found_in(fed().give(wire.v5({}), at=now + 60 * second))["export_clock"] is False
    assert found_in(fed().give(fine), flow_export_hold_s=1)["export_late"] is False
    assert found_in(fed().give(wire.v5({}, sampling=1 << 14 | 9)))["export_sampled"] is False
    lossy = fed()
    for seq in (0, 2, 90):
        lossy.give(wire.v5({"sport": seq + 1}, {"sport": seq + 2}, seq=seq))
    assert found_in(lossy)["export_lost"] is False


def test_each_finding_has_its_sentence_in_both_languages():
    for key in ("export_templates", "export_clock", "export_late", "export_sampled", "export_lost"):
        english, dutch = MESSAGES[key]
        values = {"unread": 1, "offset": 60.0, "late": 90.0, "hold": 60.0, "sampling": 9, "lost": 1}
        assert english.format(**values) != dutch.format(**values)
