"""What machines inside use: programs for remote help by the names at which they work, and open ways out."""

from __future__ import annotations

import string

import numpy as np
import pytest

from dijkwacht_collector.incidents import TECHNIQUES
from dijkwacht_detectors.checks import Harness
from dijkwacht_detectors.knowledge.remote_tools import TOOLS
from dijkwacht_detectors.knowledge.unsafe_ways import (
    FTP,
    MAIL,
    OLD_TLS,
    SMB_OUT,
    TELNET,
    WAYS,
    WEB,
)
from dijkwacht_detectors.weak_clients import WeakClients
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import ConnState
from dijkwacht_records.vocabulary import AuthMethod, AuthService, HelloFlag

SECOND, DAY = 1_000_000, 86_400_000_000
START = 20_000 * DAY
OUTSIDE, INSIDE, ROUTER = map(pack_address, ("203.0.113.9", "192.168.1.20", "192.168.1.1"))


def row(table, at=0.0, **values):
    return {
        "table": table,
        "time": START + round(at * SECOND),
        "orig_h": INSIDE,
        "resp_h": OUTSIDE,
    } | values


def asks(name, at=0.0, **values):
    return row("dns", at, resp_h=ROUTER, resp_p=53, query=name, question=1) | values


def greets(name="", at=0.0, **values):
    return (
        row(
            "tls",
            at,
            resp_p=443,
            proto=6,
            version=0x0304,
            server_name=name,
            ja4="t10d1011h1_5b57614c22b0_3d5424432f57",
        )
        | values
    )


def calls(port, proto=6, **values):
    return row("flows", resp_p=port, proto=proto, conn_state=ConnState.SF, resp_bytes=500,
               local_orig=1, local_resp=0) | values  # fmt: skip


def rules(rows):
    scores, facts = Harness(WeakClients()).feed(rows)
    return facts[~np.isnan(scores), 0].tolist()


NAMES = [(number, name) for number, tool in TOOLS.items() for name in tool.names]


@pytest.mark.parametrize(("number", "name"), NAMES)
def test_a_program_is_told_by_the_names_at_which_it_works(number, name):
    assert rules([asks(f"x7.{name}")]) == rules([greets(f"x7.{name}")]) == [number]
    if name.count(".") > 1:
        assert rules([asks(name)]) == [number]
    else:
        assert rules([asks(name), asks(f"www.{name}", 1.0), greets(f"docs.{name}", 2.0)]) == []
    assert rules([asks(f"{name}.example"), asks(f"x{name}", 1.0)]) == []


def test_who_reads_about_a_program_does_not_use_it():
    pages = ("anydesk.com", "www.anydesk.com", "www.teamviewer.com", "login.teamviewer.com", "ngrok.com",
             "a1b2.ngrok-free.app", "tailscale.com", "assist.zoho.com", "www.googleapis.com")  # fmt: skip
    assert rules([f(name) for name in pages for f in (asks, greets)]) == []


@pytest.mark.parametrize(
    ("number", "proto", "port"), [(n, *at) for n, tool in TOOLS.items() for at in tool.ports]
)
def test_a_program_is_told_by_a_port_of_its_own_that_answered(number, proto, port):
    assert rules([calls(port, proto)]) == [number]
    assert rules([calls(port, proto, resp_bytes=0)]) == []
    assert rules([calls(port, proto, resp_h=ROUTER, local_resp=1)]) == []
    assert (
        rules([calls(port, proto, orig_h=OUTSIDE, resp_h=INSIDE, local_orig=0, local_resp=1)]) == []
    )


def test_who_asks_for_another_is_not_told():
    name = "relay-1.net.anydesk.com"
    passed_on = asks(name, 0.1, orig_h=ROUTER, resp_h=pack_address("9.9.9.9"))
    assert rules([asks(name), passed_on]) == [2]
    scores, _ = Harness(WeakClients()).feed(
        [asks(name), passed_on, passed_on | {"time": START + 90 * SECOND}]
    )
    assert np.isnan(scores).tolist() == [False, True, False], "a minute later it asks for itself"
    assert rules([asks(name, question=0), asks(name, 1.0, resp_p=5353)]) == []


def logs_in(service, **values):
    return (
        row("auth", resp_p=110, service=service, method=AuthMethod.PASSWORD, succeeded=1) | values
    )


SHOWN = {
    TELNET: calls(23),
    SMB_OUT: calls(445),
    FTP: logs_in(AuthService.FTP),
    MAIL: logs_in(AuthService.POP),
    WEB: logs_in(AuthService.HTTP),
    OLD_TLS: greets(version=0x0301),
}


@pytest.mark.parametrize("rule", SHOWN, ids=lambda rule: WAYS[rule].en)
def test_an_old_or_open_way_out_is_told(rule):
    assert rules([SHOWN[rule]]) == [rule]
    assert rules([SHOWN[rule] | {"orig_h": OUTSIDE, "local_orig": 0}]) == []


@pytest.mark.parametrize(
    "quiet",
    [
        calls(445, conn_state=ConnState.S0, resp_bytes=0),
        calls(445, conn_state=ConnState.OTH),
        calls(23, resp_h=pack_address("10.9.0.5")),
        calls(23, resp_h=pack_address("239.1.2.3")),
        logs_in(AuthService.POP, succeeded=0, failed=1),
        logs_in(AuthService.POP, resp_h=ROUTER),
        logs_in(AuthService.POP, method=AuthMethod.OTHER),
        greets(version=0x0303),
        greets(version=0x0301, hello_flags=HelloFlag.CUT),
        greets(version=0),
        greets(version=0x0301, ja4=""),
        calls(443),
    ],
    ids=range(12),
)
def test_what_is_as_it_should_be_is_not_told(quiet):
    assert rules([quiet]) == []


def test_a_machine_is_told_of_once_a_week_for_each_rule():
    name = "relay-1.net.anydesk.com"
    rows = [asks(name, n * 7200.0) for n in range(12 * 15)]
    assert rules(rows) == [2.0, 2.0, 2.0], "days 0, 7 and 14"
    rows = [
        f(at=float(n))
        for n, f in enumerate(
            (lambda at: asks(name, at), lambda at: greets("x.argotunnel.com", at))
        )
    ]
    assert rules(rows) == [2.0, 63.0]


@pytest.mark.parametrize("rule", [*TOOLS, *WAYS, 0])
def test_every_rule_has_words_of_its_own(rule):
    told = WeakClients().explain(
        {"score": 1.0, "rule": rule, "uses": 1, "since_days": 0, "rules": 2}
    )
    for text in (told.title_en, told.title_nl, told.desc_en, told.desc_nl):
        assert {f for _, f, _, _ in string.Formatter().parse(text) if f} <= {"src", "dst", "port"}
    assert told.title_en != told.title_nl
    assert told.technique in TECHNIQUES
    if rule in TOOLS:
        assert TOOLS[rule].name in told.title_en
        assert told.title_nl.endswith(("laat zien en besturen.", "in opent, langs de router.")), (
            "a subclause ends in its verbs"
        )
