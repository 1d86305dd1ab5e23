"""What both sides of a TLS handshake said, over TCP or QUIC, as one row of ``tls``."""

from __future__ import annotations

from typing import Final

from dijkwacht_agent.dissect import endpoints
from dijkwacht_agent.flow import Flow
from dijkwacht_agent.protocols.certificate import Certificate
from dijkwacht_agent.protocols.client_hello import ClientHello
from dijkwacht_agent.protocols.server_hello import TLS_1_3, ServerHello
from dijkwacht_records.tables import TABLES, TLS, Row

TLS_TABLE: Final = TABLES.index(TLS)
_NO_CERTIFICATE: Final = (0, 0, 0)


class Handshake:
    """``alert``: the first fatal one, plus one; ``renewed``: the server went on without a certificate."""

    __slots__ = ("alert", "answer", "certificate", "hello", "renewed")

    def __init__(self) -> None:
        self.hello: ClientHello | None = None
        self.answer: ServerHello | None = None
        self.certificate: Certificate | None = None
        self.alert = 0
        self.renewed = False

    @property
    def resumed(self) -> bool:
        """The server took up a session that it had before."""
        hello, answer = self.hello, self.answer
        if hello is None or answer is None or self.certificate is not None:
            return False
        if answer.version >= TLS_1_3:
            return answer.by_key
        return self.renewed or (answer.session != b"" and answer.session == hello.session)

    def row(self, time: int, flow: Flow, *, from_orig: bool) -> Row | None:
        """The row at ``time``, the originator being the client or not; ``None`` without a ClientHello."""
        hello, answer = self.hello, self.answer
        if hello is None:
            return None
        orig_h, resp_h = endpoints(flow.key)
        ends = (orig_h, resp_h, flow.resp_p) if from_orig else (resp_h, orig_h, flow.orig_p)
        asked = (hello.version, hello.server_name, flow.proto, hello.ja4, hello.flags)
        if answer is None:
            chosen = (0, 0, hello.alpn, 0, 0)
        else:
            mark = 0 if answer.retry else answer.fingerprint
            alpn = answer.alpn or hello.alpn
            chosen = (answer.version, answer.cipher, alpn, mark, int(self.resumed))
        shown = self.certificate or _NO_CERTIFICATE
        return (time, flow.flow_id, *ends, *asked, *chosen, *shown, self.alert)
