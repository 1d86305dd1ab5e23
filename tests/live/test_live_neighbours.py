"""IPv6, by real tools: a router that does not belong there, and a machine that claims to be the router, told within a minute."""

import json
import subprocess
import sys

import pytest

TOLD_S = 60.0
READY_S = 20.0
COMERS = 6
OURS, THEIRS = "2001:db8:5:", "2001:db8:66:"
SPOOF = """
import sys
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import Ether
from scapy.sendrecv import sendp
own, router, victim, card = sys.argv[1:]
claim = ICMPv6ND_NA(tgt=router, R=1, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=own)
frame = Ether(src=own, dst=card) / IPv6(src=router, dst=victim, hlim=255) / claim
sendp(frame, iface="eth0", inter=2, count=60, verbose=False)
"""

pytestmark = [pytest.mark.live("dnsmasq", "ping"), pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def routed(link):
    """A site with a router, and machines that came one after the other and were told of it."""
    link.machine("router")
    serve(link, "router", OURS)
    for number in range(COMERS):
        name = f"desk-{number}"
        link.machine(name)
        link.site.until(f"{name} knows the router", lambda name=name: knows(link, name), READY_S)
    return link


def test_whoever_claims_the_router_s_address_is_told(routed):
    router, desk = (card_and_local(routed, name) for name in ("router", "desk-0"))
    routed.machine("thief")
    own, _ = card_and_local(routed, "thief")
    routed.spaces.start("desk-0", ["ping", "-6", "-i", "3", f"{router[1]}%eth0"])
    routed.spaces.start("thief", [sys.executable, "-c", SPOOF, own, router[1], desk[1], desk[0]])
    assert told(routed, "neighbour_spoof")["types"] == ["arp"]


def test_a_second_router_is_told_on_a_site_s_first_day(routed):
    routed.machine("rogue")
    routed.spaces.start(
        "desk-1", ["ping", "-6", "-i", "5", f"{card_and_local(routed, 'router')[1]}%eth0"]
    )
    serve(routed, "rogue", THEIRS)
    assert told(routed, "rogue_router")["types"] == ["arp"]


def told(link, detector):
    """What the first incident of ``detector`` that interrupts somebody says it found; fails if none comes in time."""
    found = []

    def looks():
        incidents = json.loads(link.site.ask("/v1/incidents"))
        known = [each["finding_info"] for each in incidents if each["severity_id"] >= 3]
        found.extend(each for each in known if each["analytic"]["name"] == detector)
        return bool(found)

    link.site.until(f"an incident by {detector}", looks, TOLD_S)
    return found[0]


def serve(link, where, prefix):
    """A router for ``prefix`` that announces itself."""
    link.spaces.ip(where, "addr", "add", f"{prefix}:1/64", "dev", "eth0", "nodad")
    link.site.until(f"{where} is there", lambda: card_and_local(link, where)[1], READY_S)
    words = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=eth0",
             "--enable-ra", f"--dhcp-range={prefix}:,ra-only,64,1h", "--user=root", "--log-facility=-",
             f"--dhcp-leasefile={link.folder / where}.leases", f"--pid-file={link.folder / where}.pid"]  # fmt: skip
    server = link.spaces.start(where, words, subprocess.DEVNULL, subprocess.PIPE)
    for line in server.stderr:
        if b"router advertisement on" in line:
            return
    pytest.fail(f"dnsmasq in {where} did not start")


def knows(link, name):
    """It has made itself an address and has a way out."""
    return "default" in link.spaces.run(name, ["ip", "-6", "route"])


def card_and_local(link, name):
    """Hardware address and link-local address of a machine, the second empty while nobody has said it is free."""
    [found] = json.loads(link.spaces.run(name, ["ip", "-j", "addr", "show", "dev", "eth0"]))
    local = [
        each["local"]
        for each in found["addr_info"]
        if each["scope"] == "link" and not each.get("tentative")
    ]
    return found["address"], local[0] if local else ""
