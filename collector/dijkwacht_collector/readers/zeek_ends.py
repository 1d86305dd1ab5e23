"""What nearly all of Zeek's logs have in common: whose line it is."""

from __future__ import annotations

from typing import Final

from dijkwacht_collector.readers.connections import flow_id
from dijkwacht_collector.readers.fields import Bad, Fields
from dijkwacht_records.addresses import UNSPECIFIED

ID: Final = frozenset({"ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"})
"""The columns of it."""


def flow_of(f: Fields) -> int:
    """The flow that a line belongs to."""
    return flow_id(f.text("uid") or repr([f.values.get(column) for column in sorted(ID)]))


def ends(f: Fields) -> tuple[bytes, bytes]:
    """Originator and responder. Raises `Bad`."""
    orig_h, resp_h = f.address("id.orig_h"), f.address("id.resp_h")
    if UNSPECIFIED in (orig_h, resp_h) and not {"id.orig_h", "id.resp_h"} <= f.values.keys():
        raise Bad("addresses in id.orig_h and id.resp_h")
    return orig_h, resp_h
