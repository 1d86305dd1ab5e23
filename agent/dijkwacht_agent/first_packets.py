"""What the first packets of a flow show: ``hints``, and who carries traffic out of the site."""

from __future__ import annotations

from struct import Struct
from typing import Final

from dijkwacht_agent.dissect import ACK, CALLED_BY_PORT, SYN, TCP, UDP, Packet
from dijkwacht_agent.flow import LOCAL, LOCAL_ORIG, LOCAL_RESP, Flow
from dijkwacht_agent.link_layers import ETHERNET
from dijkwacht_agent.memory.answered_names import AnsweredNames
from dijkwacht_agent.memory.commanded import Commanded
from dijkwacht_agent.memory.gateways import Gateways
from dijkwacht_agent.protocols.speech import ENOUGH, speech_of
from dijkwacht_records.hints import (
    CALLED_BACK,
    NAMED,
    OPTIONS,
    RESP_FIRST,
    SEQ_IS_DST,
    SPEECH,
    WINDOW,
    SynOptions,
    SynWindow,
)

DNS_OVER_TLS: Final = 853
_SMALL: Final = 8192
_SYN_FLAGS: Final = SYN | ACK
_OPTIONS: Final = tuple(
    min(number + SynOptions.NONE, SynOptions.MORE) << OPTIONS.shift for number in range(11)
)
"""By words of TCP options; a header holds ten."""
_WINDOWS: Final = {0: SynWindow.ZERO << WINDOW.shift} | dict.fromkeys(
    (1024, 2048, 3072, 4096), SynWindow.SCANNER << WINDOW.shift
)
_SMALL_WINDOW: Final = SynWindow.SMALL << WINDOW.shift
_LARGE_WINDOW: Final = SynWindow.LARGE << WINDOW.shift
_SEQ_IS_DST: Final = SEQ_IS_DST.put(1)
_RESP_FIRST: Final = RESP_FIRST.put(1)
_NAMED, _CALLED_BACK, _SPEECH = NAMED.shift, CALLED_BACK.shift, SPEECH.shift

_u16 = Struct(">H").unpack_from


class FirstPackets:
    """Looks at flows that begin, and at their first payloads."""

    def __init__(self, names: AnsweredNames, commanded: Commanded) -> None:
        self.gateways = Gateways()
        self._names, self._commanded = names, commanded

    def begin(self, flow: Flow, time: int, data: bytes, packet: Packet, link_type: int) -> None:
        """``flow`` begins with ``packet`` at ``time`` (µs): what does that show, what is known of its ends?"""
        key, proto, _, _, flags, transport_at, at, _ = packet
        own, marks = flow.key, flow.marks
        half = (len(own) - 7) // 2
        orig, resp = own[:half], own[half : 2 * half]
        if resp[0] < 224 or (half == 16 and resp[0] != 0xFF):  # nobody names a group
            inside = marks & LOCAL_ORIG > 0
            hints = self._names.named(time, orig, resp, inside=inside) << _NAMED
        else:
            hints = 0
        if proto == TCP and flags & _SYN_FLAGS == SYN and len(data) >= transport_at + 20:
            (window,) = _u16(data, transport_at + 14)
            hints |= _OPTIONS[(at - transport_at - 20) // 4]
            hints |= _WINDOWS.get(window) or (
                _LARGE_WINDOW if window >= _SMALL else _SMALL_WINDOW if window else 0
            )
            if data[transport_at + 4 : transport_at + 8] == resp:
                hints |= _SEQ_IS_DST
        if self._commanded:
            hints |= self._commanded.calls(time, orig, resp) << _CALLED_BACK
        flow.hints = hints
        if flow.resp_p == DNS_OVER_TLS and proto in CALLED_BY_PORT:
            self._names.hides(time, orig)
        if link_type == ETHERNET and (marks & LOCAL == LOCAL_ORIG or marks & LOCAL == LOCAL_RESP):
            leaves = (marks & LOCAL == LOCAL_ORIG) == (key == own)
            self.gateways.carries(time, data[:6] if leaves else data[6:12])

    def speak(self, flow: Flow, data: bytes, packet: Packet, *, from_orig: bool) -> None:
        """``packet`` has the first payload of ``flow``, or what the capture left of it."""
        _, proto, _, _, _, _, at, size = packet
        if proto in CALLED_BY_PORT:
            payload = data[at : at + min(size, ENOUGH)]
            flow.hints |= speech_of(payload, size, datagram=proto == UDP) << _SPEECH
        if not from_orig:
            flow.hints |= _RESP_FIRST
