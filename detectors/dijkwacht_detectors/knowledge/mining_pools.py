"""Public pools that mine digital coins, by registered domain, and which of their names are web pages."""

from __future__ import annotations

from typing import Final

from dijkwacht_detectors.knowledge.own_address import beginnings_of, hashes_of, is_listed
from dijkwacht_detectors.state.naming import njit_lean

POOLS: Final = (
    "2miners.com", "antpool.com", "c3pool.com", "c3pool.org", "crypto-pool.fr", "dwarfpool.com",
    "ethermine.org", "f2pool.com", "flypool.org", "hashvault.pro", "herominers.com", "k1pool.com",
    "kryptex.network", "luckpool.net", "minergate.com", "minexmr.com", "miningocean.org",
    "miningpoolhub.com", "monerohash.com", "moneroocean.stream", "moneropool.com", "nanopool.org",
    "nicehash.com", "poolin.com", "ppxxmr.com", "prohash.net", "prohashing.com", "rplant.xyz",
    "slushpool.com", "sparkpool.com", "supportxmr.com", "suprnova.cc", "unmineable.com", "viabtc.com",
    "woolypooly.com", "xmrig.com", "xmrpool.eu", "xmrpool.net", "zergpool.com", "zpool.ca",
)  # fmt: skip
"""``xmrig.com`` is no pool: the most used program mines there for its makers, one minute in a hundred."""
_PAGES: Final = (
    "account", "accounts", "api", "api2", "app", "assets", "blog", "cdn", "docs", "download", "forum",
    "help", "images", "img", "login", "m", "mail", "media", "news", "shop", "static", "status", "support",
    "www",
)  # fmt: skip
_POOLS, _POOLS_BEGIN = hashes_of(POOLS), beginnings_of(POOLS)
_WEB, _WEB_BEGIN = hashes_of(_PAGES), beginnings_of(_PAGES)

NO_POOL, PAGE, SERVER = range(3)


@njit_lean
def pool_of(blob, begin, end):  # type: ignore[no-untyped-def]
    """`SERVER` if ``blob[begin:end]`` is a name at which a pool takes work, `PAGE` if it is a page of one, else `NO_POOL`.

    >>> import numpy as np
    >>> name = np.frombuffer(b"xmr-eu1.nanopool.org", np.uint8)
    >>> pool_of(name, 0, 20) == SERVER, pool_of(name, 8, 20) == PAGE, pool_of(name, 9, 20) == NO_POOL
    (True, True, True)
    """
    domain, dots = begin, 0
    for k in range(end - 1, begin - 1, -1):
        if blob[k] == 46:
            dots += 1
            if dots == 2:
                domain = k + 1
                break
    if dots == 0 or not is_listed(_POOLS, _POOLS_BEGIN, blob, domain, end):
        return NO_POOL
    if domain == begin:
        return PAGE
    first = begin
    while blob[first] != 46:
        first += 1
    return PAGE if is_listed(_WEB, _WEB_BEGIN, blob, begin, first) else SERVER
