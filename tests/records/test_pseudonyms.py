"""What is a pseudonym in a text, and the mark before it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_records.addresses import V4_PREFIX, format_address, format_mac, pack_address
from dijkwacht_records.pseudonyms import MARK, bare, is_hidden, marked, spans

LONG = "h-" + "0123456789" * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Disconnect 192.168.23.254.", "Disconnect ~192.168.23.254."),
        ("10.0.0.7 → 10.0.0.2:443", "~10.0.0.7 → ~10.0.0.2:443"),
        ("bruteforce by 10.0.0.7:*", "bruteforce by ~10.0.0.7:*"),
        (
            "[fe80::1]:443 and fe80::1, fd64:6a6a::1:2",
            "~[fe80::1]:443 and ~fe80::1, ~fd64:6a6a::1:2",
        ),
        ("(00:1b:21~a1b2c3d4)", "(~00:1b:21~a1b2c3d4)"),
        ("'h-0a1b2c3d4e._ipp._tcp.local'?", "'~h-0a1b2c3d4e._ipp._tcp.local'?"),
        ("_ipp._tcp.h-0a1b2c3d4e.local", "~_ipp._tcp.h-0a1b2c3d4e.local"),
        (f"asked …{LONG}.lan", f"asked ~…{LONG}.lan"),
        ("7.23.168.192.in-addr.arpa", "~7.23.168.192.in-addr.arpa"),
        ("http://10.0.0.7:8080/x", "http://~10.0.0.7:8080/x"),
    ],
)
def test_every_kind_in_every_place(text, expected):
    assert marked(text) == expected
    assert marked(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.1 asks www.example.org at 9.9.9.9:53",
        "2001:db8::1, ::1, 127.0.0.1, 255.255.255.255, 0.0.0.0",
        "168.192.in-addr.arpa and 1.2.0.192.in-addr.arpa",  # the kept part alone, and a public one
        "version 10.0.0 of 10.0.0.300, at 10:15:30, 99.9%",
        "h-0a1b is no hash, nor is ash-0a1b2c3d4e.example",
        "00:1b:21:00:00:01 is in clear", "…aabbccddeeff.t.example.org", "", "~", "~~~", "[]:::..--",
    ],
)  # fmt: skip
def test_what_is_none(text):
    assert marked(text) == text
    assert list(spans(text)) == []


@given(st.text())
def test_any_text_is_taken_and_marking_twice_is_marking_once(text):
    once = marked(text)
    assert marked(once) == once
    assert once.replace(MARK, "") == text.replace(MARK, "")


@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16), st.booleans())
def test_an_address_is_marked_if_it_is_hidden_and_found_again(packed, at_end):
    address = V4_PREFIX + packed if len(packed) == 4 else packed
    shown = format_address(address)
    if not shown:
        return
    text = f"Look at {shown}." if at_end else f"{shown}, look at it"
    assert (f"{MARK}{shown}" in marked(text)) == is_hidden(address)
    assert pack_address(bare(f"~{shown}")) == address


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**24 - 1))
def test_a_hashed_hardware_address(digest, maker):
    shown = format_mac(1 << 56 | maker << 32 | digest)
    assert marked(f"by {shown}.") == f"by ~{shown}."
    assert bare(f"~{shown}") == shown


def test_no_detectors_own_words_look_like_one():
    for detector in shipped_detectors():
        facts = dict.fromkeys(getattr(detector, "facts", ()), 1.0)
        try:
            words = detector.explain(facts)
        except KeyError:
            continue
        for text in (words.title_en, words.title_nl, words.desc_en, words.desc_nl):
            assert marked(text) == text
