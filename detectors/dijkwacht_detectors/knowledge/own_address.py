"""Services that tell a caller which address it has on the internet, and where in the world that is."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.knowledge.data_bearing_domains import hash_name

TELLERS: Final = (
    "api.db-ip.com", "api.ip.pn", "api.ip.sb", "api.ipapi.com", "api.ipbase.com", "api.ipify.org",
    "api.ipstack.com", "api.my-ip.io", "api.myip.com", "api.seeip.org", "api4.my-ip.io", "api6.ipify.org",
    "api64.ipify.org", "bot.whatismyipaddress.com", "checkip.amazonaws.com", "checkip.dyndns.com",
    "checkip.dyndns.org", "curlmyip.com", "eth0.me", "extreme-ip-lookup.com", "freegeoip.app",
    "freegeoip.net", "freeipapi.com", "geoip.bitdefender.com", "geolocation-db.com", "get.geojs.io",
    "icanhazip.com", "ident.me", "ifconfig.co", "ifconfig.io", "ifconfig.me", "ip-api.com",
    "ip.anysrc.net", "ip.seeip.org", "ip4.seeip.org", "ipapi.co", "ipecho.net", "ipinfo.io", "ipv4.icanhazip.com",
    "ipv4bot.whatismyipaddress.com", "ipwho.is", "ipwhois.app", "json.geoiplookup.io", "l2.io",
    "myexternalip.com", "myip.dnsomatic.com", "myip.opendns.com", "myip.ru", "pro.ip-api.com", "reallyfreegeoip.org",
    "showmyipaddress.com", "trackip.net", "v4.ident.me", "whatismyip.akamai.com", "whatismyipaddress.com",
    "whoer.net", "wtfismyip.com", "www.geoplugin.net", "www.icanhazip.com", "www.iplocation.net",
    "www.myexternalip.com", "www.trackip.net", "www.whatismyip.com",
)  # fmt: skip


def hashes_of(names: tuple[str, ...]) -> NDArray[np.uint64]:
    """`hash_name` of all ``names``, rising, uint64[n]."""
    texts = [np.frombuffer(name.encode(), np.uint8) for name in names]
    return np.sort(np.array([hash_name(text, 0, len(text)) for text in texts], np.uint64))


def beginnings_of(names: tuple[str, ...]) -> NDArray[np.bool_]:
    """By length and first byte, which texts need a second look: few do. bool[length, 256]."""
    looked_at = np.zeros((max(map(len, names)) + 1, 256), np.bool_)
    for name in names:
        looked_at[len(name), ord(name[0])] = True
    return looked_at


@njit(cache=True, nogil=True, inline="always")
def is_listed(hashes, beginnings, blob, begin, end):  # type: ignore[no-untyped-def]
    """Whether ``blob[begin:end]`` is one of the names that `hashes_of` and `beginnings_of` were given."""
    if not 0 < end - begin < len(beginnings) or not beginnings[end - begin, blob[begin]]:
        return False
    name = hash_name(blob, begin, end)
    at = np.searchsorted(hashes, name)
    return at < len(hashes) and hashes[at] == name


@njit(cache=True, nogil=True, inline="always")
def is_among(hashes, beginnings, offsets, blob, i):  # type: ignore[no-untyped-def]
    """As `is_listed`, of text ``i`` of ``blob``."""
    return is_listed(hashes, beginnings, blob, offsets[i], offsets[i + 1])
