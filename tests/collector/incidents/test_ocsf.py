import math
import typing
import unicodedata

import jsonschema
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from dijkwacht_collector.incidents import (
    TECHNIQUES,
    Evidence,
    Incident,
    IncidentEvent,
    Status,
    encode_finding,
)
from dijkwacht_detectors.admin_logon import AdminLogon
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_detectors.knowledge.remote_deeds import About, Deed, technique_of
from dijkwacht_detectors.knowledge.ticket_words import TICKETS
from dijkwacht_records.addresses import HASHED_MAC, UNSPECIFIED, pack_address

SCHEMA = jsonschema.Draft202012Validator(
    OcsfJsonSchemaEmbedded(get_ocsf_schema("1.5.0")).get_class_schema("detection_finding")
)
KINDS = (
    "scan", "bruteforce", "c2", "dns", "dos", "exfil", "iot", "arp", "dhcp", "lateral", "host",
    "new-device", "policy", "other",
)  # fmt: skip

evidences = st.builds(
    Evidence,
    time=st.integers(0, 1 << 52),
    score=st.floats(),
    src_h=st.sampled_from([pack_address("10.0.0.7"), pack_address("2001:db8::1"), UNSPECIFIED]),
    src_mac=st.sampled_from([0, 0x001B21000001, HASHED_MAC | 0x001B21 << 32 | 5]),
    dst_h=st.sampled_from([pack_address("192.0.2.9"), UNSPECIFIED]),
    dst_p=st.integers(0, 65_535),
    facts=st.dictionaries(st.sampled_from(["ports", "refused_ratio"]), st.floats()),
    name=st.sampled_from(["", "x.example.org"]),
)
incidents = st.builds(
    Incident,
    uid=st.just("00ff"),
    site=st.just("bakery"),
    kind=st.sampled_from(KINDS),
    detector=st.sampled_from(["scan", "system"]),
    technique=st.sampled_from(["", "T9999", *TECHNIQUES]),
    subject=st.just("10.0.0.7"),
    ordinal=st.integers(0, 9),
    severity_id=st.integers(1, 5),
    confidence=st.integers(0, 100),
    rarity=st.floats(0, 10),
    start=st.integers(0, 1 << 52),
    end=st.integers(0, 1 << 52),
    count=st.integers(1, 1 << 40),
    title_en=st.text(min_size=1, max_size=20),
    title_nl=st.text(max_size=20),
    desc_en=st.text(max_size=20),
    desc_nl=st.text(max_size=20),
    evidences=st.lists(evidences, max_size=7).map(tuple),
    status=st.sampled_from(typing.get_args(Status)),
    revision=st.integers(0, 99),
)
events = st.builds(
    IncidentEvent,
    st.sampled_from(["create", "update", "close"]),
    incidents,
    st.integers(0, 1 << 50),
)


AN_EVENT = IncidentEvent(
    "create",
    Incident(
        "00ff", "bakery", "dns", "dns_tunnel", "", "10.0.0.7", 0, 4, 92, 0.01, 1, 2, 3, "t", "t", "d",
        "d", (),
    ),
    1,
)  # fmt: skip


@settings(max_examples=30)
@given(events, st.none() | st.integers(0, 1 << 52))
def test_every_finding_is_a_detection_finding(event, logged):
    finding = msgspec.json.decode(encode_finding(event, logged))
    SCHEMA.validate(finding)
    assert (
        finding["type_uid"] == {"create": 200401, "update": 200402, "close": 200403}[event.activity]
    )
    assert finding["finding_info"]["types"] == [event.incident.kind]
    assert finding["is_alert"] == (event.incident.severity_id >= 3)
    assert len(finding["evidences"]) <= 5
    assert ("logged_time" in finding["metadata"]) == (logged is not None)
    assert encode_finding(event, logged) == encode_finding(event, logged)


@pytest.fixture
def an_incident():
    evidence = Evidence(
        1_000_000, 7.5, pack_address("10.0.0.7"), 0x001B21000001, pack_address("10.0.0.2"), 22
    )
    return Incident(
        "00ff", "bakery", "dns", "dns_tunnel", "T1071.004", "10.0.0.7", 0, 4, 92, 0.01, 1_500_000,
        2_500_000, 3, "title", "titel", "desc", "besch", (evidence,),
    )  # fmt: skip


def test_an_answer_stays_in_the_finding(an_incident):
    told = {
        status: msgspec.json.decode(
            encode_finding(
                IncidentEvent("close", msgspec.structs.replace(an_incident, status=status), 1)
            )
        )
        for status in typing.get_args(Status)
    }
    assert {s: (f["status"], f.get("status_detail")) for s, f in told.items()} == {
        "new": ("New", None),
        "closed": ("Resolved", None),
        "normal": ("Suppressed", "Answered: this is normal"),
        "confirmed": ("Resolved", "Answered: this was an attack"),
    }


def test_who_answered_is_told_and_when(an_incident):
    def unmapped(**changes):
        changed = msgspec.structs.replace(an_incident, **changes)
        return msgspec.json.decode(encode_finding(IncidentEvent("update", changed, 7)))["unmapped"]

    told = unmapped(status="normal", answered_by="Jan", answered=1_790_000_000_000_000)
    assert (told["answered_by"], told["answered_time"]) == ("Jan", 1_790_000_000_000)
    assert not {"answered_by", "answered_time"} & unmapped().keys(), "nobody has"


def test_who_and_whom_stand_where_the_schema_has_them(an_incident):
    finding = msgspec.json.decode(encode_finding(IncidentEvent("create", an_incident, 7)))
    assert finding["evidences"][0]["src_endpoint"] == {"ip": "10.0.0.7", "mac": "00:1b:21:00:00:01"}
    assert finding["evidences"][0]["dst_endpoint"] == {"ip": "10.0.0.2", "port": 22}
    assert (finding["start_time"], finding["end_time"]) == (1500, 2500)
    assert (finding["metadata"]["tenant_uid"], finding["metadata"]["sequence"]) == ("bakery", 7)
    (attack,) = finding["finding_info"]["attacks"]
    assert attack["technique"] == {"uid": "T1071", "name": "Application Layer Protocol"}
    assert attack["sub_technique"] == {"uid": "T1071.004", "name": "DNS"}
    assert finding["unmapped"]["title_nl"] == "titel"
    assert math.isclose(finding["unmapped"]["rarity"], 0.01)


@pytest.mark.parametrize("detector", shipped_detectors(), ids=lambda d: d.name)
def test_every_technique_of_a_detector_has_a_name(detector):
    assert detector.technique in TECHNIQUES


def test_every_technique_of_words_has_a_name():
    deeds = {technique_of(deed, about) for deed in Deed for about in About}
    logins = {
        AdminLogon().explain(dict.fromkeys(AdminLogon.facts, 0.0) | {"service": n}).technique
        for n in range(4)
    }
    assert len(logins) == 4
    assert deeds | logins | {TICKETS.technique} <= set(TECHNIQUES)


@given(events, st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40))
@settings(max_examples=50)
@example(AN_EVENT, "a\x9b31m\x9d0;x\x9c\x7f\u202eb\u2066c\u200ed\ufeff")
def test_a_line_holds_nothing_that_a_terminal_obeys(event, name):
    evidence = Evidence(1, 1.0, UNSPECIFIED, 0, UNSPECIFIED, 0, {}, name)
    incident = msgspec.structs.replace(event.incident, evidences=(evidence,))
    line = encode_finding(msgspec.structs.replace(event, incident=incident))
    turns = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
    for held in line.decode():
        assert unicodedata.category(held) not in {"Cc", "Zl", "Zp"}
        assert unicodedata.bidirectional(held) not in turns
    assert msgspec.json.decode(line)["evidences"][0]["query"]["hostname"] == name


def test_the_package_metadata_is_not_read_again_for_a_finding(an_incident, monkeypatch):
    def read(name):
        pytest.fail(f"the metadata of {name} was read from disk")

    monkeypatch.setattr("dijkwacht_collector.incidents.ocsf.version", read)
    encode_finding(IncidentEvent("create", an_incident, 1))
