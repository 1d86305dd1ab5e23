"""Names, types, directions, return codes and answers of DNS, mDNS, LLMNR and NBNS, as Wireshark sees them."""

import re
from collections import Counter

import pytest

from dijkwacht_records.addresses import format_address
from dijkwacht_records.tables import NO_ANSWER

LAYERS = ("dns", "mdns", "llmnr")
PORTS = {6: {53}, 17: {53, 5353, 5355}}
"""Other ports are not looked at, whatever Wireshark takes them for."""
THIRD_COUNT = ("answers", "prerequisites")
"""The same two bytes, which Wireshark names by what the message is."""
NETBIOS = 137
NB, NULL = 32, 10
SRV = "33"
RELEASE = "6"
"""An operation that says of no name that it is looked for, claimed or held."""
ROOT = "<Root>"


@pytest.mark.captures
@pytest.mark.timeout(7200)
@pytest.mark.tools("tshark")
def test_names_are_what_wireshark_reads(compare):
    assert compare("dns", ours, theirs) > 300


@pytest.mark.captures
@pytest.mark.timeout(7200)
@pytest.mark.tools("tshark")
def test_netbios_names_are_what_wireshark_reads(compare):
    assert compare("nbns", ours_of_netbios, theirs_of_netbios) > 100


def ours(rows):
    return Counter(fact(row) for row in rows["dns"] if row["resp_p"] != NETBIOS)


def ours_of_netbios(rows):
    return Counter(fact(row) for row in rows["dns"] if row["resp_p"] == NETBIOS)


def fact(row):
    ends = (format_address(row["orig_h"]), format_address(row["resp_h"]))
    answers = () if row["rcode"] == NO_ANSWER else (row["rcode"], row["answers"])
    return (*ends, row["query"], row["qtype"], row["question"], *answers)


def theirs(packets):
    return Counter(
        read(packet, fields)
        for packet in packets
        if not packet.tunnelled and PORTS[packet.proto] & {packet.sport, packet.dport}
        for fields in packet.of(*LAYERS)
    )


def read(packet, fields):
    name = first(fields, "dns.qry.name") or name_of_record(fields)
    qtype = int(first(fields, "dns.qry.type", "dns.resp.type") or "0", 0)
    plain = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1])), name.lower())
    return ends_and_answer(packet, fields, "dns", "" if name == ROOT else printable(plain), qtype)


def name_of_record(fields):
    """Wireshark splits names of SRV records in three."""
    if first(fields, "dns.resp.type") == SRV:
        return ".".join(first(fields, f"dns.srv.{part}") for part in ("service", "proto", "name"))
    return first(fields, "dns.resp.name")


def ends_and_answer(packet, fields, layer, query, qtype):
    if first(fields, f"{layer}.flags.response") not in {"1", "True"}:
        return packet.src, packet.dst, query, qtype, 1
    rcode = int(first(fields, f"{layer}.flags.rcode") or "0", 0)
    answers = int(first(fields, *(f"{layer}.count.{what}" for what in THIRD_COUNT)) or "0", 0)
    return packet.dst, packet.src, query, qtype, 0, rcode, answers


def theirs_of_netbios(packets):
    return Counter(
        read_netbios(packet, fields)
        for packet in packets
        if not packet.tunnelled and packet.proto == 17
        for fields in packet.of("nbns")
        if first(fields, "nbns.name") and first(fields, "nbns.flags.opcode") != RELEASE
    )


def read_netbios(packet, fields):
    """The name without its kind, which Wireshark shows in angle brackets, as all that is no letter."""
    name, _, _ = first(fields, "nbns.name").lower().rpartition("<")
    name = re.sub("<([0-9a-f]{2})>", lambda found: chr(int(found[1], 16)), name).rstrip(" \0")
    qtype = int(first(fields, "nbns.type"), 0)
    name = printable(name).replace(".", "\\x2e")  # no separator, as a NetBIOS name has none
    return ends_and_answer(packet, fields, "nbns", name, NB if qtype == NULL else qtype)


def first(fields, *names):
    return next((fields[name][0] for name in names if fields.get(name)), "")


def printable(name):
    plain = (c if "!" <= c <= "~" and c != "\\" else f"\\x{ord(c) & 0xFF:02x}" for c in name)
    return "".join(plain)
