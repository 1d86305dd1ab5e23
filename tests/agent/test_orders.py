import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dijkwacht_agent.orders import LONGEST_LIFE_US, MAX_LOG_BYTES, Entry, Orders
from dijkwacht_agent.settings import Settings
from dijkwacht_records.replies import Order

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOW = 1_800_000_000_000_000
HOUR = 3_600_000_000


def signed(key=KEY, **changes):
    order = Order("o-1", "canary", "bakery", "till", NOW, NOW + HOUR, {"name": "x"})
    order = msgspec.structs.replace(order, **changes)
    return msgspec.structs.replace(order, signature=key.sign(order.signed_bytes()))


class Bench:
    def __init__(self, folder, consents=("canary", "renew"), **settings):
        self.now, self.done, self.log = NOW, [], folder / "orders.log"
        key = KEY.public_key().public_bytes_raw().hex()
        chosen = {"site": "bakery", "agent": "till", "orders_key": key, "consents": list(consents)}
        self.settings = Settings(**(chosen | settings))
        self.again()

    def again(self):
        able = {"canary": self.done.append}
        self.orders = Orders(self.settings, self.log, lambda: self.now, able)

    def entries(self):
        return [
            msgspec.json.decode(line, type=Entry) for line in self.log.read_bytes().splitlines()
        ]


@pytest.fixture(name="bench")
def _bench(tmp_path):
    return Bench(tmp_path)


def test_a_good_order_is_carried_out_once_and_logged(bench):
    order = signed()
    assert bench.orders.receive(order) == "carried_out"
    assert bench.done == [order]
    assert bench.orders.receive(order) == "seen_before"
    assert bench.done == [order]
    assert [entry.reason for entry in bench.entries()] == ["carried_out", "seen_before"]


def test_what_was_seen_is_known_after_a_restart(bench):
    bench.orders.receive(signed())
    with bench.log.open("ab") as file:
        file.write(b'{"time":1,"id":"cut sho')
    bench.again()
    assert bench.orders.receive(signed()) == "seen_before"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"site": "butcher"}, "another_agent"),
        ({"agent": "office"}, "another_agent"),
        ({"issued": NOW - 2 * HOUR, "expires": NOW - HOUR}, "not_in_its_time"),
        ({"issued": NOW + HOUR, "expires": NOW + 2 * HOUR}, "not_in_its_time"),
        ({"expires": NOW + LONGEST_LIFE_US + 1}, "not_in_its_time"),
        ({"expires": NOW - HOUR}, "not_in_its_time"),
        ({"kind": "evidence"}, "no_consent"),
        ({"kind": "renew"}, "unsupported"),
    ],
)
def test_an_order_is_refused_and_why(bench, changes, reason):
    assert bench.orders.receive(signed(**changes)) == reason
    assert bench.done == []
    assert bench.entries()[-1].reason == reason


@pytest.mark.parametrize("field", ["id", "kind", "expires", "arguments"])
def test_a_changed_order_is_refused(bench, field):
    changed = {"id": "o-2", "kind": "renew", "expires": NOW + 1, "arguments": {"name": "y"}}[field]
    assert (
        bench.orders.receive(msgspec.structs.replace(signed(), **{field: changed}))
        == "bad_signature"
    )


def test_another_key_or_none_is_refused(bench, tmp_path):
    other = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
    assert bench.orders.receive(signed(other)) == "bad_signature"
    assert bench.orders.receive(signed(signature=b"")) != "bad_signature"
    assert Bench(tmp_path, orders_key=None).orders.receive(signed(id="new")) == "no_key"


def test_a_forged_order_does_not_use_up_the_id_of_a_real_one(bench):
    bench.orders.receive(msgspec.structs.replace(signed(), signature=bytes(64)))
    assert bench.orders.receive(signed()) == "carried_out"


def test_a_full_log_makes_nobody_forget(bench):
    bench.orders.receive(signed())
    forged = msgspec.structs.replace(signed(), id="x" * 64, signature=bytes(64))
    with bench.log.open("ab") as file:
        file.write(b"\n" * MAX_LOG_BYTES)
    bench.orders.receive(forged)
    assert bench.log.stat().st_size < 1000
    bench.again()
    assert bench.orders.receive(signed()) == "seen_before"


def test_what_cannot_be_written_down_is_not_done(bench):
    bench.log.mkdir()
    bench.orders._log = bench.log / "no" / "folder"
    assert bench.orders.receive(signed()) == "not_logged"
    assert bench.done == []


def test_an_id_of_any_length_and_content_is_one_line(bench):
    bench.orders.receive(signed(id="a\nb" + "c" * 5000))
    assert len(bench.entries()) == 1
