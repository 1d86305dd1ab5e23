"""What "this is normal" would have kept silent, tried on what the store keeps of a site."""

import msgspec

from dijkwacht_collector.database import connect
from dijkwacht_collector.incidents import Call, Ends, Incident, IncidentEvent, Story, StoryEvent
from dijkwacht_collector.sinks import read_trial
from dijkwacht_collector.sinks import store as store_module

MONTH = 30 * 86_400_000_000


def calls(uid, end, *peers, story="", severity_id=3, **changes):
    """An incident of one machine's calls to ``peers``."""
    incident = Incident(
        uid, "bakery", "c2", "beacon", "T1071", "10.0.0.7", 0, severity_id, 90, 0.1, end - 1, end,
        1, "title", "titel", "desc", "besch", (), story=story,
        ends=tuple(Ends("10.0.0.7", peer) for peer in peers),
    )  # fmt: skip
    incident = msgspec.structs.replace(incident, **changes)
    return IncidentEvent("create", incident, 1)


def test_an_answer_is_tried_on_the_last_month_of_its_site(store, tmp_path):
    last, bank, shop = 2 * MONTH, "203.0.113.8", "203.0.113.7"
    story = Story(
        "s1", "bakery", "10.0.0.7", last - 9, last, (), 3, (Call(last, "beacon", "c2", "called"),)
    )
    store.handle([
        calls("meant", last - 9, shop, story="s1", severity_id=2),
        calls("called", last - 5, shop, story="s1"),
        calls("earlier", last - MONTH + 1, shop),
        calls("before", last - MONTH, shop),
        calls("other", last, bank),
        calls("both", last - 1, bank, shop),
        calls("elsewhere", last, shop, site="clinic"),
        StoryEvent("create", story, 1),
    ])  # fmt: skip
    trial = store.try_normal("meant", 9 * MONTH)
    assert [(r.kind, r.machine, r.peer) for r in trial.exempted] == [("c2", "10.0.0.7", shop)]
    assert [one.uid for one in trial.silent] == ["called", "meant", "earlier"]
    assert [one.uid for one in trial.partly] == ["both"]
    assert trial.called == {"called", "earlier"}, "what had no story called by itself"
    assert (trial.since, trial.until) == (last - MONTH, last)
    assert store.try_normal("s1", 9 * MONTH) == trial
    assert read_trial(tmp_path / "incidents.db", "bakery", "s1", 9 * MONTH) == trial
    assert trial.told()["exempts"] == [
        {"class": "c2", "subject": "", "machine": "10.0.0.7", "peer": shop}
    ]
    named = trial.told()["named"]
    assert [one["incident"] for one in named] == ["called", "earlier", "meant"]
    ago = store.try_normal("both", last - 5)
    assert [one.uid for one in ago.silent] == ["called", "meant", "earlier", "before"]
    assert store.exemptions("bakery", 0) == []
    for site, uid in (("bakery", "unknown"), ("clinic", "meant"), ("bakery", "")):
        assert read_trial(tmp_path / "incidents.db", site, uid, last) is None
    assert store.try_normal("", last) is None


def test_nothing_is_tried_on_a_store_of_before(tmp_path):
    assert read_trial(tmp_path / "none.db", "bakery", "a", 0) is None
    connect(tmp_path / "incidents.db", store_module._MIGRATIONS[:4], "").close()
    assert read_trial(tmp_path / "incidents.db", "bakery", "a", 0) is None
