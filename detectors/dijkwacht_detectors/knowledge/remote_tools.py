"""Programs for remote help, remote management and tunnels, by the names and ports at which they work.

Of each only names that the program itself calls, as its makers tell those who run a firewall; the names of web pages, at
which people read about it, are left out. Numbers are for good: facts of old incidents hold them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.knowledge.data_bearing_domains import hash_name
from dijkwacht_detectors.knowledge.own_address import beginnings_of, hashes_of, is_listed
from dijkwacht_detectors.state.naming import njit_lean

_TCP, _UDP = 6, 17


class Tool(NamedTuple):
    """A program: names that it calls, each with all below it, and (protocol, port) that are its own.

    ``tunnels``: it is made to let others in, and not to show a screen.
    """

    name: str
    names: tuple[str, ...]
    ports: tuple[tuple[int, int], ...] = ()
    tunnels: bool = False


_TEAMVIEWER = tuple(
    f"{kind}{n}.teamviewer.com"
    for kind, most in (("router", 16), ("master", 16), ("ping", 3))
    for n in range(1, most + 1)
)
TOOLS: Final[Mapping[int, Tool]] = {
    1: Tool("TeamViewer", (*_TEAMVIEWER, "router.teamviewer.com"), ((_TCP, 5938), (_UDP, 5938))),
    2: Tool("AnyDesk", ("net.anydesk.com",), ((_TCP, 6568),)),
    3: Tool("RustDesk", ("rustdesk.com",), ((_TCP, 21116), (_TCP, 21117), (_UDP, 21116))),
    4: Tool("ScreenConnect", ("screenconnect.com",)),
    5: Tool("Splashtop", ("relay.splashtop.com", "api.splashtop.com")),
    6: Tool("LogMeIn", ("logmein-gateway.com", "control.logmein.com")),
    7: Tool("LogMeIn Rescue", ("logmeinrescue.com", "logmeinrescue-enterprise.com")),
    8: Tool("GoToAssist", ("gotoassist.com", "gotoassist.me", "fastsupport.com")),
    9: Tool("Supremo", ("supremocontrol.com",)),
    10: Tool("AeroAdmin", ("aeroadmin.com",)),
    11: Tool("Ammyy Admin", ("rl.ammyy.com",)),
    12: Tool("Zoho Assist", ("zohoassist.com", "zohoassist.eu")),
    13: Tool("Chrome Remote Desktop", ("remotedesktop-pa.googleapis.com",)),
    14: Tool("Parsec", ("parsecgaming.com", "kessel-ws.parsec.app")),
    15: Tool("DWService", ("dwservice.net",)),
    16: Tool("RemotePC", ("remotepc.com",)),
    17: Tool("Atera", ("agent-api.atera.com", "agenthb.atera.com")),
    18: Tool("NinjaOne", ("ninjarmm.com",)),
    19: Tool("Datto RMM", ("centrastage.net",)),
    20: Tool("N-able", ("swi-rc.com", "system-monitor.com", "beanywhere.com")),
    21: Tool("ISL Online", ("islonline.net",)),
    22: Tool("BeyondTrust Remote Support", ("beyondtrustcloud.com", "bomgarcloud.com")),
    23: Tool("FixMe.IT", ("fixme.it",)),
    24: Tool("Getscreen.me", ("getscreen.me",)),
    25: Tool("HopToDesk", ("signal.hoptodesk.com", "turn.hoptodesk.com", "api.hoptodesk.com")),
    26: Tool("UltraViewer", ("ultraviewer.net",)),
    27: Tool("NetSupport", ("geo.netsupportsoftware.com",)),
    28: Tool("Remote Utilities", ("id.remoteutilities.com", "rutils.com")),
    29: Tool("Iperius Remote", ("iperiusremote.com",)),
    30: Tool("Quick Assist", ("remoteassistance.support.services.microsoft.com",)),
    31: Tool("ToDesk", ("todesk.com",)),
    32: Tool("RealVNC Connect", ("services.vnc.com",)),
    33: Tool("Pulseway", ("pulseway.com",)),
    34: Tool("Syncro", ("syncroapi.com", "syncromsp.com")),
    35: Tool("ConnectWise Automate", ("hostedrmm.com",)),
    36: Tool("Radmin", (), ((_TCP, 4899),)),
    60: Tool("ngrok", ("ngrok-agent.com", "tunnel.ngrok.com", "tunnel.us.ngrok.com", "tunnel.eu.ngrok.com"), (), True),
    61: Tool("Tailscale", ("controlplane.tailscale.com", "log.tailscale.com", "log.tailscale.io"), (), True),
    62: Tool("ZeroTier", ("root.zerotier.com",), ((_UDP, 9993),), True),
    63: Tool("Cloudflare Tunnel", ("argotunnel.com",), (), True),
    64: Tool("playit.gg", ("control.playit.gg",), (), True),
    65: Tool("Visual Studio Tunnels", ("tunnels.api.visualstudio.com",), (), True),
    66: Tool("Hamachi", ("hamachi.cc",), ((_TCP, 12975),), True),
    67: Tool("NetBird", ("signal.netbird.io",), (), True),
    68: Tool("Pinggy", ("a.pinggy.io",), (), True),
}  # fmt: skip
"""From 60 on those that tunnel."""
_PAGES: Final = (
    "account", "accounts", "assets", "blog", "cdn", "community", "docs", "download", "downloads", "help",
    "images", "img", "info", "kb", "learn", "login", "mail", "my", "news", "shop", "static", "status",
    "store", "support", "web", "www",
)  # fmt: skip

NO_TOOL: Final = 0


def _hashed() -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The names' hashes, rising, and the tools' numbers beside them."""
    pairs = sorted(
        (int(hashes_of((name,))[0]), number)
        for number, tool in TOOLS.items()
        for name in tool.names
    )
    hashes, numbers = zip(*pairs, strict=True)
    return np.array(hashes, np.uint64), np.array(numbers, np.int64)


def _at_ports() -> NDArray[np.uint8]:
    """The tool whose own port it is, uint8[2, 65536]: TCP, then UDP; 0 for none."""
    owner = np.zeros((2, 65_536), np.uint8)
    for number, tool in TOOLS.items():
        for proto, port in tool.ports:
            owner[int(proto == _UDP), port] = number
    return owner


_HASHES, _NUMBERS = _hashed()
_BEGIN = beginnings_of(tuple(name for tool in TOOLS.values() for name in tool.names))
_OWNERS = _at_ports()
_WEB, _WEB_BEGIN = hashes_of(_PAGES), beginnings_of(_PAGES)


@njit_lean
def tool_at(proto, port):  # type: ignore[no-untyped-def]
    """Number of the tool whose own port that is, `NO_TOOL` if it is nobody's.

    >>> TOOLS[tool_at(6, 5938)].name, tool_at(17, 443), tool_at(1, 5938), tool_at(6, -1)
    ('TeamViewer', 0, 0, 0)
    """
    if not 0 <= port < 65_536 or proto not in (_TCP, _UDP):
        return NO_TOOL
    return np.int64(_OWNERS[1 if proto == _UDP else 0, port])


@njit_lean
def tool_of(blob, begin, end):  # type: ignore[no-untyped-def]
    """Number of the tool that calls the name ``blob[begin:end]``; `NO_TOOL` for a web page and for all other names.

    >>> import numpy as np
    >>> def of(name):
    ...     return int(tool_of(np.frombuffer(name.encode(), np.uint8), 0, len(name)))
    >>> [of(name) for name in ("relay-6c1.net.anydesk.com", "anydesk.com", "www.remotepc.com", "b.remotepc.com")]
    [2, 0, 0, 16]
    """
    dots = 0
    for k in range(end - 1, begin - 2, -1):
        if k >= begin and blob[k] != 46:
            continue
        dots += 1
        at = k + 1
        if dots < 2 or not 0 < end - at < len(_BEGIN) or not _BEGIN[end - at, blob[at]]:
            continue
        name = hash_name(blob, at, end)
        place = np.searchsorted(_HASHES, name)
        if place >= len(_HASHES) or _HASHES[place] != name:
            continue
        if dots == 2 and at == begin:
            return NO_TOOL  # the maker's own page
        first = begin
        while blob[first] != 46:
            first += 1
        if is_listed(_WEB, _WEB_BEGIN, blob, begin, first):
            return NO_TOOL
        return _NUMBERS[place]
    return NO_TOOL
