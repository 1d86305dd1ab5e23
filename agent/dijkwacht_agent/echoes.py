"""Pings that are not answered with what they asked: a reply must repeat its request.

What differs is the type alone, so the reply's checksum follows from the request's, and no payload need
be kept.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from dijkwacht_agent.dissect import ICMP, ICMPV6, Packet
from dijkwacht_agent.flow import Flow
from dijkwacht_agent.turn_taking import ECHOES, turns_of

MAX_OUTSTANDING: Final = 8
"""Requests of a flow that wait for their replies; the oldest is forgotten first."""
_REQUEST: Final = {ICMP: 8, ICMPV6: 128}
_CHANGE: Final = {ICMP: 0x0800, ICMPV6: -0x0100}
"""What a reply's checksum is more than its request's, in one's complement: of type 0 for 8, 129 for 128."""
_ONE: Final = 1 << 48
"""Marks a request that a `Flow` remembers by itself, above its id, sequence and checksum."""

_echo = Struct(">HI").unpack_from


def compare_echo(flow: Flow, data: bytes, packet: Packet) -> None:
    """Remember an echo request of ``flow``, or compare a reply with its own."""
    _, proto, kind, _, _, transport_at, at, _ = packet
    if (proto, kind) not in ECHOES or at != transport_at + 8 or len(data) < at:
        return  # something else, a later fragment, or cut off by the capture
    checksum, name = _echo(data, transport_at + 2)
    if kind == _REQUEST[proto]:
        _remember(flow, name, checksum)
        return
    request = _recall(flow, name)
    if request is not None and (checksum - request - _CHANGE[proto]) % 0xFFFF:
        turns_of(flow).unlike += 1


def _remember(flow: Flow, name: int, checksum: int) -> None:
    """Keep a request by its id and sequence: the only one in the flow itself."""
    if flow.turns is None and not flow.echo:
        flow.echo = _ONE | name << 16 | checksum
        return
    waiting = turns_of(flow).outstanding
    if flow.echo:
        waiting[flow.echo >> 16 & 0xFFFFFFFF] = flow.echo & 0xFFFF
        flow.echo = 0
    waiting.pop(name, None)
    if len(waiting) >= MAX_OUTSTANDING:
        del waiting[next(iter(waiting))]
    waiting[name] = checksum


def _recall(flow: Flow, name: int) -> int | None:
    """The checksum of the request that is answered, which waits no longer."""
    if flow.echo >> 16 == _ONE >> 16 | name:
        checksum, flow.echo = flow.echo & 0xFFFF, 0
        return checksum
    return flow.turns.outstanding.pop(name, None) if flow.turns is not None else None
