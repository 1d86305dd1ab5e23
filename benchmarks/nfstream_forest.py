"""Nfstream itself with an isolation forest, as it is usually taught: on captures alone, for it reads nothing else.

Needs ``pip install 'nfstream>=6.6,<6.7'`` (LGPL-3.0-or-later, 1.7 MB with pandas of 80 MB, February 2026). Learns
from the benign captures of half A, sets its line there at 1, 10 and 100 interruptions a site-week, and says how
many captures with an attack it catches by the rule of ``dijkwacht evaluate --peers``, which has our meter's
flows in the place of nfstream's.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import numpy as np

from dijkwacht_lab.halves import choose_half
from dijkwacht_lab.labels import ACCEPTED, Labelled, read_lists
from dijkwacht_lab.peers.benign import sample
from dijkwacht_lab.peers.flow_features import SiteFlows
from dijkwacht_lab.peers.line import alerts_of, line_of, weeks_of
from dijkwacht_lab.peers.measure import RATES
from dijkwacht_lab.peers.models import Forest
from dijkwacht_lab.peers.peer import incidents_of
from dijkwacht_lab.scoreboard import Outcome, judge
from dijkwacht_records.addresses import pack_address

CAPTURES = (".pcap", ".pcapng", ".cap")
HOUR_MS = 3_600_000


def flows_of(path: Path) -> SiteFlows:
    """All figures of each flow that are numbers and say nothing of who and when."""
    from nfstream import NFStreamer  # noqa: PLC0415  # not a dependency of ours

    features, ended, source, hours = [], [], [], set()
    addresses: dict[bytes, int] = {}
    names: list[str] = []
    for flow in NFStreamer(
        source=str(path), n_dissections=0, statistical_analysis=True, n_meters=1
    ):
        names = names or [
            name
            for name, value in zip(flow.keys(), flow.values(), strict=True)
            if isinstance(value, int | float)
            and "_seen_" not in name
            and "id" not in name.split("_")
        ]
        features.append([float(getattr(flow, name)) for name in names if name != "src_port"])
        ended.append(flow.bidirectional_last_seen_ms * 1000)
        source.append(addresses.setdefault(pack_address(flow.src_ip), len(addresses)))
        first, last = flow.bidirectional_first_seen_ms, flow.bidirectional_last_seen_ms
        hours |= {first // HOUR_MS, last // HOUR_MS}
    order = np.argsort(np.array(ended, np.int64), kind="stable")
    width = len(features[0]) if features else 0
    return SiteFlows(
        np.array(features, np.float32).reshape(-1, width)[order],
        np.array(ended, np.int64)[order], np.array(source, np.int32)[order],
        list(addresses), len(hours),
    )  # fmt: skip


def verdict(item: Labelled, flows: SiteFlows, scores: np.ndarray, line: float) -> str:
    """The scoreboard's word for one file."""
    incidents, noticed = incidents_of(alerts_of(flows, scores, line), item.class_)
    return judge(item, Outcome(incidents=incidents, noticed=noticed, rows=len(scores))).status


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("labels", type=Path, nargs="+", metavar="LABELS.csv")
    given = parser.parse_args()
    listed, _ = read_lists(given.labels)
    chosen = [item for item in choose_half(listed, "A") if item.path.suffix in CAPTURES
              and item.class_ in (*ACCEPTED, "benign")]  # fmt: skip
    began = time.perf_counter()
    flows = {item: found for item in chosen if len((found := flows_of(item.path)).ended)}
    metered = time.perf_counter() - began
    benign = [found for item, found in flows.items() if item.class_ == "benign"]
    model = Forest()
    model.fit(sample(benign, model.most))
    ordinary = [model.score(site.features) for site in benign]
    scores = {item: model.score(found.features) for item, found in flows.items()}
    at = {}
    for rate in RATES:
        line = line_of(benign, ordinary, rate)
        at[f"{rate:g}"] = Counter(
            ("benign: " if item.class_ == "benign" else "attack: ")
            + verdict(item, found, scores[item], line)
            for item, found in flows.items()
        )
    told = {
        "nfstream": version("nfstream"), "scikit-learn": version("scikit-learn"),
        "features": benign[0].features.shape[1], "captures_without_a_flow": len(chosen) - len(flows),
        "site_weeks": weeks_of(benign), "flows": sum(len(found.ended) for found in flows.values()),
        "meter_seconds": metered, "seconds": time.perf_counter() - began, "at": at,
    }  # fmt: skip
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
