"""Community ID, version 1: one text for both directions of a flow, the same in every tool.

https://github.com/corelight/community-id-spec; seed 0. It is an unkeyed hash, and who knows the
possible addresses finds them again: over clear addresses it is as telling as they are. So it is not
sent and not stored, but made where it is read, from the addresses that are there: pseudonyms at a
collector, clear ones beside one's own recording.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Final

from dijkwacht_records.addresses import V4_PREFIX

_ICMP, _TCP, _UDP, _ICMPV6, _SCTP = 1, 6, 17, 58, 132
_WITH_PORTS: Final = frozenset((_TCP, _UDP, _SCTP))
_SEED: Final = b"\x00\x00"


def _both_ways(*pairs: tuple[int, int]) -> dict[int, int]:
    return dict(pairs) | {answer: question for question, answer in pairs}


_ANSWERED: Final = {
    _ICMP: _both_ways((8, 0), (13, 14), (15, 16), (17, 18), (10, 9)),
    _ICMPV6: _both_ways((128, 129), (133, 134), (135, 136), (130, 131), (144, 145), (139, 140)),
}
"""By protocol: the ICMP type that answers a type, either way round."""


def community_id(orig_h: bytes, resp_h: bytes, orig_p: int, resp_p: int, proto: int) -> str:
    """The Community ID of a flow; addresses are 16 bytes, ports as in the ``flows`` table.

    >>> from dijkwacht_records.addresses import pack_address
    >>> ends = pack_address("128.232.110.120"), pack_address("66.35.250.204")
    >>> community_id(*ends, 34855, 80, 6)
    '1:LQU9qZlK+B5F3KDmev6m5PMibrg='
    """
    one_way, ports = False, b""
    if proto in _ANSWERED:
        answer = _ANSWERED[proto].get(orig_p)
        one_way, resp_p = answer is None, resp_p if answer is None else answer
    ends = [_end(orig_h, orig_p), _end(resp_h, resp_p)]
    if not one_way:
        ends.sort()
    if proto in _WITH_PORTS or proto in _ANSWERED:
        ports = ends[0][1] + ends[1][1]
    addresses = ends[0][0] + ends[1][0]
    # SHA-1 because the specification says so: it guards nothing.
    digest = hashlib.sha1(_SEED + addresses + bytes((proto, 0)) + ports, usedforsecurity=False)
    return f"1:{b64encode(digest.digest()).decode()}"


def _end(address: bytes, port: int) -> tuple[bytes, bytes]:
    short = address[12:] if address.startswith(V4_PREFIX) else address
    return short, port.to_bytes(2, "big")
