"""When a turn of a flow begins and ends, and what it then had: see `Turns`."""

from __future__ import annotations

from typing import Final

from dijkwacht_agent.dissect import CALLED_BY_PORT, ICMP, ICMPV6, endpoints
from dijkwacht_agent.flow import RESP_SPOKE_FIRST, Flow
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_agent.turns import Turns
from dijkwacht_records.tables import TABLES, TALKS

SILENCE: Final = 500_000
"""µs without a packet of the flow, after which whoever speaks next begins a turn."""
ECHOES: Final = frozenset({(ICMP, 8), (ICMP, 0), (ICMPV6, 128), (ICMPV6, 129)})
_TALKS: Final = TABLES.index(TALKS)


def take_turn(flow: Flow, time: int, *, from_orig: bool) -> None:
    """A turn of ``flow`` begins at ``time`` (µs), with a packet that is not counted into it yet."""
    speaker = flow.speaker
    if speaker is None:
        flow.speaker, flow.begun = from_orig, time
        if not from_orig:
            flow.marks |= RESP_SPOKE_FIRST
        return
    if flow.turns is None:
        orig_first = not flow.marks & RESP_SPOKE_FIRST
        second = speaker is orig_first is not from_orig
        if second or not (flow.proto in CALLED_BY_PORT or (flow.proto, flow.orig_p) in ECHOES):
            flow.speaker = from_orig  # `begun` stays: only the first speaker's pace is told
            return
    turns_of(flow).add(from_orig=speaker, size=_size(flow, from_orig=speaker), begun=flow.begun)
    flow.speaker, flow.begun = from_orig, time


def end_turns(flow: Flow) -> None:
    """``flow`` is over, and so is the turn that was being taken."""
    turns, speaker = flow.turns, flow.speaker
    if turns is not None and speaker is not None:
        turns.add(from_orig=speaker, size=_size(flow, from_orig=speaker), begun=flow.begun)


def tell_turns(flow: Flow, made: MadeRows) -> None:
    """Add the row of the turns that are over, if there are enough for one."""
    facts = flow.turns.facts() if flow.turns is not None else None
    if facts is not None:
        made.add(
            _TALKS,
            (flow.last, flow.flow_id, *endpoints(flow.key), flow.resp_p, flow.proto, *facts),
        )


def turns_of(flow: Flow) -> Turns:
    """The flow's `Turns`, made if there are none: with its first turn, if its second is being taken."""
    turns = flow.turns
    if turns is None:
        orig_first = not flow.marks & RESP_SPOKE_FIRST
        turns = flow.turns = Turns(orig_first=orig_first)
        if flow.speaker is not None and flow.speaker is not orig_first:
            size = _size(flow, from_orig=orig_first)
            turns.add(from_orig=orig_first, size=size, begun=flow.begun)
    return turns


def _size(flow: Flow, *, from_orig: bool) -> int:
    """Bytes of a side since its turn before."""
    if from_orig:
        size, flow.orig_held = flow.orig_held + flow.orig_bytes, -flow.orig_bytes
    else:
        size, flow.resp_held = flow.resp_held + flow.resp_bytes, -flow.resp_bytes
    return size
