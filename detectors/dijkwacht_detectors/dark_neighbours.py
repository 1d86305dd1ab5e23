"""Patient search of the own network: one machine asks, little by little, for addresses that nobody has.

In a network of 254 addresses and 20 machines a blind probe meets nobody nine times in ten, and before each
probe stands an ARP request, which any switch carries to everybody. Looks at ARP requests for addresses from
which nothing was heard in 30 to 60 days: how many different ones did one hardware address ask for within one
to two weeks? The score is log₂(1 + that number), of which less counts in the first hours of a site, when
silence means nothing yet (half after an hour).

Who asks many times for a printer that is gone asks for one address. Who asks for many at once counts twelve,
and four more a minute: that is `arp_sweep`'s. Who carries the site's traffic to the outside asks for addresses
on behalf of others, and is not counted. An address that is heard later, as one that a lease was just given
for, is taken back.

Limits: programs that look slowly for whatever there may be do the same, and are told of once. Requests
under no address of one's own (0.0.0.0) count nothing: machines probe so before they take an address. Where no
port is mirrored, machines are heard only when they ask for something themselves. Claims under false addresses
make them look alive; those are `arp_spoof`'s. Some 0.6 KB a machine that tried a dark address.

>>> import numpy as np
>>> from dijkwacht_detectors.checks import score_rows
>>> asks = [{"time": 120_000_000 * n, "op": 1, "sender_mac": 7, "sender_h": 1, "target_h": n}
...         for n in range(2, 66)]
>>> float(np.nanmax(score_rows(DarkNeighbours(), asks)).round(1))
5.5
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.knowledge.addresses import is_no_host
from dijkwacht_detectors.state.dark_space import DARK_SPACE, forget, hear, known, tried_dark, watch
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker

_HOUR_US = 3_600e6


class DarkNeighbours(RowDetector):
    """Addresses of the own network that nobody has, and that one hardware address asked for."""

    name = "dark_neighbours"
    table = "arp"
    reads = ("op", "sender_h", "target_h", "from_gateway")
    entity: ClassVar[Entity] = "orig"
    kind = "scan"
    technique = "T1018"
    facts = ("dark_addresses", "dark_hours")
    who = Who(src="sender_h", mac="sender_mac", dst="target_h", port="")
    entities_per_site = 1024
    forget_after_s = 14 * 24 * 3600
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = DARK_SPACE

    share = 1 / 120
    expected = (3.8, 0.1)
    """In a week of ten a machine looks for a dozen more that are gone than any office here does: an old list is worked off."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score a dark address that is asked for the first time, if there are a fifth more than were scored."""
        _fold(_columns(rows), rows.site, _memory(state), scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how many addresses it asked for, and in what time."""
        many = max(2, round(facts["dark_addresses"]))
        hours = max(1, round(facts["dark_hours"]))
        return Explanation(
            f"{{src}} asked for about {many} addresses of your network that no device has, over {hours} h.",
            f"{{src}} vroeg in {hours} uur naar ongeveer {many} adressen van uw netwerk die geen enkel apparaat heeft.",
            "Whoever searches a network so slowly does not want to be noticed. Inventory and monitoring programs "
            "can do so too. If nobody you know has set up such a program on {src}, disconnect {src} and have it "
            "looked at.",
            "Wie een netwerk zo langzaam afzoekt, wil niet opvallen. Inventarisatie- en bewakingsprogramma's doen "
            "het soms ook. Heeft niemand die u kent zo'n programma op {src} gezet, koppel {src} dan los en laat er "
            "iemand naar kijken.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    op: NDArray[np.int64]
    sender_h: NDArray[np.uint64]
    target_h: NDArray[np.uint64]
    from_gateway: NDArray[np.int64]


class _State(NamedTuple):
    begun: NDArray[np.int64]
    turned: NDArray[np.int64]
    at: NDArray[np.int64]
    spare: NDArray[np.float32]
    told: NDArray[np.float32]
    pooled_place: NDArray[np.int32]
    pooled_used: NDArray[np.int32]
    pooled_tried: NDArray[np.uint64]
    pooled_counted: NDArray[np.uint64]
    samples_heard: NDArray[np.uint64]
    samples_turned: NDArray[np.int64]
    samples_watched: NDArray[np.int64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _fold(columns, sites, memory, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t, site = rows.slot[i], rows.time[i], sites[i]
        if rows.fresh[i]:
            forget(state, e, t)
        watch(state, site, t)
        high, low = rows.sender_h[i, 0], rows.sender_h[i, 1]
        if is_no_host(high, low):
            continue
        hear(state, site, high, low)
        target = rows.target_h[i, 0], rows.target_h[i, 1]
        if rows.op[i] != 1 or rows.from_gateway[i] or is_no_host(target[0], target[1]):
            continue
        dark = tried_dark(state, e, site, t, target)
        if dark > 0.0:
            scores[i] = math.log2(1.0 + dark * known(state, site, t))
            facts[i, 0], facts[i, 1] = dark, (t - state.begun[e]) / _HOUR_US
