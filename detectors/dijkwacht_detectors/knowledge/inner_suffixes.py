"""Last labels that networks use for themselves and the internet does not have: names under them fail by rule, whatever they are."""

from __future__ import annotations

from typing import Final

from dijkwacht_detectors.knowledge.own_address import beginnings_of, hashes_of, is_listed
from dijkwacht_detectors.state.naming import njit_lean

INNER_SUFFIXES: Final = (
    "ad", "adsl", "airport", "ap", "arris", "belkin", "blinkap", "box", "cisco", "cluster",
    "consul", "corp", "default", "dhcp", "dlink", "dlinkrouter", "dom", "dsldevice",
    "eth", "firewall", "fritz", "gateway", "hitronhub", "home", "homestation", "huawei",
    "i2p", "internal", "intern", "intra", "intranet", "invalid", "ip", "kpn", "lan", "lancom", "loc", "local",
    "localdomain", "localhost", "localnet", "localzone", "mail", "mshome", "mynet", "nas", "netgear", "office",
    "onion", "openstacklocal", "pcname", "priv", "private", "realtek", "rfc", "root", "router", "server",
    "site-local", "speedport", "tendaap", "test", "thuis", "totolink", "tplink", "tplinklogin", "ubnt", "unifi",
    "wifi", "windows", "winsdc", "workgroup", "wpad", "www", "zyxel", "zyxel-usg", "ziggo",
)  # fmt: skip

INNER: Final = hashes_of(INNER_SUFFIXES), beginnings_of(INNER_SUFFIXES)
"""The same, for `is_inner`."""


@njit_lean
def is_inner(inner, blob, begin, end):  # type: ignore[no-untyped-def]
    """Whether the last label of the name ``blob[begin:end]`` is one of `INNER`."""
    last = begin
    for k in range(end - 1, begin - 1, -1):
        if blob[k] == 46:
            last = k + 1
            break
    return is_listed(inner[0], inner[1], blob, last, end)
