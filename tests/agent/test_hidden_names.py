import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_agent.hidden_names import HiddenNames
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.privacy import Pseudonyms
from dijkwacht_agent.search_suffixes import SearchSuffixes
from dijkwacht_records.addresses import format_address, pack_address

KEY = bytes(range(32))


PRIVACY = Pseudonyms(KEY, LocalNetworks(["198.51.100.0/24"]))
SUFFIXES = SearchSuffixes(["bakery.nl", "vos.ad"])
NAMES = HiddenNames(KEY, PRIVACY.address, PRIVACY.hides, SUFFIXES)
HASH = r"h-[0-9a-f]{10}"
LONG_HASH = r"h-[0-9a-f]{40}"


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
            rf"{LONG_HASH}\._sub\._googlecast\._tcp\.local",
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
        ("sep001b21aabbcc.telephones.vendor.com", rf"{HASH}\.telephones\.vendor\.com"),
        ("brn001b21aabbcc.bureau.vendor.nl", rf"{HASH}\.bureau\.vendor\.nl"),
        ("001b21-aabbcc.switches.vendor.com", rf"{HASH}\.switches\.vendor\.com"),
        ("021b21fffeaabbcc.vendor.com", rf"{HASH}\.vendor\.com"),
        ("001b.21aa.bbcc.vendor.com", rf"{HASH}\.{HASH}\.{HASH}\.vendor\.com"),
        ("printer-van-jan.local.", rf"{HASH}\.local"),
        ("Printer-van-Jan.LOCAL..", rf"{HASH}\.local"),
        ("192.168.1.5.", r"192\.168\.\d+\.\d+"),
        ("5.1.168.192.in-addr.arpa.", r"\d+\.\d+\.168\.192\.in-addr\.arpa"),
        ("pc-jan.vos.ad", rf"{HASH}\.vos\.ad"),
        ("mail.pc-jan.bakery.nl.", rf"{HASH}\.{HASH}\.bakery\.nl"),
        (
            "_ldap._tcp.zaandam._sites.dc._msdcs.vos.ad",
            rf"_ldap\._tcp\.{HASH}\._sites\.{HASH}\._msdcs\.vos\.ad",
        ),
        ("jans-iphone.ziggo", rf"{HASH}\.[a-p]{{10}}"),
        ("jans-iphone.devries.router", rf"{HASH}\.{HASH}\.[a-p]{{10}}"),
        ("jans-iphone.test", rf"{HASH}\.[a-p]{{10}}"),
        ("jans-iphone.vos-bakery", rf"{HASH}\.{HASH}"),
        ("jans-iphone.xn--bcher-kva", rf"{HASH}\.{HASH}"),
        ("jans-iphone.42", rf"{HASH}\.\d+"),
        ("jans-iphone.attlocal.net", rf"{HASH}\.attlocal\.net"),
        ("jans-iphone.homenet.telecomitalia.it", rf"{HASH}\.homenet\.telecomitalia\.it"),
        ("_jans-iphone.local", rf"{HASH}\.local"),
        ("_jans-iphone._sub._ipp._tcp.local", rf"{HASH}\._sub\._ipp\._tcp\.local"),
        ("_nas_van_jan", HASH),
        (r"jan\x2elocal", HASH),
        ("macbook-pro-van-jan-de-vries.local", rf"{LONG_HASH}\.local"),
        ("192x168x1x5.provider.nl", rf"{HASH}\.provider\.nl"),
        ("5-1-168-192.provider.nl", rf"{HASH}\.provider\.nl"),
        ("host192.168.001.005.provider.nl", rf"{HASH}\.{HASH}\.{HASH}\.{HASH}\.provider\.nl"),
        ("192168001005.cam.provider.nl", rf"{HASH}\.cam\.provider\.nl"),
        ("cam-19216815.cam.provider.nl", rf"{HASH}\.cam\.provider\.nl"),
        ("3232235781.cam.provider.nl", rf"{HASH}\.cam\.provider\.nl"),
        ("0501a8c0.provider.nl", rf"{HASH}\.provider\.nl"),
        ("0xc0a80105.provider.nl", rf"{HASH}\.provider\.nl"),
        ("ipc0a80105.provider.nl", rf"{HASH}\.provider\.nl"),
        ("c0-a8-01-05.provider.nl", rf"{HASH}\.provider\.nl"),
        ("0xc0.0xa8.0x1.0x5.provider.nl", rf"{HASH}\.{HASH}\.{HASH}\.{HASH}\.provider\.nl"),
        ("fe80__1.provider.nl", rf"{HASH}\.provider\.nl"),
        (
            f"{'.'.join('5' + '0' * 29 + 'df')}.zen.spamhaus.org",
            rf"(?:{HASH}\.){{32}}zen\.spamhaus\.org",
        ),
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
        "www.meelmolen.example",
        "8-8-8-8.provider.net",
        "xn--bcher-kva.example.nl",
        "a1b2c3d4e5f6.com",
        "face--cafe.example.nl",
        "ec2-3-120-1-2.eu-central-1.compute.amazonaws.com",
        "1.2.3.example.nl",
        "in-addr.arpa",
        "xn--e1afmkfd.xn--p1ai",
        "999000000.fls.example.net",
        "a1b2c3d4.cloudfront.example.net",
        "8x8.example.com",
        "b.ad",
        "bakery.nl",
        "home.arpa",
        "fritz.box",
        "local",
        "brochures2026-11.example.nl",
        "001b21aabbcc99.example.nl",
        "_dmarc.example.nl",
        "db._dns-sd._udp.example.nl",
    ],
)
def test_what_tells_no_device_stays(name):
    assert NAMES.name(name) == name


def test_an_address_as_name_becomes_its_pseudonym():
    assert NAMES.name("192.168.1.5") == format_address(PRIVACY.address(pack_address("192.168.1.5")))
    assert NAMES.name("8.8.8.8") == "8.8.8.8"


def test_any_name_asked_on_the_link_is_a_devices():
    assert NAMES.name("jan.example.nl", lan=True) != "jan.example.nl"


def test_a_suffix_counts_from_when_it_is_learnt():
    suffixes = SearchSuffixes()
    names = HiddenNames(KEY, PRIVACY.address, PRIVACY.hides, suffixes)
    assert names.name("pc-jan.mill.nl") == "pc-jan.mill.nl"
    suffixes.learn(["mill.nl"])
    assert re.fullmatch(rf"{HASH}\.mill\.nl", names.name("pc-jan.mill.nl"))
    assert names.name("www.windmill.nl") == "www.windmill.nl"


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


def test_an_address_that_is_its_own_pseudonym_is_hidden_in_names_as_any_other():
    own = "10.126.135.112"
    assert PRIVACY.address(pack_address(own)) == pack_address(own)
    assert re.fullmatch(HASH + r"\.example\.nl", NAMES.name("x-10-126-135-112.example.nl"))
    assert re.fullmatch(
        HASH + r"\.112\.135\.126\.10\.in-addr\.arpa", NAMES.name(f"till.{reverse(own)}")
    )


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
