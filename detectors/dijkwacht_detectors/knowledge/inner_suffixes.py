"""Last labels that networks use for themselves and the internet does not have: names under them fail by rule, whatever they are."""

from __future__ import annotations

from typing import Final

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
