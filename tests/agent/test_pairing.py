import json
import re
import stat

import msgspec
import pytest

from dijkwacht_agent.cli import main
from dijkwacht_agent.collector_line import CollectorLine
from dijkwacht_agent.pairing import Sealed, checked, seal, unseal
from dijkwacht_agent.pairing_words import COUNT, WORDS, draw, near, read_words
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.joincode import make_code

KEY = bytes(range(32))
RIGHT = ["water", "hand", "radio", "tunnel", "piano", "zebra", "opera", "kiwi"]
PATH = "/v1/pairing"


def test_a_word_is_known_by_its_beginning():
    assert len(WORDS) == 256
    assert len({word[:4] for word in WORDS}) == 256
    assert all(re.fullmatch("[a-z]{4,10}", word) for word in WORDS)
    assert list(WORDS) == sorted(WORDS)


def test_words_are_drawn_by_chance():
    drawn = [draw() for _ in range(50)]
    assert {len(words) for words in drawn} == {COUNT}
    assert len({word for words in drawn for word in words}) > 100


@pytest.mark.parametrize(
    "typed",
    [RIGHT, [" ".join(RIGHT)], [", ".join(RIGHT).upper()], [word[:4] for word in RIGHT]],
)
def test_words_are_read_as_people_type_them(typed):
    assert checked(typed) == RIGHT


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["wter", *RIGHT[1:]], "'wter' is none of the words; is it 'water'?"),
        (["waterkant", *RIGHT[1:]], "'waterkant' is none of the words"),
        (["x", *RIGHT[1:]], "'x' is none of the words; type them"),
        (RIGHT[1:], "there are 8 words, not 7"),
        ([*RIGHT, "kiwi"], "there are 8 words, not 9"),
    ],
)
def test_what_is_no_set_of_words_is_said_before_anybody_is_asked(typed, sentence):
    with pytest.raises(SettingsError, match=re.escape(sentence)):
        checked(typed)


def test_a_beginning_of_three_letters_is_no_word():
    assert read_words(["wat"]) == ([], ["wat"])
    assert near("qqqqqq") is None


def test_only_the_words_in_their_order_for_the_site_open_the_key():
    sealed = seal(KEY, RIGHT, "bakery")
    assert unseal(sealed, RIGHT, "bakery") == KEY
    assert KEY not in sealed
    assert not any(word.encode() in sealed for word in RIGHT)
    assert seal(KEY, RIGHT, "bakery") != sealed, "salt and nonce are new each time"
    for wrong in ([*RIGHT[:-1], "lava"], RIGHT[::-1]):
        with pytest.raises(SettingsError, match="do not open the key; tries left: 3"):
            unseal(sealed, wrong, "bakery", 3)
    with pytest.raises(SettingsError, match="another site's, not that of clinic"):
        unseal(sealed, RIGHT, "clinic")


def test_bytes_of_another_site_do_not_open_under_a_changed_name():
    held = msgspec.msgpack.decode(seal(KEY, RIGHT, "bakery"), type=Sealed)
    lied = msgspec.msgpack.encode(msgspec.structs.replace(held, site="clinic"))
    with pytest.raises(SettingsError, match="do not open"):
        unseal(lied, RIGHT, "clinic")


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"nonce": b"short"}, {"site": 7}, {"box": "text"}, {"salt": None}]
)
def test_bytes_that_are_no_sealed_key_are_said_to_be_none(change):
    held = msgspec.msgpack.decode(seal(KEY, RIGHT, "bakery"))
    fields = dict(zip(Sealed.__struct_fields__, held, strict=True)) | change
    with pytest.raises(SettingsError, match="is no key"):
        unseal(msgspec.msgpack.encode(list(fields.values())), RIGHT, "bakery")


DEEP = b"\x96\x01\xa1a\xc4\x00\xc4\x00\xc4\x00" + b"\x91" * 50_000 + b"\x00"


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\xff" * 99, b"<html>", DEEP])
def test_any_bytes_are_no_sealed_key(body):
    with pytest.raises(SettingsError, match="is no key"):
        unseal(body, RIGHT, "bakery")


def waits(collector, sealed, left=4):
    said = {"state": "waiting", "sealed": sealed, "tries_left": left}
    collector.answers[PATH] = [(200, msgspec.json.encode(said))]


@pytest.fixture
def key(joined):
    path = joined / "privacy.key"
    path.touch(0o600)
    path.write_bytes(bytes(32))
    return path


def test_the_first_agent_prints_what_the_second_types(joined, key, collector, capsys):
    assert main(["--state", str(joined), "pair", "--lang", "nl"]) == 0
    out = capsys.readouterr().out
    words = re.search(r"    dijkwacht-agent pair (.*)", out)[1].split()
    [(method, path, sealed)] = collector.asked
    assert (method, path) == ("PUT", PATH)
    assert unseal(sealed, words, "bakery") == bytes(32)
    assert "binnen een uur" in out


def test_the_second_agent_takes_the_key_and_keeps_the_former_one(joined, key, collector, capsys):
    for number, (sealed_key, former) in enumerate(
        ((KEY, "privacy.key.former"), (KEY[::-1], "privacy.key.former.2"))
    ):
        waits(collector, seal(sealed_key, RIGHT, "bakery"))
        before = key.read_bytes()
        assert main(["--state", str(joined), "pair", *RIGHT]) == 0
        assert key.read_bytes() == sealed_key
        assert (joined / former).read_bytes() == before
        for path in (key, joined / former):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "Restart it" in capsys.readouterr().out
        assert [method for method, *_ in collector.asked] == ["GET", "DELETE"] * (number + 1)


def test_a_key_does_not_come_where_another_site_was_joined_meanwhile(
    joined, key, collector, capsys, monkeypatch
):
    real = CollectorLine.ask

    def ask(line, method, *given):
        settings = (joined / "agent.toml").read_text()
        (joined / "agent.toml").write_text(settings.replace('"bakery"', '"butcher"'))
        return real(line, method, *given)

    monkeypatch.setattr(CollectorLine, "ask", ask)
    waits(collector, seal(KEY, RIGHT, "bakery"))
    assert main(["--state", str(joined), "pair", *RIGHT]) == 1
    assert "joined anew" in capsys.readouterr().err
    assert key.read_bytes() == bytes(32)
    assert not (joined / "privacy.key.former").exists()


@pytest.mark.parametrize("answer", [(503, b""), (500, b"")])
def test_a_key_that_is_here_is_here_though_the_collector_does_not_hear_of_it(
    joined, key, collector, answer
):
    waits(collector, seal(KEY, RIGHT, "bakery"))
    collector.answers[PATH].append(answer)
    assert main(["--state", str(joined), "pair", *RIGHT]) == 0
    assert key.read_bytes() == KEY


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("none", "no key waits for site bakery"),
        ("expired", "waited longer than an hour"),
        ("taken", "was taken already"),
        ("tried_out", "was tried too often"),
    ],
)
def test_why_no_key_waits_is_one_line(joined, key, collector, capsys, state, sentence):
    collector.answers[PATH] = [(200, json.dumps({"state": state}).encode())]
    assert main(["--state", str(joined), "pair", *RIGHT]) == 1
    err = capsys.readouterr().err
    assert sentence in err
    assert err.count("\n") == 1
    assert key.read_bytes() == bytes(32)


def test_a_key_is_changed_by_nothing_but_the_right_words(joined, key, collector, capsys):
    waits(collector, seal(KEY, RIGHT, "bakery"), 2)
    assert main(["--state", str(joined), "pair", *RIGHT[::-1]]) == 1
    assert "tries left: 2" in capsys.readouterr().err
    waits(collector, seal(KEY, RIGHT, "clinic"))
    assert main(["--state", str(joined), "pair", *RIGHT]) == 1
    waits(collector, seal(bytes(32), RIGHT, "bakery"))
    assert main(["--state", str(joined), "pair", *RIGHT]) == 1
    assert "has the key of site bakery already" in capsys.readouterr().err
    assert key.read_bytes() == bytes(32)
    assert sorted(path.name for path in joined.iterdir()) == ["agent.toml", "privacy.key", "token"]
    asked = len(collector.asked)
    assert main(["--state", str(joined), "pair", "wter", *RIGHT[1:]]) == 1
    assert len(collector.asked) == asked, "a typing error costs no try"


@pytest.mark.parametrize("answer", [(200, b"<html>"), (401, b""), (404, b"nothing"), (503, b"")])
def test_what_no_collector_says_is_one_line(joined, key, collector, capsys, answer):
    collector.answers[PATH] = [answer]
    assert main(["--state", str(joined), "pair", *RIGHT]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert key.read_bytes() == bytes(32)


def test_a_collector_that_carries_no_key_is_said_to_be_old(joined, key, collector, capsys):
    for words in ([], RIGHT):
        collector.answers[PATH] = [(404, b'{"reason":"not_found","message":"no such thing"}')]
        assert main(["--state", str(joined), "pair", *words]) == 1
        err = capsys.readouterr().err
        assert "perhaps it must be updated first): no such thing" in err
        assert err.count("\n") == 1


def test_an_agent_that_has_not_joined_pairs_with_nobody(tmp_path, capsys):
    assert main(["--state", str(tmp_path), "pair"]) == 1
    assert "has not joined" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_collector_that_is_away_is_said(joined, key, collector, capsys):
    collector.close()
    assert main(["--state", str(joined), "pair"]) == 1
    assert "does not answer" in capsys.readouterr().err


@pytest.mark.parametrize(("spoken", "words"), [("en", "site's key"), ("nl", "dezelfde schuilnaam")])
def test_joining_a_site_that_has_an_agent_says_what_is_next(
    tmp_path, collector, capsys, spoken, words
):
    code = make_code(collector.url, bytes(16))
    for others, said in ((0, False), (1, True)):
        collector.join_answer[1]["others"] = others
        state = ["--state", str(tmp_path / str(others))]
        assert main([*state, "join", code, "--lang", spoken]) == 0
        out = capsys.readouterr().out
        assert (words in out) == said
        assert ("dijkwacht-agent pair" in out) == said
