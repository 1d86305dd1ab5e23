"""Since when the site calls a server by this name, and who does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray

from dijkwacht_detectors.api import Rows, State
from dijkwacht_detectors.context_api import Context
from dijkwacht_detectors.state.company import COMPANY, keep_company
from dijkwacht_detectors.state.naming import picker


class ServerNames(Context):
    """The site's acquaintance with the server name of a hello.

    ``name_first`` event time, µs UTC, of its first row, the row's own if it is new; ``name_rows`` rows;
    ``name_machines`` and ``name_dests`` how many originators and responders it was seen with, as sets
    of 64 hashed bits. Hellos without a name share one that is empty.

    >>> from dijkwacht_detectors.harness import context_columns
    >>> hellos = [{"server_name": "a.example", "resp_h": host} for host in (7, 8, 8)]
    >>> context_columns(ServerNames(), hellos)["name_dests"].tolist()
    [0.0, 1.0, 2.0]
    """

    name = "server_names"
    table = "tls"
    reads = ("orig_h", "resp_h")
    entity = ("server_name",)
    columns: ClassVar = {
        "name_first": "int", "name_rows": "int", "name_machines": "int", "name_dests": "int",
    }  # fmt: skip
    state = COMPANY
    entities_per_site = 4096
    forget_after_s = 30 * 24 * 3600

    def fold(self, rows: Rows, state: State, out: Mapping[str, NDArray[Any]]) -> None:
        """Say what is known of the name, then take the hello."""
        keep_company(rows, state, _told(out))


_told = picker(tuple(ServerNames.columns))
