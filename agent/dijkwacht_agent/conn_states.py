"""Who began a connection, and Zeek's summary of how it went."""

from __future__ import annotations

from typing import Final

from dijkwacht_agent.dissect import ACK, CALLED_BY_PORT, FIN, RST, SYN, TCP
from dijkwacht_agent.flow import Flow
from dijkwacht_records.tables import ConnState

_WELL_KNOWN: Final = 1024

# Members of an enumeration are slow to look up, and every part of a flow has one.
_OTH, _S0, _S1, _SF, _REJ, _S2, _S3, _RSTO, _RSTR, _RSTOS0, _RSTRH, _SH, _SHR = ConnState


def conn_state(flow: Flow) -> ConnState:
    """Zeek's summary of a connection, as far as it is known now."""
    orig_any, resp_any = flow.orig_any, flow.resp_any
    if flow.proto != TCP:
        answered = _SF if orig_any else _SHR
        return answered if resp_any else _S0
    orig, resp = flow.orig_seen | flow.orig_flags, flow.resp_seen | flow.resp_flags
    if not orig & SYN:
        return _without_syn(flow.aborter, orig, resp)
    # Whatever the responder sent, unless it was a refusal, it has accepted the connection.
    if resp_any and (resp & SYN or not resp & RST):
        return _established(flow.aborter, orig, resp)
    if flow.aborter:
        return _RSTOS0 if flow.aborter == 1 else _REJ
    return _SH if orig & FIN else _S0


def _established(aborter: int, orig: int, resp: int) -> ConnState:
    """The connection was established; which end closed it?"""
    if aborter:
        return _RSTO if aborter == 1 else _RSTR
    if orig & FIN:
        return _SF if resp & FIN else _S2
    return _S3 if resp & FIN else _S1


def _without_syn(aborter: int, orig: int, resp: int) -> ConnState:
    """The originator's SYN was never seen: midstream, or only the answers pass by here."""
    if resp & SYN:
        if aborter == 2:
            return _RSTRH
        if resp & FIN and not orig:
            return _SHR
    return _OTH


def is_answer(proto: int, sport: int, dport: int, flags: int, key: bytes) -> bool:
    """Whether the first packet seen of a flow comes from the side that was called.

    A SYN-ACK does. Without a SYN, the sender was called if its port is below 1024 and the other's is
    not, unless it is sent to a group.
    """
    if proto == TCP and flags & SYN:
        return bool(flags & ACK)
    if proto not in CALLED_BY_PORT or not sport < _WELL_KNOWN <= dport:
        return False
    return key[4] < 224 if len(key) == 15 else key[16] != 0xFF
