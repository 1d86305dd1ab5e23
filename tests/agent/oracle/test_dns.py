"""Names, types, directions and return codes of DNS, mDNS and LLMNR, as Wireshark sees them."""

from collections import Counter

import pytest

PORTS = "udp.port in {53, 5353, 5355} or tcp.port == 53"
LAYERS = ("dns", "mdns", "llmnr")
NO_ANSWER = 255


@pytest.mark.captures
@pytest.mark.timeout(3600)
@pytest.mark.tools("tshark")
def test_names_are_what_wireshark_reads(compare, metered, dissected):
    def ours(path):
        rows = [row for row in metered(path)["dns"] if row["resp_p"] != 137]
        return Counter((r["query"], r["qtype"], r["question"], r["rcode"]) for r in rows)

    def theirs(path):
        packets = dissected(
            path, f"({PORTS}) and (dns or mdns or llmnr) and not icmp and not icmpv6"
        )
        return Counter(
            read(layer) for p in packets for layer in p.layers if layer.layer_name in LAYERS
        )

    assert compare("dns", ours, theirs) > 300


def read(layer):
    def field(*names):
        """Wireshark names the same field by its protocol in ``dns`` and in full in the others."""
        named = (layer.get_field(spelt) for n in names for spelt in (n, f"dns_{n}"))
        return next((str(value) for value in named if value is not None), "")

    name = field("qry_name", "resp_name").lower()
    answers = field("flags_response") in {"1", "True"}
    rcode = int(field("flags_rcode") or "0", 0) if answers else NO_ANSWER
    qtype = int(field("qry_type", "resp_type") or "0", 0)
    return "" if name == "<root>" else name, qtype, int(not answers), rcode
