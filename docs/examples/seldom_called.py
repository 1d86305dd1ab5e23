"""What is usual here, and what others know: calls to addresses that the site hardly knows."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from dijkwacht_detectors.api import Explanation, Rows, Scores, SiteDetector


class SeldomCalled(SiteDetector):
    """How new an address is to the site, unless a table says that everybody calls at such a port.

    >>> from dijkwacht_detectors.checks import score_rows
    >>> calls = [{"time": t, "resp_h": 9, "resp_p": p} for t, p in [(1, 80), (2, 80), (3, 123)]]
    >>> score_rows(SeldomCalled(), calls).round(2).tolist()
    [0.0, -1.0, -1.58]
    >>> detector = SeldomCalled()
    >>> detector.take_table("ordinary-ports", b"[123]")
    >>> score_rows(detector, calls).round(2).tolist()
    [0.0, -1.0, nan]
    """

    name = "seldom_called"
    table = "flows"
    reads = ("resp_p",)
    context = ("dest_rows",)
    kind = "policy"
    technique = "T1071"

    def __init__(self) -> None:
        """Start without a table."""
        self.ordinary = np.zeros(0, np.int64)

    def take_table(self, name: str, data: bytes) -> None:
        """Ports that are ordinary everywhere, as a JSON list of numbers."""
        if name == "ordinary-ports":
            self.ordinary = np.array(msgspec.json.decode(data, type=list[int]), np.int64)

    def score_many(self, window: Rows) -> Scores:
        """Score each flow by how many its site had to that address before it."""
        scores = np.log2(1 / (1 + window["dest_rows"]))
        scores[np.isin(window["resp_p"], self.ordinary)] = np.nan
        return scores

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say it in plain words, in both languages."""
        before = round(2 ** -facts["score"]) - 1
        return Explanation(
            f"{{src}} calls {{dst}}, which this site called {before} times before",
            f"{{src}} belt {{dst}}, wat hier {before} keer eerder gebeurde",
            "Nobody here knows {dst} well. Ask whoever uses {src} what it is for.",
            "Niemand hier kent {dst} goed. Vraag wie {src} gebruikt waar dat voor is.",
        )
