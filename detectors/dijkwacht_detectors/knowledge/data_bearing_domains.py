"""Domains that put data into names by design: content networks, clouds, security products.

Knowledge, not a pass: names under them count for less, they are not left out.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean

DATA_BEARING_DOMAINS: Final = (
    # content networks
    "akadns.net", "akamai.net", "akamaiedge.net", "akamaihd.net", "akamaized.net", "azureedge.net",
    "azurefd.net", "b-cdn.net", "cdn77.org", "cdninstagram.com", "cloudflare.net", "cloudfront.net",
    "edgekey.net", "edgesuite.net", "fastly.net", "fastlylb.net", "fbcdn.net", "footprint.net",
    "ggpht.com", "googleusercontent.com", "googlevideo.com", "gstatic.com", "gvt1.com", "gvt2.com",
    "llnwd.net", "msedge.net", "nflxvideo.net", "scdn.co", "steamcontent.com", "tiktokcdn.com",
    "ttvnw.net", "twimg.com", "whatsapp.net", "ytimg.com",
    # clouds and what programs report to
    "1e100.net", "amazonaws.com", "apple-dns.net", "aaplimg.com", "app-measurement.com", "azure.com",
    "cloudapp.net", "crashlytics.com", "doubleclick.net", "herokuapp.com", "icloud.com",
    "icloud-content.com", "office.com", "office.net", "office365.com", "onedrive.com", "outlook.com",
"sharepoint.com", "trafficmanager.net", "windows.com", "windows.net",
    # security products and lists that are asked over DNS
    "abuse.ch", "avast.com", "avcdn.net", "barracudabrts.com", "bitdefender.net", "brightcloud.com",
    "cymru.com", "dnswl.org", "drweb.com", "e5.sk", "eset.com", "eset.systems", "f-secure.com",
    "fsapi.com", "kaspersky-labs.com", "kaspersky.com", "mailspike.net", "mcafee.com", "senderbase.org",
    "sophos.com", "sophosxl.net", "sorbs.net", "spamcop.net", "spamhaus.net", "spamhaus.org",
    "surbl.org", "symantec.com", "trendmicro.com", "uribl.com", "webroot.com", "zvelo.com",
)  # fmt: skip


@njit_lean
def hash_name(blob, begin, end):  # type: ignore[no-untyped-def]
    """A uint64 for the name in ``blob[begin:end]``."""
    h = np.uint64(0xCBF29CE484222325)
    for k in range(begin, end):
        h = (h ^ np.uint64(blob[k])) * np.uint64(0x100000001B3)
    return mix(h, np.uint64(end - begin))


def known_hashes() -> NDArray[np.uint64]:
    """`hash_name` of all `DATA_BEARING_DOMAINS`, rising, uint64[n]."""
    names = [np.frombuffer(name.encode(), np.uint8) for name in DATA_BEARING_DOMAINS]
    return np.sort(np.array([hash_name(name, 0, len(name)) for name in names], np.uint64))


@njit_lean
def is_data_bearing(known, name):  # type: ignore[no-untyped-def]
    """Whether a domain's `hash_name` is among ``known``, as `known_hashes` gives them."""
    at = np.searchsorted(known, name)
    return at < len(known) and known[at] == name
