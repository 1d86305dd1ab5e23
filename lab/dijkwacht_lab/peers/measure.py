"""Let models learn, set their lines, and hear what they say of labelled files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_lab.peers.benign import sample
from dijkwacht_lab.peers.flow_features import SiteFlows
from dijkwacht_lab.peers.line import PER_WEEK, alerts_of, line_of, weeks_of
from dijkwacht_lab.peers.models import MODELS, Model, version_of
from dijkwacht_lab.peers.peer import Peer, Said
from dijkwacht_lab.scoreboard import Judged

RATES: Final = (PER_WEEK, 10.0, 100.0)
"""Interruptions a site-week: what we are allowed, and what it would be at more."""


class Heard(NamedTuple):
    """What one model said: at each of `RATES` its line and its alerts by file; what it took (seconds, flows)."""

    name: str
    at: Sequence[tuple[float, Mapping[str, list[Said]]]]
    learned: int
    learn_s: float
    score_s: float
    scored: int


def hear(name: str, benign: Sequence[SiteFlows], files: Mapping[str, SiteFlows]) -> Heard:
    """Fit one model on ``benign``, set its line there, and let it judge ``files``."""
    model = MODELS[name]()
    began = time.perf_counter()
    learned = sample(benign, model.most)
    model.fit(learned)
    fitted = time.perf_counter()
    ordinary = [_scores(model, site) for site in benign]
    told = {file: _scores(model, flows) for file, flows in files.items()}
    took = time.perf_counter() - fitted
    at = []
    for rate in RATES:
        line = line_of(benign, ordinary, rate)
        at.append(
            (line, {file: alerts_of(flows, told[file], line) for file, flows in files.items()})
        )
    scored = sum(len(flows.ended) for flows in (*benign, *files.values()))
    return Heard(name, at, len(learned), fitted - began, took, scored)


def _scores(model: Model, flows: SiteFlows) -> NDArray[np.float64]:
    """A capture may hold no flow, which no library is ready for."""
    return model.score(flows.features) if len(flows.features) else np.zeros(0)


def measure(
    ours: Sequence[Judged],
    benign: Sequence[SiteFlows],
    files: Mapping[str, SiteFlows],
    jobs: int = 1,
) -> Iterator[Peer]:
    """Every model whose library is here, ``jobs`` at a time, as a column beside ``ours``.

    ``files``: flows by path of the labelled file.
    """
    here = [name for name in MODELS if version_of(name)]
    weeks = weeks_of(benign)
    if jobs == 1:
        for name in here:
            yield _column(hear(name, benign, files), ours, weeks)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        told = [pool.submit(hear, name, benign, files) for name in here]
        for future in as_completed(told):
            yield _column(future.result(), ours, weeks)


def missing() -> list[str]:
    """Libraries of models that are not installed."""
    return [MODELS[name].library for name in MODELS if not version_of(name)]


def _column(heard: Heard, ours: Sequence[Judged], weeks: float) -> Peer:
    columns = [Peer(heard.name) for _ in RATES]
    for peer, (_, said) in zip(columns, heard.at, strict=True):
        for judged in ours:
            peer.hear(judged, said.get(str(judged.labelled.path), ()))
    model, version = MODELS[heard.name], version_of(heard.name)
    per_flow = heard.score_s / max(heard.scored, 1) * 1e6
    peer = columns[0]
    peer.about = {
        "library": model.library, "version": version, "learned_flows": heard.learned,
        "learned_site_weeks": weeks, "lines": [line for line, _ in heard.at],
        "learn_seconds": heard.learn_s, "score_seconds": heard.score_s, "scored_flows": heard.scored,
        "at": {f"{rate:g}": _ratio(column) for rate, column in zip(RATES, columns, strict=True)},
    }  # fmt: skip
    cost = f"{per_flow:.1f} µs a flow to judge ({heard.scored:,} in {heard.score_s:.0f} s)"
    learned = f"{heard.learned:,} flows of {weeks:.2f} site-weeks in {heard.learn_s:.1f} s"
    peer.lines = [f"{model.library} {version}, {model.about}: learned from {learned}, {cost}"]
    for rate, column in zip(RATES[1:], columns[1:], strict=True):
        told = _ratio(column)
        peer.lines.append(
            f"at {rate:g} a site-week: {told['caught']} of {told['attacks']} attacks, "
            f"{told['false']} of {told['benign']} benign files"
        )
    return peer


def _ratio(peer: Peer) -> dict[str, int]:
    counts = Counter(judged.status for judged in peer.judged)
    return {
        "caught": counts["caught"], "attacks": counts["caught"] + counts["missed"],
        "false": counts["false"], "benign": counts["false"] + counts["clean"],
    }  # fmt: skip
