"""Let models learn, set their lines, and hear what they say of labelled files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_lab.peers.benign import sample
from dijkwacht_lab.peers.flow_features import SiteFlows
from dijkwacht_lab.peers.line import alerts_of, line_of, weeks_of
from dijkwacht_lab.peers.models import MODELS, Model, version_of
from dijkwacht_lab.peers.peer import Peer, Said
from dijkwacht_lab.scoreboard import Judged


class Heard(NamedTuple):
    """What one model said: alerts by file, and what it took (seconds, flows)."""

    name: str
    said: Mapping[str, list[Said]]
    learned: int
    line: float
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
    line = line_of(benign, [_scores(model, site) for site in benign])
    said = {file: alerts_of(flows, _scores(model, flows), line) for file, flows in files.items()}
    scored = sum(len(flows.ended) for flows in (*benign, *files.values()))
    took = time.perf_counter() - fitted
    return Heard(name, said, len(learned), line, fitted - began, took, scored)


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
    peer = Peer(heard.name)
    for judged in ours:
        peer.hear(judged, heard.said.get(str(judged.labelled.path), ()))
    model, version = MODELS[heard.name], version_of(heard.name)
    per_flow = heard.score_s / max(heard.scored, 1) * 1e6
    peer.about = {
        "library": model.library, "version": version, "learned_flows": heard.learned,
        "learned_site_weeks": weeks, "line": heard.line, "learn_seconds": heard.learn_s,
        "score_seconds": heard.score_s, "scored_flows": heard.scored,
    }  # fmt: skip
    cost = f"{per_flow:.1f} µs a flow to judge ({heard.scored:,} in {heard.score_s:.0f} s)"
    learned = f"{heard.learned:,} flows of {weeks:.2f} site-weeks in {heard.learn_s:.1f} s"
    peer.lines = [f"{model.library} {version}, {model.about}: learned from {learned}, {cost}"]
    return peer
