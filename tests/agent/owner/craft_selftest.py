"""Crafts the capture that `dijkwacht-agent check --selftest` plays: ``python craft_selftest.py FILE`` (needs scapy).

Harmless: it is only ever read from the file, and every address is one of documentation or private.
"""

import sys

from scapy.all import (
    ARP,
    BOOTP,
    DHCP,
    DNS,
    DNSQR,
    DNSRR,
    ICMP,
    IP,
    TCP,
    UDP,
    Ether,
    Raw,
    wrpcap,
)

BEGIN = 1_700_000_000.0
LAPTOP, ROUTER, PRINTER = "02:00:5e:00:53:01", "02:00:5e:00:53:02", "02:00:5e:00:53:03"
LAPTOP_IP, ROUTER_IP, PRINTER_IP = "192.168.77.10", "192.168.77.1", "192.168.77.20"
SERVER_IP = "192.0.2.80"
NAME = b"selftest.dijkwacht.example"


def client_hello(name):
    """The smallest that names a server (RFC 8446, RFC 6066)."""
    entry = b"\x00" + len(name).to_bytes(2, "big") + name
    sni = len(entry).to_bytes(2, "big") + entry
    extensions = b"\x00\x00" + len(sni).to_bytes(2, "big") + sni
    extensions += b"\x00\x2b\x00\x03\x02\x03\x04"  # supported versions: 1.3
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += len(extensions).to_bytes(2, "big") + extensions
    hand = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(hand).to_bytes(2, "big") + hand


def ether(source, target):
    return Ether(src=source, dst=target)


def frames():
    everybody = "ff:ff:ff:ff:ff:ff"
    ask = {"chaddr": bytes.fromhex(LAPTOP.replace(":", "")), "xid": 7}
    offered = [("message-type", "ack"), ("server_id", ROUTER_IP), ("lease_time", 3600), "end"]
    asked = [("message-type", "request"), ("requested_addr", LAPTOP_IP), ("hostname", b"laptop"), "end"]  # fmt: skip
    yield (
        ether(LAPTOP, everybody)
        / IP(src="0.0.0.0", dst="255.255.255.255")
        / UDP(sport=68, dport=67)
        / BOOTP(op=1, **ask)
        / DHCP(options=asked)
    )
    yield (
        ether(ROUTER, LAPTOP)
        / IP(src=ROUTER_IP, dst=LAPTOP_IP)
        / UDP(sport=67, dport=68)
        / BOOTP(op=2, yiaddr=LAPTOP_IP, **ask)
        / DHCP(options=offered)
    )
    yield ether(LAPTOP, everybody) / ARP(op=1, hwsrc=LAPTOP, psrc=LAPTOP_IP, pdst=ROUTER_IP)
    yield ether(ROUTER, LAPTOP) / ARP(
        op=2, hwsrc=ROUTER, psrc=ROUTER_IP, hwdst=LAPTOP, pdst=LAPTOP_IP
    )
    query = DNSQR(qname=NAME)
    yield (
        ether(LAPTOP, ROUTER)
        / IP(src=LAPTOP_IP, dst=ROUTER_IP)
        / UDP(sport=50000, dport=53)
        / DNS(id=1, rd=1, qd=query)
    )
    yield (
        ether(ROUTER, LAPTOP)
        / IP(src=ROUTER_IP, dst=LAPTOP_IP)
        / UDP(sport=53, dport=50000)
        / DNS(id=1, qr=1, qd=query, an=DNSRR(rrname=NAME, rdata=SERVER_IP))
    )
    yield (
        ether(LAPTOP, "01:00:5e:00:00:fb")
        / IP(src=LAPTOP_IP, dst="224.0.0.251")
        / UDP(sport=5353, dport=5353)
        / DNS(rd=0, qd=DNSQR(qname=b"_ipp._tcp.local", qtype="PTR"))
    )
    for kind in (8, 0):
        ends = (LAPTOP, ROUTER, LAPTOP_IP, ROUTER_IP) if kind else (ROUTER, LAPTOP, ROUTER_IP, LAPTOP_IP)  # fmt: skip
        yield (
            ether(ends[0], ends[1])
            / IP(src=ends[2], dst=ends[3])
            / ICMP(type=kind, id=7, seq=1)
            / Raw(b"dijkwacht")
        )
    yield from connection()
    for port in range(1, 26):
        yield (
            ether(LAPTOP, PRINTER)
            / IP(src=LAPTOP_IP, dst=PRINTER_IP)
            / TCP(sport=51000, dport=port, flags="S", seq=1)
        )
        yield (
            ether(PRINTER, LAPTOP)
            / IP(src=PRINTER_IP, dst=LAPTOP_IP)
            / TCP(sport=port, dport=51000, flags="RA", ack=2)
        )


def connection():
    hello = client_hello(NAME)
    there = ether(LAPTOP, ROUTER) / IP(src=LAPTOP_IP, dst=SERVER_IP)
    back = ether(ROUTER, LAPTOP) / IP(src=SERVER_IP, dst=LAPTOP_IP)
    here, far = {"sport": 52000, "dport": 443}, {"sport": 443, "dport": 52000}
    end = 101 + len(hello)
    yield there / TCP(**here, flags="S", seq=100)
    yield back / TCP(**far, flags="SA", seq=500, ack=101)
    yield there / TCP(**here, flags="A", seq=101, ack=501)
    yield there / TCP(**here, flags="PA", seq=101, ack=501) / Raw(hello)
    yield back / TCP(**far, flags="FA", seq=501, ack=end)
    yield there / TCP(**here, flags="FA", seq=end, ack=502)
    yield back / TCP(**far, flags="A", seq=502, ack=end + 1)


def main(path):
    made = []
    for number, frame in enumerate(frames()):
        for layer in (IP,):
            if layer in frame:
                frame[layer].id = number + 1
        frame.time = BEGIN + number * 0.02
        made.append(frame)
    wrpcap(path, made)


if __name__ == "__main__":
    main(sys.argv[1])
