import errno
import io
import json
from unittest import mock

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dijkwacht_agent.orders import MAX_LOG_BYTES, Ability, Answer, Entry, Orders
from dijkwacht_agent.settings import Settings
from dijkwacht_records.errors import CollectorBusy
from dijkwacht_records.orders import (
    LONGEST_LIFE_US,
    MAX_BODY_BYTES,
    Order,
    OrderOutcome,
    SealedOrder,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOW = 1_800_000_000_000_000
HOUR = 3_600_000_000
ORDER = Order("o-1", "canary", "bakery", "till", NOW, NOW + HOUR, {"name": "x"})


def seal(body, key=KEY):
    return SealedOrder(body, key.sign(SealedOrder(body, b"").signed_bytes))


def signed(key=KEY, **changes):
    return seal(msgspec.json.encode(msgspec.to_builtins(ORDER) | changes), key)


def answer(outcome, detail="", name="o-1"):
    return Answer(name, OrderOutcome(outcome, detail))


class Bench:
    def __init__(self, folder, consents=("canary", "renew"), **settings):
        self.now, self.done, self.log = NOW, [], folder / "orders.log"
        self.act = lambda order: self.done.append(order) or "sent/x"
        key = KEY.public_key().public_bytes_raw().hex()
        chosen = {"site": "bakery", "agent": "till", "orders_key": key, "consents": list(consents)}
        self.settings = Settings(**(chosen | settings))
        self.again()

    def carry_out(self, order):
        return self.act(order)

    def again(self):
        able = {"canary": Ability(self.carry_out, frozenset({"name"}))}
        self.orders = Orders(self.settings, self.log, lambda: self.now, able)

    def entries(self):
        return [
            msgspec.json.decode(line, type=Entry) for line in self.log.read_bytes().splitlines()
        ]

    def reasons(self):
        return [entry.reason for entry in self.entries()]


@pytest.fixture(name="bench")
def _bench(tmp_path):
    return Bench(tmp_path)


def test_a_good_order_is_carried_out_once_and_answered_each_time(bench):
    assert bench.orders.receive(signed()) == answer("carried_out")
    assert bench.done == [ORDER]
    assert bench.orders.receive(signed()) == answer("carried_out")
    assert bench.done == [ORDER]
    assert [(e.reason, e.detail) for e in bench.entries()] == [
        ("begun", ""),
        ("carried_out", "sent/x"),
    ]


def test_it_is_written_down_before_it_is_done(bench):
    bench.act = lambda _order: bench.done.append(bench.reasons()) or ""
    bench.orders.receive(signed())
    assert bench.done == [["begun"]]


def test_what_was_done_is_known_after_a_restart(bench):
    bench.orders.receive(signed())
    with bench.log.open("ab") as file:
        file.write(b'{"time":1,"id":"cut sho')
    bench.again()
    assert bench.orders.receive(signed()) == answer("carried_out")
    assert bench.done == [ORDER]


def test_a_line_that_was_cut_short_takes_the_next_one_not_along(tmp_path):
    (tmp_path / "orders.log").write_bytes(b'{"time":1,"id":"cut sho')
    refuses = Bench(tmp_path, consents=())
    assert refuses.orders.receive(signed()) == answer("no_consent")
    consents = Bench(tmp_path)
    assert consents.orders.receive(signed()) == answer("no_consent"), "as the collector was told"
    assert consents.done == []


def test_nor_does_one_that_a_full_disk_cut_short(bench, monkeypatch):
    class Full(io.FileIO):
        def write(self, data):
            super().write(data[:9])
            raise OSError(errno.ENOSPC, "full")

    carry_out = bench.act
    bench.act = mock.Mock(side_effect=CollectorBusy("later"))
    with pytest.raises(CollectorBusy):
        bench.orders.receive(signed())
    with monkeypatch.context() as disk:
        disk.setattr("dijkwacht_agent.orders.open_private", lambda path: Full(path, "ab"))
        bench.orders.receive(signed(site="butcher"))
    bench.act = carry_out
    assert bench.orders.receive(signed()) == answer("carried_out")
    bench.again()
    assert bench.orders.receive(signed()) == answer("carried_out")
    assert bench.done == [ORDER]


def test_a_disk_that_is_full_when_the_log_is_makes_nobody_forget(bench, monkeypatch):
    bench.orders.receive(signed())
    with bench.log.open("ab") as file:
        file.write(b" " * MAX_LOG_BYTES + b"\n")

    def full(_path):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as disk:
        disk.setattr("dijkwacht_agent.orders.open_private", full)
        bench.orders.receive(signed(id="o-2"))
    bench.again()
    assert bench.orders.receive(signed()) == answer("carried_out")
    assert bench.done == [ORDER]


def test_the_log_of_the_first_release_binds(bench):
    line = {"time": 1, "id": "o-1", "kind": "canary", "reason": "carried_out", "expires": NOW + 1}
    bench.log.write_text(json.dumps(line) + "\n")
    bench.again()
    assert bench.orders.receive(signed()) == answer("carried_out")
    assert bench.done == []


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"kind": "evidence", "arguments": {}}, "no_consent"),
        ({"kind": "renew"}, "unsupported"),
        ({"kind": "reboot"}, "unsupported"),
        ({"not_before": 0}, "unknown_fields"),
        ({"arguments": {"name": 7}}, "unknown_fields"),
        ({"arguments": {"name": "x", "level": "deep"}}, "unknown_fields"),
    ],
)
def test_an_order_is_refused_by_name_and_the_others_of_its_reply_are_not(bench, changes, outcome):
    assert bench.orders.receive(signed(**changes)) == answer(outcome)
    assert bench.done == []
    assert bench.entries()[-1].reason == outcome
    assert bench.orders.receive(signed(**changes)) == answer(outcome)
    assert len(bench.entries()) == 1
    assert bench.orders.receive(signed(id="o-2")) == answer("carried_out", name="o-2")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"site": "butcher"}, "another_agent"),
        ({"agent": "office"}, "another_agent"),
        ({"issued": NOW - 2 * HOUR, "expires": NOW - HOUR}, "not_in_its_time"),
        ({"issued": NOW + HOUR, "expires": NOW + 2 * HOUR}, "not_in_its_time"),
        ({"expires": NOW + LONGEST_LIFE_US + 1}, "not_in_its_time"),
        ({"expires": NOW - HOUR}, "not_in_its_time"),
        ({"id": "../../etc"}, "malformed"),
        ({"id": "\N{GREEK SMALL LETTER ALPHA}"}, "malformed"),
        ({"kind": None}, "malformed"),
    ],
)
def test_an_order_is_passed_over_written_down_once_and_not_answered(bench, changes, reason):
    for _ in range(3):
        assert bench.orders.receive(signed(**changes)) is None
    assert bench.done == []
    assert bench.reasons() == [reason]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 9999, b"null", b"{}", b'"\\ud800"'])
def test_signed_bytes_that_are_no_order_harm_nothing(bench, body):
    whole = seal(body[:MAX_BODY_BYTES])
    assert bench.orders.receive(whole) is None
    assert bench.orders.receive(signed()) == answer("carried_out")


def test_an_order_waits_for_a_clock_that_is_set_right(bench):
    bench.now -= HOUR
    assert bench.orders.receive(signed()) is None
    bench.now += HOUR
    assert bench.orders.receive(signed()) == answer("carried_out")


def test_any_change_of_the_bytes_breaks_the_signature(bench):
    good = signed()
    for at in range(len(good.body)):
        body = bytearray(good.body)
        body[at] ^= 1
        assert bench.orders.receive(SealedOrder(bytes(body), good.signature)) is None
    assert set(bench.reasons()) == {"bad_signature"}
    assert bench.done == []


def test_another_key_or_none_is_refused(bench, tmp_path):
    other = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
    assert bench.orders.receive(signed(other)) is None
    assert bench.orders.receive(SealedOrder(signed().body, b"")) is None
    assert bench.reasons() == ["bad_signature"] * 2
    other_bench = Bench(tmp_path, orders_key=None)
    assert other_bench.orders.receive(signed(id="new")) is None
    assert other_bench.reasons()[-1] == "no_key"


def test_a_signature_over_the_bytes_alone_is_none(bench):
    body = signed().body
    assert bench.orders.receive(SealedOrder(body, KEY.sign(body))) is None


def test_a_forged_order_does_not_use_up_the_id_of_a_real_one(bench):
    bench.orders.receive(SealedOrder(signed().body, bytes(64)))
    assert bench.orders.receive(signed()) == answer("carried_out")


def test_a_full_log_makes_nobody_forget(bench):
    bench.orders.receive(signed())
    with bench.log.open("ab") as file:
        file.write(b"\n" * MAX_LOG_BYTES)
    bench.orders.receive(SealedOrder(signed(id="x" * 64).body, bytes(64)))
    assert bench.log.stat().st_size < 1000
    bench.again()
    assert bench.orders.receive(signed()) == answer("carried_out")
    assert len(bench.done) == 1


def test_what_cannot_be_written_down_is_not_done(bench, monkeypatch):
    def read_only(path):
        raise OSError(errno.EROFS, "read-only", path)

    with monkeypatch.context() as disk:
        disk.setattr("dijkwacht_agent.orders.open_private", read_only)
        assert bench.orders.receive(signed()) is None
    assert bench.done == []
    assert bench.orders.receive(signed()) == answer("carried_out")


def test_a_log_that_cannot_be_read_keeps_orders_waiting_and_no_agent_from_starting(bench):
    bench.log.mkdir()
    bench.again()
    with pytest.raises(IsADirectoryError):
        bench.orders.receive(signed())
    assert bench.done == []
    bench.log.rmdir()
    assert bench.orders.receive(signed()) == answer("carried_out")


def test_an_action_that_fails_is_an_outcome(bench):
    def fail(_order):
        raise RuntimeError("192.168.1.7 is in here")

    bench.act = fail
    assert bench.orders.receive(signed()) == answer("failed", "RuntimeError")
    assert bench.reasons() == ["begun", "failed"]
    bench.again()
    assert bench.orders.receive(signed()) == answer("failed", "RuntimeError")


@pytest.mark.parametrize("error", [OSError("no way"), CollectorBusy("later")])
def test_what_may_pass_is_tried_again_while_the_order_lives(bench, error):
    def fail(_order):
        raise error

    works, bench.act = bench.act, fail
    for _ in range(3):
        with pytest.raises(type(error)):
            bench.orders.receive(signed())
    assert bench.reasons() == ["begun"]
    bench.again()  # a crash is no other
    bench.act = works
    assert bench.orders.receive(signed()) == answer("carried_out")
    assert bench.done == [ORDER]
