"""What never interrupts is kept as context: never graver, once a week, never spending, whatever else goes on."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.site_record import SiteRecord
from dijkwacht_collector.incidents import Event, IncidentEvent
from dijkwacht_collector.incidents.calls import SiteCalls
from dijkwacht_collector.incidents.incident import CONTEXT_SEVERITY
from dijkwacht_collector.journal import Budget, Entry, partition_of
from dijkwacht_detectors.api import AnyDetector, Explanation, WindowDetector
from dijkwacht_detectors.new_device import NewDevice
from dijkwacht_detectors.scan import Scan
from dijkwacht_detectors.weak_clients import WeakClients
from dijkwacht_detectors.weak_services import WeakServices
from dijkwacht_lab.traffic import WORKING_MORNING
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import DEFAULTS, TABLE, TABLES, Row
from dijkwacht_records.wire import encode

SECOND, DAY = 1_000_000, 86_400_000_000
SITE = "bakery"


def row(table: str, at: int, **values: object) -> tuple[int, Row]:
    number = TABLES.index(TABLE[table])
    named = {"time": at, "start": at, "flow_id": at} | values
    columns = zip(TABLE[table].columns, DEFAULTS[number], strict=True)
    return number, tuple(named.get(column.name, default) for column, default in columns)  # type: ignore[misc]


def outsider(at: int, host: str = "192.168.1.20", port: int = 3389) -> tuple[int, Row]:
    return row(
        "flows", at, orig_h=pack_address("203.0.113.9"), resp_h=pack_address(host), orig_p=50_000,
        resp_p=port, proto=6, conn_state=3, resp_bytes=900, resp_pkts=9, orig_pkts=9, local_resp=1, state=2,
    )  # fmt: skip


def helper(at: int) -> tuple[int, Row]:
    return row(
        "dns", at, orig_h=pack_address("192.168.1.27"), resp_h=pack_address("192.168.1.1"), resp_p=53,
        query="relay-1.net.anydesk.com", qtype=1, question=1, rcode=255,
    )  # fmt: skip


def device(at: int, mac: int) -> tuple[int, Row]:
    return row("dhcp", at, client_mac=mac, msg_type=1, options_hash=mac >> 24)


def entries(days: int) -> list[Entry]:
    """Twelve batches a day of a site at which all of it goes on all the time."""
    made = []
    for n in range(12 * days):
        begin = WORKING_MORNING + n * DAY // 12
        rows = [
            outsider(begin), outsider(begin + SECOND, port=23), helper(begin + 2 * SECOND),
            device(begin + 3 * SECOND, 0x001B21000001 + n % 3 if n < 100 else 0xB827EB000001),
        ]  # fmt: skip
        end = begin + 10 * SECOND
        body = encode(SITE, "desk", bytes(16), n, end, rows)
        made.append(Entry(n + 1, "batch", partition_of(SITE), end, SITE, body))
    return made


def detectors() -> list[AnyDetector]:
    return [WeakServices(), WeakClients(), NewDevice(), Scan()]


def final(events: list[Event]) -> list[tuple[str, str, int, int]]:
    last = {event.uid: event.incident for event in of_incidents(events)}
    return sorted((i.kind, i.subject, i.count, i.start) for i in last.values())


def of_incidents(events: list[Event]) -> list[IncidentEvent]:
    return [event for event in events if isinstance(event, IncidentEvent)]


DAYS = 16
ENTRIES = entries(DAYS)


def played() -> tuple[Engine, list[Event]]:
    engine = Engine(detectors())
    return engine, [event for entry in ENTRIES for event in engine.step([entry])]


@pytest.fixture(scope="module")
def whole() -> tuple[Engine, list[Event]]:
    return played()


def test_it_is_told_once_a_week_at_low_severity(whole: tuple[Engine, list[Event]]) -> None:
    _, events = whole
    assert {event.told.severity_id for event in events} == {CONTEXT_SEVERITY}
    told = [(kind, subject, count) for kind, subject, count, _ in final(events)]
    assert told == [
        ("new-device", "b8:27:eb:00:00:01", 1),
        *[("policy", "192.168.1.20", 2)] * 3,
        *[("policy", "192.168.1.27", 1)] * 3,
    ]
    [desk, *_] = [
        e.incident
        for e in of_incidents(events)
        if e.incident.subject == "192.168.1.20" and e.activity == "update"
    ]
    assert "one of 2 such things" in desc_of(desk)


def desc_of(incident: object) -> str:
    return str(incident.desc_en)  # type: ignore[attr-defined]


def test_it_calls_nobody_and_spends_nothing(whole: tuple[Engine, list[Event]]) -> None:
    engine, events = whole
    kept = engine.incidents.take(SITE)
    assert kept.stories is not None
    assert kept.stories.calls == SiteCalls()
    assert not any(story.interrupted for story in engine.open_stories())
    assert {event.activity for event in events} == {"create", "update", "close"}


@pytest.mark.parametrize("per_week", [0.0, 1000.0])
def test_the_budget_that_a_site_chooses_changes_nothing(
    whole: tuple[Engine, list[Event]], per_week: float
) -> None:
    engine = Engine(detectors())
    draft = Budget(per_week).draft(SITE, WORKING_MORNING)
    chosen = Entry(0, draft.kind, partition_of(SITE), draft.arrival, SITE, draft.payload)
    events = [event for entry in [chosen, *ENTRIES] for event in engine.step([entry])]
    assert {event.told.severity_id for event in events} == {CONTEXT_SEVERITY}
    assert final(events) == final(whole[1])


@settings(max_examples=6, deadline=None)
@given(st.integers(1, len(ENTRIES) - 1))
def test_a_restart_says_nothing_again(at: int) -> None:
    engine = Engine(detectors())
    events = [event for entry in ENTRIES[:at] for event in engine.step([entry])]
    record = msgspec.msgpack.decode(msgspec.msgpack.encode(engine.take(SITE)), type=SiteRecord)
    again = Engine(detectors())
    again.numbering.site("somebody else")
    again.put(record)
    events += [event for entry in ENTRIES[at:] for event in again.step([entry])]
    assert final(events) == final(played()[1])


class Noisy(WindowDetector):
    """It says all that it sees."""

    name = "noisy"
    table = "flows"
    reads = ("resp_p",)
    entity = "site"
    kind = "policy"
    technique = ""
    interrupts = False

    def score(self, window, state):  # type: ignore[no-untyped-def]
        """Scores as large as they come."""
        return window["resp_p"].astype(float) * 1e6, window["resp_p"][:, None][:, :0].astype(float)

    def explain(self, facts):  # type: ignore[no-untyped-def]
        """Words."""
        return Explanation("{src}", "{src}", "{src}", "{src}")


def test_one_of_ones_own_that_says_everything_stays_context_and_is_bounded() -> None:
    rows = [outsider(WORKING_MORNING + n * 10_000) for n in range(3000)]
    end = WORKING_MORNING + 200 * SECOND
    late = [outsider(end)]
    engine = Engine([Noisy()])
    events: list[Event] = []
    for n, part in enumerate((rows, late)):
        body = encode(SITE, "desk", bytes(16), n, end + n, part)
        events += engine.step([Entry(n + 1, "batch", partition_of(SITE), end, SITE, body)])
    events += engine.finish()
    [incident] = {e.uid for e in of_incidents(events)}
    last = [e.incident for e in of_incidents(events) if e.uid == incident][-1]
    assert last.severity_id == CONTEXT_SEVERITY
    assert last.count <= 512, "no more of it in an hour"
