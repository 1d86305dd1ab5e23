"""``dijkwacht site budget`` and ``site normal``, on the folder of a collector that runs or does not."""

import json

import msgspec
import pytest

from dijkwacht.cli import main
from dijkwacht_collector.incidents import Ends, Exempted, Incident, IncidentEvent
from dijkwacht_collector.sinks import IncidentStore
from dijkwacht_collector.sites import Sites, TakenBack

ROW = Exempted("scan", "10.0.0.7", 1 << 52, 1_790_000_000_000_000, "Jan", "a", 3, 9)


@pytest.fixture
def site(tmp_path, capsys):
    """A function: the code of ``dijkwacht site``, and what it wrote to stdout and stderr."""

    def run(*words):
        code = main(["site", "--state", str(tmp_path), *words])
        return code, *capsys.readouterr()

    assert run("add", "bakery")[0] == 0
    return run


def waiting(folder):
    sites = Sites(folder / "sites.db")
    sites.open()
    found = sites.choices.waiting()
    sites.close()
    return found


def test_a_budget_is_shown_and_chosen(site, tmp_path):
    assert site("budget", "bakery")[:2] == (
        0,
        "bakery: at most 1 call(s) a week without cause, on average; nobody has chosen otherwise.\n",
    )
    code, out, _ = site("budget", "bakery", "0.5")
    assert code == 0
    assert out.startswith("bakery: at most 0.5 call(s) a week without cause, on average.")
    assert "no collector has taken it over yet" in site("budget", "bakery")[1]
    [choice] = waiting(tmp_path)
    assert (choice.site, json.loads(choice.body)) == ("bakery", {"per_week": 0.5})
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    sites.choices.note(choice, 7)
    sites.close()
    assert "taken it over" not in site("budget", "bakery")[1]
    assert site("budget", "bakery", "0")[1].startswith(
        "bakery: nothing interrupts, all is context."
    )


def test_what_is_normal_is_listed_and_taken_back(site, tmp_path):
    assert site("normal", "bakery")[:2] == (0, "bakery calls nothing normal.\n")
    assert not (tmp_path / "incidents.db").exists()
    store = IncidentStore(tmp_path / "incidents.db")
    store.open()
    store.show_exemptions({"bakery": [ROW]})
    told = site("normal", "bakery")[1]
    assert told.startswith(f"{ROW.id}  scan by ~10.0.0.7: until 2112-")
    assert "said by Jan on 2026-09-21, has hidden 3 finding(s)\n" in told
    code, out, _ = site("normal", "bakery", "--remove", ROW.id)
    assert code == 0
    assert out.startswith("bakery: scan by ~10.0.0.7 is reported again.")
    [line] = site("normal", "bakery", "--json")[1].splitlines()
    assert json.loads(line) == ROW.told() | {"taken_back": True}
    assert "being taken back" in site("normal", "bakery")[1]
    [choice] = waiting(tmp_path)
    assert json.loads(choice.body) == {
        "id": ROW.id, "incident_kind": "scan", "subject": "10.0.0.7", "uid": "a",
    }  # fmt: skip
    assert choice.kind == TakenBack.kind
    store.close()


def test_what_is_normal_has_two_ends(site, tmp_path):
    store = IncidentStore(tmp_path / "incidents.db")
    store.open()
    of_ends = {"subject": "", "machine": "10.0.0.7"}
    rows = [
        msgspec.structs.replace(ROW, kind="c2", peer="203.0.113.7", since=ROW.since + 1, **of_ends),
        msgspec.structs.replace(ROW, **of_ends),
    ]
    store.show_exemptions({"bakery": rows})
    store.close()
    between, about = site("normal", "bakery")[1].splitlines()
    assert "c2 between ~10.0.0.7 and 203.0.113.7: until" in between
    assert "scan about ~10.0.0.7: until" in about
    assert site("normal", "bakery", "--remove", rows[0].id)[0] == 0
    [choice] = waiting(tmp_path)
    assert msgspec.json.decode(choice.body, type=TakenBack) == rows[0].taken_back()


def test_an_answer_is_tried_and_nothing_chosen(site, tmp_path):
    store = IncidentStore(tmp_path / "incidents.db")
    store.open()
    incidents = [
        Incident(
            uid, "bakery", "c2", "beacon", "T1071", "10.0.0.7", 0, 3, 90, 0.1, 1, end, 1,
            f"{uid} calls\u202e", "titel", "desc", "besch", (), ends=(Ends("10.0.0.7", "203.0.113.7"),),
        )
        for uid, end in (("a", 1_790_000_000_000_000), ("b", 1_789_900_000_000_000))
    ]  # fmt: skip
    store.handle([IncidentEvent("create", incident, 1) for incident in incidents])
    store.close()
    code, out, _ = site("normal", "bakery", "--try", "b")
    assert code == 0
    assert out.splitlines() == [
        "Called normal, for 30 days this would not be reported:",
        "  c2 between ~10.0.0.7 and 203.0.113.7",
        "In the 30 days to 2026-09-21 that would have hidden 2 finding(s), 2 of which called somebody:",
        r"'  a  2026-09-21  c2  a calls\u202e  (called)'",
        r"'  b  2026-09-20  c2  b calls\u202e  (called)'",
    ]
    told = json.loads(site("normal", "bakery", "--try", "b", "--json")[1])
    assert (told["findings"], told["called"], told["in_part"]) == (2, 2, 0)
    assert site("normal", "bakery")[1] == "bakery calls nothing normal.\n"
    assert waiting(tmp_path) == []
    with pytest.raises(SystemExit):
        site("normal", "bakery", "--try", "b", "--remove", "x")


def test_no_name_steers_the_terminal(site, tmp_path, monkeypatch):
    monkeypatch.setenv("LOGNAME", "\x1b[2JJan")
    assert site("budget", "bakery", "2")[0] == 0
    assert "chosen by [2JJan on" in site("budget", "bakery")[1]
    store = IncidentStore(tmp_path / "incidents.db")
    store.open()
    hostile = Exempted("scan", "10.0.0.7\u202e", 1 << 52, 1_790_000_000_000_000, "\x1b[2J", "a")
    store.show_exemptions({"bakery": [hostile]})
    store.close()
    told = site("normal", "bakery")[1]
    assert told.removesuffix("\n").isprintable()
    assert "\\x1b[2J" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("budget", "clinic"), "there is no site 'clinic'"),
        (("budget", "clinic", "1"), "there is no site 'clinic'"),
        (("budget", "bakery", "-1"), "a budget is 0 to 1000 calls a week, not -1"),
        (("budget", "bakery", "nan"), "a budget is 0 to 1000 calls a week, not nan"),
        (("budget", "bakery", "1e9"), "a budget is 0 to 1000 calls a week, not 1e+09"),
        (("normal", "clinic"), "there is no site 'clinic'"),
        (("normal", "bakery", "--try", "x"), "site 'bakery' has no incident or story 'x'"),
        (("normal", "bakery", "--remove", "x"), "site 'bakery' calls nothing normal under 'x'"),
    ],
)
def test_what_makes_no_sense_is_one_line(site, tmp_path, words, said):
    assert site(*words) == (2, "", f"dijkwacht site: {said}\n")
    assert waiting(tmp_path) == []


def test_a_budget_that_is_no_number_is_one_line(site, capsys):
    with pytest.raises(SystemExit) as ended:
        site("budget", "bakery", "often")
    assert ended.value.code == 2
    assert "'often' is not a number" in capsys.readouterr().err
