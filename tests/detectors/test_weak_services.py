"""What machines inside offer: each rule of the closed lists is true of what it is told of, and of nothing beside it."""

from __future__ import annotations

import string

import numpy as np
import pytest

from dijkwacht_collector.incidents import TECHNIQUES
from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.knowledge.exposed_services import EXPOSED
from dijkwacht_detectors.knowledge.remote_tools import TOOLS
from dijkwacht_detectors.knowledge.unsafe_ways import (
    BROKEN_CIPHER,
    EXPIRED,
    FTP,
    LDAP,
    MAIL,
    OLD_TLS,
    RSHELL,
    SMB1,
    TELNET,
    WAYS,
    WEB,
)
from dijkwacht_detectors.weak_services import WeakServices
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.hints import SPEECH, Speech
from dijkwacht_records.tables import ConnState
from dijkwacht_records.vocabulary import AuthMethod, AuthService, CertFlag, RpcKind, RpcVia

SECOND, DAY = 1_000_000, 86_400_000_000
START = 20_000 * DAY
OUTSIDE, INSIDE, OTHER = map(pack_address, ("203.0.113.9", "192.168.1.20", "192.168.1.21"))


def answers(port, proto=6, at=0.0, **values):
    return {"table": "flows", "time": START + round(at * SECOND), "orig_h": OUTSIDE, "orig_p": 50_000,
            "resp_h": INSIDE, "resp_p": port, "proto": proto, "conn_state": ConnState.SF, "resp_bytes": 500,
            "local_orig": 0, "local_resp": 1} | values  # fmt: skip


def inside(table, at=0.0, **values):
    return {
        "table": table,
        "time": START + round(at * SECOND),
        "orig_h": OTHER,
        "resp_h": INSIDE,
    } | values


def rules(rows):
    scores, facts = Harness(WeakServices()).feed(rows)
    return facts[~np.isnan(scores), 0].tolist()


PORTS = [
    (number, proto, port)
    for number, service in EXPOSED.items()
    for proto, ports in ((6, service.tcp), (17, service.udp))
    for port in ports
]


def test_no_port_is_of_two_services():
    owners = [(proto, port) for _, proto, port in PORTS]
    assert len(owners) == len(set(owners))


@pytest.mark.parametrize(("number", "proto", "port"), PORTS)
def test_a_service_is_told_where_it_answered_somebody_outside(number, proto, port):
    row = answers(port, proto)
    assert rules([row]) == [number]
    assert rules([row | {"resp_bytes": 0}]) == [], "who did not answer"
    assert rules([row | {"orig_h": pack_address("10.9.0.5")}]) == [], "another office, by a VPN"
    assert (
        rules([row | {"resp_h": OUTSIDE, "orig_h": INSIDE, "local_orig": 1, "local_resp": 0}]) == []
    )


def test_who_called_whom_must_be_sure():
    for state in (ConnState.OTH, ConnState.S0, ConnState.REJ, ConnState.SHR, ConnState.RSTRH):
        assert rules([answers(3306, conn_state=state)]) == []
    assert rules([answers(47_808, 17, orig_p=53)]) == [], "an answer that came late"
    assert rules([answers(47_808, 17, orig_p=47_808)]) == [29]
    assert rules([answers(3389, proto=1)]) == []


def test_what_speaks_another_language_is_another_service():
    web = SPEECH.put(Speech.TLS)
    assert rules([answers(2323, hints=web)]) == []
    assert rules([answers(8006, hints=web)]) == [43]
    assert rules([answers(3389, hints=SPEECH.put(Speech.RDP))]) == [1]


@pytest.mark.parametrize("port", [22, 25, 80, 443, 465, 587, 993, 1194, 51_820, 8080, 40_000])
def test_what_is_made_for_the_internet_is_not_told(port):
    assert rules([answers(port), answers(port, 17)]) == []


def logs_in(service, method=AuthMethod.PASSWORD, **values):
    return inside("auth", service=service, method=method, resp_p=21) | {"succeeded": 1} | values


TLS = {
    "resp_p": 443,
    "ja4": "t10d1011h1_5b57614c22b0_3d5424432f57",
    "version": 0x0304,
    "server_version": 0x0303,
    "cipher": 0xC02F,
}
SHOWN = {
    TELNET: answers(23, orig_h=OTHER, local_orig=1),
    RSHELL: answers(513, orig_h=OTHER, local_orig=1),
    FTP: logs_in(AuthService.FTP),
    MAIL: logs_in(AuthService.IMAP),
    WEB: logs_in(AuthService.HTTP),
    LDAP: logs_in(AuthService.LDAP),
    SMB1: inside("rpc", via=RpcVia.SMB1, kind=RpcKind.SESSION),
    OLD_TLS: inside("tls", **TLS | {"server_version": 0x0301}),
    BROKEN_CIPHER: inside("tls", **TLS | {"cipher": 0x0005}),
    EXPIRED: inside("tls", **TLS | {"cert_flags": CertFlag.SEEN | CertFlag.EXPIRED}),
}


@pytest.mark.parametrize("rule", SHOWN, ids=lambda rule: WAYS[rule].en)
def test_an_old_or_open_way_is_told_of_the_machine_inside_that_offers_it(rule):
    assert rules([SHOWN[rule]]) == [rule]
    outside = {"resp_h": OUTSIDE, "local_resp": 0}
    assert rules([SHOWN[rule] | outside]) == [], "what servers outside do is their affair"


@pytest.mark.parametrize(
    "row",
    [
        logs_in(AuthService.FTP, AuthMethod.ANONYMOUS),
        logs_in(AuthService.FTP, succeeded=0, failed=3),
        logs_in(AuthService.HTTP, AuthMethod.NTLM),
        logs_in(AuthService.SSH),
        logs_in(AuthService.IMAP, resp_p=993),
        inside("rpc", via=RpcVia.SMB2, kind=RpcKind.SESSION),
        inside("rpc", via=RpcVia.SMB1, kind=RpcKind.OTHER),
        inside("tls", **TLS),
        inside("tls", **TLS | {"version": 0x0301, "server_version": 0x0301}),
        inside("tls", **TLS | {"server_version": 0, "cipher": 0}),
        inside("tls", **TLS | {"cert_flags": CertFlag.SEEN | CertFlag.SELF_SIGNED}),
        inside("tls", **TLS | {"cert_flags": CertFlag.EXPIRED}),
        answers(80, orig_h=OTHER, local_orig=1),
        answers(3389, orig_h=OTHER, local_orig=1),
    ],
    ids=range(14),
)  # fmt: skip
def test_what_is_as_it_should_be_is_not_told(row):
    assert rules([row]) == []


def test_a_machine_is_told_of_once_a_week_for_each_rule_and_each_machine_for_itself():
    rows = [answers(3389, at=n * 3600.0) for n in range(24 * 15)]
    assert rules(rows) == [1.0, 1.0, 1.0], "days 0, 7 and 14"
    both = [
        answers(3389),
        answers(23, at=1.0),
        answers(3389, at=2.0, resp_h=OTHER),
        answers(23, at=3.0),
    ]
    scores = score_rows(WeakServices(), both)
    assert scores[0] == scores[2] == 1.0
    assert scores[1] == pytest.approx(np.log2(3)), "the second thing of one machine"
    assert np.isnan(scores[3])


def test_a_log_that_tells_only_what_was_agreed_on_speaks_of_the_server():
    agreed = TLS | {"version": 0x0301, "server_version": 0x0301}
    assert rules([inside("tls", **agreed)]) == []
    assert rules([inside("tls", **agreed | {"ja4": ""})]) == [OLD_TLS]


def test_weeks_of_silence_are_survived():
    rows = [answers(3389), answers(3389, at=6.9 * 86_400)]
    assert rules(rows) == [1]


@pytest.mark.parametrize("rule", [*EXPOSED, *WAYS, 0])
def test_every_rule_has_words_of_its_own(rule):
    told = WeakServices().explain(
        {"score": 1.0, "rule": rule, "uses": 1, "since_days": 0, "rules": 2}
    )
    texts = told.title_en, told.title_nl, told.desc_en, told.desc_nl
    fields = [{f for _, f, _, _ in string.Formatter().parse(text) if f} for text in texts]
    assert all(f <= {"src", "dst", "port"} for f in fields)
    assert told.title_en != told.title_nl
    assert told.technique in TECHNIQUES


def test_no_number_is_of_two_rules():
    numbers = [*EXPOSED, *TOOLS, *WAYS]
    assert not set(EXPOSED) & set(WAYS)
    assert not set(TOOLS) & set(WAYS)
    assert max(numbers) < 100
