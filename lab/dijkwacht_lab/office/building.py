"""Build an office: its namespaces, cables, addresses and routes."""

from __future__ import annotations

from dijkwacht_lab.office.namespaces import Namespaces
from dijkwacht_lab.office.plans import Plan

SWITCH = "switch"
BRIDGE = "br0"


def build(spaces: Namespaces, plan: Plan) -> None:
    """Build the plan's office; its people's hosts have a cable and ask for addresses themselves.

    The switch's bridge sees what a mirror port would. The internet answers at the plan's sites and
    is silent at every other address of its networks, as most of the real one is.
    """
    plan.fence()  # refuses networks that are no office's
    width = plan.network.partition("/")[2]
    spaces.add(SWITCH)
    # A switch forwards at once and does not talk: no spanning tree, no addresses of its own.
    spaces.ip(
        SWITCH, "link", "add", BRIDGE, "type", "bridge", "stp_state", "0", "mcast_snooping", "0"
    )
    _silence(spaces, SWITCH)
    spaces.ip(SWITCH, "link", "set", BRIDGE, "up")
    fixed = {"gateway": plan.gateway, "server": plan.server, "printer": plan.printer}
    for number, place in enumerate((*fixed, *(host.name for host in plan.hosts))):
        spaces.add(place)
        spaces.link(place, "eth0", SWITCH, f"port{number}", plan.mac(place))
        spaces.ip(SWITCH, "link", "set", f"port{number}", "master", BRIDGE)
        if place in fixed:
            spaces.ip(place, "addr", "add", f"{fixed[place]}/{width}", "dev", "eth0")
        else:
            # A machine that spoofs its way between two others passes on what it is handed.
            _set(spaces, place, "ip_forward", "1")
            _set(spaces, place, "conf/all/send_redirects", "0")
            _set(spaces, place, "conf/eth0/send_redirects", "0")
    for place in ("server", "printer"):
        spaces.ip(place, "route", "add", "default", "via", plan.gateway)
    _connect(spaces, plan)


def _connect(spaces: Namespaces, plan: Plan) -> None:
    """The cable between gateway and internet, and the routes on both its sides."""
    spaces.add("internet")
    spaces.link("gateway", "wan", "internet", "eth0")
    _set(spaces, "gateway", "ip_forward", "1")
    spaces.ip("gateway", "addr", "add", f"{plan.gateway_outside}/32", "dev", "wan")
    spaces.ip("gateway", "route", "add", f"{plan.resolver}/32", "dev", "wan")
    spaces.ip("internet", "addr", "add", f"{plan.resolver}/32", "dev", "eth0")
    spaces.ip("internet", "route", "add", f"{plan.gateway_outside}/32", "dev", "eth0")
    spaces.ip("internet", "route", "add", plan.network, "via", plan.gateway_outside)
    for network in plan.internet:
        spaces.ip("gateway", "route", "add", network, "via", plan.resolver)
        spaces.ip("internet", "route", "add", "blackhole", network)
    for address in {*plan.sites.values(), plan.tunnel_server} - {plan.resolver}:
        spaces.ip("internet", "addr", "add", f"{address}/32", "dev", "lo")


def _set(spaces: Namespaces, place: str, name: str, value: str) -> None:
    spaces.run(place, ["sh", "-c", f"echo {value} > /proc/sys/net/ipv4/{name}"])


def _silence(spaces: Namespaces, place: str) -> None:
    spaces.run(place, ["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"])
