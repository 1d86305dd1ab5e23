"""Stories by the rules as they are written, over lists that nothing is dropped from."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.incidents.calls import DAY_US
from dijkwacht_collector.incidents.open_incidents import IDLE_US
from dijkwacht_collector.policy import WEEK_US

HOUR = IDLE_US


HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(
            st.just("meets"), st.integers(0, 5), st.sampled_from(["scan", "c2", "dns"]),
            st.sampled_from([2.0, 0.6, 0.3, 0.15, 0.03, 0.001]), st.integers(0, 5),
        ),
        st.tuples(st.just("answer"), st.integers(0, 5), st.sampled_from(["attack", "undone"])),
        st.tuples(st.just("passes"), st.integers(1, 60)),
    ),
    max_size=40,
)  # fmt: skip


class Plain:
    """The rules as they are written, over plain lists that nothing is ever dropped from."""

    def __init__(self) -> None:
        self.stories: list[dict[str, Any]] = []
        self.findings: dict[tuple[int, str], dict[str, Any]] = {}

    def of(self, machine: int, time: int) -> dict[str, Any] | None:
        found = [s for s in self.stories if s["machine"] == machine and lasts(s, time)]
        return found[-1] if found else None

    def meets(self, machine: int, kind: str, rarity: float, time: int) -> dict[str, Any]:
        finding = self.findings.setdefault((machine, kind), {"story": None, "severity": 2})
        before = mine = finding["story"]
        if mine is None or not lasts(mine, time):
            mine = self.of(machine, time)
        others = sum(
            any(by == kind and at >= time - WEEK_US for by, at in s["calls"])
            for s in self.stories
            if s is not mine and not s["attack"]
        )
        calls = mine["calls"] if mine else []
        call = rarity <= 0.5**others and len(calls) < 2
        if call and calls:
            call = mine["machine"] >= 0 and rarity * 30 <= 1 and kind != calls[0][0]
        elif call:
            several = self.of(-1, time)
            lately = [s for s in self.stories if any(at >= time - DAY_US for _, at in s["calls"])]
            if several is not None:
                mine, call = several, False
            elif len(lately) >= 3:
                mine, machine = None, -1
        if mine is None:
            mine = {"machine": machine, "start": time, "calls": [], "over": False, "attack": False}
            self.stories.append(mine)
        mine["end"] = time
        mine["calls"] = [*mine["calls"], (kind, time)] if call else mine["calls"]
        finding["story"], finding["end"] = mine, time
        now = 2 if rarity > 1 or not mine["calls"] else 4 if rarity * 30 <= 1 else 3
        finding["severity"] = max(finding["severity"], now)
        mine.setdefault("parts", set()).add(id(finding))
        if before is not None and before is not mine and mine["machine"] < 0:
            before["parts"].discard(id(finding))
            before["over"] |= not before["parts"] and not before["calls"]
        return finding

    def passes(self, time: int) -> None:
        self.findings = {k: f for k, f in self.findings.items() if f["end"] + HOUR > time}
        for story in self.stories:
            story["over"] |= not lasts(story, time)

    def answers(self, story: dict[str, Any], verdict: str) -> None:
        story["attack"] = verdict == "attack"
        story["over"] = True
        self.findings = {k: f for k, f in self.findings.items() if f["story"] is not story}


def lasts(story: dict[str, Any], time: int) -> bool:
    return not story["over"] and time < min(story["end"] + DAY_US, story["start"] + WEEK_US)


@settings(max_examples=150, deadline=None)
@given(HAPPENINGS, st.dictionaries(st.integers(0, 40), st.sampled_from(["move", "upgrade"])))
def test_all_of_it_is_as_plain_lists_have_it_and_outlives_any_move(
    make_site: Any, happenings: list[Any], moves: dict[int, str]
) -> None:
    site, plain, time = make_site(), Plain(), 0
    uids: dict[str, dict[str, Any]] = {}
    for at, (what, *rest) in enumerate(happenings):
        if at in moves:
            getattr(site, moves[at])()
        if what == "passes":
            time += rest[0] * HOUR // 2
            site.passes(time)
            plain.passes(time)
        elif what == "answer":
            of_machine = [uid for uid, s in uids.items() if s["machine"] == rest[0]]
            if of_machine and site.answer(rest[1], of_machine[-1]):
                plain.answers(uids[of_machine[-1]], rest[1])
        else:
            number, kind, rarity, steps = rest
            time += steps * HOUR // 3
            wanted = plain.meets(number, kind, rarity, time)
            found = site.meets(f"10.0.0.{number}", time, rarity=rarity, kind=kind)
            assert found.severity_id == wanted["severity"]
            assert found.interrupted == bool(wanted["story"]["calls"])
            assert uids.setdefault(found.story, wanted["story"]) is wanted["story"]
    told = [(by, when) for _, by, when in site.calls]
    assert sorted(told) == sorted(call for s in plain.stories for call in s["calls"])
    for uid, story in uids.items():
        assert (site.stories[uid].status == "new") == (not story["over"])
        assert site.stories[uid].interrupted == bool(story["calls"])


@given(st.permutations(range(4)), st.integers(0, 4))
def test_what_is_saved_anywhere_is_all_there_is(
    make_site: Any, order: list[int], moved: int
) -> None:
    alone, beside = make_site(), make_site()
    for n, machine in enumerate(order):
        if n == moved:
            beside.move()
        for site in (alone, beside):
            site.meets(f"10.0.0.{machine}", n)
    assert alone.told == beside.told
    assert msgspec.msgpack.encode(alone.incidents.take("bakery")) == msgspec.msgpack.encode(
        beside.incidents.take("bakery")
    )
