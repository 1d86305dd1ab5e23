import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_agent.hidden_names import HiddenNames
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.privacy import Pseudonyms
from dijkwacht_records.addresses import format_address, pack_address

KEY = bytes(range(32))


PRIVACY = Pseudonyms(KEY, LocalNetworks(["198.51.100.0/24"]))
NAMES = HiddenNames(KEY, PRIVACY.address)
HASH = r"h-[0-9a-f]{10}"


def reverse(text):
    return ipaddress.ip_address(text).reverse_pointer


@pytest.mark.parametrize(
    "text", ["192.168.1.5", "10.0.0.1", "198.51.100.7", "fe80::21b:21ff:fe00:1", "fd00::5"]
)
def test_a_reverse_name_follows_its_address(text):
    hidden = format_address(PRIVACY.address(pack_address(text)))
    assert NAMES.name(reverse(text)) == reverse(hidden)


@pytest.mark.parametrize("text", ["8.8.8.8", "2a00:1450::8", "127.0.0.1"])
def test_a_reverse_name_of_an_outside_address_stays(text):
    assert NAMES.name(reverse(text)) == reverse(text)


def test_a_reverse_zone_keeps_its_size():
    zone = NAMES.name("1.168.192.in-addr.arpa")
    assert zone.endswith(".168.192.in-addr.arpa")
    assert zone.count(".") == 4
    assert zone in NAMES.name("5.1.168.192.in-addr.arpa")


def test_service_discovery_under_a_reverse_zone():
    name = NAMES.name("lb._dns-sd._udp.0.1.168.192.in-addr.arpa")
    assert name.startswith("lb._dns-sd._udp.")
    assert not name.endswith("0.1.168.192.in-addr.arpa")


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("jans-laptop.local", rf"{HASH}\.local"),
        ("jans printer._ipp._tcp.local", rf"{HASH}\._ipp\._tcp\.local"),
        ("_services._dns-sd._udp.local", r"_services\._dns-sd\._udp\.local"),
        (
            "_%9e5e7c8f47989526c9bcd95d24084f6f._sub._googlecast._tcp.local",
            rf"{HASH}\._sub\._googlecast\._tcp\.local",
        ),
        ("nas", HASH),
        ("nas.fritz.box", rf"{HASH}\.fritz\.box"),
        ("ip-192-168-1-5.lan", rf"{HASH}\.lan"),
        ("ip-10-0-0-5.eu-west-1.compute.internal", rf"{HASH}\.{HASH}\.{HASH}\.internal"),
        ("192-168-1-5.0123abcd.plex.direct", rf"{HASH}\.0123abcd\.plex\.direct"),
        ("192.168.1.5.nip.io", rf"{HASH}\.{HASH}\.{HASH}\.{HASH}\.nip\.io"),
        ("1.192.168.1.5.nip.io", rf"1\.{HASH}\.{HASH}\.{HASH}\.{HASH}\.nip\.io"),
        ("c0a80105.nip.io", rf"{HASH}\.nip\.io"),
        ("7.100.51.198.zen.spamhaus.org", rf"{HASH}\.{HASH}\.{HASH}\.{HASH}\.zen\.spamhaus\.org"),
        ("host-198-51-100-7.provider.nl", rf"{HASH}\.provider\.nl"),
        ("fe80--1.ipv6-literal.net", rf"{HASH}\.ipv6-literal\.net"),
        ("dev-00-1b-21-aa-bb-cc.vendor.com", rf"{HASH}\.vendor\.com"),
        ("001b21aabbcc.devices.vendor.com", rf"{HASH}\.devices\.vendor\.com"),
        ("021b21fffeaabbcc.vendor.com", rf"{HASH}\.vendor\.com"),
    ],
)
def test_what_tells_a_device_is_hashed_and_the_rest_stays(name, pattern):
    assert re.fullmatch(pattern, NAMES.name(name)), NAMES.name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "localhost",
        "wpad",
        "www.example.nl",
        "8-8-8-8.provider.net",
        "xn--bcher-kva.example",
        "a1b2c3d4e5f6.com",
        "face--cafe.example",
        "ec2-3-120-1-2.eu-central-1.compute.amazonaws.com",
        "1.2.3.example",
        "in-addr.arpa",
    ],
)
def test_what_tells_no_device_stays(name):
    assert NAMES.name(name) == name


def test_an_address_as_name_becomes_its_pseudonym():
    assert NAMES.name("192.168.1.5") == format_address(PRIVACY.address(pack_address("192.168.1.5")))
    assert NAMES.name("8.8.8.8") == "8.8.8.8"


def test_any_name_asked_on_the_link_is_a_devices():
    assert NAMES.name("jan.example.nl", lan=True) != "jan.example.nl"


def test_a_device_name_is_hashed_alike_everywhere():
    assert (
        NAMES.device("JAN") == NAMES.name("jan") == NAMES.name("jan.local").removesuffix(".local")
    )
    assert NAMES.device("") == ""


@given(st.text(max_size=300), st.booleans())
def test_any_text_is_hidden_without_error_and_within_the_contract(text, lan):
    assert len(NAMES.name(text, lan=lan).encode("utf-8", "replace")) <= 1024
    assert len(NAMES.device(text).encode("utf-8", "replace")) <= 1024


@given(
    st.lists(
        st.sampled_from(["1", "168", "192", "in-addr", "arpa", "ip6", "f", "", "x"]), max_size=40
    )
)
def test_odd_reverse_names(labels):
    NAMES.name(".".join([*labels, "in-addr", "arpa"]))
    NAMES.name(".".join([*labels, "ip6", "arpa"]))


@given(
    st.integers(0, 2**24 - 1),
    st.sampled_from(["{}.local", "x-{}.nl", "{}.in-addr.arpa", "{}"]),
    st.sampled_from("-."),
)
def test_no_private_address_survives(number, shape, mark):
    text = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}".replace(".", mark)
    hidden = NAMES.name(shape.format(text))
    if "in-addr" not in shape and hidden != format_address(
        PRIVACY.address(pack_address(text.replace("-", ".")))
    ):
        assert text not in hidden
