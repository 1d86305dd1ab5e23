import sqlite3

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dijkwacht_collector.sites import OrderKey, Sites, Speaker
from dijkwacht_collector.sites.orders import (
    KEPT_US,
    MOST_OPEN,
    SITE_UPLOAD_BYTES,
    UPLOAD_BYTES,
)
from dijkwacht_collector.sites.sites import _MIGRATIONS
from dijkwacht_records.errors import RejectedBatch, TooLarge
from dijkwacht_records.orders import LONGEST_LIFE_US, Order, OrderOutcome, SealedOrder

NOW = 1_790_000_000_000_000
DESK, TILL, OTHER = Speaker("bakery", "desk"), Speaker("bakery", "till"), Speaker("clinic", "desk")
DONE = OrderOutcome("carried_out")


@pytest.fixture
def sites(tmp_path):
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    for site in ("bakery", "clinic"):
        sites.add(site, NOW)
    for agent in (DESK, TILL, OTHER):
        sites.make_token(*agent, NOW)
    yield sites
    sites.close()


@pytest.fixture
def orders(sites):
    return sites.orders


def test_an_order_waits_until_its_outcome_is_said_or_it_runs_out(orders):
    name = orders.add(DESK, "settings", NOW, NOW + 100, {"level": "quiet"})
    expected = Order(name, "settings", *DESK, NOW, NOW + 100, {"level": "quiet"})
    assert orders.waiting(NOW) == orders.waiting(NOW + 99) == [expected]
    assert orders.waiting(NOW + 100) == []
    orders.end(DESK, name, OrderOutcome("failed", "OSError"), NOW + 5)
    assert orders.waiting(NOW) == []
    orders.end(DESK, name, DONE, NOW + 6)
    (row,) = orders.of("bakery")
    assert (row.outcome, row.detail, row.answered) == ("failed", "OSError", NOW + 5)


def test_an_outcome_that_comes_late_is_kept_too(orders):
    name = orders.add(DESK, "diagnostics", NOW, NOW + 100)
    orders.end(DESK, name, DONE, NOW + 1000)
    assert orders.of("bakery")[0].outcome == "carried_out"


@pytest.mark.parametrize("stranger", [TILL, OTHER])
def test_an_order_is_its_agents_alone(orders, stranger):
    name = orders.add(DESK, "diagnostics", NOW, NOW + 100)
    for ask in (
        lambda: orders.end(stranger, name, DONE, NOW),
        lambda: orders.may_upload(stranger, name, NOW),
        lambda: orders.note_upload(stranger, name, NOW, "x", 1),
    ):
        with pytest.raises(RejectedBatch, match="no order"):
            ask()
    assert orders.of("bakery")[0].outcome is None


def test_orders_that_can_wait_are_bounded(orders):
    for n in range(MOST_OPEN):
        orders.add(DESK, "diagnostics", NOW + n, NOW + n + 100)
    with pytest.raises(ValueError, match="wait for this agent already"):
        orders.add(DESK, "diagnostics", NOW + 50, NOW + 200)
    orders.add(TILL, "diagnostics", NOW, NOW + 100)


@pytest.mark.parametrize("life", [0, -1, LONGEST_LIFE_US + 1])
def test_what_no_agent_would_take_is_not_asked(orders, sites, life):
    with pytest.raises(ValueError, match="at most 168"):
        orders.add(DESK, "diagnostics", NOW, NOW + life)
    with pytest.raises(ValueError, match="too long"):
        orders.add(DESK, "settings", NOW, NOW + 1, {"x": "y" * 5000})
    with pytest.raises(ValueError, match="too long"):  # in bytes, which is how an agent counts
        orders.add(DESK, "settings", NOW, NOW + 1, {"x": "€" * 2000})
    sites.revoke(*DESK, NOW)
    with pytest.raises(ValueError, match="no agent 'desk' with a token"):
        orders.add(DESK, "diagnostics", NOW, NOW + 1)
    with pytest.raises(ValueError, match="no site"):
        orders.of("butcher")


def test_an_upload_is_for_an_order_that_asks_for_it_and_lives(orders):
    name = orders.add(DESK, "diagnostics", NOW, NOW + 100)
    assert orders.may_upload(DESK, name, NOW) == UPLOAD_BYTES["diagnostics"]
    orders.note_upload(DESK, name, NOW, "a", 10)
    orders.note_upload(DESK, name, NOW, "b", 20)
    assert orders.of("bakery")[0][-2:] == ("b", 20)
    with pytest.raises(TooLarge):
        orders.note_upload(DESK, name, NOW, "c", UPLOAD_BYTES["diagnostics"] + 1)
    with pytest.raises(RejectedBatch, match="has ended"):
        orders.may_upload(DESK, name, NOW + 100)
    orders.end(DESK, name, DONE, NOW)
    with pytest.raises(RejectedBatch, match="has ended"):
        orders.may_upload(DESK, name, NOW)
    other = orders.add(DESK, "renew", NOW, NOW + 100)
    with pytest.raises(RejectedBatch, match="no upload"):
        orders.may_upload(DESK, other, NOW)


def test_uploads_of_a_site_are_bounded_together(orders):
    most = UPLOAD_BYTES["diagnostics"]
    for n in range(SITE_UPLOAD_BYTES // most):
        name = orders.add(DESK, "diagnostics", NOW + n, NOW + 1000)
        orders.note_upload(DESK, name, NOW, str(n), most)
        orders.end(DESK, name, DONE, NOW)
    name = orders.add(TILL, "diagnostics", NOW + 100, NOW + 1000)
    with pytest.raises(TooLarge, match="all the room"):
        orders.may_upload(TILL, name, NOW)
    elsewhere = orders.add(OTHER, "diagnostics", NOW, NOW + 1000)
    assert orders.may_upload(OTHER, elsewhere, NOW) == most


def test_what_ran_out_long_ago_is_forgotten_with_its_file(orders):
    name = orders.add(DESK, "diagnostics", NOW, NOW + 100)
    orders.note_upload(DESK, name, NOW, "file", 1)
    orders.add(DESK, "diagnostics", NOW + 50, NOW + 101)
    assert orders.forget(NOW + KEPT_US + 100) == []
    assert orders.forget(NOW + KEPT_US + 101) == ["file"]
    assert [row.expires for row in orders.of("bakery")] == [NOW + 101]


def test_a_key_seals_what_agents_verify(tmp_path):
    key = OrderKey(tmp_path / "order.key")
    key.open()
    sealed = key.seal(Order("o-1", "renew", *DESK, 1, 2))
    again = OrderKey(tmp_path / "order.key")
    again.open()
    public = Ed25519PublicKey.from_public_bytes(again.public)
    public.verify(sealed.signature, b"dijkwacht order 2\n" + sealed.body)
    with pytest.raises(InvalidSignature):
        public.verify(sealed.signature, sealed.body)
    assert again.seal(Order("o-1", "renew", *DESK, 1, 2)) == SealedOrder(*sealed_parts(sealed))
    assert (tmp_path / "order.key").stat().st_mode & 0o777 == 0o600


def sealed_parts(sealed):
    return sealed.body, sealed.signature


def test_a_database_of_the_first_release_is_upgraded(tmp_path):
    path = tmp_path / "sites.db"
    old = sqlite3.connect(path)
    old.executescript(_MIGRATIONS[0] + "; PRAGMA user_version = 1")
    old.execute("INSERT INTO sites VALUES ('bakery', 1)")
    old.execute("INSERT INTO tokens VALUES (x'00', 'bakery', 'desk', 1, NULL)")
    old.execute("INSERT INTO agents VALUES ('bakery', 'desk', 2, 3)")
    for name, delivered in (("lost", 5), ("new", None)):
        old.execute(
            "INSERT INTO orders VALUES (?, 'bakery', 'desk', 'renew', 1, 9, '{}', ?)",
            (name, delivered),
        )
    old.commit()
    old.close()
    sites = Sites(path)
    sites.open()
    assert [order.id for order in sites.orders.waiting(5)] == ["lost", "new"], "no outcome yet"
    assert sites.tokens() == {b"\0": ("bakery", "desk")}
    sites.close()
