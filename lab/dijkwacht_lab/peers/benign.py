"""What peers learn from: the benign captures that calibration uses, and some of its offices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_lab.calibrate import LEARNED, Office, file_rows
from dijkwacht_lab.labels import Labelled, attackers
from dijkwacht_lab.peers.flow_features import SiteFlows, flows_of
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_lab.traffic.habits import CALIBRATED

OFFICES: Final = tuple(LEARNED[k] for k in (2, 4, 8, 12))
"""Four of the sixteen, of six to eight machines: a model in Python takes minutes for a week of each."""
DAYS: Final = 7.0
MOST_OF_ONE: Final = 5_000
"""Flows of one site that are learned from: no office drowns the captures."""
_DAY_US: Final = 86_400 * 1_000_000


def flows_of_office(office: Office, days: float = DAYS) -> SiteFlows:
    """The flows of a generated office, with the habits that calibration may see."""
    rows = office_rows(office.seed, office.hosts, WORKING_MORNING, int(days * _DAY_US),
                       office.rate, habits=CALIBRATED)  # fmt: skip
    return flows_of(rows)


def flows_of_file(item: Labelled) -> SiteFlows:
    """The flows of a benign capture, without those of scanners that its label column names."""
    return flows_of(file_rows(item.path, attackers(item)))


def gather(
    files: Sequence[Labelled],
    offices: Sequence[Office] = OFFICES,
    days: float = DAYS,
    jobs: int = 2,
) -> Iterator[SiteFlows]:
    """Flows of all of them, ``jobs`` at a time, each when it is done."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        told: list[Future[SiteFlows]] = [pool.submit(flows_of_office, o, days) for o in offices]
        told += [pool.submit(flows_of_file, item) for item in files]
        for future in as_completed(told):
            yield future.result()


def sample(sites: Iterable[SiteFlows], most: int) -> NDArray[np.float32]:
    """At most ``most`` flows to learn from, by chance that always falls alike; float32[n, k]."""
    dice = np.random.default_rng(0)
    taken = [
        site.features[_some(dice, len(site.features), MOST_OF_ONE)] for site in _in_order(sites)
    ]
    joined = np.concatenate(taken)
    return joined[_some(dice, len(joined), most)]


def _in_order(sites: Iterable[SiteFlows]) -> list[SiteFlows]:
    """The same however they came in."""
    return sorted(sites, key=lambda site: (site.ended[:1].tolist(), len(site.ended)))


def _some(dice: np.random.Generator, many: int, most: int) -> NDArray[np.int64]:
    return dice.permutation(many)[:most]
