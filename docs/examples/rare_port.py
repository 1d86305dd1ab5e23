"""A first detector: services that this site has hardly ever used."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dijkwacht_detectors.api import Explanation, Rows, Scores, SiteDetector


class RarePort(SiteDetector):
    """How many bits of surprise a service's port is, given all that the site used before.

    >>> detector = RarePort()
    >>> detector.name, detector.table
    ('rare_port', 'flows')
    """

    name = "rare_port"
    table = "flows"
    reads = ("resp_p", "part")
    kind = "policy"
    technique = "T1571"

    patience = 200  # flows to have seen before it has an opinion

    def __init__(self) -> None:
        """Start knowing nothing; the collector makes one for every site."""
        self.used_ = np.zeros(65_536, np.int64)

    def score_many(self, window: Rows) -> Scores:
        """Score each row of the window: −log2 of how often its port was used so far."""
        if self.used_.sum() < self.patience:
            return np.full(len(window), np.nan)
        often = (self.used_[window["resp_p"]] + 1) / (self.used_.sum() + 1)
        return -np.log2(often)

    def learn_many(self, window: Rows) -> None:
        """Count each flow once, at its first part."""
        first = window["part"] == 0
        np.add.at(self.used_, window["resp_p"][first], 1)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say it in plain words, in both languages."""
        one_in = round(2 ** facts["score"])
        return Explanation(
            f"{{src}} used port {{port}}, as one in {one_in} connections here did",
            f"{{src}} gebruikte poort {{port}}, zoals één op {one_in} verbindingen hier",
            "A service nobody here used before. Ask whoever uses {src} what it is for.",
            "Een dienst die hier nooit gebruikt werd. Vraag wie {src} gebruikt waar dat voor is.",
        )
