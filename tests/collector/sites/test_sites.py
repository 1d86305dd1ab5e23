import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from dijkwacht_collector.database import connect
from dijkwacht_collector.sites import Sites, Speaker
from dijkwacht_collector.sites.agents import MOST_AGENTS
from dijkwacht_collector.sites.sites import JOIN_CODE_LIFE_US, digest
from dijkwacht_records.errors import DijkwachtError, NotAuthorised
from dijkwacht_records.joincode import make_code, read_code

URL = "http://127.0.0.1:8470"
NOW = 1_790_000_000_000_000


@pytest.fixture
def sites(tmp_path):
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    sites.add("bakery", NOW)
    yield sites
    sites.close()


def test_a_site_is_a_name_that_is_free(sites):
    with pytest.raises(ValueError, match="there is a site"):
        sites.add("bakery", NOW)
    with pytest.raises(ValueError, match="a site is named by"):
        sites.add("The Bakery!", NOW)
    assert sites.sites() == [("bakery", NOW)]


def test_a_join_code_gives_one_token_once(sites):
    code = sites.make_join_code("bakery", URL, NOW)
    assert read_code(code)[0] == URL
    site, token = sites.join(code, "desk", NOW + 1)
    assert site == "bakery"
    assert sites.tokens() == {digest(token): ("bakery", "desk")}
    with pytest.raises(NotAuthorised, match="unknown, used"):
        sites.join(code, "desk", NOW + 2)


def test_a_token_that_cannot_be_kept_leaves_the_code_good(sites, tmp_path):
    code = sites.make_join_code("bakery", URL, NOW)
    with closing(sqlite3.connect(tmp_path / "sites.db")) as disk:
        disk.execute(
            "CREATE TRIGGER full BEFORE INSERT ON tokens BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        with pytest.raises(sqlite3.Error, match="full"):
            sites.join(code, "desk", NOW)
        disk.execute("DROP TRIGGER full")
    assert sites.join(code, "desk", NOW)[0] == "bakery"


def test_a_join_code_lives_a_day(sites):
    code = sites.make_join_code("bakery", URL, NOW)
    with pytest.raises(NotAuthorised):
        sites.join(code, "desk", NOW + JOIN_CODE_LIFE_US)


def test_an_invented_code_is_refused(sites):
    for code in (make_code(URL, bytes(16)), "", "not a code"):
        with pytest.raises(NotAuthorised):
            sites.join(code, "desk", NOW)
    with pytest.raises(ValueError, match="no site"):
        sites.make_join_code("clinic", URL, NOW)


def test_a_revoked_token_is_good_no_more(sites):
    sites.make_token("bakery", "desk", NOW)
    sites.make_token("bakery", "till", NOW)
    assert sites.revoke("bakery", "desk", NOW) == 1
    assert sites.revoke("bakery", "desk", NOW) == 0
    assert len(sites.tokens()) == 1


def test_no_secret_lies_on_disk(sites, tmp_path):
    code = sites.make_join_code("bakery", URL, NOW)
    _, token = sites.join(code, "desk", NOW)
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token.encode() not in held
    assert read_code(code)[1] not in held
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_agents_are_remembered_with_their_last_word(sites):
    sites.note_agents({("bakery", "desk"): NOW, ("bakery", "till"): NOW + 1})
    sites.note_agents({("bakery", "desk"): NOW + 5, ("bakery", "till"): NOW - 9})
    assert [row[:4] for row in sites.agents()] == [
        ("bakery", "desk", NOW, NOW + 5),
        ("bakery", "till", NOW + 1, NOW + 1),
    ]


def test_another_process_is_noticed(sites, tmp_path):
    before = sites.version()
    other = Sites(tmp_path / "sites.db")
    other.open()
    other.add("clinic", NOW)
    other.close()
    assert sites.version() != before


def test_a_database_of_a_later_release_is_left_alone(tmp_path):
    connect(tmp_path / "x.db", ("CREATE TABLE a (b) ", "CREATE TABLE c (d)"), "").close()
    with pytest.raises(DijkwachtError, match="later release"):
        connect(tmp_path / "x.db", ("CREATE TABLE a (b)",), "")
    connect(tmp_path / "x.db", ("CREATE TABLE a (b)", "CREATE TABLE c (d)"), "").close()


def test_agents_that_are_made_up_are_remembered_up_to_a_bound(sites):
    sites.note_agents({("bakery", f"a{n}"): NOW for n in range(1000)})
    sites.note_agents({("bakery", "a0"): NOW + 7, ("bakery", "late"): NOW, ("clinic", "x"): NOW})
    known = sites.agents()
    assert len(known) == MOST_AGENTS + 1
    assert known[0][:4] == ("bakery", "a0", NOW, NOW + 7)
    assert known[-1].site == "clinic"


def standings(sites):
    return {row.agent: row.standing for row in sites.agents()}


def test_how_an_agent_stands_is_told_by_its_tokens_and_what_it_sent(sites):
    sites.make_token("bakery", "desk", NOW)
    assert standings(sites) == {"desk": "never_heard"}
    sites.note_agents({("bakery", "desk"): NOW + 1, ("bakery", "ghost"): NOW})
    assert standings(sites) == {"desk": "live", "ghost": "revoked"}
    sites.make_token("bakery", "desk", NOW + 5)
    assert standings(sites)["desk"] == "never_heard", "not since it joined again"
    sites.note_agents({("bakery", "desk"): NOW + 6})
    assert standings(sites)["desk"] == "live"
    sites.revoke("bakery", "desk", NOW + 7)
    assert standings(sites)["desk"] == "revoked"


def test_an_agent_that_is_removed_is_refused_asked_nothing_and_may_join_again(sites):
    sites.make_token("bakery", "desk", NOW)
    sites.note_agents({("bakery", "desk"): NOW + 1, ("bakery", "ghost"): NOW})
    sites.orders.add(Speaker("bakery", "desk"), "diagnostics", NOW, NOW + 100)
    assert sites.remove_agent("bakery", "desk", NOW + 2)
    assert sites.remove_agent("bakery", "ghost", NOW + 2)
    assert not sites.remove_agent("bakery", "nobody", NOW + 2)
    assert standings(sites) == {"desk": "removed", "ghost": "removed"}
    assert sites.tokens() == {}
    assert sites.orders.waiting(NOW + 2) == []
    code = sites.make_join_code("bakery", URL, NOW + 3)
    sites.join(code, "desk", NOW + 4)
    assert standings(sites)["desk"] == "never_heard"
    assert sites.orders.waiting(NOW + 5) == []


def test_what_another_process_writes_is_seen_beside_a_second_connection_of_ours(tmp_path):
    path = tmp_path / "sites.db"
    sites, ours = Sites(path), Sites(path)
    sites.open()
    ours.open()
    add = (
        "import pathlib, sys; from dijkwacht_collector.sites import Sites;"
        "sites = Sites(pathlib.Path(sys.argv[1])); sites.open();"
        "sites.add(sys.argv[2], 1); sites.close()"
    )
    for name in ("bakery", "clinic", "accountant"):
        before = sites.version()
        subprocess.run([sys.executable, "-c", add, path, name], check=True)
        assert sites.version() != before
    assert {site.name for site in sites.sites()} == {"bakery", "clinic", "accountant"}
    ours.close()
    sites.close()
