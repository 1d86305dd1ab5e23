"""Two tables in one detector: connections that no question for a name came before."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dijkwacht_detectors.api import Explanation, RowDetector, Rows, Scores, State

FLOWS, DNS = 0, 1


class Unasked(RowDetector):
    """How long a machine has asked for no name when it calls somebody outside, in doublings of a second.

    Software that has an address built in needs no name server.

    >>> from dijkwacht_detectors.checks import score_rows
    >>> minute = 60_000_000
    >>> asks = {"table": "dns", "question": 1}
    >>> calls = {"table": "flows", "local_resp": 0}
    >>> rows = [asks | {"time": 1}, calls | {"time": 2}, calls | {"time": 32 * minute}]
    >>> score_rows(Unasked(), rows).round(1).tolist()
    [nan, 0.0, 10.9]
    """

    name = "unasked"
    reads = {"flows": ("part", "local_resp"), "dns": ("question",)}  # noqa: RUF012
    entity = "orig"
    kind = "c2"
    technique = "T1071"
    facts = ("minutes",)
    state = {"asked": ("i8", ())}  # noqa: RUF012

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Walk both tables' rows in the order in which they came."""
        asked = state["asked"]
        for i, machine in enumerate(rows.slot):
            if rows.fresh[i]:
                asked[machine] = 0
            if rows.table[i] == DNS:
                if rows["question"][i]:
                    asked[machine] = rows.time[i]
            elif asked[machine] and rows["part"][i] == 0 and not rows["local_resp"][i]:
                seconds = (rows.time[i] - asked[machine]) / 1e6
                scores[i], facts[i] = np.log2(1 + seconds), seconds / 60

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say it in plain words, in both languages."""
        minutes = round(facts["minutes"])
        return Explanation(
            f"{{src}} calls {{dst}}, and asked for no name for {minutes} minutes",
            f"{{src}} belt {{dst}}, en vroeg {minutes} minuten lang naar geen naam",
            "It knows the address by heart. Ask whoever uses {src} what does.",
            "Het adres zit erin. Vraag wie {src} gebruikt wat dat is.",
        )
