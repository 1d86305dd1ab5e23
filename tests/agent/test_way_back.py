import json
import os
import re
import threading

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dijkwacht_agent.collector_line import CollectorLine
from dijkwacht_agent.diagnostics import MOST_KEPT, Diagnostics
from dijkwacht_agent.health import Status
from dijkwacht_agent.orders import Ability, Entry, Orders
from dijkwacht_agent.pacing import wall_clock
from dijkwacht_agent.renewal import Renewal
from dijkwacht_agent.settings import read_settings
from dijkwacht_agent.way_back import WayBack, way_back
from dijkwacht_records.errors import CollectorBusy, Message, NotAuthorised, RejectedBatch
from dijkwacht_records.orders import Order, SealedOrder, encode_order
from dijkwacht_records.replies import Reply

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
HOUR = 3_600_000_000
TOKEN = "dw_secret"
BUSY = (503, b'{"reason":"busy","message":"full"}')


def order(name="o-1", kind="diagnostics", **changes):
    now = wall_clock()
    made = Order(name, kind, "bakery", "till", now, now + HOUR)
    bare = SealedOrder(encode_order(msgspec.structs.replace(made, **changes)), b"")
    return SealedOrder(bare.body, KEY.sign(bare.signed_bytes))


def reply(*orders):
    return Reply(0, duplicate=False, clock=1, sealed=list(orders))


@pytest.fixture
def state(joined):
    with (joined / "agent.toml").open("a") as file:
        file.write(f'orders_key = "{KEY.public_key().public_bytes_raw().hex()}"\n')
        file.write('consents = ["diagnostics", "renew"]\n')
    return joined


@pytest.fixture
def settings(state):
    return read_settings(state, {})


@pytest.fixture
def back(settings, state):
    made = way_back(settings, state, TOKEN, Renewal(settings.url, TOKEN, state))
    made._pause_s = made._first_pause_s = made._longest_pause_s = 0.01
    yield made
    made.stop(30)


def outcomes(collector):
    return [
        (path.split("/")[3], json.loads(body)["outcome"])
        for method, path, body in collector.asked
        if path.endswith("/outcome")
    ]


def uploads(collector):
    return [body for method, path, body in collector.asked if path.endswith("/upload")]


def test_diagnostics_are_sent_and_a_copy_of_the_very_bytes_stays(back, state, collector):
    back.take(reply(order()))
    collector.wait_for(lambda: outcomes(collector))
    assert outcomes(collector) == [("o-1", "carried_out")]
    (sent,) = uploads(collector)
    assert (state / "sent" / "diagnostics-o-1.json").read_bytes() == sent
    assert (state / "sent").stat().st_mode & 0o777 == 0o700
    assert (state / "sent" / "diagnostics-o-1.json").stat().st_mode & 0o777 == 0o600
    last = msgspec.json.decode((state / "orders.log").read_bytes().splitlines()[-1], type=Entry)
    assert (last.reason, last.detail) == ("carried_out", "sent/diagnostics-o-1.json")


def test_without_consent_nothing_is_made_or_sent(back, settings, state, collector):
    back._orders = Orders(
        msgspec.structs.replace(settings, consents=[]),
        state / "orders.log",
        wall_clock,
        {"diagnostics": Ability(Diagnostics(settings, state, back._line).send)},
    )
    back.take(reply(order()))
    collector.wait_for(lambda: outcomes(collector))
    assert outcomes(collector) == [("o-1", "no_consent")]
    assert uploads(collector) == []
    assert not (state / "sent").exists()


def test_an_agent_without_a_certificate_has_nothing_to_renew(back, collector):
    back.take(reply(order(kind="renew")))
    collector.wait_for(lambda: outcomes(collector))
    assert outcomes(collector) == [("o-1", "unsupported")]


def test_diagnostics_hold_no_address_and_no_name(settings, state, collector):
    why = Message(
        "trouble_unreachable", {"why": Message("other", {"text": "/srv/of-jan/192.168.1.7"})}
    )
    counters = {"packets_seen": 7, "dropped_ring": 0}
    status = Status(wall_clock(), 5, "eth-of-jan", why, 6, counters)
    (state / "status.json").write_bytes(msgspec.json.encode(status))
    settings = msgspec.structs.replace(settings, interface="eth-of-jan")
    report = Diagnostics(settings, state, CollectorLine(collector.url, TOKEN)).report()
    assert report.trouble == ["trouble_unreachable", "other"]
    assert (report.counters, report.started) == (counters, 5)
    assert {found.check: found.ok for found in report.found}.items() >= {
        "interface_none": False,
        "collector_answers": True,
        "token_good": True,
        "in_trouble": False,
    }.items()
    text = msgspec.json.encode(report).decode()
    assert not re.search(r"\d+\.\d+\.\d+\.\d+|jan|bakery|till|/|[0-9a-f]{2}:[0-9a-f]{2}", text)


def test_an_upload_that_fails_is_tried_again_with_the_same_bytes(back, collector):
    collector.answers["/v1/orders/o-1/upload"] = [BUSY, BUSY]
    while not outcomes(collector):
        back.take(reply(order()))
    assert outcomes(collector)[0] == ("o-1", "carried_out")
    assert len(uploads(collector)) == 3
    assert len(set(uploads(collector))) == 1


def test_an_outcome_that_was_not_heard_is_said_again(back, collector):
    collector.answers["/v1/orders/o-1/outcome"] = [BUSY]
    while len(outcomes(collector)) < 2:
        back.take(reply(order()))
    assert outcomes(collector)[:2] == [("o-1", "carried_out")] * 2
    assert len(uploads(collector)) == 1


def test_an_upload_that_is_refused_for_good_has_failed(back, collector):
    collector.answers["/v1/orders/o-1/upload"] = [(400, b'{"reason":"too_large","message":"x"}')]
    back.take(reply(order()))
    collector.wait_for(lambda: outcomes(collector))
    assert outcomes(collector) == [("o-1", "failed")]


def test_one_order_harms_no_other(back, collector):
    odd = SealedOrder(b'{"id":"\\ud800"}', KEY.sign(b'dijkwacht order 2\n{"id":"\\ud800"}'))
    back.take(reply(odd, order("o-1", kind="polish"), SealedOrder(b"", b""), order("o-2")))
    collector.wait_for(lambda: len(outcomes(collector)) == 2)
    assert outcomes(collector) == [("o-1", "unsupported"), ("o-2", "carried_out")]


def test_an_action_that_raises_anything_reaches_no_other_thread(settings, state, collector):
    def fail(_order):
        raise RuntimeError

    able = {"diagnostics": Ability(fail)}
    line = CollectorLine(collector.url, TOKEN)
    made = WayBack(Orders(settings, state / "orders.log", wall_clock, able), line)
    made.take(reply(order()))
    collector.wait_for(lambda: outcomes(collector))
    assert outcomes(collector) == [("o-1", "failed")]
    made.stop(30)


def test_the_uplink_never_waits_for_the_way_back(settings, state, collector):
    begun, go_on = threading.Event(), threading.Event()

    def hang(_order):
        begun.set()
        assert go_on.wait(60)
        return ""

    able = {"diagnostics": Ability(hang)}
    line = CollectorLine(collector.url, TOKEN)
    made = WayBack(Orders(settings, state / "orders.log", wall_clock, able), line)
    made.take(reply(order()))
    assert begun.wait(60)
    for _ in range(100):
        made.take(reply(order()))  # returns though it hangs
    go_on.set()
    made.stop(30)
    assert set(outcomes(collector)) == {("o-1", "carried_out")}


def test_without_orders_there_is_no_thread(back):
    back.take(reply())
    assert back._thread is None


def test_a_machine_without_a_thread_to_spare_keeps_its_uplink(back, collector, monkeypatch):
    def none_left(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        back.take(reply(order()))
    back.take(reply(order()))
    collector.wait_for(lambda: outcomes(collector))


def test_copies_are_bounded(settings, state, collector):
    diagnostics = Diagnostics(settings, state, CollectorLine(collector.url, TOKEN))
    for n in range(MOST_KEPT + 3):
        diagnostics.send(Order(f"o-{n}", "diagnostics", "bakery", "till", 1, 2))
        assert len(list((state / "sent").iterdir())) == min(n + 1, MOST_KEPT)


def test_a_copy_of_a_clock_that_was_set_back_is_sent_and_kept(settings, state, collector):
    diagnostics = Diagnostics(settings, state, CollectorLine(collector.url, TOKEN))
    (state / "sent").mkdir()
    for n in range(MOST_KEPT):
        copy = state / "sent" / f"diagnostics-{n}.json"
        copy.touch()
        os.utime(copy, (4e9, 4e9))
    assert diagnostics.send(Order("o-1", "diagnostics", "bakery", "till", 1, 2))
    assert (state / "sent" / "diagnostics-o-1.json").exists()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (BUSY, CollectorBusy),
        ((429, b""), CollectorBusy),
        ((401, b""), NotAuthorised),
        ((404, b"<html>"), RejectedBatch),
        ((302, b""), RejectedBatch),
    ],
)
def test_a_refusal_is_an_error_of_the_tree(collector, answer, error):
    collector.answers["/v1/orders/x/outcome"] = [answer]
    with pytest.raises(error):
        CollectorLine(collector.url + "/", TOKEN).ask("POST", "/v1/orders/x/outcome")
