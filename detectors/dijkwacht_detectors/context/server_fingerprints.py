"""How usual a TLS server's answer is at the site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray

from dijkwacht_detectors.api import Rows, State
from dijkwacht_detectors.context_api import Context
from dijkwacht_detectors.state.company import COMPANY, keep_company
from dijkwacht_detectors.state.naming import picker


class ServerFingerprints(Context):
    """Which servers answer as this row's does, and whom.

    ``server_fp_first`` event time, µs UTC, of its first row, the row's own if it is new; ``server_fp_rows`` rows;
    ``server_fp_machines`` and ``server_fp_dests`` how many originators and responders it was seen with, as sets
    of 64 hashed bits. Hellos without an answer share fingerprint 0.

    >>> from dijkwacht_detectors.harness import context_columns
    >>> hellos = [{"server_fp": 5, "resp_h": host} for host in (7, 8, 8)]
    >>> context_columns(ServerFingerprints(), hellos)["server_fp_dests"].tolist()
    [0.0, 1.0, 2.0]
    """

    name = "server_fingerprints"
    table = "tls"
    reads = ("orig_h", "resp_h")
    entity = ("server_fp",)
    columns: ClassVar = {
        "server_fp_first": "int", "server_fp_rows": "int", "server_fp_machines": "int", "server_fp_dests": "int",
    }  # fmt: skip
    state = COMPANY
    entities_per_site = 1024
    forget_after_s = 30 * 24 * 3600

    def fold(self, rows: Rows, state: State, out: Mapping[str, NDArray[Any]]) -> None:
        """Say what is known of the fingerprint, then take the hello."""
        keep_company(rows, state, _told(out))


_told = picker(tuple(ServerFingerprints.columns))
