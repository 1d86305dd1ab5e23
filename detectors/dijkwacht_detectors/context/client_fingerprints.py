"""How usual a TLS client is at the site, by its JA4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray

from dijkwacht_detectors.api import Rows, State
from dijkwacht_detectors.context_api import Context
from dijkwacht_detectors.state.company import COMPANY, keep_company
from dijkwacht_detectors.state.naming import picker


class ClientFingerprints(Context):
    """Who else says hello as this row does, and to whom.

    ``ja4_first`` event time, µs UTC, of its first row, the row's own if it is new; ``ja4_rows`` rows;
    ``ja4_machines`` and ``ja4_dests`` how many originators and responders it was seen with, as sets
    of 64 hashed bits. A browser's goes to many servers, malware's often to one.

    >>> from dijkwacht_detectors.harness import context_columns
    >>> hellos = [{"ja4": "t13i0", "resp_h": host} for host in (7, 8, 8)]
    >>> context_columns(ClientFingerprints(), hellos)["ja4_dests"].tolist()
    [0.0, 1.0, 2.0]
    """

    name = "client_fingerprints"
    table = "tls"
    reads = ("orig_h", "resp_h")
    entity = ("ja4",)
    columns: ClassVar = {
        "ja4_first": "int", "ja4_rows": "int", "ja4_machines": "int", "ja4_dests": "int",
    }  # fmt: skip
    state = COMPANY
    entities_per_site = 1024
    forget_after_s = 30 * 24 * 3600

    def fold(self, rows: Rows, state: State, out: Mapping[str, NDArray[Any]]) -> None:
        """Say what is known of the fingerprint, then take the hello."""
        keep_company(rows, state, _told(out))


_told = picker(tuple(ClientFingerprints.columns))
